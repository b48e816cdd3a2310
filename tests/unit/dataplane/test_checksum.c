/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/pkt/checksum.h"
#include "dataplane/pkt/l4_checksum.h"
#include "dataplane/pkt/parse.h"

#include "tests/unit/dataplane/frames.h"
#include "tests/unit/dataplane/suite.h"

static uint64_t seed = 0x9e3779b97f4a7c15;

/* Network order, as the code's sums fold. */
static uint16_t reference_check_sum(const uint8_t *at, size_t n)
{
	return htons(reference_fold(reference_sum(at, n)));
}

static void sum_equals_the_reference_at_every_length_and_alignment(void)
{
	uint8_t bytes[320];
	int wrong = 0;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)random32(&seed);
	for (size_t offset = 0; offset < 16; offset++)
		for (size_t n = 0; n + offset <= sizeof(bytes); n++)
			wrong += checksum_fold(checksum_sum(bytes + offset, n)) !=
				 reference_check_sum(bytes + offset, n);
	CU_ASSERT_EQUAL(wrong, 0);
	memset(bytes, 0xff, sizeof(bytes));
	for (size_t n = 1; n <= sizeof(bytes); n++)
		wrong += checksum_fold(checksum_sum(bytes, n)) != reference_check_sum(bytes, n);
	CU_ASSERT_EQUAL(wrong, 0);
}

static void sum_reads_nothing_past_its_end(void)
{
	uint8_t bytes[64];

	memset(bytes, 0x5a, sizeof(bytes));
	for (size_t n = 0; n <= sizeof(bytes); n++) {
		uint8_t *at = guard_place(bytes, n);

		CU_ASSERT_EQUAL(checksum_fold(checksum_sum(at, n)), reference_check_sum(bytes, n));
	}
}

static void fixed_sums_equal_the_general_one(void)
{
	uint8_t bytes[40];

	for (int round = 0; round < 1000; round++) {
		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = (uint8_t)random32(&seed);
		CU_ASSERT_EQUAL(checksum_fold(checksum_sum16(bytes + 1)),
				reference_check_sum(bytes + 1, 16));
		CU_ASSERT_EQUAL(checksum_fold(checksum_sum20(bytes + 3)),
				reference_check_sum(bytes + 3, 20));
	}
}

static void fold_carries_around_at_the_corners(void)
{
	static const struct {
		uint64_t sum;
		uint16_t folded;
	} rows[] = {
		{0, 0},
		{1, 1},
		{0xffff, 0xffff},
		{0x10000, 1},
		{0x1ffff, 1},
		{0x1fffe, 0xffff},
		{0xfffffffe, 0xfffe},
		{0xffffffff, 0xffff},
		{0x100000000, 1},
		{0x1ffffffff, 1},
		{0x1fffffffe, 0xffff},
		{0xffff0000ffff0000, 0xffff},
		{0xffffffff00000000, 0xffff},
		{0xffffffffffffffff, 0xffff},
		{0xfffffffffffffffe, 0xfffe},
	};
	int wrong = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		CU_ASSERT_EQUAL(checksum_fold(rows[i].sum), rows[i].folded);
	for (int i = 0; i < 1000000; i++) {
		uint64_t sum = (uint64_t)random32(&seed) << 32 | random32(&seed);

		sum >>= random32(&seed) % 64;
		wrong += checksum_fold(sum) != reference_fold(sum);
	}
	CU_ASSERT_EQUAL(wrong, 0);
}

/* Words worth trying: zeros, both ends, and neighbours. */
static const uint16_t corners[] = {0, 1, 2, 0x00ff, 0x0100, 0x7fff, 0x8000, 0xff00, 0xfffe, 0xffff};
enum { CORNERS = sizeof(corners) / sizeof(corners[0]) };

static void update_equals_recomputation_at_the_corners(void)
{
	int wrong = 0;

	for (int i = 0; i < CORNERS * CORNERS * CORNERS; i++) {
		uint16_t kept = corners[i % CORNERS];
		uint16_t old = corners[i / CORNERS % CORNERS];
		uint16_t new = corners[i / CORNERS / CORNERS];
		uint16_t check = checksum_finish((uint64_t)kept + old);
		uint16_t updated = checksum_update(check, (uint32_t)(uint16_t)~old + new);

		/* all zeros is the one content whose sum has no unique zero; it never occurs */
		if ((kept || old) && (kept || new))
			wrong += updated != checksum_finish((uint64_t)kept + new);
	}
	CU_ASSERT_EQUAL(wrong, 0);
}

static void update_equals_recomputation_for_every_word(void)
{
	uint32_t wrong = 0;

	for (uint32_t old = 0; old <= 0xffff; old++) {
		for (int i = 0; i < CORNERS; i++) {
			uint16_t check = checksum_finish(0x1234 + (uint64_t)old);
			uint32_t delta = (uint32_t)(uint16_t)~old + corners[i];

			wrong += checksum_update(check, delta) !=
				 checksum_finish(0x1234 + (uint64_t)corners[i]);
		}
	}
	CU_ASSERT_EQUAL(wrong, 0);
}

static void update_keeps_both_forms_of_zero_valid(void)
{
	/* content that sums to 0xffff: its checksum may be written 0 or 0xffff */
	for (int i = 0; i < CORNERS; i++) {
		uint32_t delta = (uint32_t)(uint16_t)~0x1000 + corners[i];
		uint16_t rest = (uint16_t)~0x1000;

		uint16_t from_zero = checksum_update(0, delta);
		uint16_t from_ones = checksum_update(0xffff, delta);

		CU_ASSERT_EQUAL(checksum_fold((uint64_t)rest + corners[i] + from_zero), 0xffff);
		CU_ASSERT_EQUAL(checksum_fold((uint64_t)rest + corners[i] + from_ones), 0xffff);
	}
}

static void udp_checksum_is_never_zero(void)
{
	CU_ASSERT_EQUAL(checksum_finish(0xffff), 0);
	CU_ASSERT_EQUAL(checksum_finish_udp(0xffff), 0xffff);
	CU_ASSERT_EQUAL(checksum_finish_udp(0x1234), 0xedcb);
	for (uint32_t check = 1; check <= 0xffff; check++)
		for (int i = 0; i < CORNERS; i++)
			if (!checksum_update_udp((uint16_t)check, corners[i]))
				CU_FAIL("a UDP checksum became zero");
	/* ~check + delta = 0xffff: the sum is complete, TCP would write 0 */
	CU_ASSERT_EQUAL(checksum_update(0x1234, 0x1234), 0);
	CU_ASSERT_EQUAL(checksum_update_udp(0x1234, 0x1234), 0xffff);
}

static void parse(struct packet *p, struct frame *f)
{
	p->data = f->b;
	p->bytes = f->n;
	CU_ASSERT_EQUAL_FATAL(packet_parse(p, 0), REASON_NONE);
}

static const struct frame_spec l4_specs[] = {
	{.payload_bytes = 0},
	{.payload_bytes = 33},
	{.proto = PROTO_UDP, .payload_bytes = 1},
	{.family = FAMILY_V6, .payload_bytes = 32, .tagged = 1},
	{.family = FAMILY_V6, .proto = PROTO_UDP, .payload_bytes = 0},
	{.family = FAMILY_V6, .proto = PROTO_UDP, .payload_bytes = 1399},
};
enum { L4_SPECS = sizeof(l4_specs) / sizeof(l4_specs[0]) };

static void verification_notices_every_flipped_bit(void)
{
	struct frame f;
	struct packet p = {0};

	for (int i = 0; i < L4_SPECS; i++) {
		frame_make(&f, &l4_specs[i]);
		parse(&p, &f);
		CU_ASSERT_TRUE(l4_checksum_ok(&p, 0));
		CU_ASSERT_TRUE(l4_checksum_ok(&p, 1));
		for (uint32_t bit = p.payload * 8u; bit < f.n * 8u; bit++) {
			f.b[bit / 8] ^= 1 << bit % 8;
			CU_ASSERT_FALSE(l4_checksum_ok(&p, 0));
			f.b[bit / 8] ^= 1 << bit % 8;
		}
		f.b[p.l4] ^= 1;
		CU_ASSERT_FALSE(l4_checksum_ok(&p, 1));
	}
}

static void partial_checksum_is_accepted_only_where_it_may_be(void)
{
	struct frame f;
	struct packet p = {0};

	for (int i = 0; i < L4_SPECS; i++) {
		frame_make(&f, &l4_specs[i]);
		frame_make_partial(&f);
		parse(&p, &f);
		CU_ASSERT_TRUE(l4_checksum_is_partial(&p));
		CU_ASSERT_TRUE(l4_checksum_ok(&p, 1));
		CU_ASSERT_FALSE(l4_checksum_ok(&p, 0));
		l4_checksum_complete(&p);
		CU_ASSERT_TRUE(frame_is_right(&f));
		CU_ASSERT_TRUE(l4_checksum_ok(&p, 0));
		CU_ASSERT_FALSE(l4_checksum_is_partial(&p));
	}
}

static void udp_over_ipv4_may_have_no_checksum(void)
{
	struct frame_spec s = {.proto = PROTO_UDP, .payload_bytes = 9};
	struct frame f;
	struct packet p = {0};

	frame_make(&f, &s);
	put16(f.b + f.l4 + 6, 0);
	parse(&p, &f);
	CU_ASSERT_TRUE(l4_checksum_ok(&p, 0));
}

/* A datagram that ends before its IP packet: what follows is not its own. */
static void udp_length_rules_over_ip_length(void)
{
	struct frame_spec s = {.proto = PROTO_UDP, .payload_bytes = 20};
	struct frame f;
	struct packet p = {0};

	frame_make(&f, &s);
	put16(f.b + f.l4 + 4, 8 + 13);
	frame_fix(&f);
	parse(&p, &f);
	CU_ASSERT_TRUE(l4_checksum_ok(&p, 0));
	f.b[f.l4 + 8 + 13] ^= 0xff;
	CU_ASSERT_TRUE(l4_checksum_ok(&p, 0));
	f.b[f.l4 + 8 + 12] ^= 0xff;
	CU_ASSERT_FALSE(l4_checksum_ok(&p, 0));
}

static CU_TestInfo tests[] = {
	SUITE_TEST(sum_equals_the_reference_at_every_length_and_alignment),
	SUITE_TEST(sum_reads_nothing_past_its_end),
	SUITE_TEST(fixed_sums_equal_the_general_one),
	SUITE_TEST(fold_carries_around_at_the_corners),
	SUITE_TEST(update_equals_recomputation_at_the_corners),
	SUITE_TEST(update_equals_recomputation_for_every_word),
	SUITE_TEST(update_keeps_both_forms_of_zero_valid),
	SUITE_TEST(udp_checksum_is_never_zero),
	SUITE_TEST(verification_notices_every_flipped_bit),
	SUITE_TEST(partial_checksum_is_accepted_only_where_it_may_be),
	SUITE_TEST(udp_over_ipv4_may_have_no_checksum),
	SUITE_TEST(udp_length_rules_over_ip_length),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	return suite_run("checksum", tests);
}
