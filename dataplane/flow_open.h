/* SPDX-License-Identifier: Apache-2.0 */
/* The start of a call: from a client's first packet to a connection entry. */
#ifndef FENDER_DATAPLANE_FLOW_OPEN_H
#define FENDER_DATAPLANE_FLOW_OPEN_H

#include "dataplane/packet.h"

struct worker;
struct rte_mbuf;
struct image_listener;

/* Largest MSS that fits both interfaces of a connection. */
uint16_t flow_mss_max(const struct worker *w, uint8_t in, uint8_t out, uint8_t family);

/*
 * Start a call for a SYN or a UDP packet: endpoint, SNAT port, entry; forward the packet, or
 * reject the call with one reason (a SYN is answered with RST). Takes the frame.
 */
void flow_open(struct worker *w, uint8_t interface, const struct image_listener *listener,
	       struct packet *p, struct rte_mbuf *frame);

#endif
