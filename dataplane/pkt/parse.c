/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/pkt/parse.h"

#include "dataplane/pkt/checksum.h"
#include "dataplane/pkt/headers.h"
#include "dataplane/pkt/parse_messages.h"

/*
 * Combinations of FIN, SYN, RST and ACK that a TCP sends (RFC 9293 3.10.7; everything but a SYN
 * and a RST carries ACK): bit n is set when n is one. PSH, URG, ECE and CWR are free.
 */
enum {
	TCP_FLAGS_JUDGED = TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK,
	TCP_FLAGS_KNOWN = TCP_FLAGS_JUDGED | TCP_PSH | TCP_URG,
	TCP_FLAGS_VALID = 1 << TCP_SYN | 1 << (TCP_SYN | TCP_ACK) | 1 << TCP_RST |
			  1 << (TCP_RST | TCP_ACK) | 1 << TCP_ACK | 1 << (TCP_FIN | TCP_ACK),
};

static inline enum reason parse_tcp(struct packet *p, uint32_t l4_bytes)
{
	const struct tcp_header *tcp = packet_tcp(p);
	uint32_t header;

	if (l4_bytes < sizeof(*tcp))
		return REASON_MALFORMED;
	header = (tcp->offset >> 4) * 4u;
	if (header < sizeof(*tcp) || header > l4_bytes)
		return REASON_MALFORMED;
	if (!(TCP_FLAGS_VALID >> (tcp->flags & TCP_FLAGS_JUDGED) & 1))
		return REASON_MALFORMED;
	if (!tcp->sport || !tcp->dport)
		return REASON_MALFORMED;
	p->kind = PACKET_TCP;
	p->tcp_flags = tcp->flags & TCP_FLAGS_KNOWN;
	p->payload = (uint16_t)(p->l4 + header);
	p->key.k.proto = PROTO_TCP;
	p->key.k.sport = tcp->sport;
	p->key.k.dport = tcp->dport;
	return REASON_NONE;
}

static inline enum reason parse_udp(struct packet *p, uint32_t l4_bytes)
{
	const struct udp_header *udp = packet_udp(p);
	uint32_t bytes;

	if (l4_bytes < sizeof(*udp))
		return REASON_MALFORMED;
	bytes = ntohs(udp->bytes);
	if (bytes < sizeof(*udp) || bytes > l4_bytes)
		return REASON_MALFORMED;
	if (!udp->sport || !udp->dport)
		return REASON_MALFORMED;
	p->kind = PACKET_UDP;
	p->payload = (uint16_t)(p->l4 + sizeof(*udp));
	p->key.k.proto = PROTO_UDP;
	p->key.k.sport = udp->sport;
	p->key.k.dport = udp->dport;
	return REASON_NONE;
}

/* Not 0x45 in the first byte: never accepted, only the reason is to be found. */
static enum reason parse_ipv4_unusual(const struct ipv4_header *ip, uint32_t room)
{
	uint32_t header = (ip->version_ihl & 0xf) * 4u;
	uint32_t total = ntohs(ip->total_bytes);

	if (ip->version_ihl >> 4 != 4 || header < sizeof(*ip))
		return REASON_MALFORMED;
	if (total < header || total > room)
		return REASON_MALFORMED;
	if (checksum_fold(checksum_sum(ip, header)) != 0xffff)
		return REASON_CHECKSUM;
	return REASON_IP_OPTIONS;
}

static inline enum reason parse_ipv4(struct packet *p, uint8_t interface)
{
	const struct ipv4_header *ip = packet_ipv4(p);
	uint32_t room = (uint32_t)(p->bytes - p->l3);
	uint32_t total;

	if (room < sizeof(*ip))
		return REASON_MALFORMED;
	if (ip->version_ihl != IPV4_PLAIN)
		return parse_ipv4_unusual(ip, room);
	total = ntohs(ip->total_bytes);
	if (total < sizeof(*ip) || total > room)
		return REASON_MALFORMED;
	if (checksum_fold(checksum_sum20(ip)) != 0xffff)
		return REASON_CHECKSUM;
	if (ip->fragment & htons(IPV4_MORE_FRAGMENTS | IPV4_OFFSET))
		return REASON_FRAGMENT;
	if (source4_is_bad(ip->src))
		return REASON_MALFORMED;
	p->bytes = (uint16_t)(p->l3 + total);
	p->ip_bytes = (uint16_t)total;
	p->l4 = (uint16_t)(p->l3 + sizeof(*ip));
	p->ttl = ip->ttl;
	p->key = (struct flow_key){
		.k = {.src = ip->src, .dst = ip->dst, .interface = interface, .family = FAMILY_V4}};
	switch (ip->proto) {
	case PROTO_TCP:
		return parse_tcp(p, total - (uint32_t)sizeof(*ip));
	case PROTO_UDP:
		return parse_udp(p, total - (uint32_t)sizeof(*ip));
	case IP_PROTO_ICMP:
		return parse_icmp4(p);
	default:
		return REASON_PROTOCOL;
	}
}

/*
 * Addresses that no IPv6 packet may have on a link. v4-mapped ones (RFC 4291 2.5.5.2) above all:
 * inside Fender they stand for IPv4, so here they would be another family's key.
 */
static enum reason check_ipv6_addresses(const struct ipv6_header *ip)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	static const uint8_t unspecified[16] = {0};
	static const uint8_t loopback[16] = {[15] = 1};

	if (ip->src[0] == 0xff || !memcmp(ip->src, loopback, sizeof(loopback)))
		return REASON_MALFORMED;
	if (!memcmp(ip->src, mapped, sizeof(mapped)) || !memcmp(ip->dst, mapped, sizeof(mapped)))
		return REASON_MALFORMED;
	/* the question whether an address is in use has no source yet (RFC 4862 5.4.2) */
	if (!memcmp(ip->src, unspecified, sizeof(unspecified)) && ip->next != IP_PROTO_ICMPV6)
		return REASON_MALFORMED;
	return REASON_NONE;
}

static inline int ipv6_addresses_are_plain(const struct ipv6_header *ip)
{
	uint64_t src;
	uint64_t dst;

	memcpy(&src, ip->src, sizeof(src));
	memcpy(&dst, ip->dst, sizeof(dst));
	return src && dst && ip->src[0] != 0xff;
}

static enum reason ipv6_next_header_reason(uint8_t next)
{
	switch (next) {
	case IP_PROTO_FRAGMENT:
		return REASON_FRAGMENT;
	case IP_PROTO_HOP_BY_HOP:
	case IP_PROTO_ROUTING:
	case IP_PROTO_AUTHENTICATION:
	case IP_PROTO_DESTINATION:
	case IP_PROTO_MOBILITY:
	case IP_PROTO_HIP:
	case IP_PROTO_SHIM6:
		return REASON_IP_OPTIONS;
	default:
		return REASON_PROTOCOL;
	}
}

static inline enum reason parse_ipv6(struct packet *p, uint8_t interface)
{
	const struct ipv6_header *ip = packet_ipv6(p);
	uint32_t room = (uint32_t)(p->bytes - p->l3);
	uint32_t payload;
	enum reason reason;

	if (room < sizeof(*ip) || ip->version_class >> 4 != 6)
		return REASON_MALFORMED;
	payload = ntohs(ip->payload_bytes);
	if (payload > room - sizeof(*ip))
		return REASON_MALFORMED;
	if (!ipv6_addresses_are_plain(ip)) {
		reason = check_ipv6_addresses(ip);
		if (reason)
			return reason;
	}
	p->ip_bytes = (uint16_t)(sizeof(*ip) + payload);
	p->bytes = (uint16_t)(p->l3 + p->ip_bytes);
	p->l4 = (uint16_t)(p->l3 + sizeof(*ip));
	p->ttl = ip->hop_limit;
	p->key.k = (struct conn_key){.interface = interface, .family = FAMILY_V6};
	memcpy(p->key.src6, ip->src, sizeof(p->key.src6));
	memcpy(p->key.dst6, ip->dst, sizeof(p->key.dst6));
	switch (ip->next) {
	case PROTO_TCP:
		return parse_tcp(p, payload);
	case PROTO_UDP:
		reason = parse_udp(p, payload);
		/* RFC 8200 8.1: over IPv6 a UDP checksum is not optional */
		return reason || packet_udp(p)->check ? reason : REASON_CHECKSUM;
	case IP_PROTO_ICMPV6:
		return parse_icmp6(p);
	default:
		return ipv6_next_header_reason(ip->next);
	}
}

/* One tag: afterwards l3 is behind it. Returns the ethertype in it, 0 without room for it. */
static uint16_t parse_vlan(struct packet *p)
{
	const struct vlan_header *vlan = (const struct vlan_header *)(p->data + p->l3);

	if (p->bytes - p->l3 < (int)sizeof(*vlan))
		return 0;
	p->vlan = ntohs(vlan->tci) & 0xfff;
	p->tagged = 1;
	p->l3 = (uint16_t)(p->l3 + sizeof(*vlan));
	return ntohs(vlan->type);
}

enum reason packet_parse(struct packet *p, uint8_t interface)
{
	const struct ethernet_header *ethernet = (const struct ethernet_header *)p->data;
	uint16_t type;

	/* a group address as the source: an answer to it would go to everybody */
	if (p->bytes < sizeof(*ethernet) || ethernet->src[0] & 1)
		return REASON_MALFORMED;
	p->l3 = sizeof(*ethernet);
	p->l4 = 0;
	p->payload = 0;
	p->ip_bytes = 0;
	p->vlan = 0;
	p->kind = 0;
	p->tcp_flags = 0;
	p->ttl = 0;
	p->tagged = 0;
	p->inner_l3 = 0;
	p->inner_l4 = 0;
	type = ntohs(ethernet->type);
	if (type == ETHER_TYPE_VLAN) {
		type = parse_vlan(p);
		if (!p->tagged)
			return REASON_MALFORMED;
		if (type == ETHER_TYPE_VLAN)
			return REASON_VLAN;
	}
	switch (type) {
	case ETHER_TYPE_IPV4:
		return parse_ipv4(p, interface);
	case ETHER_TYPE_IPV6:
		return parse_ipv6(p, interface);
	case ETHER_TYPE_ARP:
		return parse_arp(p, interface);
	case ETHER_TYPE_QINQ:
		return REASON_VLAN;
	default:
		return REASON_ETHERTYPE;
	}
}
