/* SPDX-License-Identifier: Apache-2.0 */
/* The start of a call: from a client's first packet to a connection entry. */
#ifndef FENDER_DATAPLANE_FLOW_OPEN_H
#define FENDER_DATAPLANE_FLOW_OPEN_H

#include "dataplane/packet.h"

struct worker;
struct rte_mbuf;
struct image_listener;

/*
 * Start a call for a SYN or a UDP packet. It goes to an endpoint (port, entry, the packet is
 * forwarded), waits (entry, the SYN is kept in it), or is rejected with one reason (a SYN is
 * answered with RST). Takes the frame.
 */
void flow_open(struct worker *w, uint8_t interface, const struct image_listener *listener,
	       struct packet *p, struct rte_mbuf *frame);

#endif
