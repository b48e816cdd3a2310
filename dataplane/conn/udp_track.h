/* SPDX-License-Identifier: Apache-2.0 */
/* State of a forwarded UDP flow: pure function of entry, direction and time. */
#ifndef FENDER_DATAPLANE_CONN_UDP_TRACK_H
#define FENDER_DATAPLANE_CONN_UDP_TRACK_H

#include "dataplane/packet.h"

/* Start tracking a new flow: created_ns and the idle deadline. */
void udp_track_open(struct conn *c, uint64_t now_ns, const struct image_timeouts *t);

/**
 * udp_track() - one datagram of a known flow
 *
 * Moves the deadline (never past max_duration). The endpoint's first reply is the call's success:
 * sets CONN_REPLIED and, when there is no verdict yet, CONN_VERDICT.
 * Return: 1 when this datagram gave the verdict success, else 0.
 */
int udp_track(struct conn *c, enum direction dir, uint64_t now_ns, const struct image_timeouts *t);

#endif
