/* SPDX-License-Identifier: Apache-2.0 */
/* From a decision to a frame with the right addresses on the right interface. */
#ifndef FENDER_DATAPLANE_FORWARD_H
#define FENDER_DATAPLANE_FORWARD_H

#include "dataplane/packet.h"

struct worker;
struct rte_mbuf;

/*
 * Translate and send one packet of a connection the other way out. Takes the frame; drops it
 * with reason too_big (answered with an ICMP error) or for want of a next hop.
 */
void forward_packet(struct worker *w, struct packet *p, struct rte_mbuf *frame, struct conn *c,
		    enum direction dir);

/* The same for an ICMP error that quotes a packet of the connection. */
void forward_icmp_error(struct worker *w, struct packet *p, struct rte_mbuf *frame, struct conn *c,
			enum direction dir);

/*
 * Send a frame that Fender built (Ethernet header without MACs and tag) to the connection's
 * endpoint (FORWARD) or client (REVERSE).
 */
void forward_built(struct worker *w, struct rte_mbuf *frame, struct conn *c, enum direction dir);

/* Put MACs and the interface's VLAN tag on an untagged frame and send it. */
void forward_link(struct worker *w, uint8_t interface, struct rte_mbuf *frame,
		  const uint8_t mac[6]);

/*
 * Find a connection's next hop towards its endpoint (FORWARD) or client (REVERSE); REASON_NONE, or
 * why it cannot be reached.
 */
enum reason forward_prepare(struct worker *w, struct conn *c, enum direction dir);

/* Frames waiting for next hops: send what is resolved, drop what failed. Once a loop. */
void forward_pending(struct worker *w);

#endif
