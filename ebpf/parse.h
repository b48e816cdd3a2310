/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Headers of one frame, for the XDP program; compiled natively too, for its tests.
 *
 * Everything the worker's parser (dataplane/pkt/parse.h) accepts as TCP or UDP is FRAME_TCP or
 * FRAME_UDP here, with the same addresses and ports: what is not understood here cannot be
 * forwarded there, so it needs no limit. This parser takes more (IPv4 options, extension headers),
 * since on a shared interface the kernel would answer such packets in Fender's place.
 */
#ifndef FENDER_EBPF_PARSE_H
#define FENDER_EBPF_PARSE_H

#include <linux/types.h>

#include "ebpf/maps.h"

#define FRAME_INLINE static inline __attribute__((always_inline))

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define FRAME_BE16(x) ((__be16)__builtin_bswap16(x))
#define FRAME_BE32(x) ((__be32)__builtin_bswap32(x))
#else
#define FRAME_BE16(x) ((__be16)(x))
#define FRAME_BE32(x) ((__be32)(x))
#endif
#define FRAME_HOST16(x) ((__u16)FRAME_BE16((__u16)(x)))

enum frame_bounds {
	FRAME_TAGS = 2,              /* 802.1Q or 802.1ad; more: no IP */
	FRAME_EXTENSION_HEADERS = 4, /* of IPv6; more: FRAME_OTHER */
};

enum frame_kind {
	FRAME_NO_IP,     /* neither IPv4 nor IPv6 nor ARP; bytes are the frame's */
	FRAME_MALFORMED, /* a length contradicts another, or the frame ends too soon */
	FRAME_ARP,       /* dst: the address that is asked for */
	FRAME_TCP,
	FRAME_UDP,
	FRAME_FRAGMENT,       /* not the first one: no ports */
	FRAME_FIRST_FRAGMENT, /* proto and ports are set */
	FRAME_ICMP_ERROR,     /* tuple: of the packet that would answer the quoted one */
	FRAME_OTHER, /* other protocols; dst: also the target of a neighbour solicitation */
};

enum frame_tcp_flag { FRAME_FIN = 1, FRAME_SYN = 2, FRAME_RST = 4, FRAME_ACK = 16 };

struct frame {
	struct limit_ip src;
	struct limit_ip dst;
	__be16 sport;
	__be16 dport;
	__u8 kind; /* enum frame_kind */
	__u8 proto;
	__u8 tcp_flags;
	__u8 ipv6;
	__u16 vlan;  /* outermost tag's id */
	__u8 tagged; /* tags seen */
	__u8 ecn;    /* of IP, RFC 3168 */
	__u32 bytes; /* IP total length */
	__u32 l3;    /* offset of the IP header */
};

/* What is left of the frame. */
struct cursor {
	const __u8 *at;
	const __u8 *end;
};

/*
 * Headers stand at any address. Natively that has to be said; in the kernel it would make loads of
 * single bytes of what the processor, and the verifier on it, takes whole.
 */
#ifdef __bpf__
#define FRAME_HEADER
#else
#define FRAME_HEADER __attribute__((packed))
#endif

struct ethernet {
	__u8 dst[6];
	__u8 src[6];
	__be16 type;
} FRAME_HEADER;

struct vlan_tag {
	__be16 tci;
	__be16 type;
} FRAME_HEADER;

struct arp {
	__be16 hardware;
	__be16 protocol;
	__u8 hardware_bytes;
	__u8 protocol_bytes;
	__be16 operation;
	__u8 sender_mac[6];
	__u8 sender_ip[4];
	__u8 target_mac[6];
	__u8 target_ip[4];
} FRAME_HEADER;

struct ipv4 {
	__u8 version_ihl;
	__u8 tos;
	__be16 total_bytes;
	__be16 id;
	__be16 fragment;
	__u8 ttl;
	__u8 proto;
	__u16 check;
	__be32 src;
	__be32 dst;
} FRAME_HEADER;

struct ipv6 {
	__be32 version_class;
	__be16 payload_bytes;
	__u8 next;
	__u8 hop_limit;
	struct limit_ip src;
	struct limit_ip dst;
} FRAME_HEADER;

struct extension {
	__u8 next;
	__u8 units; /* of 8 bytes (authentication: of 4), the first ones not counted */
	__be16 fragment;
	__be32 id;
} FRAME_HEADER;

struct frame_ports {
	__be16 sport;
	__be16 dport;
} FRAME_HEADER;

struct tcp {
	struct frame_ports ports;
	__be32 seq;
	__be32 ack;
	__u8 offset;
	__u8 flags;
	__be16 window;
	__u16 check;
	__be16 urgent;
} FRAME_HEADER;

struct udp {
	struct frame_ports ports;
	__be16 bytes;
	__u16 check;
} FRAME_HEADER;

struct icmp {
	__u8 type;
	__u8 code;
	__u16 check;
	__be32 rest;
} FRAME_HEADER;

struct solicitation {
	struct limit_ip target;
} FRAME_HEADER;

_Static_assert(sizeof(struct ethernet) == 14 && sizeof(struct arp) == 28 &&
		       sizeof(struct ipv4) == 20 && sizeof(struct ipv6) == 40 &&
		       sizeof(struct tcp) == 20 && sizeof(struct udp) == 8,
	       "headers as on the wire");

enum frame_proto {
	FRAME_PROTO_HOP_BY_HOP = 0,
	FRAME_PROTO_ICMP = 1,
	FRAME_PROTO_TCP = 6,
	FRAME_PROTO_UDP = 17,
	FRAME_PROTO_ROUTING = 43,
	FRAME_PROTO_FRAGMENT = 44,
	FRAME_PROTO_AUTHENTICATION = 51,
	FRAME_PROTO_ICMPV6 = 58,
	FRAME_PROTO_DESTINATION = 60,
};

enum frame_type {
	FRAME_TYPE_IPV4 = 0x0800,
	FRAME_TYPE_ARP = 0x0806,
	FRAME_TYPE_VLAN = 0x8100,
	FRAME_TYPE_IPV6 = 0x86dd,
	FRAME_TYPE_QINQ = 0x88a8,
};

/* The header at the cursor, which then stands behind it; NULL when the frame ends before. */
#define CURSOR_TAKE(c, type)                                   \
	({                                                     \
		const type *header_ = (const void *)(c)->at;   \
		if ((const __u8 *)(header_ + 1) > (c)->end)    \
			header_ = 0;                           \
		else                                           \
			(c)->at = (const __u8 *)(header_ + 1); \
		header_;                                       \
	})

/*
 * Move on by a number of bytes that the frame says. The compiler must forget how the place was
 * reached: the verifier follows a bound from one register only.
 */
FRAME_INLINE void cursor_skip(struct cursor *c, __u32 bytes)
{
	c->at += bytes;
	__asm__ volatile("" : "+r"(c->at));
}

FRAME_INLINE struct limit_ip frame_mapped(__be32 ipv4)
{
	return (struct limit_ip){{0, 0, FRAME_BE32(0xffff), ipv4}};
}

/* The quoted packet was sent to @src by @dst: ports and addresses turn round. */
FRAME_INLINE void frame_answer(struct frame *f, const struct frame_ports *quoted)
{
	f->sport = quoted->dport;
	f->dport = quoted->sport;
	f->kind = FRAME_ICMP_ERROR;
}

FRAME_INLINE int frame_has_ports(__u8 proto)
{
	return proto == FRAME_PROTO_TCP || proto == FRAME_PROTO_UDP;
}

/*
 * An ICMP error must be sent to the source of what it quotes; else it is FRAME_OTHER. RFC 792
 * quotes eight bytes behind the header, so ports are all that is asked for.
 */
FRAME_INLINE void frame_quote4(struct frame *f, struct cursor *c)
{
	const struct ipv4 *ip = CURSOR_TAKE(c, struct ipv4);
	const struct frame_ports *ports;
	__u32 header;

	if (!ip || ip->version_ihl >> 4 != 4 || !frame_has_ports(ip->proto))
		return;
	header = (ip->version_ihl & 0xf) * 4u;
	if (header < sizeof(*ip) || (ip->fragment & FRAME_BE16(0x1fff)))
		return;
	if (ip->src != f->dst.word[3])
		return;
	f->src = frame_mapped(ip->dst);
	f->proto = ip->proto;
	cursor_skip(c, header - (__u32)sizeof(*ip));
	ports = CURSOR_TAKE(c, struct frame_ports);
	if (ports)
		frame_answer(f, ports);
}

FRAME_INLINE void frame_quote6(struct frame *f, struct cursor *c)
{
	const struct ipv6 *ip = CURSOR_TAKE(c, struct ipv6);
	const struct frame_ports *ports;

	if (!ip || (ip->version_class & FRAME_BE32(0xf0000000)) != FRAME_BE32(0x60000000) ||
	    !frame_has_ports(ip->next))
		return;
	for (int i = 0; i < 4; i++)
		if (ip->src.word[i] != f->dst.word[i])
			return;
	f->src = ip->dst;
	f->proto = ip->next;
	ports = CURSOR_TAKE(c, struct frame_ports);
	if (ports)
		frame_answer(f, ports);
}

FRAME_INLINE void frame_icmp(struct frame *f, struct cursor *c)
{
	const struct icmp *icmp = CURSOR_TAKE(c, struct icmp);

	f->kind = FRAME_MALFORMED;
	if (!icmp)
		return;
	f->kind = FRAME_OTHER;
	/* unreachable, (source quench,) time exceeded, parameter problem: RFC 792 */
	if (icmp->type == 3 || icmp->type == 11 || icmp->type == 12)
		frame_quote4(f, c);
}

FRAME_INLINE void frame_icmp6(struct frame *f, struct cursor *c)
{
	const struct icmp *icmp = CURSOR_TAKE(c, struct icmp);
	const struct solicitation *asks;

	f->kind = FRAME_MALFORMED;
	if (!icmp)
		return;
	f->kind = FRAME_OTHER;
	if (icmp->type >= 1 && icmp->type <= 4) { /* the errors of RFC 4443 */
		frame_quote6(f, c);
	} else if (icmp->type == 135) { /* neighbour solicitation, to a group address */
		asks = CURSOR_TAKE(c, struct solicitation);
		if (asks)
			f->dst = asks->target;
	}
}

FRAME_INLINE void frame_tcp(struct frame *f, struct cursor *c)
{
	const struct tcp *tcp = CURSOR_TAKE(c, struct tcp);

	f->kind = FRAME_MALFORMED;
	if (!tcp || tcp->offset >> 4 < 5)
		return;
	f->kind = FRAME_TCP;
	f->sport = tcp->ports.sport;
	f->dport = tcp->ports.dport;
	f->tcp_flags = tcp->flags;
}

FRAME_INLINE void frame_udp(struct frame *f, struct cursor *c)
{
	const struct udp *udp = CURSOR_TAKE(c, struct udp);

	f->kind = FRAME_MALFORMED;
	if (!udp || FRAME_HOST16(udp->bytes) < sizeof(*udp))
		return;
	f->kind = FRAME_UDP;
	f->sport = udp->ports.sport;
	f->dport = udp->ports.dport;
}

FRAME_INLINE void frame_first_fragment(struct frame *f, struct cursor *c)
{
	const struct frame_ports *ports;

	f->kind = FRAME_FRAGMENT;
	if (!frame_has_ports(f->proto))
		return;
	ports = CURSOR_TAKE(c, struct frame_ports);
	if (!ports)
		return;
	f->kind = FRAME_FIRST_FRAGMENT;
	f->sport = ports->sport;
	f->dport = ports->dport;
}

FRAME_INLINE void frame_ipv4(struct frame *f, struct cursor *c)
{
	const __u8 *start = c->at;
	const struct ipv4 *ip = CURSOR_TAKE(c, struct ipv4);
	__u32 header;

	f->kind = FRAME_MALFORMED;
	if (!ip || ip->version_ihl >> 4 != 4)
		return;
	header = (ip->version_ihl & 0xf) * 4u;
	f->bytes = FRAME_HOST16(ip->total_bytes);
	if (header < sizeof(*ip) || f->bytes < header || f->bytes > c->end - start)
		return;
	f->src = frame_mapped(ip->src);
	f->dst = frame_mapped(ip->dst);
	f->proto = ip->proto;
	f->ecn = ip->tos & 3;
	cursor_skip(c, header - (__u32)sizeof(*ip));
	if (ip->fragment & FRAME_BE16(0x1fff)) {
		f->kind = FRAME_FRAGMENT;
	} else if (ip->fragment & FRAME_BE16(0x2000)) {
		frame_first_fragment(f, c);
	} else if (ip->proto == FRAME_PROTO_TCP) {
		frame_tcp(f, c);
	} else if (ip->proto == FRAME_PROTO_UDP) {
		frame_udp(f, c);
	} else if (ip->proto == FRAME_PROTO_ICMP) {
		frame_icmp(f, c);
	} else {
		f->kind = FRAME_OTHER;
	}
}

/* Bytes of an extension header; 0: not one that can be skipped. */
FRAME_INLINE __u32 extension_bytes(__u8 next, __u8 units)
{
	switch (next) {
	case FRAME_PROTO_HOP_BY_HOP:
	case FRAME_PROTO_ROUTING:
	case FRAME_PROTO_DESTINATION:
		return (units + 1u) * 8u;
	case FRAME_PROTO_AUTHENTICATION:
		return (units + 2u) * 4u;
	default:
		return 0;
	}
}

/* Skip what stands between the IPv6 header and the upper layer. Returns 0 when the frame ends. */
FRAME_INLINE int frame_extensions(struct frame *f, struct cursor *c)
{
	for (int i = 0; i < FRAME_EXTENSION_HEADERS; i++) {
		const struct extension *header = (const void *)c->at;
		__u32 bytes;

		if (!extension_bytes(f->proto, 0) && f->proto != FRAME_PROTO_FRAGMENT)
			return 1;
		if ((const __u8 *)(header + 1) > c->end)
			return 0;
		bytes = extension_bytes(f->proto, header->units);
		if (f->proto == FRAME_PROTO_FRAGMENT) {
			f->proto = header->next;
			cursor_skip(c, sizeof(*header));
			f->kind = header->fragment & FRAME_BE16(0xfff8) ? FRAME_FRAGMENT
									: FRAME_FIRST_FRAGMENT;
			return 1;
		}
		f->proto = header->next;
		cursor_skip(c, bytes);
	}
	return 1;
}

FRAME_INLINE void frame_ipv6(struct frame *f, struct cursor *c)
{
	const __u8 *start = c->at;
	const struct ipv6 *ip = CURSOR_TAKE(c, struct ipv6);

	f->kind = FRAME_MALFORMED;
	if (!ip || (ip->version_class & FRAME_BE32(0xf0000000)) != FRAME_BE32(0x60000000))
		return;
	f->bytes = FRAME_HOST16(ip->payload_bytes) + (__u32)sizeof(*ip);
	if (f->bytes > c->end - start)
		return;
	f->ipv6 = 1;
	f->ecn = ((const __u8 *)ip)[1] >> 4 & 3;
	f->src = ip->src;
	f->dst = ip->dst;
	f->proto = ip->next;
	f->kind = FRAME_OTHER;
	if (!frame_extensions(f, c)) {
		f->kind = FRAME_MALFORMED;
		return;
	}
	if (f->kind == FRAME_FRAGMENT)
		return;
	if (f->kind == FRAME_FIRST_FRAGMENT)
		frame_first_fragment(f, c);
	else if (f->proto == FRAME_PROTO_TCP)
		frame_tcp(f, c);
	else if (f->proto == FRAME_PROTO_UDP)
		frame_udp(f, c);
	else if (f->proto == FRAME_PROTO_ICMPV6)
		frame_icmp6(f, c);
}

FRAME_INLINE void frame_arp(struct frame *f, struct cursor *c)
{
	const struct arp *arp = CURSOR_TAKE(c, struct arp);

	f->kind = FRAME_MALFORMED;
	if (!arp || arp->protocol != FRAME_BE16(FRAME_TYPE_IPV4) || arp->protocol_bytes != 4 ||
	    arp->hardware_bytes != 6)
		return;
	f->kind = FRAME_ARP;
	__builtin_memcpy(&f->dst.word[3], arp->target_ip, sizeof(arp->target_ip));
	f->dst.word[2] = FRAME_BE32(0xffff);
}

/* Read the frame data..end into @f, which is all zero. Reads nothing at or past @end. */
FRAME_INLINE void frame_parse(struct frame *f, const void *data, const void *end)
{
	struct cursor c = {data, end};
	const struct ethernet *ethernet = CURSOR_TAKE(&c, struct ethernet);
	__be16 type;

	f->bytes = (__u32)((const __u8 *)end - (const __u8 *)data);
	f->kind = FRAME_MALFORMED;
	if (!ethernet)
		return;
	type = ethernet->type;
	for (int i = 0; i < FRAME_TAGS; i++) {
		const struct vlan_tag *tag;

		if (type != FRAME_BE16(FRAME_TYPE_VLAN) && type != FRAME_BE16(FRAME_TYPE_QINQ))
			break;
		tag = CURSOR_TAKE(&c, struct vlan_tag);
		if (!tag)
			return;
		if (!f->tagged)
			f->vlan = FRAME_HOST16(tag->tci) & 0xfff;
		f->tagged++;
		type = tag->type;
	}
	f->l3 = (__u32)(c.at - (const __u8 *)data);
	if (type == FRAME_BE16(FRAME_TYPE_IPV4))
		frame_ipv4(f, &c);
	else if (type == FRAME_BE16(FRAME_TYPE_IPV6))
		frame_ipv6(f, &c);
	else if (type == FRAME_BE16(FRAME_TYPE_ARP))
		frame_arp(f, &c);
	else
		f->kind = FRAME_NO_IP;
}

#endif
