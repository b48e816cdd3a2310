/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FENDER_DATAPLANE_FLOW_ICMP_H
#define FENDER_DATAPLANE_FLOW_ICMP_H

#include "dataplane/packet.h"

struct worker;
struct rte_mbuf;

/*
 * An ICMP error that quotes a packet of @c: translated and passed on. "Unreachable" also ends the
 * call of a UDP flow, and the attempt of a SYN: the client hears of that only when no other is
 * made.
 */
void flow_icmp(struct worker *w, struct packet *p, struct rte_mbuf *frame, struct conn *c,
	       enum direction dir);

#endif
