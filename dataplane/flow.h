/* SPDX-License-Identifier: Apache-2.0 */
/* What happens to a packet of a connection, or to one that has none yet. */
#ifndef FENDER_DATAPLANE_FLOW_H
#define FENDER_DATAPLANE_FLOW_H

#include "dataplane/packet.h"

struct worker;
struct rte_mbuf;

/**
 * flow_packet() - decide one TCP, UDP or ICMP error packet; takes the frame
 * @found: what the bulk look-up gave for p->key (LOOKUP_NONE or number << 1 | direction)
 */
void flow_packet(struct worker *w, uint8_t interface, struct packet *p, struct rte_mbuf *frame,
		 uint32_t found);

/* Count one packet on every level that shows traffic; @bytes is its IP length as it came in. */
void flow_count_packet(struct worker *w, struct conn *c, enum direction dir, uint32_t bytes);

/* An entry for a new call: opened is counted, but at its endpoint (flow_attempt_count_opened()). */
void flow_opened(struct worker *w, struct conn *c);

/*
 * The connection is over: its call ends, everything it held returns, closed is counted. One whose
 * state is CONN_RESTING rests, others are released.
 */
void flow_over(struct worker *w, struct conn *c);

/* Release an entry and the port it has. It is over already. */
void flow_release(struct worker *w, struct conn *c);

/*
 * The entry was written over: it ends here, counted, and what it held returns. Its ends hear of it
 * with their next packets.
 */
void flow_damaged(struct worker *w, struct conn *c);

/* The cluster's timeouts; the built-in defaults once it has left the policy. */
const struct image_timeouts *flow_timeouts(const struct worker *w, const struct conn *c);

#endif
