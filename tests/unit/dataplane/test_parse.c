/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/pkt/parse.h"

#include "tests/unit/dataplane/bases.h"
#include "tests/unit/dataplane/suite.h"

static void every_truncation_is_malformed(void)
{
	struct frame f;
	struct packet p = {0};

	for (enum base base = 0; base < BASES; base++) {
		base_make(&f, base);
		CU_ASSERT_EQUAL(parse_at_guard(&p, &f), REASON_NONE);
		while (f.n--) {
			CU_ASSERT_EQUAL(parse_at_guard(&p, &f), REASON_MALFORMED);
			if (!f.n)
				break;
		}
	}
}

/* The IP header admits to the truncation, so the next layer has to find it. */
static void truncated_inner_layers_are_malformed(void)
{
	static const struct {
		enum base base;
		uint16_t least; /* bytes of L4 */
	} samples[] = {
		{TCP4, 20},         {TCP4_OPTIONS, 32}, {UDP4, 19}, {ECHO4, 8},
		{UNREACHABLE4, 36}, {TCP6, 20},         {UDP6, 11}, {ECHO6, 8},
		{TOO_BIG6, 56},     {NS, 24},           {NA, 24},
	};
	struct frame f;
	struct packet p = {0};

	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		int v6 = samples[i].base >= TCP6;
		uint16_t whole;

		base_make(&f, samples[i].base);
		whole = (uint16_t)(f.n - f.l4);
		for (uint16_t l4_bytes = 0; l4_bytes <= whole; l4_bytes++) {
			uint8_t proto = v6 ? ICMP6 : ICMP4;

			base_make(&f, samples[i].base);
			f.n = (uint16_t)(f.l4 + l4_bytes);
			put16(f.b + IP + (v6 ? 4 : 2), l4_bytes + (v6 ? 0u : 20u));
			if (frame_proto(&f) == proto && l4_bytes >= 4)
				frame_fix(&f);
			frame_fix_l3(&f);
			CU_ASSERT_EQUAL(parse_at_guard(&p, &f), l4_bytes < samples[i].least
									? REASON_MALFORMED
									: REASON_NONE);
		}
	}
}

static void padding_is_cut_off(void)
{
	struct frame f;
	struct packet p = {0};

	for (enum base base = 0; base < BASES; base++) {
		uint16_t whole;

		base_make(&f, base);
		whole = f.n;
		for (uint16_t n = whole; n < whole + 50; n++) {
			f.n = n;
			f.b[n - 1] = n > whole ? 0xee : f.b[n - 1];
			CU_ASSERT_EQUAL(parse_at_guard(&p, &f), REASON_NONE);
			CU_ASSERT_EQUAL(p.bytes, base == ARP ? n : whole);
			CU_ASSERT_EQUAL(p.ip_bytes, base == ARP ? 0 : whole - p.l3);
		}
	}
}

/* kind, offsets and the rest of what each base must give. */
static const struct {
	uint8_t kind, ttl, flags, tagged;
	uint16_t vlan, l3, l4, payload, inner_l3, inner_l4;
	uint8_t proto, family;
} expected[BASES] = {
	[TCP4] = {PACKET_TCP, 64, TCP_ACK, 0, 0, 14, 34, 54, 0, 0, 6, 4},
	[TCP4_OPTIONS] = {PACKET_TCP, 64, TCP_SYN, 0, 0, 14, 34, 66, 0, 0, 6, 4},
	[UDP4] = {PACKET_UDP, 64, 0, 0, 0, 14, 34, 42, 0, 0, 17, 4},
	[ECHO4] = {PACKET_ECHO, 64, 0, 0, 0, 14, 34, 0, 0, 0, 0, 4},
	[UNREACHABLE4] = {PACKET_ICMP_ERROR, 64, 0, 0, 0, 14, 34, 0, 42, 62, 17, 4},
	[ARP] = {PACKET_ARP, 0, 0, 0, 0, 14, 0, 0, 0, 0, 0, 4},
	[TCP6] = {PACKET_TCP, 64, TCP_ACK, 0, 0, 14, 54, 74, 0, 0, 6, 6},
	[UDP6] = {PACKET_UDP, 64, 0, 0, 0, 14, 54, 62, 0, 0, 17, 6},
	[ECHO6] = {PACKET_ECHO, 64, 0, 0, 0, 14, 54, 0, 0, 0, 0, 6},
	[TOO_BIG6] = {PACKET_ICMP_ERROR, 64, 0, 0, 0, 14, 54, 0, 62, 102, 6, 6},
	[NS] = {PACKET_ND, 255, 0, 0, 0, 14, 54, 0, 0, 0, 0, 6},
	[NA] = {PACKET_ND, 255, 0, 0, 0, 14, 54, 0, 0, 0, 0, 6},
	[TAGGED4] = {PACKET_TCP, 64, TCP_ACK | TCP_FIN, 1, 0x064, 18, 38, 58, 0, 0, 6, 4},
	[TAGGED6] = {PACKET_UDP, 64, 0, 1, 0, 18, 58, 66, 0, 0, 17, 6},
};

static void every_field_is_filled_in(void)
{
	struct frame f;
	struct packet p = {0};

	for (enum base base = 0; base < BASES; base++) {
		base_make(&f, base);
		CU_ASSERT_EQUAL(parse_at_guard(&p, &f), REASON_NONE);
		CU_ASSERT_EQUAL(p.kind, expected[base].kind);
		CU_ASSERT_EQUAL(p.ttl, expected[base].ttl);
		CU_ASSERT_EQUAL(p.tcp_flags, expected[base].flags);
		CU_ASSERT_EQUAL(p.tagged, expected[base].tagged);
		CU_ASSERT_EQUAL(p.vlan, expected[base].vlan);
		CU_ASSERT_EQUAL(p.l3, expected[base].l3);
		CU_ASSERT_EQUAL(p.l4, expected[base].l4);
		CU_ASSERT_EQUAL(p.payload, expected[base].payload);
		CU_ASSERT_EQUAL(p.inner_l3, expected[base].inner_l3);
		CU_ASSERT_EQUAL(p.inner_l4, expected[base].inner_l4);
		CU_ASSERT_EQUAL(p.key.k.proto, expected[base].proto);
		CU_ASSERT_EQUAL(p.key.k.family, expected[base].family);
		CU_ASSERT_EQUAL(p.key.k.interface, INTERFACE);
		CU_ASSERT_EQUAL(p.key.k.pad, 0);
	}
}

/* A key with these addresses and ports, everything else as parsed. */
static void assert_key(const struct packet *p, const void *src, const void *dst, uint16_t sport,
		       uint16_t dport)
{
	struct flow_key key = {.k = p->key.k};

	key.k.src = 0;
	key.k.dst = 0;
	put16((uint8_t *)&key.k.sport, sport);
	put16((uint8_t *)&key.k.dport, dport);
	if (p->key.k.family == FAMILY_V4) {
		memcpy(&key.k.src, src, 4);
		memcpy(&key.k.dst, dst, 4);
	} else {
		memcpy(key.src6, src, 16);
		memcpy(key.dst6, dst, 16);
	}
	CU_ASSERT_EQUAL(memcmp(&key, &p->key, sizeof(key)), 0);
}

static void keys_are_as_on_the_wire(void)
{
	struct frame f;
	struct packet p = {0};

	for (enum base base = 0; base < BASES; base++) {
		int v6 = expected[base].family == FAMILY_V6;
		const uint8_t *client = v6 ? frame_client6 : frame_client4;
		const uint8_t *listener = v6 ? frame_listener6 : frame_listener4;

		base_make(&f, base);
		CU_ASSERT_EQUAL(parse_at_guard(&p, &f), REASON_NONE);
		switch (expected[base].kind) {
		case PACKET_TCP:
		case PACKET_UDP:
			assert_key(&p, client, listener, 40001, 8080);
			break;
		case PACKET_ICMP_ERROR: /* client -> listener is quoted: as if listener sent */
			assert_key(&p, listener, client, 8080, 40001);
			break;
		case PACKET_ND: /* the target, not the destination */
			assert_key(&p, client, base == NS ? listener : client, 0, 0);
			break;
		default:
			assert_key(&p, client, listener, 0, 0);
		}
	}
}

/* Bytes changed at random, lengths too: no fault at the guard, and offsets that agree. */
static void random_frames_never_read_too_far(void)
{
	uint64_t seed = 0x1234567;
	uint32_t accepted = 0;
	struct frame f;
	struct packet p = {0};

	for (int round = 0; round < 1000000; round++) {
		uint32_t edits = random32(&seed) % 4;

		base_make(&f, random32(&seed) % BASES);
		while (edits--)
			f.b[12 + random32(&seed) % (f.n - 12u)] = (uint8_t)random32(&seed);
		if (random32(&seed) % 4 == 0)
			f.n = (uint16_t)(random32(&seed) % (f.n + 1u));
		if (f.l4 && f.n >= f.l4 + 20 && f.b[f.l3] == 0x45)
			frame_fix_l3(&f);
		if (parse_at_guard(&p, &f) != REASON_NONE)
			continue;
		accepted++;
		if (p.bytes > f.n || p.l4 > p.bytes || p.payload > p.bytes || p.inner_l4 > p.bytes)
			CU_FAIL("an offset lies beyond the frame");
		if (p.ip_bytes && p.l3 + p.ip_bytes != p.bytes)
			CU_FAIL("lengths do not agree");
		if (p.inner_l4 && p.inner_l4 + 8 > p.bytes)
			CU_FAIL("less than 8 quoted bytes");
	}
	CU_ASSERT(accepted > 100000);
}

static CU_TestInfo tests[] = {
	SUITE_TEST(every_truncation_is_malformed),
	SUITE_TEST(truncated_inner_layers_are_malformed),
	SUITE_TEST(padding_is_cut_off),
	SUITE_TEST(every_field_is_filled_in),
	SUITE_TEST(keys_are_as_on_the_wire),
	SUITE_TEST(random_frames_never_read_too_far),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	return suite_run("parse", tests);
}
