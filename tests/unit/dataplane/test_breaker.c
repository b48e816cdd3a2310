/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/policy/breaker.h"
#include "tests/unit/dataplane/breaker_bench.h"
#include "tests/unit/dataplane/suite.h"

#define NOW (1000 * SECOND)

static struct bench n;

static void start(void)
{
	bench_start(&n, bench_rules());
}

static void start_consecutive(uint32_t failures)
{
	struct image_breaker rules = bench_rules();

	rules.failure_rate = 0;
	rules.consecutive_failures = failures;
	bench_start(&n, rules);
}

/* Open since NOW. */
static void start_open(void)
{
	start();
	CU_ASSERT_EQUAL(breaker_eject(&n.b, NOW, 0), EDGE_OPENED);
}

static void fresh_memory_is_closed_and_admits(void)
{
	struct bench_call c;

	start();
	c = bench_admit(&n, NOW);
	CU_ASSERT_EQUAL(c.admission, BREAKER_ADMIT);
	CU_ASSERT_EQUAL(c.edge, EDGE_NONE);
	CU_ASSERT_EQUAL(n.word, 0);
	CU_ASSERT(breaker_looks_admitting(n.word, &n.rules, OVERRIDE_NONE, NOW));
	CU_ASSERT_EQUAL(breaker_open_left_ns(n.word, NOW), 0);
}

/* So many successes, then failures: at which failure, if ever, does it open? */
static void rate_trips_on_reaching_it_with_enough_calls(void)
{
	static const struct {
		uint32_t window, minimum, rate, successes, opens_at;
	} rows[] = {
		{100, 20, 5000, 0, 20},   /* the minimum holds it back */
		{100, 20, 5000, 10, 10},  /* exactly half of 20 */
		{100, 20, 5000, 11, 11},  /* of 22 */
		{100, 1, 5000, 0, 1},     /* the first call */
		{100, 1, 10000, 1, 0},    /* never all of them */
		{100, 20, 1, 50, 1},      /* 0.01 %: any failure */
		{100, 100, 5000, 100, 0}, /* see below: bounded by the failures tried */
		{100, 100, 10000, 0, 100}, {10, 10, 10000, 0, 10}, {40000, 40000, 10000, 0, 40000},
		{100, 20, 0, 0, 0}, /* off */
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct image_breaker rules = bench_rules();
		uint32_t at = 0, tries = rows[i].window < 1000 ? 40 : 0;

		rules.window = rows[i].window;
		rules.minimum_calls = rows[i].minimum;
		rules.failure_rate = (uint16_t)rows[i].rate;
		bench_start(&n, rules);
		bench_calls(&n, rows[i].successes, 0, NOW);
		for (uint32_t k = 1; !at && k <= tries + rows[i].opens_at; k++)
			if (bench_call(&n, 1, NOW) == EDGE_OPENED)
				at = k;
		CU_ASSERT_EQUAL(at, rows[i].opens_at);
	}
}

static void full_window_trips_though_a_part_has_left_it(void)
{
	struct image_breaker rules = bench_rules();

	rules.minimum_calls = 100; /* after call 101 the window holds 91 */
	bench_start(&n, rules);
	bench_calls(&n, 100, 0, NOW);
	for (int i = 1; i < 50; i++)
		CU_ASSERT_EQUAL(bench_call(&n, 1, NOW), EDGE_NONE);
	CU_ASSERT_EQUAL(bench_call(&n, 1, NOW), EDGE_OPENED);
}

static void old_evidence_does_not_trip(void)
{
	start();
	bench_calls(&n, 19, 1, NOW);
	CU_ASSERT_EQUAL(bench_call(&n, 1, NOW + 61 * SECOND), EDGE_NONE);
	bench_calls(&n, 18, 1, NOW + 61 * SECOND);
	CU_ASSERT_EQUAL(bench_word(&n).phase, BREAKER_CLOSED);
	CU_ASSERT_EQUAL(bench_call(&n, 1, NOW + 61 * SECOND), EDGE_OPENED);
}

static void success_never_trips(void)
{
	start();
	n.rules.failure_rate = 0;
	bench_calls(&n, 30, 1, NOW);
	n.rules.failure_rate = 5000; /* reached long ago */
	CU_ASSERT_EQUAL(bench_call(&n, 0, NOW), EDGE_NONE);
	CU_ASSERT_EQUAL(bench_call(&n, 1, NOW), EDGE_OPENED);
}

static void duration_window_trips_over_all_workers(void)
{
	struct image_breaker rules = bench_rules();
	int stale;

	rules.window_kind = WINDOW_DURATION;
	rules.window = 10000;
	bench_start(&n, rules);
	for (uint32_t i = 1; i <= 20; i++) {
		struct breaker_outcome o = {.failed = 1, .worker = i % BENCH_WORKERS};

		CU_ASSERT_EQUAL(breaker_record(&n.b, &o, NOW + i * MS, &stale),
				i < 20 ? EDGE_NONE : EDGE_OPENED);
	}
}

static void slow_calls_trip_at_their_own_rate(void)
{
	static const struct {
		uint32_t slow_us, rate, quick, opens_at;
	} rows[] = {
		{1000, 10000, 0, 20}, {1000, 5000, 10, 10},
		{1000, 10000, 1, 0},  {0, 5000, 0, 0}, /* no threshold: nothing is slow */
		{1000, 0, 0, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t at = 0;

		start();
		n.rules.slow_us = rows[i].slow_us;
		n.rules.slow_rate = (uint16_t)rows[i].rate;
		bench_calls(&n, rows[i].quick, 0, NOW);
		for (uint32_t k = 1; !at && k <= 60; k++)
			if (bench_slow_call(&n, NOW) == EDGE_OPENED)
				at = k;
		CU_ASSERT_EQUAL(at, rows[i].opens_at);
	}
}

static void failures_in_a_row_trip_and_a_success_starts_over(void)
{
	static const uint32_t limits[] = {1, 2, 5, BREAKER_MAX_CONSECUTIVE};

	for (int i = 0; i < 4; i++) {
		start_consecutive(limits[i]);
		bench_calls(&n, limits[i] - 1, 1, NOW);
		CU_ASSERT_EQUAL(bench_word(&n).consecutive, limits[i] - 1);
		bench_call(&n, 0, NOW);
		CU_ASSERT_EQUAL(bench_word(&n).consecutive, 0);
		bench_calls(&n, limits[i] - 1, 1, NOW);
		CU_ASSERT_EQUAL(bench_word(&n).phase, BREAKER_CLOSED);
		CU_ASSERT_EQUAL(bench_call(&n, 1, NOW), EDGE_OPENED);
	}
}

static void consecutive_saturates(void)
{
	start_consecutive(0);
	bench_calls(&n, 3000, 1, NOW);
	CU_ASSERT_EQUAL(bench_word(&n).consecutive, BREAKER_MAX_CONSECUTIVE);
	CU_ASSERT_EQUAL(bench_word(&n).epoch, 0);
}

/* One outcome in a state of so many failures in a row: where it leads; 5 is open. */
static uint32_t step(uint32_t consecutive, int failed)
{
	start_consecutive(5);
	n.word = breaker_pack((struct breaker_word){.consecutive = (uint16_t)consecutive});
	if (bench_call(&n, failed, NOW) == EDGE_OPENED)
		return 5;
	return bench_word(&n).consecutive;
}

/* (1 - p^5) / ((1 - p) p^5) at p = 0.1, from the machine's own transitions. */
static void five_in_a_row_come_every_111110_calls_at_ten_percent(void)
{
	double expected[6] = {0}, share[6] = {1}, p = 0.1;

	/* expected[k] = expected[k] + share[k] * expected[0], backwards from open. */
	share[5] = 0;
	for (int k = 4; k >= 0; k--) {
		uint32_t worse = step((uint32_t)k, 1);

		CU_ASSERT_EQUAL(step((uint32_t)k, 0), 0);
		CU_ASSERT_EQUAL(worse, k + 1);
		expected[k] = 1 + p * expected[worse];
		share[k] = (1 - p) + p * share[worse];
	}
	CU_ASSERT_DOUBLE_EQUAL(expected[0] / (1 - share[0]), 111110, 1);
}

/* The same by chance: 400 trips on average, so one standard deviation is 5 %. */
static void five_in_a_row_come_about_as_often_by_chance(void)
{
	struct random r = {.state = 42};
	uint64_t calls = 0, trips = 0;
	struct breaker_outcome o = {0};
	int stale;

	start_consecutive(5);
	n.rules.window = 10;
	while (calls < 400ull * 111110) {
		/* Successes in a row are like one; runs of one or two failures like none. */
		uint32_t run = 0;

		while (run < 64 && random_below(&r, 10) == 0)
			run++;
		calls += run + 1;
		if (run < 3)
			continue;
		o.failed = 1;
		for (uint32_t i = 0; i < run; i++) {
			if (breaker_record(&n.b, &o, NOW, &stale) != EDGE_OPENED)
				continue;
			trips++;
			breaker_reset(&n.word);
			o.epoch = bench_word(&n).epoch;
		}
		o.failed = 0;
		breaker_record(&n.b, &o, NOW, &stale);
	}
	CU_ASSERT_DOUBLE_EQUAL((double)calls / (double)trips, 111110, 0.05 * 111110);
}

static void overrides_admit_or_refuse_and_feed_nothing(void)
{
	static const uint8_t phases[] = {BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN};

	for (int i = 0; i < 6; i++) {
		struct bench before;
		struct bench_call c;
		int stale;

		start();
		n.word = breaker_pack(
			(struct breaker_word){.phase = phases[i / 2], .epoch = (uint16_t)(i % 2)});
		n.b.override = i % 2 ? OVERRIDE_CLOSED : OVERRIDE_OPEN;
		before = n;
		c = bench_admit(&n, NOW);
		CU_ASSERT_EQUAL(c.admission, i % 2 ? BREAKER_ADMIT_UNFED : BREAKER_REFUSE_OPEN);
		CU_ASSERT_EQUAL(breaker_looks_admitting(n.word, &n.rules, n.b.override, NOW),
				i % 2);
		CU_ASSERT_EQUAL(breaker_eject(&n.b, NOW, 0), EDGE_NONE);
		for (int k = 0; k < 30; k++)
			CU_ASSERT_EQUAL(bench_end(&n, c, 1, NOW, &stale), EDGE_NONE);
		CU_ASSERT(bench_same(&before, &n));
		/* Nor after the override is gone. */
		n.b.override = OVERRIDE_NONE;
		bench_end(&n, c, 1, NOW, &stale);
		CU_ASSERT_EQUAL(stale, 1);
		CU_ASSERT(bench_same(&before, &n));
	}
}

static void calls_from_before_an_override_feed_nothing_but_return_their_slot(void)
{
	struct bench_call c;
	int stale;

	start();
	c = bench_admit(&n, NOW);
	n.b.override = OVERRIDE_OPEN;
	bench_end(&n, c, 1, NOW, &stale);
	CU_ASSERT_EQUAL(stale, 1);
	CU_ASSERT_EQUAL(n.word | n.recorded, 0);
	start_open();
	c = bench_admit(&n, NOW + 6 * SECOND);
	n.b.override = OVERRIDE_CLOSED;
	CU_ASSERT_EQUAL(bench_end(&n, c, 1, NOW, &stale), EDGE_NONE);
	CU_ASSERT_EQUAL(bench_word(&n).active, 0);
	CU_ASSERT_EQUAL(bench_word(&n).phase, BREAKER_HALF_OPEN);
}

static int refuse(void *ctx)
{
	++*(int *)ctx;
	return 0;
}

static void refused_opening_leaves_it_closed_and_starts_the_row_over(void)
{
	int asked = 0;

	start_consecutive(5);
	n.b.guard = (struct breaker_guard){.ctx = &asked, .may_open = refuse};
	bench_calls(&n, 4, 1, NOW);
	CU_ASSERT_EQUAL(bench_call(&n, 1, NOW), EDGE_REFUSED);
	CU_ASSERT_EQUAL(bench_word(&n).consecutive, 0);
	CU_ASSERT_EQUAL(bench_word(&n).epoch, 0);
	bench_calls(&n, 4, 1, NOW);
	CU_ASSERT_EQUAL(asked, 1);
	CU_ASSERT_EQUAL(breaker_eject(&n.b, NOW, 0), EDGE_REFUSED);
	CU_ASSERT_EQUAL(bench_word(&n).consecutive, 0);
	CU_ASSERT_EQUAL(asked, 2);
}

/* Somebody else changes the word while the guard is asked. */
static int opens_meanwhile(void *ctx)
{
	++*(int *)ctx;
	n.word = breaker_pack((struct breaker_word){.phase = BREAKER_OPEN, .epoch = 1});
	return 1;
}

static void undo(void *ctx)
{
	--*(int *)ctx;
}

static void grant_that_loses_its_swap_is_given_back(void)
{
	int granted = 0, stale;
	struct bench_call c;

	start_consecutive(1);
	n.b.guard =
		(struct breaker_guard){.ctx = &granted, .may_open = opens_meanwhile, .undo = undo};
	c = bench_admit(&n, NOW);
	CU_ASSERT_EQUAL(bench_end(&n, c, 1, NOW, &stale), EDGE_NONE);
	CU_ASSERT_EQUAL(stale, 1);
	CU_ASSERT_EQUAL(granted, 0);
	n.word = 0;
	CU_ASSERT_EQUAL(breaker_eject(&n.b, NOW, 0), EDGE_NONE);
	CU_ASSERT_EQUAL(granted, 0);
}

static void only_closed_breakers_are_ejected(void)
{
	start_open();
	CU_ASSERT_EQUAL(breaker_eject(&n.b, NOW, 0), EDGE_NONE);
	bench_admit(&n, NOW + 6 * SECOND);
	CU_ASSERT_EQUAL(breaker_eject(&n.b, NOW, 0), EDGE_NONE);
	CU_ASSERT_EQUAL(bench_word(&n).phase, BREAKER_HALF_OPEN);
}

static void reset_is_a_clean_closed_state_of_another_epoch(void)
{
	struct bench_call late;
	int stale;

	start_consecutive(5);
	late = bench_admit(&n, NOW);
	bench_calls(&n, 3, 1, NOW);
	CU_ASSERT_EQUAL(breaker_reset(&n.word), 0);
	CU_ASSERT_EQUAL(bench_word(&n).consecutive, 0);
	CU_ASSERT_EQUAL(bench_word(&n).epoch, 1);
	CU_ASSERT_EQUAL(bench_sum(&n, NOW).calls, 0);
	bench_end(&n, late, 1, NOW, &stale);
	CU_ASSERT_EQUAL(stale, 1);
	start_open();
	CU_ASSERT_EQUAL(breaker_reset(&n.word), 1);
	CU_ASSERT_EQUAL(bench_admit(&n, NOW).admission, BREAKER_ADMIT);
	n.word = breaker_pack((struct breaker_word){.epoch = 65535});
	breaker_reset(&n.word);
	CU_ASSERT_EQUAL(bench_word(&n).epoch, 1);
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(fresh_memory_is_closed_and_admits),
		SUITE_TEST(rate_trips_on_reaching_it_with_enough_calls),
		SUITE_TEST(full_window_trips_though_a_part_has_left_it),
		SUITE_TEST(old_evidence_does_not_trip),
		SUITE_TEST(success_never_trips),
		SUITE_TEST(duration_window_trips_over_all_workers),
		SUITE_TEST(slow_calls_trip_at_their_own_rate),
		SUITE_TEST(failures_in_a_row_trip_and_a_success_starts_over),
		SUITE_TEST(consecutive_saturates),
		SUITE_TEST(five_in_a_row_come_every_111110_calls_at_ten_percent),
		SUITE_TEST(five_in_a_row_come_about_as_often_by_chance),
		SUITE_TEST(overrides_admit_or_refuse_and_feed_nothing),
		SUITE_TEST(calls_from_before_an_override_feed_nothing_but_return_their_slot),
		SUITE_TEST(refused_opening_leaves_it_closed_and_starts_the_row_over),
		SUITE_TEST(grant_that_loses_its_swap_is_given_back),
		SUITE_TEST(only_closed_breakers_are_ejected),
		SUITE_TEST(reset_is_a_clean_closed_state_of_another_epoch),
		CU_TEST_INFO_NULL,
	};

	return suite_run("breaker", tests);
}
