/* SPDX-License-Identifier: Apache-2.0 */
/* Private to packet_parse() and its helpers: what is neither TCP nor UDP. */
#ifndef FENDER_DATAPLANE_PKT_PARSE_MESSAGES_H
#define FENDER_DATAPLANE_PKT_PARSE_MESSAGES_H

#include "dataplane/packet.h"

#include <arpa/inet.h>
#include <linux/types.h>

/* l3 is set. */
enum reason parse_arp(struct packet *p, uint8_t interface);

/* l3, l4, bytes, ip_bytes, ttl and the key's addresses, family and interface are set. */
enum reason parse_icmp4(struct packet *p);
enum reason parse_icmp6(struct packet *p);

/* Sources that no packet may have: unspecified, loopback, multicast, broadcast. */
static inline int source4_is_bad(__be32 source)
{
	uint32_t ip = ntohl(source);
	uint32_t first = ip >> 24;

	if (first - 1 < 223 && first != 127)
		return 0;
	return first < 240 || ip == 0xffffffff;
}

/* MACs that no station may have: groups and zero. */
static inline int mac_is_bad(const uint8_t mac[6])
{
	return mac[0] & 1 || !(mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5]);
}

#endif
