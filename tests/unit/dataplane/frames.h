/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames for tests, written byte by byte and checked by a checksum of their own: nothing here
 * shares code with dataplane/pkt.
 */
#ifndef FENDER_TESTS_UNIT_DATAPLANE_FRAMES_H
#define FENDER_TESTS_UNIT_DATAPLANE_FRAMES_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "dataplane/packet.h"

enum { FRAME_MAX = 2048, GUARD_PAGE = 4096 };

struct frame {
	uint8_t b[FRAME_MAX];
	uint16_t n;
	uint16_t l3; /* set by frame_make() and friends */
	uint16_t l4;
};

/* destination, source */
static const uint8_t frame_macs[12] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
static const uint8_t frame_client4[4] = {10, 0, 0, 7};
static const uint8_t frame_listener4[4] = {10, 9, 0, 1};
static const uint8_t frame_client6[16] = {0xfd, 1, [7] = 3, [15] = 7};
static const uint8_t frame_listener6[16] = {0xfd, 2, [9] = 0x80, [15] = 1};

static inline void put16(uint8_t *at, uint32_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static inline void put32(uint8_t *at, uint32_t v)
{
	put16(at, v >> 16);
	put16(at + 2, v & 0xffff);
}

static inline uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t get32(const uint8_t *at)
{
	return (uint32_t)get16(at) << 16 | get16(at + 2);
}

static inline uint64_t reference_sum(const uint8_t *at, size_t n)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += i % 2 ? at[i] : (uint64_t)at[i] << 8;
	return sum;
}

static inline uint16_t reference_fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static inline int frame_is_v6(const struct frame *f)
{
	return f->b[f->l3] >> 4 == 6;
}

static inline uint8_t frame_proto(const struct frame *f)
{
	return f->b[f->l3 + (frame_is_v6(f) ? 6 : 9)];
}

/* Bytes of the IP packet by its own header. */
static inline uint16_t frame_ip_bytes(const struct frame *f)
{
	return frame_is_v6(f) ? (uint16_t)(40 + get16(f->b + f->l3 + 4)) : get16(f->b + f->l3 + 2);
}

static inline uint16_t frame_l4_bytes(const struct frame *f)
{
	if (frame_proto(f) == 17)
		return get16(f->b + f->l4 + 4);
	return (uint16_t)(frame_ip_bytes(f) - (f->l4 - f->l3));
}

static inline uint64_t frame_pseudo_sum(const struct frame *f)
{
	const uint8_t *l3 = f->b + f->l3;
	uint8_t proto = frame_proto(f);

	if (proto == 1)
		return 0;
	return (frame_is_v6(f) ? reference_sum(l3 + 8, 32) : reference_sum(l3 + 12, 8)) + proto +
	       frame_l4_bytes(f);
}

/* Offset of the checksum of TCP, UDP, ICMP and ICMPv6. */
static inline uint16_t frame_check_offset(const struct frame *f)
{
	uint8_t proto = frame_proto(f);

	return (uint16_t)(f->l4 + (proto == 6 ? 16 : proto == 17 ? 6 : 2));
}

static inline uint16_t frame_l4_check(const struct frame *f)
{
	return get16(f->b + frame_check_offset(f));
}

/* What the checksums should be, computed in full. */
static inline uint16_t frame_right_l3(const struct frame *f)
{
	uint64_t sum = reference_sum(f->b + f->l3, (f->b[f->l3] & 0xf) * 4u);

	return (uint16_t)~reference_fold(sum - get16(f->b + f->l3 + 10));
}

static inline uint16_t frame_right_l4(const struct frame *f)
{
	uint64_t sum = frame_pseudo_sum(f) + reference_sum(f->b + f->l4, frame_l4_bytes(f));
	uint16_t check = (uint16_t)~reference_fold(sum - frame_l4_check(f));

	return frame_proto(f) == 17 && !check ? 0xffff : check;
}

static inline void frame_fix_l3(struct frame *f)
{
	if (!frame_is_v6(f))
		put16(f->b + f->l3 + 10, frame_right_l3(f));
}

static inline void frame_fix(struct frame *f)
{
	frame_fix_l3(f);
	put16(f->b + frame_check_offset(f), frame_right_l4(f));
}

/* Leave the partial checksum that a veth peer leaves. */
static inline void frame_make_partial(struct frame *f)
{
	put16(f->b + frame_check_offset(f), reference_fold(frame_pseudo_sum(f)));
}

/* Every checksum is the very number that a full computation gives. */
static inline int frame_is_right(const struct frame *f)
{
	return (frame_is_v6(f) || get16(f->b + f->l3 + 10) == frame_right_l3(f)) &&
	       frame_l4_check(f) == frame_right_l4(f);
}

/* What frame_make() varies; zero is a plain value of each. */
struct frame_spec {
	uint8_t family; /* 0: IPv4 */
	uint8_t proto;  /* 0: TCP */
	uint8_t flags;  /* of TCP, 0: ACK; of ICMP: the type */
	uint8_t ttl;    /* 0: 64 */
	uint8_t tagged;
	uint16_t vlan;
	const void *options; /* of TCP */
	uint8_t option_bytes;
	const void *payload; /* NULL: a pattern */
	uint16_t payload_bytes;
};

static inline uint16_t frame_put_ip(struct frame *f, const struct frame_spec *s, uint16_t l4_bytes)
{
	uint8_t *l3 = f->b + f->l3;

	if (s->family == FAMILY_V6) {
		l3[0] = 0x60;
		put16(l3 + 4, l4_bytes);
		l3[6] = s->proto ? s->proto : PROTO_TCP;
		l3[7] = s->ttl ? s->ttl : 64;
		memcpy(l3 + 8, frame_client6, 16);
		memcpy(l3 + 24, frame_listener6, 16);
		return (uint16_t)(f->l3 + 40);
	}
	l3[0] = 0x45;
	put16(l3 + 2, 20u + l4_bytes);
	put16(l3 + 4, 0x1234);
	put16(l3 + 6, 0x4000);
	l3[8] = s->ttl ? s->ttl : 64;
	l3[9] = s->proto ? s->proto : PROTO_TCP;
	memcpy(l3 + 12, frame_client4, 4);
	memcpy(l3 + 16, frame_listener4, 4);
	return (uint16_t)(f->l3 + 20);
}

static inline void frame_put_tcp(struct frame *f, const struct frame_spec *s)
{
	uint8_t *l4 = f->b + f->l4;

	put16(l4, 40001);
	put16(l4 + 2, 8080);
	put32(l4 + 4, 0x01020304);
	put32(l4 + 8, 0x0a0b0c0d);
	l4[12] = (uint8_t)((20 + s->option_bytes) / 4 << 4);
	l4[13] = s->flags ? s->flags : TCP_ACK;
	put16(l4 + 14, 0x7210);
	if (s->option_bytes)
		memcpy(l4 + 20, s->options, s->option_bytes);
}

static inline void frame_put_ethernet(struct frame *f, const struct frame_spec *s)
{
	uint16_t type = s->family == FAMILY_V6 ? 0x86dd : 0x0800;

	memset(f, 0, sizeof(*f));
	memcpy(f->b, frame_macs, sizeof(frame_macs));
	f->l3 = 14;
	if (s->tagged) {
		put16(f->b + 12, 0x8100);
		put16(f->b + 14, s->vlan);
		f->l3 = 18;
	}
	put16(f->b + f->l3 - 2, type);
}

/* A right frame from the client to the listener. ICMP: payload follows 8 bytes of header. */
static inline void frame_make(struct frame *f, const struct frame_spec *s)
{
	uint8_t proto = s->proto ? s->proto : PROTO_TCP;
	uint16_t header = (uint16_t)(proto == PROTO_TCP ? 20 + s->option_bytes : 8);
	uint16_t l4_bytes = (uint16_t)(header + s->payload_bytes);

	frame_put_ethernet(f, s);
	f->l4 = frame_put_ip(f, s, l4_bytes);
	f->n = (uint16_t)(f->l4 + l4_bytes);
	if (proto == PROTO_TCP) {
		frame_put_tcp(f, s);
	} else if (proto == PROTO_UDP) {
		put16(f->b + f->l4, 40001);
		put16(f->b + f->l4 + 2, 8080);
		put16(f->b + f->l4 + 4, l4_bytes);
	} else {
		f->b[f->l4] = s->flags;
	}
	for (uint16_t i = 0; i < s->payload_bytes; i++)
		f->b[f->l4 + header + i] =
			s->payload ? ((const uint8_t *)s->payload)[i] : (uint8_t)(i * 37 + 11);
	frame_fix(f);
}

/* An ICMP error to the source of @about, quoting @quoted_bytes of it; from somewhere. */
static inline void frame_make_error(struct frame *f, const struct frame *about, uint8_t type,
				    uint16_t quoted_bytes)
{
	int v6 = frame_is_v6(about);
	struct frame_spec s = {.family = v6 ? FAMILY_V6 : FAMILY_V4,
			       .proto = v6 ? 58 : 1,
			       .flags = type,
			       .payload = about->b + about->l3,
			       .payload_bytes = quoted_bytes};

	frame_make(f, &s);
	if (v6)
		memcpy(f->b + f->l3 + 24, about->b + about->l3 + 8, 16);
	else
		memcpy(f->b + f->l3 + 16, about->b + about->l3 + 12, 4);
	f->b[f->l3 + (v6 ? 8 : 12) + 3] ^= 0x40;
	frame_fix(f);
}

/* A request of the client for the listener's address (the pattern of both families). */
static inline void frame_make_arp(struct frame *f, uint16_t operation)
{
	static const uint8_t fixed[] = {0, 1, 8, 0, 6, 4};
	struct frame_spec s = {0};

	frame_put_ethernet(f, &s);
	put16(f->b + 12, 0x0806);
	memcpy(f->b + 14, fixed, sizeof(fixed));
	put16(f->b + 20, operation);
	memcpy(f->b + 22, f->b + 6, 6);
	memcpy(f->b + 28, frame_client4, 4);
	memcpy(f->b + 38, frame_listener4, 4);
	f->n = 42;
}

/* @type 135: asks for listener6. 136: tells client6. With a link-layer option. */
static inline void frame_make_nd(struct frame *f, uint8_t type)
{
	uint8_t body[16 + 8] = {0};
	struct frame_spec s = {.family = FAMILY_V6,
			       .proto = 58,
			       .flags = type,
			       .ttl = 255,
			       .payload = body,
			       .payload_bytes = sizeof(body)};

	memcpy(body, type == 135 ? frame_listener6 : frame_client6, 16);
	body[16] = type == 135 ? 1 : 2;
	body[17] = 1;
	memcpy(body + 18, frame_macs + 6, 6);
	frame_make(f, &s);
}

/* A copy that ends where reading on is a fault; valid until the next one. */
static inline uint8_t *guard_place(const void *bytes, size_t n)
{
	static uint8_t *pages;

	if (!pages) {
		pages = mmap(NULL, 2 * GUARD_PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (pages == MAP_FAILED || mprotect(pages + GUARD_PAGE, GUARD_PAGE, PROT_NONE))
			abort();
	}
	if (n > GUARD_PAGE)
		abort();
	memcpy(pages + GUARD_PAGE - n, bytes, n);
	return pages + GUARD_PAGE - n;
}

/* xorshift: the same packets in every run. */
static inline uint32_t random32(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (uint32_t)(*state >> 32);
}

#endif
