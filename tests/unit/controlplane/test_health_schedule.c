/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/health_schedule.h"

#include <string.h>

#include "tests/unit/dataplane/suite.h"

static const struct image_health_check rules = {
	.type = HEALTH_TCP,
	.healthy_threshold = 2,
	.unhealthy_threshold = 3,
	.interval_ms = 10000,
	.unhealthy_interval_ms = 2000,
	.timeout_ms = 5000,
};

/* "+": a probe that succeeds, "-": one that is refused, "t": one that times out. */
static struct health_track after(uint8_t health, const char *results, int *changes)
{
	struct health_track t = {.health = health};

	*changes = 0;
	for (; *results; results++)
		*changes += health_track_result(&t, &rules,
						*results == '+'   ? HEALTH_REASON_NONE
						: *results == 't' ? HEALTH_REASON_TIMEOUT
								  : HEALTH_REASON_REFUSED);
	return t;
}

static void thresholds_decide_after_the_first_result(void)
{
	static const struct {
		uint8_t before;
		const char *results;
		uint8_t health;
		int changes;
	} rows[] = {
		{HEALTH_UNKNOWN, "", HEALTH_UNKNOWN, 0},
		{HEALTH_UNKNOWN, "+", HEALTH_HEALTHY, 1},
		{HEALTH_UNKNOWN, "-", HEALTH_UNHEALTHY, 1},
		{HEALTH_UNKNOWN, "+--", HEALTH_HEALTHY, 1},
		{HEALTH_UNKNOWN, "+---", HEALTH_UNHEALTHY, 2},
		{HEALTH_HEALTHY, "--+--", HEALTH_HEALTHY, 0},
		{HEALTH_HEALTHY, "---", HEALTH_UNHEALTHY, 1},
		{HEALTH_HEALTHY, "-t-", HEALTH_UNHEALTHY, 1},
		{HEALTH_UNHEALTHY, "+", HEALTH_UNHEALTHY, 0},
		{HEALTH_UNHEALTHY, "+-+", HEALTH_UNHEALTHY, 0},
		{HEALTH_UNHEALTHY, "++", HEALTH_HEALTHY, 1},
		{HEALTH_UNHEALTHY, "++---++", HEALTH_HEALTHY, 3},
	};
	int changes;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct health_track t = after(rows[i].before, rows[i].results, &changes);

		CU_ASSERT_EQUAL(t.health, rows[i].health);
		CU_ASSERT_EQUAL(changes, rows[i].changes);
	}
}

static void the_deciding_failure_names_the_reason(void)
{
	int changes;

	CU_ASSERT_EQUAL(after(HEALTH_HEALTHY, "--t", &changes).why, HEALTH_REASON_TIMEOUT);
	CU_ASSERT_EQUAL(after(HEALTH_HEALTHY, "--t-", &changes).why, HEALTH_REASON_TIMEOUT);
}

static void the_wait_is_the_interval_within_15_percent(void)
{
	static const struct {
		uint8_t health;
		uint64_t least, most;
	} rows[] = {
		{HEALTH_UNKNOWN, 8500, 11500},
		{HEALTH_HEALTHY, 8500, 11500},
		{HEALTH_UNHEALTHY, 1700, 2300},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t least = UINT64_MAX, most = 0;

		for (uint64_t seed = 0; seed < 5000; seed++) {
			uint64_t ms = health_wait_ms(&rules, rows[i].health, seed * 2654435761u);

			least = ms < least ? ms : least;
			most = ms > most ? ms : most;
		}
		CU_ASSERT(least >= rows[i].least && most <= rows[i].most);
		/* The whole range is used. */
		CU_ASSERT(least < rows[i].least * 101 / 100 && most > rows[i].most * 99 / 100);
	}
	CU_ASSERT_EQUAL(health_wait_ms(&rules, HEALTH_HEALTHY, 0), 8500);
	CU_ASSERT_EQUAL(health_wait_ms(&rules, HEALTH_HEALTHY, 3000), 11500);
	CU_ASSERT(health_wait_ms(&rules, HEALTH_HEALTHY, UINT64_MAX) <= 11500);
}

static void the_first_wait_is_at_most_a_second_and_the_interval(void)
{
	struct image_health_check quick = rules;

	quick.interval_ms = 100;
	for (uint64_t random = 0; random < 3000; random++) {
		CU_ASSERT(health_first_wait_ms(&rules, random) <= 1000);
		CU_ASSERT(health_first_wait_ms(&quick, random) <= 100);
	}
}

static void the_admin_word_keeps_what_operators_said(void)
{
	const struct admin_word before = {
		.override = OVERRIDE_CLOSED, .drained = 1, .health = HEALTH_HEALTHY};
	const struct health_track t = {.health = HEALTH_UNHEALTHY, .why = HEALTH_REASON_STATUS};
	struct admin_word a = admin_unpack(health_admin_word(admin_pack(before), &t, &rules, 77));

	CU_ASSERT_EQUAL(a.override, OVERRIDE_CLOSED);
	CU_ASSERT_EQUAL(a.drained, 1);
	CU_ASSERT_EQUAL(a.health, HEALTH_UNHEALTHY);
	CU_ASSERT_EQUAL(a.why, HEALTH_REASON_STATUS);
	CU_ASSERT_EQUAL(a.since_ms, 77);
}

static void only_an_endpoint_that_comes_back_starts_slowly(void)
{
	static const struct {
		uint8_t before, initial_unhealthy, after;
		uint32_t now_ms, since_ms;
	} rows[] = {
		{HEALTH_UNKNOWN, 0, HEALTH_HEALTHY, 5, 0},
		{HEALTH_UNKNOWN, 1, HEALTH_HEALTHY, 5, 5},
		{HEALTH_UNHEALTHY, 0, HEALTH_HEALTHY, 5, 5},
		{HEALTH_UNHEALTHY, 0, HEALTH_HEALTHY, 0, 1}, /* the clock wrapped */
		{HEALTH_UNKNOWN, 0, HEALTH_UNHEALTHY, 5, 5},
		{HEALTH_HEALTHY, 0, HEALTH_HEALTHY, 5, 3}, /* no change */
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct admin_word before = {.health = rows[i].before, .since_ms = 3};
		const struct health_track t = {.health = rows[i].after};
		struct image_health_check r = rules;

		r.initial_unhealthy = rows[i].initial_unhealthy;
		CU_ASSERT_EQUAL(
			admin_unpack(health_admin_word(admin_pack(before), &t, &r, rows[i].now_ms))
				.since_ms,
			rows[i].since_ms);
	}
}

static CU_TestInfo tests[] = {
	SUITE_TEST(thresholds_decide_after_the_first_result),
	SUITE_TEST(the_deciding_failure_names_the_reason),
	SUITE_TEST(the_wait_is_the_interval_within_15_percent),
	SUITE_TEST(the_first_wait_is_at_most_a_second_and_the_interval),
	SUITE_TEST(the_admin_word_keeps_what_operators_said),
	SUITE_TEST(only_an_endpoint_that_comes_back_starts_slowly),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	return suite_run("health_schedule", tests);
}
