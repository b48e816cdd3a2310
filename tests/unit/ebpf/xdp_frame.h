/* SPDX-License-Identifier: Apache-2.0 */
/* Frames for the tests of the XDP program. */
#ifndef FENDER_TESTS_UNIT_EBPF_XDP_FRAME_H
#define FENDER_TESTS_UNIT_EBPF_XDP_FRAME_H

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>

#include "ebpf/parse.h"

enum { FRAME_ROOM = 512 };

struct bytes {
	uint8_t data[FRAME_ROOM];
	uint32_t size;
};

/* What a frame is made of. Zero: the least unusual. */
struct wanted {
	const char *src; /* "10.0.0.1" or "fd00::1"; IPv6 when it has a colon */
	const char *dst;
	uint16_t sport; /* host order */
	uint16_t dport;
	uint8_t proto;     /* FRAME_PROTO_... */
	uint8_t tcp_flags; /* TCP */
	uint8_t ecn;
	uint8_t options;      /* IPv4: of 4 bytes; IPv6: destination options headers */
	uint16_t fragment;    /* IPv4: flags and offset; IPv6: of a fragment header, when not 0 */
	uint16_t payload;     /* bytes */
	uint16_t vlan;        /* id of a tag */
	uint16_t second_vlan; /* id of an inner tag */
	uint8_t icmp_type;    /* ICMP: the error that quotes @quote */
	const struct wanted *quote;
};

static inline struct limit_ip ip_of(const char *text)
{
	struct limit_ip ip = {{0, 0, htonl(0xffff), 0}};

	if (strchr(text, ':'))
		inet_pton(AF_INET6, text, &ip);
	else
		inet_pton(AF_INET, text, &ip.word[3]);
	return ip;
}

static inline void *bytes_add(struct bytes *b, uint32_t size)
{
	void *at = b->data + b->size;

	memset(at, 0, size);
	b->size += size;
	return at;
}

static inline uint16_t sum16(const void *data, uint32_t size)
{
	const uint8_t *at = data;
	uint32_t sum = 0;

	for (uint32_t i = 0; i + 1 < size; i += 2)
		sum += (uint32_t)at[i] << 8 | at[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static inline void build_ip(struct bytes *b, const struct wanted *w);

static inline void build_l4(struct bytes *b, const struct wanted *w)
{
	struct tcp *tcp;
	struct udp *udp;
	struct icmp *icmp;

	switch (w->proto) {
	case FRAME_PROTO_TCP:
		tcp = bytes_add(b, sizeof(*tcp));
		tcp->ports = (struct frame_ports){htons(w->sport), htons(w->dport)};
		tcp->offset = 5 << 4;
		tcp->flags = w->tcp_flags;
		break;
	case FRAME_PROTO_UDP:
		udp = bytes_add(b, sizeof(*udp));
		udp->ports = (struct frame_ports){htons(w->sport), htons(w->dport)};
		udp->bytes = htons((uint16_t)(sizeof(*udp) + w->payload));
		udp->check = 1;
		break;
	case FRAME_PROTO_ICMP:
	case FRAME_PROTO_ICMPV6:
		icmp = bytes_add(b, sizeof(*icmp));
		icmp->type = w->icmp_type;
		if (w->quote)
			build_ip(b, w->quote);
		break;
	default:
		break;
	}
	bytes_add(b, w->payload);
}

static inline void build_ipv4(struct bytes *b, const struct wanted *w)
{
	uint32_t start = b->size;
	uint32_t header = sizeof(struct ipv4) + 4u * w->options;
	struct ipv4 *ip = bytes_add(b, header);

	ip->version_ihl = (uint8_t)(0x40 | header / 4);
	memset(ip + 1, 1, 4u * w->options); /* no operation */
	ip->tos = w->ecn;
	ip->fragment = htons(w->fragment);
	ip->ttl = 64;
	ip->proto = w->proto;
	ip->src = ip_of(w->src).word[3];
	ip->dst = ip_of(w->dst).word[3];
	build_l4(b, w);
	ip->total_bytes = htons((uint16_t)(b->size - start));
	ip->check = htons((uint16_t)~sum16(ip, header));
}

static inline void build_ipv6(struct bytes *b, const struct wanted *w)
{
	struct ipv6 *ip = bytes_add(b, sizeof(*ip));
	uint32_t start = b->size;
	uint8_t *next = &ip->next;

	ip->version_class = htonl(0x60000000u | (uint32_t)w->ecn << 20);
	ip->hop_limit = 64;
	ip->src = ip_of(w->src);
	ip->dst = ip_of(w->dst);
	for (int i = 0; i < w->options; i++) {
		struct extension *e = bytes_add(b, sizeof(*e));

		*next = FRAME_PROTO_DESTINATION;
		next = &e->next;
	}
	if (w->fragment) {
		struct extension *e = bytes_add(b, sizeof(*e));

		*next = FRAME_PROTO_FRAGMENT;
		e->fragment = htons(w->fragment);
		next = &e->next;
	}
	*next = w->proto;
	build_l4(b, w);
	ip->payload_bytes = htons((uint16_t)(b->size - start));
}

static inline void build_ip(struct bytes *b, const struct wanted *w)
{
	if (strchr(w->src, ':'))
		build_ipv6(b, w);
	else
		build_ipv4(b, w);
}

static inline void build_tag(struct bytes *b, uint16_t type, uint16_t vlan)
{
	struct vlan_tag *tag;

	*(__be16 *)bytes_add(b, 2) = htons(type);
	tag = bytes_add(b, 2);
	tag->tci = htons(vlan);
}

static inline struct bytes frame_of(const struct wanted *w)
{
	struct bytes b = {.size = 0};
	uint8_t *mac = bytes_add(&b, 12);

	mac[5] = 1;
	mac[11] = 2;
	if (w->second_vlan)
		build_tag(&b, FRAME_TYPE_QINQ, w->vlan);
	else if (w->vlan)
		build_tag(&b, FRAME_TYPE_VLAN, w->vlan);
	if (w->second_vlan)
		build_tag(&b, FRAME_TYPE_VLAN, w->second_vlan);
	*(__be16 *)bytes_add(&b, 2) =
		htons(strchr(w->src, ':') ? FRAME_TYPE_IPV6 : FRAME_TYPE_IPV4);
	build_ip(&b, w);
	return b;
}

static inline struct bytes arp_for(const char *target)
{
	struct bytes b = {.size = 0};
	struct ethernet *ethernet = bytes_add(&b, sizeof(*ethernet));
	struct arp *arp;
	__be32 ip = ip_of(target).word[3];

	ethernet->type = htons(FRAME_TYPE_ARP);
	arp = bytes_add(&b, sizeof(*arp));
	arp->hardware = htons(1);
	arp->protocol = htons(FRAME_TYPE_IPV4);
	arp->hardware_bytes = 6;
	arp->protocol_bytes = 4;
	arp->operation = htons(1);
	memcpy(arp->target_ip, &ip, sizeof(ip));
	return b;
}

#endif
