/* SPDX-License-Identifier: Apache-2.0 */
/* Private to build_*.c: the headers that all originated frames share. */
#ifndef FENDER_DATAPLANE_PKT_BUILD_FRAME_H
#define FENDER_DATAPLANE_PKT_BUILD_FRAME_H

#include <stddef.h>

#include "dataplane/packet.h"
#include "dataplane/pkt/checksum.h"
#include "dataplane/pkt/headers.h"

enum { BUILD_TTL = 64 };

/* Addresses and what else differs between IP packets; the family's addresses are set. */
struct build_ip {
	uint8_t family;
	uint8_t proto;
	uint8_t ttl;
	uint32_t src;
	uint32_t dst;
	uint8_t src6[16];
	uint8_t dst6[16];
};

/* From the packet's destination back to its source. */
struct build_ip build_ip_answer(const struct packet *p, uint8_t proto);

/**
 * build_ip_frame() - Ethernet (zero MACs) and IP header
 * @l4_bytes: how much the caller will write behind them
 * Return: where to write it; NULL when @size is too small
 */
uint8_t *build_ip_frame(uint8_t *out, size_t size, const struct build_ip *ip, size_t l4_bytes);

/* Sum of the pseudo header; ICMP over IPv4 has none: 0. */
uint64_t build_pseudo_sum(const struct build_ip *ip, size_t l4_bytes);

/* Bytes of the whole frame. */
static inline uint16_t build_frame_bytes(const struct build_ip *ip, size_t l4_bytes)
{
	size_t l3_bytes =
		ip->family == FAMILY_V4 ? sizeof(struct ipv4_header) : sizeof(struct ipv6_header);

	return (uint16_t)(sizeof(struct ethernet_header) + l3_bytes + l4_bytes);
}

#endif
