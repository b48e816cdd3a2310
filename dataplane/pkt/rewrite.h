/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Full NAT: both addresses and ports of a packet are replaced, checksums follow
 * incrementally (RFC 1624); a partial sum left by a veth or tap peer is completed.
 */
#ifndef FENDER_DATAPLANE_PKT_REWRITE_H
#define FENDER_DATAPLANE_PKT_REWRITE_H

#include "dataplane/packet.h"

/* Fill l3_delta and l4_delta of a connection whose keys and addresses are set. */
void rewrite_prepare(struct conn *c);
/* Whether it still is as that left it. */
int rewrite_is_prepared(const struct conn *c);

/**
 * rewrite_packet() - translate one TCP or UDP packet of a connection
 * @p: parsed; p->ttl > 1 was checked by the caller
 * @dir: FORWARD: becomes SNAT -> endpoint. REVERSE: becomes listener -> client
 * @may_be_partial: the interface it came in by leaves partial checksums (veth, tap): when the L4
 *                  field equals the folded pseudo-header sum, the whole sum is computed
 *
 * Decrements the TTL. UDP/IPv4 checksum zero stays zero. Touches neither the Ethernet header nor
 * *p: its key and ttl stay those of the packet as it came. 5 ns in cache, 6 with may_be_partial;
 * completing the sum of 1,500 bytes 60.
 */
void rewrite_packet(struct packet *p, const struct conn *c, enum direction dir, int may_be_partial);

/**
 * rewrite_icmp_error() - translate an ICMP error that quotes a packet of a connection
 * @p: p->ttl > 1 was checked by the caller
 * @dir: the direction that the look-up of p->key gave: REVERSE when it comes from the
 *       endpoint's side and goes to the client
 *
 * Outer: towards the client the source becomes the listener's address, towards the endpoint the
 * SNAT address; the destination is the client or the endpoint. Quoted packet: as the receiver
 * once sent it. All checksums are made right; a quoted TCP or UDP checksum, where the quote
 * reaches that far, follows incrementally. Decrements the outer TTL.
 */
void rewrite_icmp_error(struct packet *p, const struct conn *c, enum direction dir);

#endif
