/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/pkt/build.h"

#include "dataplane/pkt/headers.h"
#include "dataplane/pkt/parse_messages.h"

#include <arpa/inet.h>
#include <string.h>

static int read_arp(const struct packet *p, struct neighbour_message *m)
{
	const struct arp_packet *arp = (const struct arp_packet *)(p->data + p->l3);
	struct image_ip sender = image_ip_v4(arp->sender_ip);
	struct image_ip target = image_ip_v4(arp->target_ip);

	if (arp->sender_ip)
		memcpy(m->sender_ip, sender.b, sizeof(m->sender_ip));
	memcpy(m->target_ip, target.b, sizeof(m->target_ip));
	memcpy(m->sender_mac, arp->sender_mac, sizeof(m->sender_mac));
	m->has_mac = 1;
	m->override = 1;
	m->is_request = arp->operation == htons(ARP_REQUEST);
	m->solicited = !m->is_request && arp->sender_ip != arp->target_ip;
	return 0;
}

/* Find the link-layer option of type @wanted; every option's length must be right. */
static int read_options(const struct packet *p, struct neighbour_message *m, uint8_t wanted)
{
	const uint8_t *at = p->data + p->l4 + sizeof(struct nd_header);
	const uint8_t *end = p->data + p->bytes;
	struct nd_mac_option option;

	while (at < end) {
		if (end - at < (int)sizeof(option))
			return -1;
		memcpy(&option, at, sizeof(option));
		if (!option.units || option.units > (end - at) / 8)
			return -1;
		at += option.units * 8;
		if (option.type != wanted)
			continue;
		if (option.units != 1 || mac_is_bad(option.mac))
			return -1;
		memcpy(m->sender_mac, option.mac, sizeof(m->sender_mac));
		m->has_mac = 1;
	}
	return 0;
}

static int read_nd(const struct packet *p, struct neighbour_message *m)
{
	static const uint8_t unspecified[16] = {0};
	const struct nd_header *nd = (const struct nd_header *)packet_icmp(p);

	memcpy(m->target_ip, nd->target, sizeof(m->target_ip));
	if (nd->icmp.type == ICMP6_ADVERTISEMENT) {
		memcpy(m->sender_ip, nd->target, sizeof(m->sender_ip));
		m->override = !!(nd->icmp.rest & htonl(ND_OVERRIDE));
		m->solicited = !!(nd->icmp.rest & htonl(ND_SOLICITED));
		return read_options(p, m, ND_TARGET_MAC);
	}
	memcpy(m->sender_ip, p->key.src6, sizeof(m->sender_ip));
	m->is_request = 1;
	m->override = 1;
	if (read_options(p, m, ND_SOURCE_MAC))
		return -1;
	/* who has no address yet must not claim one (RFC 4861 7.1.1) */
	return m->has_mac && !memcmp(m->sender_ip, unspecified, sizeof(unspecified)) ? -1 : 0;
}

int neighbour_message_read(const struct packet *p, struct neighbour_message *m)
{
	*m = (struct neighbour_message){0};
	return p->kind == PACKET_ARP ? read_arp(p, m) : read_nd(p, m);
}
