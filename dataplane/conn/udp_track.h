/* SPDX-License-Identifier: Apache-2.0 */
/* State of a forwarded UDP flow: pure function of entry, direction and time. */
#ifndef FENDER_DATAPLANE_CONN_UDP_TRACK_H
#define FENDER_DATAPLANE_CONN_UDP_TRACK_H

#include "dataplane/packet.h"

/* Start tracking a new flow: created_ns and the first deadline. */
void udp_track_open(struct conn *c, uint64_t now_ns, const struct image_timeouts *t);

/**
 * udp_track() - one datagram of a known flow
 *
 * Moves the deadline (never past max_duration; until the verdict not past expect_reply after the
 * flow's first datagram). The endpoint's first reply is the call's success: sets CONN_REPLIED
 * and, when there is no verdict yet, CONN_VERDICT.
 * Return: 1 when this datagram gave the verdict success, else 0.
 */
int udp_track(struct conn *c, enum direction dir, uint64_t now_ns, const struct image_timeouts *t);

enum udp_timer {
	UDP_TIMER_NOTHING,  /* moved: schedule again */
	UDP_TIMER_NO_REPLY, /* verdict: failure. The flow lives on: schedule again */
	UDP_TIMER_OVER,     /* idle or max_duration */
};

/* What the deadline of a flow means at @now_ns. NO_REPLY comes once and sets CONN_VERDICT. */
enum udp_timer udp_track_expired(struct conn *c, uint64_t now_ns, const struct image_timeouts *t);

#endif
