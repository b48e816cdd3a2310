/* SPDX-License-Identifier: Apache-2.0 */
/* Words that hold several values: what is packed comes out again and touches nothing else. */
#include "shm/state.h"

#include "tests/unit/shm/suite.h"

static uint64_t next(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static int same(struct breaker_word a, struct breaker_word b)
{
	return a.phase == b.phase && a.trips == b.trips && a.epoch == b.epoch &&
	       a.until_ms == b.until_ms && a.consecutive == b.consecutive && a.active == b.active &&
	       a.ok == b.ok;
}

static void a_breaker_word_keeps_every_value(void)
{
	static const struct breaker_word rows[] = {
		{.phase = BREAKER_CLOSED},
		{.phase = BREAKER_CLOSED, .epoch = 0xffff, .consecutive = BREAKER_MAX_CONSECUTIVE},
		{.phase = BREAKER_CLOSED, .consecutive = 1},
		{.phase = BREAKER_OPEN, .epoch = 1, .until_ms = 0xffffffff},
		{.phase = BREAKER_OPEN, .trips = BREAKER_MAX_TRIPS, .until_ms = 1},
		{.phase = BREAKER_HALF_OPEN, .epoch = 0x8000, .until_ms = 0x80000000},
		{.phase = BREAKER_HALF_OPEN, .active = BREAKER_MAX_PROBES},
		{.phase = BREAKER_HALF_OPEN, .ok = BREAKER_MAX_PROBES},
		{.phase = BREAKER_HALF_OPEN,
		 .trips = BREAKER_MAX_TRIPS,
		 .epoch = 0xffff,
		 .until_ms = 0xffffffff,
		 .active = BREAKER_MAX_PROBES,
		 .ok = BREAKER_MAX_PROBES},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		CU_ASSERT(same(breaker_unpack(breaker_pack(rows[i])), rows[i]));
}

static void fresh_memory_is_a_closed_breaker(void)
{
	CU_ASSERT_EQUAL(breaker_pack((struct breaker_word){.phase = BREAKER_CLOSED}), 0);
	CU_ASSERT(same(breaker_unpack(0), (struct breaker_word){.phase = BREAKER_CLOSED}));
}

/* Any word of a known phase: unpacked and packed it is the same word, bit for bit. */
static void a_breaker_word_has_no_other_bits(void)
{
	uint64_t seed = 0x9e3779b97f4a7c15;

	for (unsigned int i = 0; i < 100000; i++) {
		uint64_t word = next(&seed);

		if (word >> 62 == 3)
			continue;
		CU_ASSERT_EQUAL(breaker_pack(breaker_unpack(word)), word);
	}
}

static void an_admin_word_keeps_every_value(void)
{
	static const struct admin_word rows[] = {
		{.health = HEALTH_UNKNOWN},
		{.health = HEALTH_UNHEALTHY, .why = 255, .since_ms = 0xffffffff},
		{.override = OVERRIDE_CLOSED, .drained = 1},
		{.health = HEALTH_HEALTHY, .override = OVERRIDE_OPEN, .since_ms = 1},
	};
	uint64_t seed = 7;

	CU_ASSERT_EQUAL(admin_pack(rows[0]), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct admin_word a = admin_unpack(admin_pack(rows[i]));

		CU_ASSERT_EQUAL(a.health, rows[i].health);
		CU_ASSERT_EQUAL(a.override, rows[i].override);
		CU_ASSERT_EQUAL(a.drained, rows[i].drained);
		CU_ASSERT_EQUAL(a.why, rows[i].why);
		CU_ASSERT_EQUAL(a.since_ms, rows[i].since_ms);
	}
	for (unsigned int i = 0; i < 1000; i++) {
		uint64_t word = next(&seed);

		CU_ASSERT_EQUAL(admin_pack(admin_unpack(word)), word);
	}
}

static void milliseconds_wrap_at_32_bits(void)
{
	CU_ASSERT_EQUAL(state_ms(0), 0);
	CU_ASSERT_EQUAL(state_ms(999999), 0);
	CU_ASSERT_EQUAL(state_ms(1000000), 1);
	CU_ASSERT_EQUAL(state_ms(UINT64_C(0xffffffff) * 1000000 + 999999), 0xffffffff);
	CU_ASSERT_EQUAL(state_ms(UINT64_C(0x100000000) * 1000000), 0);
}

static const struct test tests[] = {
	TEST(a_breaker_word_keeps_every_value), TEST(fresh_memory_is_a_closed_breaker),
	TEST(a_breaker_word_has_no_other_bits), TEST(an_admin_word_keeps_every_value),
	TEST(milliseconds_wrap_at_32_bits),
};

int main(void)
{
	return suite_run("state_words", tests, sizeof(tests) / sizeof(tests[0]));
}
