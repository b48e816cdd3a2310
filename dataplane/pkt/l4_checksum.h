/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TCP or UDP checksum of a parsed packet.
 *
 * A veth or tap peer leaves partial checksums: the field holds the folded sum of the pseudo
 * header alone, for hardware that will never see the frame to add the rest. A finished
 * checksum has that value once in 65,536 packets; completing it gives the same number again.
 */
#ifndef FENDER_DATAPLANE_PKT_L4_CHECKSUM_H
#define FENDER_DATAPLANE_PKT_L4_CHECKSUM_H

#include "dataplane/packet.h"
#include "dataplane/pkt/checksum.h"
#include "dataplane/pkt/headers.h"

/* @p: PACKET_TCP or PACKET_UDP in all of these. */

/* What the L4 length in the pseudo header is: a UDP datagram may end before its IP packet. */
static inline uint16_t l4_checksum_bytes(const struct packet *p)
{
	return p->kind == PACKET_UDP ? ntohs(packet_udp(p)->bytes) : packet_l4_bytes(p);
}

/* Sum of the pseudo header, by the addresses now in the frame. */
static inline uint64_t l4_checksum_pseudo(const struct packet *p)
{
	if (p->key.k.family == FAMILY_V4)
		return checksum_pseudo4(packet_ipv4(p)->src, packet_ipv4(p)->dst, p->key.k.proto,
					l4_checksum_bytes(p));
	return checksum_pseudo6(packet_ipv6(p)->src, packet_ipv6(p)->dst, p->key.k.proto,
				l4_checksum_bytes(p));
}

/* Where the field is in the frame: always an even distance from p->l4. */
static inline uint16_t l4_checksum_offset(const struct packet *p)
{
	return (uint16_t)(p->l4 + (p->kind == PACKET_TCP ? offsetof(struct tcp_header, check)
							 : offsetof(struct udp_header, check)));
}

static inline uint16_t l4_checksum_get(const struct packet *p)
{
	uint16_t check;

	memcpy(&check, p->data + l4_checksum_offset(p), sizeof(check));
	return check;
}

static inline void l4_checksum_set(struct packet *p, uint16_t check)
{
	memcpy(p->data + l4_checksum_offset(p), &check, sizeof(check));
}

static inline int l4_checksum_is_partial(const struct packet *p)
{
	return l4_checksum_get(p) == checksum_fold(l4_checksum_pseudo(p));
}

/* Write the full checksum by what is now in the frame. Reads the payload. */
void l4_checksum_complete(struct packet *p);

/**
 * l4_checksum_ok() - verify; for what Fender answers and for verify_checksums
 * @may_be_partial: as in rewrite_packet(): a partial checksum counts as right
 *
 * UDP/IPv4 without checksum is right. Reads the payload (about 1 ns for 40 bytes).
 * Return: 1 or 0.
 */
int l4_checksum_ok(const struct packet *p, int may_be_partial);

#endif
