/* SPDX-License-Identifier: Apache-2.0 */
/* Right frames of every kind that the parser accepts. */
#ifndef FENDER_TESTS_UNIT_DATAPLANE_BASES_H
#define FENDER_TESTS_UNIT_DATAPLANE_BASES_H

#include "dataplane/pkt/parse.h"

#include "tests/unit/dataplane/frames.h"

enum base {
	TCP4,
	TCP4_OPTIONS,
	UDP4,
	ECHO4,
	UNREACHABLE4,
	ARP,
	TCP6,
	UDP6,
	ECHO6,
	TOO_BIG6,
	NS,
	NA,
	TAGGED4,
	TAGGED6,
	BASES,
};

/* Where things are in the untagged ones. */
enum { IP = 14, L4_4 = 34, L4_6 = 54, SRC4 = 26, DST4 = 30, SRC6 = 22, DST6 = 38 };

enum { INTERFACE = 3, ICMP4 = 1, ICMP6 = 58 };

static const uint8_t nops[12] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0};

static const struct frame_spec base_specs[BASES] = {
	[TCP4] = {.payload_bytes = 5},
	[TCP4_OPTIONS] = {.options = nops, .option_bytes = sizeof(nops), .flags = TCP_SYN},
	[UDP4] = {.proto = PROTO_UDP, .payload_bytes = 11},
	[ECHO4] = {.proto = ICMP4, .flags = 8, .payload_bytes = 56},
	[TCP6] = {.family = FAMILY_V6, .payload_bytes = 8},
	[UDP6] = {.family = FAMILY_V6, .proto = PROTO_UDP, .payload_bytes = 3},
	[ECHO6] = {.family = FAMILY_V6, .proto = ICMP6, .flags = 128, .payload_bytes = 1},
	[TAGGED4] = {.tagged = 1, .vlan = 0xe064, .payload_bytes = 1, .flags = TCP_ACK | TCP_FIN},
	[TAGGED6] = {.tagged = 1, .family = FAMILY_V6, .proto = PROTO_UDP},
};

/* What our side sent and the error is about: from Fender's address, the destination's reply. */
static inline void base_make_error(struct frame *f, enum base about, uint8_t type, uint16_t quoted)
{
	struct frame sent;

	frame_make(&sent, &base_specs[about]);
	frame_make_error(f, &sent, type, quoted);
}

static inline void base_make(struct frame *f, enum base base)
{
	switch (base) {
	case ARP:
		frame_make_arp(f, 1);
		break;
	case NS:
	case NA:
		frame_make_nd(f, base == NS ? 135 : 136);
		break;
	case UNREACHABLE4:
		base_make_error(f, UDP4, 3, 28);
		break;
	case TOO_BIG6:
		base_make_error(f, TCP6, 2, 68);
		break;
	default:
		frame_make(f, &base_specs[base]);
	}
}

static inline enum reason parse_at_guard(struct packet *p, const struct frame *f)
{
	memset(p, 0xa5, sizeof(*p));
	p->data = guard_place(f->b, f->n);
	p->bytes = f->n;
	return packet_parse(p, INTERFACE);
}

#endif
