/* SPDX-License-Identifier: Apache-2.0 */
/* Headers as they lie in a frame: packed, so any alignment will do; all in network order. */
#ifndef FENDER_DATAPLANE_PKT_HEADERS_H
#define FENDER_DATAPLANE_PKT_HEADERS_H

#include <linux/types.h>
#include <stdint.h>

#include "dataplane/packet.h"

enum ether_type {
	ETHER_TYPE_IPV4 = 0x0800,
	ETHER_TYPE_ARP = 0x0806,
	ETHER_TYPE_VLAN = 0x8100,
	ETHER_TYPE_IPV6 = 0x86dd,
	ETHER_TYPE_QINQ = 0x88a8,
};

struct ethernet_header {
	uint8_t dst[6];
	uint8_t src[6];
	__be16 type;
} __attribute__((packed));

struct vlan_header {
	__be16 tci; /* the id is in the low 12 bits */
	__be16 type;
} __attribute__((packed));

struct arp_packet {
	__be16 hardware;
	__be16 protocol;
	uint8_t hardware_bytes;
	uint8_t protocol_bytes;
	__be16 operation;
	uint8_t sender_mac[6];
	__be32 sender_ip;
	uint8_t target_mac[6];
	__be32 target_ip;
} __attribute__((packed));

enum arp_operation { ARP_REQUEST = 1, ARP_REPLY = 2 };

enum {
	IPV4_PLAIN = 0x45, /* version 4, no options */
	IPV4_DONT_FRAGMENT = 0x4000,
	IPV4_MORE_FRAGMENTS = 0x2000,
	IPV4_OFFSET = 0x1fff,
};

struct ipv4_header {
	uint8_t version_ihl;
	uint8_t tos;
	__be16 total_bytes;
	__be16 id;
	__be16 fragment;
	uint8_t ttl;
	uint8_t proto;
	uint16_t check;
	__be32 src;
	__be32 dst;
} __attribute__((packed));

struct ipv6_header {
	uint8_t version_class; /* version in the high 4 bits */
	uint8_t class_label[3];
	__be16 payload_bytes;
	uint8_t next;
	uint8_t hop_limit;
	uint8_t src[16];
	uint8_t dst[16];
} __attribute__((packed));

/* Next header values: IP protocols that are not in enum image_proto. */
enum ip_proto {
	IP_PROTO_HOP_BY_HOP = 0,
	IP_PROTO_ICMP = 1,
	IP_PROTO_ROUTING = 43,
	IP_PROTO_FRAGMENT = 44,
	IP_PROTO_AUTHENTICATION = 51,
	IP_PROTO_ICMPV6 = 58,
	IP_PROTO_DESTINATION = 60,
	IP_PROTO_MOBILITY = 135,
	IP_PROTO_HIP = 139,
	IP_PROTO_SHIM6 = 140,
};

struct tcp_header {
	__be16 sport;
	__be16 dport;
	__be32 seq;
	__be32 ack;
	uint8_t offset; /* header length in 32-bit words, in the high 4 bits */
	uint8_t flags;
	__be16 window;
	uint16_t check;
	__be16 urgent;
} __attribute__((packed));

struct udp_header {
	__be16 sport;
	__be16 dport;
	__be16 bytes; /* header included */
	uint16_t check;
} __attribute__((packed));

struct icmp_header {
	uint8_t type;
	uint8_t code;
	uint16_t check;
	__be32 rest; /* MTU, echo id and sequence, ND flags */
} __attribute__((packed));

enum icmp4_type {
	ICMP4_UNREACHABLE = 3,
	ICMP4_ECHO = 8,
	ICMP4_ECHO_REPLY = 0,
	ICMP4_TIME_EXCEEDED = 11,
	ICMP4_PARAMETER = 12,
};

enum icmp6_type {
	ICMP6_UNREACHABLE = 1,
	ICMP6_TOO_BIG = 2,
	ICMP6_TIME_EXCEEDED = 3,
	ICMP6_PARAMETER = 4,
	ICMP6_ECHO = 128,
	ICMP6_ECHO_REPLY = 129,
	ICMP6_SOLICITATION = 135,
	ICMP6_ADVERTISEMENT = 136,
};

/* Neighbour solicitation or advertisement (RFC 4861 4.3, 4.4); options follow. */
struct nd_header {
	struct icmp_header icmp;
	uint8_t target[16];
} __attribute__((packed));

enum nd_flag { ND_SOLICITED = 0x40000000, ND_OVERRIDE = 0x20000000 };

/* The one ND option that is read or written; its length counts units of 8 bytes. */
struct nd_mac_option {
	uint8_t type;
	uint8_t units;
	uint8_t mac[6];
} __attribute__((packed));

enum nd_option { ND_SOURCE_MAC = 1, ND_TARGET_MAC = 2 };

_Static_assert(sizeof(struct ethernet_header) == 14, "wire format");
_Static_assert(sizeof(struct vlan_header) == 4, "wire format");
_Static_assert(sizeof(struct arp_packet) == 28, "wire format");
_Static_assert(sizeof(struct ipv4_header) == 20, "wire format");
_Static_assert(sizeof(struct ipv6_header) == 40, "wire format");
_Static_assert(sizeof(struct tcp_header) == 20, "wire format");
_Static_assert(sizeof(struct udp_header) == 8, "wire format");
_Static_assert(sizeof(struct icmp_header) == 8, "wire format");
_Static_assert(sizeof(struct nd_header) == 24, "wire format");
_Static_assert(sizeof(struct nd_mac_option) == 8, "wire format");

/* Views of a parsed packet; which ones are there follows from kind and family. */
static inline struct ipv4_header *packet_ipv4(const struct packet *p)
{
	return (struct ipv4_header *)(p->data + p->l3);
}

static inline struct ipv6_header *packet_ipv6(const struct packet *p)
{
	return (struct ipv6_header *)(p->data + p->l3);
}

static inline struct tcp_header *packet_tcp(const struct packet *p)
{
	return (struct tcp_header *)(p->data + p->l4);
}

static inline struct udp_header *packet_udp(const struct packet *p)
{
	return (struct udp_header *)(p->data + p->l4);
}

static inline struct icmp_header *packet_icmp(const struct packet *p)
{
	return (struct icmp_header *)(p->data + p->l4);
}

/* Bytes of an IP packet from its TCP, UDP or ICMP header to its end. */
static inline uint16_t packet_l4_bytes(const struct packet *p)
{
	return (uint16_t)(p->ip_bytes - (p->l4 - p->l3));
}

#endif
