/* SPDX-License-Identifier: Apache-2.0 */
/* Frames that Fender makes itself. Answers to strangers are limited per second. */
#ifndef FENDER_DATAPLANE_ORIGIN_H
#define FENDER_DATAPLANE_ORIGIN_H

#include "dataplane/packet.h"
#include "dataplane/pkt/build.h"

struct worker;
struct rte_mbuf;

/*
 * Start a frame: @out and @size are where a builder writes. NULL (counted no_buffer) when no
 * buffer is free.
 */
struct rte_mbuf *origin_begin(struct worker *w, uint8_t **out, size_t *size);

/*
 * The builder wrote @bytes: counted as originated. 0: it refused, the frame is freed and this
 * returns 0.
 */
int origin_built(struct worker *w, struct rte_mbuf *frame, uint16_t bytes);

/* RST that answers a segment no connection claims. Limited. */
void origin_rst(struct worker *w, uint8_t interface, const struct packet *p);

/* ICMP error about a packet, from our address on @interface. Limited. */
void origin_icmp_error(struct worker *w, uint8_t interface, const struct packet *p,
		       enum icmp_error error, uint16_t mtu);

/* RST to the endpoint with this sequence number; RST to the client; the stored SYN once more. */
void origin_rst_to_endpoint(struct worker *w, struct conn *c, uint32_t seq);
void origin_rst_to_client(struct worker *w, struct conn *c);
void origin_stored_syn(struct worker *w, struct conn *c);

/* Ask for an address: ARP request or neighbour solicitation. @to_mac NULL: everybody. */
void origin_solicit(struct worker *w, uint8_t interface, const uint8_t target[16],
		    const uint8_t *to_mac);

/*
 * Tell every link our addresses and those of listeners (gratuitous ARP, unsolicited
 * advertisement): the next few after w->announced, which moves on. Return how many were looked at,
 * 0 when all are told.
 */
uint32_t origin_announce(struct worker *w);

#endif
