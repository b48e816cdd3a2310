/* SPDX-License-Identifier: Apache-2.0 */
/* Frames for Fender itself: ARP, neighbour discovery, ping. */
#ifndef FENDER_DATAPLANE_LOCAL_H
#define FENDER_DATAPLANE_LOCAL_H

#include "dataplane/packet.h"

struct worker;
struct rte_mbuf;

/* Answer, learn, count. Takes the frame. @p->kind is PACKET_ARP, PACKET_ND or PACKET_ECHO. */
void local_packet(struct worker *w, uint8_t interface, struct packet *p, struct rte_mbuf *frame);

#endif
