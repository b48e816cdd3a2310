/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/pkt/parse_messages.h"

#include "dataplane/pkt/checksum.h"
#include "dataplane/pkt/headers.h"

enum { QUOTED_L4_BYTES = 8, ND_HOP_LIMIT = 255 };

enum reason parse_arp(struct packet *p, uint8_t interface)
{
	const struct arp_packet *arp = (const struct arp_packet *)(p->data + p->l3);

	if (p->bytes - p->l3 < (int)sizeof(*arp))
		return REASON_MALFORMED;
	if (arp->hardware != htons(1) || arp->protocol != htons(ETHER_TYPE_IPV4) ||
	    arp->hardware_bytes != 6 || arp->protocol_bytes != 4)
		return REASON_MALFORMED;
	if (arp->operation != htons(ARP_REQUEST) && arp->operation != htons(ARP_REPLY))
		return REASON_PROTOCOL;
	if (mac_is_bad(arp->sender_mac))
		return REASON_MALFORMED;
	/* a probe has no sender address (RFC 5227 2.1.1) */
	if (source4_is_bad(arp->sender_ip) &&
	    (arp->sender_ip || arp->operation != htons(ARP_REQUEST)))
		return REASON_MALFORMED;
	p->kind = PACKET_ARP;
	p->key = (struct flow_key){.k = {.src = arp->sender_ip,
					 .dst = arp->target_ip,
					 .interface = interface,
					 .family = FAMILY_V4}};
	return REASON_NONE;
}

/* The transport of a quoted packet: ports, turned round. */
static enum reason parse_quoted_ports(struct packet *p, uint8_t proto)
{
	const struct udp_header *quoted = (const struct udp_header *)(p->data + p->inner_l4);

	if (proto != PROTO_TCP && proto != PROTO_UDP)
		return REASON_ICMP_UNMATCHED;
	p->kind = PACKET_ICMP_ERROR;
	p->key.k.proto = proto;
	p->key.k.sport = quoted->dport;
	p->key.k.dport = quoted->sport;
	return REASON_NONE;
}

/*
 * Fender sends neither options nor fragments, and an error goes to whom it quotes as the sender:
 * anything else quotes no packet of ours.
 */
static enum reason parse_error4(struct packet *p)
{
	const struct ipv4_header *quoted;
	uint32_t room = packet_l4_bytes(p) - (uint32_t)sizeof(struct icmp_header);

	if (room < sizeof(*quoted) + QUOTED_L4_BYTES)
		return REASON_MALFORMED;
	p->inner_l3 = (uint16_t)(p->l4 + sizeof(struct icmp_header));
	p->inner_l4 = (uint16_t)(p->inner_l3 + sizeof(*quoted));
	quoted = (const struct ipv4_header *)(p->data + p->inner_l3);
	if (quoted->version_ihl >> 4 != 4 || (quoted->version_ihl & 0xf) < 5)
		return REASON_MALFORMED;
	if (ntohs(quoted->total_bytes) < sizeof(*quoted) + QUOTED_L4_BYTES)
		return REASON_MALFORMED;
	if (quoted->version_ihl != IPV4_PLAIN || quoted->fragment & htons(IPV4_OFFSET) ||
	    quoted->src != p->key.k.dst)
		return REASON_ICMP_UNMATCHED;
	p->key.k.src = quoted->dst;
	return parse_quoted_ports(p, quoted->proto);
}

static enum reason parse_error6(struct packet *p)
{
	const struct ipv6_header *quoted;
	uint32_t room = packet_l4_bytes(p) - (uint32_t)sizeof(struct icmp_header);

	if (room < sizeof(*quoted) + QUOTED_L4_BYTES)
		return REASON_MALFORMED;
	p->inner_l3 = (uint16_t)(p->l4 + sizeof(struct icmp_header));
	p->inner_l4 = (uint16_t)(p->inner_l3 + sizeof(*quoted));
	quoted = (const struct ipv6_header *)(p->data + p->inner_l3);
	if (quoted->version_class >> 4 != 6 || ntohs(quoted->payload_bytes) < QUOTED_L4_BYTES)
		return REASON_MALFORMED;
	if (memcmp(quoted->src, p->key.dst6, sizeof(quoted->src)) != 0)
		return REASON_ICMP_UNMATCHED;
	memcpy(p->key.src6, quoted->dst, sizeof(p->key.src6));
	return parse_quoted_ports(p, quoted->next);
}

enum reason parse_icmp4(struct packet *p)
{
	const struct icmp_header *icmp = packet_icmp(p);
	uint16_t bytes = packet_l4_bytes(p);

	if (bytes < sizeof(*icmp))
		return REASON_MALFORMED;
	switch (icmp->type) {
	case ICMP4_ECHO:
	case ICMP4_UNREACHABLE:
	case ICMP4_TIME_EXCEEDED:
	case ICMP4_PARAMETER:
		break;
	default:
		return REASON_PROTOCOL;
	}
	if (checksum_fold(checksum_sum(icmp, bytes)) != 0xffff)
		return REASON_CHECKSUM;
	if (icmp->type != ICMP4_ECHO)
		return parse_error4(p);
	p->kind = PACKET_ECHO;
	return REASON_NONE;
}

/* RFC 4861 7.1.1 and 7.1.2, options apart; those are neighbour_message_read()'s. */
static enum reason parse_nd(struct packet *p)
{
	static const uint8_t prefix[13] = {0xff, 2, [11] = 1, [12] = 0xff};
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	static const uint8_t unspecified[16] = {0};
	const struct nd_header *nd = (const struct nd_header *)packet_icmp(p);
	const struct ipv6_header *ip = packet_ipv6(p);
	int anonymous = !memcmp(ip->src, unspecified, sizeof(unspecified));

	if (packet_l4_bytes(p) < sizeof(*nd) || nd->icmp.code || p->ttl != ND_HOP_LIMIT)
		return REASON_MALFORMED;
	if (nd->target[0] == 0xff || !memcmp(nd->target, unspecified, sizeof(unspecified)) ||
	    !memcmp(nd->target, mapped, sizeof(mapped)))
		return REASON_MALFORMED;
	if (nd->icmp.type == ICMP6_SOLICITATION) {
		if (anonymous && memcmp(ip->dst, prefix, sizeof(prefix)) != 0)
			return REASON_MALFORMED;
	} else if (anonymous || (ip->dst[0] == 0xff && nd->icmp.rest & htonl(ND_SOLICITED))) {
		return REASON_MALFORMED;
	}
	p->kind = PACKET_ND;
	memcpy(p->key.dst6, nd->target, sizeof(p->key.dst6));
	return REASON_NONE;
}

enum reason parse_icmp6(struct packet *p)
{
	static const uint8_t unspecified[16] = {0};
	const struct icmp_header *icmp = packet_icmp(p);
	const struct ipv6_header *ip = packet_ipv6(p);
	uint16_t bytes = packet_l4_bytes(p);
	uint64_t sum;

	if (bytes < sizeof(*icmp))
		return REASON_MALFORMED;
	switch (icmp->type) {
	case ICMP6_UNREACHABLE:
	case ICMP6_TOO_BIG:
	case ICMP6_TIME_EXCEEDED:
	case ICMP6_PARAMETER:
	case ICMP6_ECHO:
	case ICMP6_SOLICITATION:
	case ICMP6_ADVERTISEMENT:
		break;
	default:
		return REASON_PROTOCOL;
	}
	sum = checksum_pseudo6(ip->src, ip->dst, IP_PROTO_ICMPV6, bytes);
	if (checksum_fold(sum + checksum_sum(icmp, bytes)) != 0xffff)
		return REASON_CHECKSUM;
	if (icmp->type == ICMP6_SOLICITATION || icmp->type == ICMP6_ADVERTISEMENT)
		return parse_nd(p);
	if (!memcmp(ip->src, unspecified, sizeof(unspecified)))
		return REASON_MALFORMED;
	if (icmp->type != ICMP6_ECHO)
		return parse_error6(p);
	p->kind = PACKET_ECHO;
	return REASON_NONE;
}
