/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parse pass learns of a frame; every later pass reads this instead of
 * the headers. Pure: no DPDK, the frame is plain bytes.
 */
#ifndef FENDER_DATAPLANE_PACKET_H
#define FENDER_DATAPLANE_PACKET_H

#include <stdint.h>

#include "shm/conn.h"
#include "shm/image.h"
#include "shm/reasons.h"

/* Which way along a connection: the order is that of an array index. */
enum direction { FORWARD = 0, REVERSE = 1 };

/* A look-up key: conn_key, and for IPv6 the addresses (zero for IPv4). */
struct flow_key {
	struct conn_key k;
	uint8_t src6[16];
	uint8_t dst6[16];
};

enum packet_kind {
	PACKET_TCP = 1,
	PACKET_UDP,
	PACKET_ICMP_ERROR, /* unreachable, too big, time exceeded, parameter problem */
	PACKET_ECHO,       /* echo request, IPv4 or IPv6 */
	PACKET_ARP,
	PACKET_ND, /* neighbour solicitation or advertisement */
};

enum tcp_flag {
	TCP_FIN = 0x01,
	TCP_SYN = 0x02,
	TCP_RST = 0x04,
	TCP_PSH = 0x08,
	TCP_ACK = 0x10,
	TCP_URG = 0x20,
};

/*
 * Offsets count from data (the Ethernet header). bytes is the frame's length with
 * link-layer padding already cut off for IP packets (bytes == l3 + ip_bytes).
 */
struct packet {
	uint8_t *data;
	uint16_t bytes;
	uint16_t l3;
	uint16_t l4;
	uint16_t payload; /* of TCP or UDP */
	uint16_t ip_bytes;
	uint16_t vlan;     /* id of the tag, 0 without one */
	uint8_t kind;      /* enum packet_kind */
	uint8_t tcp_flags; /* enum tcp_flag only: ECE and CWR are left out */
	uint8_t ttl;
	uint8_t tagged;    /* a VLAN header (4 bytes) is present, also when its id is 0 */
	uint16_t inner_l3; /* ICMP errors: the quoted packet, its IP and TCP/UDP header; */
	uint16_t inner_l4; /* at least 8 bytes of the latter are there */
	/*
	 * TCP and UDP: the packet's own key. ICMP errors: the key that a packet of the quoted
	 * flow would carry if it came from the quoted destination (so a look-up finds the same
	 * connection and direction as traffic from that side). Others: src and dst only; of ND
	 * messages dst is the target, whose address is asked for or told.
	 */
	struct flow_key key;
};

/* Where packets with this key come from and where they go; IPv4 is v4-mapped. */
static inline struct image_ip flow_source(const struct flow_key *key)
{
	struct image_ip ip;

	if (key->k.family == FAMILY_V4)
		return image_ip_v4(key->k.src);
	__builtin_memcpy(ip.b, key->src6, sizeof(ip.b));
	return ip;
}

static inline struct image_ip flow_destination(const struct flow_key *key)
{
	struct image_ip ip;

	if (key->k.family == FAMILY_V4)
		return image_ip_v4(key->k.dst);
	__builtin_memcpy(ip.b, key->dst6, sizeof(ip.b));
	return ip;
}

#endif
