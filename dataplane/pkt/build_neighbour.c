/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/pkt/build.h"

#include "dataplane/pkt/build_frame.h"

enum { ND_TTL = 255 };

static const uint8_t all_nodes[16] = {0xff, 2, [15] = 1};
static const uint8_t unspecified[16] = {0};

static void multicast_mac(uint8_t mac[6], const uint8_t group[16])
{
	mac[0] = 0x33;
	mac[1] = 0x33;
	memcpy(mac + 2, group + 12, 4);
}

/* ff02::1:ffXX:XXXX (RFC 4291 2.7.1) */
static void solicited_node(uint8_t group[16], const uint8_t target[16])
{
	static const uint8_t prefix[13] = {0xff, 2, [11] = 1, [12] = 0xff};

	memcpy(group, prefix, sizeof(prefix));
	memcpy(group + 13, target + 13, 3);
}

/* @arp: sender, target and operation are set. @to_mac NULL: broadcast. */
static uint16_t build_arp(uint8_t *out, size_t size, struct arp_packet *arp, const uint8_t *to_mac)
{
	struct ethernet_header *ethernet = (struct ethernet_header *)out;

	if (size < sizeof(*ethernet) + sizeof(*arp))
		return 0;
	if (to_mac)
		memcpy(ethernet->dst, to_mac, sizeof(ethernet->dst));
	else
		memset(ethernet->dst, 0xff, sizeof(ethernet->dst));
	memcpy(ethernet->src, arp->sender_mac, sizeof(ethernet->src));
	ethernet->type = htons(ETHER_TYPE_ARP);
	arp->hardware = htons(1);
	arp->protocol = htons(ETHER_TYPE_IPV4);
	arp->hardware_bytes = 6;
	arp->protocol_bytes = 4;
	memcpy(out + sizeof(*ethernet), arp, sizeof(*arp));
	return sizeof(*ethernet) + sizeof(*arp);
}

/* What differs between solicitations and advertisements. */
struct nd_message {
	uint8_t type;
	uint32_t flags; /* enum nd_flag */
	const uint8_t *src;
	const uint8_t *dst;
	const uint8_t *target;
	const uint8_t *my_mac;
	const uint8_t *to_mac; /* NULL: the multicast MAC of dst */
};

static uint16_t build_nd(uint8_t *out, size_t size, const struct nd_message *m)
{
	struct ethernet_header *ethernet = (struct ethernet_header *)out;
	struct build_ip ip = {.family = FAMILY_V6, .proto = IP_PROTO_ICMPV6, .ttl = ND_TTL};
	struct nd_mac_option option = {.units = 1};
	size_t bytes = sizeof(struct nd_header) + sizeof(option);
	struct nd_header *nd;

	memcpy(ip.src6, m->src, sizeof(ip.src6));
	memcpy(ip.dst6, m->dst, sizeof(ip.dst6));
	nd = (struct nd_header *)build_ip_frame(out, size, &ip, bytes);
	if (!nd)
		return 0;
	memcpy(ethernet->src, m->my_mac, sizeof(ethernet->src));
	if (m->to_mac)
		memcpy(ethernet->dst, m->to_mac, sizeof(ethernet->dst));
	else
		multicast_mac(ethernet->dst, m->dst);
	nd->icmp = (struct icmp_header){.type = m->type, .rest = htonl(m->flags)};
	memcpy(nd->target, m->target, sizeof(nd->target));
	option.type = m->type == ICMP6_SOLICITATION ? ND_SOURCE_MAC : ND_TARGET_MAC;
	memcpy(option.mac, m->my_mac, sizeof(option.mac));
	memcpy((uint8_t *)nd + sizeof(*nd), &option, sizeof(option));
	nd->icmp.check = checksum_finish(build_pseudo_sum(&ip, bytes) + checksum_sum(nd, bytes));
	return build_frame_bytes(&ip, bytes);
}

uint16_t build_solicit(uint8_t *out, size_t size, const uint8_t my_mac[6], const uint8_t my_ip[16],
		       const uint8_t target[16], const uint8_t *to_mac)
{
	struct nd_message m = {.type = ICMP6_SOLICITATION,
			       .src = my_ip,
			       .dst = target,
			       .target = target,
			       .my_mac = my_mac,
			       .to_mac = to_mac};
	struct arp_packet arp = {.operation = htons(ARP_REQUEST)};
	uint8_t group[16];

	if (image_ip_is_v4(target)) {
		memcpy(arp.sender_mac, my_mac, sizeof(arp.sender_mac));
		memcpy(&arp.sender_ip, my_ip + 12, sizeof(arp.sender_ip));
		memcpy(&arp.target_ip, target + 12, sizeof(arp.target_ip));
		return build_arp(out, size, &arp, to_mac);
	}
	if (!to_mac) {
		solicited_node(group, target);
		m.dst = group;
	}
	return build_nd(out, size, &m);
}

static uint16_t answer_arp(uint8_t *out, size_t size, const struct packet *p,
			   const uint8_t my_mac[6])
{
	const struct arp_packet *asked = (const struct arp_packet *)(p->data + p->l3);
	struct arp_packet arp = {.operation = htons(ARP_REPLY),
				 .sender_ip = asked->target_ip,
				 .target_ip = asked->sender_ip};

	if (asked->operation != htons(ARP_REQUEST))
		return 0;
	memcpy(arp.sender_mac, my_mac, sizeof(arp.sender_mac));
	memcpy(arp.target_mac, asked->sender_mac, sizeof(arp.target_mac));
	return build_arp(out, size, &arp, asked->sender_mac);
}

uint16_t build_advertise_answer(uint8_t *out, size_t size, const struct packet *p,
				const uint8_t my_mac[6])
{
	struct neighbour_message asked;
	struct nd_message m = {.type = ICMP6_ADVERTISEMENT,
			       .flags = ND_SOLICITED | ND_OVERRIDE,
			       .src = p->key.dst6,
			       .dst = p->key.src6,
			       .target = p->key.dst6,
			       .my_mac = my_mac};

	if (p->kind == PACKET_ARP)
		return answer_arp(out, size, p, my_mac);
	if (p->kind != PACKET_ND || neighbour_message_read(p, &asked) || !asked.is_request)
		return 0;
	if (!memcmp(p->key.src6, unspecified, sizeof(unspecified))) {
		/* somebody is about to take our address: tell all (RFC 4861 7.2.4) */
		m.flags = ND_OVERRIDE;
		m.dst = all_nodes;
	} else {
		m.to_mac = asked.has_mac ? asked.sender_mac
					 : ((const struct ethernet_header *)p->data)->src;
	}
	return build_nd(out, size, &m);
}

uint16_t build_advertise(uint8_t *out, size_t size, const uint8_t my_mac[6],
			 const uint8_t my_ip[16])
{
	struct nd_message m = {.type = ICMP6_ADVERTISEMENT,
			       .flags = ND_OVERRIDE,
			       .src = my_ip,
			       .dst = all_nodes,
			       .target = my_ip,
			       .my_mac = my_mac};
	struct arp_packet arp = {.operation = htons(ARP_REQUEST)};

	if (!image_ip_is_v4(my_ip))
		return build_nd(out, size, &m);
	/* an announcement is a request for one's own address (RFC 5227 2.3) */
	memcpy(arp.sender_mac, my_mac, sizeof(arp.sender_mac));
	memcpy(&arp.sender_ip, my_ip + 12, sizeof(arp.sender_ip));
	arp.target_ip = arp.sender_ip;
	return build_arp(out, size, &arp, NULL);
}
