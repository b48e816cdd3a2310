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

static uint64_t until_ns(void)
{
	return NOW + breaker_open_left_ns(n.word, NOW);
}

/* Open since NOW. */
static void start_open(void)
{
	start();
	CU_ASSERT_EQUAL(breaker_eject(&n.b, NOW, 0), EDGE_OPENED);
}

static void open_refuses_until_its_time(void)
{
	struct bench_call c;

	start_open();
	CU_ASSERT_EQUAL(until_ns(), NOW + 5 * SECOND);
	CU_ASSERT_EQUAL(breaker_open_left_ns(n.word, NOW + 1), 5 * SECOND - 1);
	for (uint64_t t = NOW; t < NOW + 5 * SECOND; t += 333 * MS) {
		c = bench_admit(&n, t);
		CU_ASSERT_EQUAL(c.admission, BREAKER_REFUSE_OPEN);
		CU_ASSERT_NOT_EQUAL(c.epoch, bench_word(&n).epoch);
		CU_ASSERT(!breaker_looks_admitting(n.word, &n.rules, OVERRIDE_NONE, t));
	}
	CU_ASSERT_EQUAL(bench_admit(&n, NOW + 5 * SECOND - 1).admission, BREAKER_REFUSE_OPEN);
	CU_ASSERT_EQUAL(breaker_open_left_ns(n.word, NOW + 5 * SECOND), 0);
	CU_ASSERT(breaker_looks_admitting(n.word, &n.rules, OVERRIDE_NONE, NOW + 5 * SECOND));
	c = bench_admit(&n, NOW + 5 * SECOND);
	CU_ASSERT_EQUAL(c.admission, BREAKER_ADMIT_PROBE);
	CU_ASSERT_EQUAL(c.edge, EDGE_HALF_OPEN);
	CU_ASSERT_EQUAL(c.epoch, bench_word(&n).epoch);
	CU_ASSERT_EQUAL(bench_word(&n).active, 1);
}

static void late_results_never_extend_open(void)
{
	struct bench_call late;
	uint64_t word;
	int stale;

	start();
	late = bench_admit(&n, NOW);
	CU_ASSERT_EQUAL(breaker_eject(&n.b, NOW, 0), EDGE_OPENED);
	word = n.word;
	for (int i = 0; i < 50; i++) {
		bench_end(&n, late, 1, NOW + 4 * SECOND, &stale);
		CU_ASSERT_EQUAL(stale, 1);
	}
	CU_ASSERT_EQUAL(n.word, word);
	CU_ASSERT_EQUAL(n.recorded, 0);
}

static void half_open_admits_as_many_as_it_has_probes(void)
{
	static const uint8_t probes[] = {1, 3, BREAKER_MAX_PROBES};

	for (int i = 0; i < 3; i++) {
		start_open();
		n.rules.probes = probes[i];
		for (int k = 0; k < probes[i]; k++) {
			CU_ASSERT(breaker_looks_admitting(n.word, &n.rules, OVERRIDE_NONE,
							  until_ns()));
			CU_ASSERT_EQUAL(bench_admit(&n, NOW + 6 * SECOND).admission,
					BREAKER_ADMIT_PROBE);
		}
		CU_ASSERT_EQUAL(bench_word(&n).active, probes[i]);
		CU_ASSERT_EQUAL(bench_admit(&n, NOW + 6 * SECOND).admission, BREAKER_REFUSE_PROBES);
		CU_ASSERT(!breaker_looks_admitting(n.word, &n.rules, OVERRIDE_NONE,
						   NOW + 6 * SECOND));
	}
}

static void successes_close_it_with_an_empty_window(void)
{
	uint64_t t = NOW + 6 * SECOND;
	uint16_t epoch;

	start();
	bench_calls(&n, 20, 1, NOW);
	CU_ASSERT_EQUAL(bench_word(&n).phase, BREAKER_OPEN);
	CU_ASSERT_EQUAL(bench_call(&n, 0, t), EDGE_NONE);
	CU_ASSERT_EQUAL(bench_word(&n).ok, 1);
	CU_ASSERT_EQUAL(bench_word(&n).active, 0);
	CU_ASSERT_EQUAL(bench_call(&n, 0, t), EDGE_NONE);
	epoch = bench_word(&n).epoch;
	CU_ASSERT_EQUAL(bench_call(&n, 0, t), EDGE_CLOSED);
	CU_ASSERT_EQUAL(bench_word(&n).phase, BREAKER_CLOSED);
	CU_ASSERT_EQUAL(bench_word(&n).trips, 0);
	CU_ASSERT_EQUAL(bench_word(&n).epoch, epoch + 1);
	CU_ASSERT_EQUAL(bench_sum(&n, t).calls, 0);
	bench_calls(&n, 19, 1, t);
	CU_ASSERT_EQUAL(bench_word(&n).phase, BREAKER_CLOSED);
	CU_ASSERT_EQUAL(bench_call(&n, 1, t), EDGE_OPENED);
}

static void more_successes_than_a_word_counts_still_close(void)
{
	start_open();
	n.rules.successes = BREAKER_MAX_PROBES;
	for (int i = 1; i <= BREAKER_MAX_PROBES; i++)
		CU_ASSERT_EQUAL(bench_call(&n, 0, NOW + 6 * SECOND),
				i < BREAKER_MAX_PROBES ? EDGE_NONE : EDGE_CLOSED);
}

static void a_failed_probe_reopens_for_twice_as_long(void)
{
	static const uint32_t seconds[] = {5, 10, 20, 40, 60, 60, 60};
	uint64_t t = NOW;

	start_open();
	for (uint32_t i = 0; i < 7; i++) {
		CU_ASSERT_EQUAL(bench_word(&n).trips, i);
		CU_ASSERT_EQUAL(breaker_open_left_ns(n.word, t), seconds[i] * SECOND);
		t += seconds[i] * SECOND;
		bench_call(&n, 0, t);
		CU_ASSERT_EQUAL(bench_call(&n, 1, t), EDGE_OPENED);
	}
	for (int i = 0; i < 20; i++)
		bench_call(&n, 1, t += 60 * SECOND);
	CU_ASSERT_EQUAL(bench_word(&n).trips, BREAKER_MAX_TRIPS);
}

static void a_slow_probe_is_a_failed_one_where_slow_counts(void)
{
	start_open();
	CU_ASSERT_EQUAL(bench_slow_call(&n, NOW + 6 * SECOND), EDGE_NONE);
	CU_ASSERT_EQUAL(bench_word(&n).ok, 1);
	n.rules.slow_us = 1000;
	CU_ASSERT_EQUAL(bench_slow_call(&n, NOW + 6 * SECOND), EDGE_OPENED);
}

static void other_probes_of_a_reopened_breaker_change_nothing(void)
{
	uint64_t t = NOW + 6 * SECOND, word;
	struct bench_call a, b, c;
	int stale;

	start_open();
	a = bench_admit(&n, t);
	b = bench_admit(&n, t);
	c = bench_admit(&n, t);
	CU_ASSERT_EQUAL(bench_end(&n, a, 1, t, &stale), EDGE_OPENED);
	CU_ASSERT_EQUAL(stale, 0);
	bench_admit(&n, t + 20 * SECOND); /* half-open again, one slot taken */
	word = n.word;
	CU_ASSERT_EQUAL(bench_end(&n, b, 0, t + 20 * SECOND, &stale), EDGE_NONE);
	CU_ASSERT_EQUAL(stale, 1);
	breaker_cancel(&n.b, c.epoch, 1);
	CU_ASSERT_EQUAL(n.word, word);
}

/* A caller's mistake, or a call of 65,536 epochs ago. */
static void verdict_that_does_not_fit_its_phase_changes_nothing(void)
{
	struct bench_call c;
	int stale;

	start_open();
	c = bench_admit(&n, NOW + 6 * SECOND);
	c.admission = BREAKER_ADMIT;
	bench_end(&n, c, 1, NOW + 6 * SECOND, &stale);
	CU_ASSERT_EQUAL(stale, 1);
	CU_ASSERT_EQUAL(bench_word(&n).phase, BREAKER_HALF_OPEN);
	CU_ASSERT_EQUAL(bench_word(&n).active, 1);
	start();
	c = bench_admit(&n, NOW);
	c.admission = BREAKER_ADMIT_PROBE;
	bench_end(&n, c, 1, NOW, &stale);
	CU_ASSERT_EQUAL(stale, 1);
	CU_ASSERT_EQUAL(n.word | n.recorded, 0);
}

static void neutral_end_returns_the_slot_once(void)
{
	uint64_t t = NOW + 6 * SECOND;
	struct bench_call a;

	start_open();
	a = bench_admit(&n, t);
	bench_admit(&n, t);
	breaker_cancel(&n.b, a.epoch, 0); /* held none */
	CU_ASSERT_EQUAL(bench_word(&n).active, 2);
	breaker_cancel(&n.b, a.epoch, 1);
	CU_ASSERT_EQUAL(bench_word(&n).active, 1);
	CU_ASSERT_EQUAL(bench_word(&n).ok, 0);
	breaker_cancel(&n.b, a.epoch, 1);
	breaker_cancel(&n.b, a.epoch, 1);
	CU_ASSERT_EQUAL(bench_word(&n).active, 0);
}

static void half_open_without_a_verdict_reopens(void)
{
	uint64_t t = NOW + 5 * SECOND;
	struct bench_call c;

	start_open();
	bench_admit(&n, t);
	CU_ASSERT_EQUAL(bench_admit(&n, t + 10 * SECOND - MS).admission, BREAKER_ADMIT_PROBE);
	bench_admit(&n, t);
	CU_ASSERT_EQUAL(bench_admit(&n, t).admission, BREAKER_REFUSE_PROBES);
	/* Looks admitting, because only an admission reopens it. */
	CU_ASSERT(breaker_looks_admitting(n.word, &n.rules, OVERRIDE_NONE, t + 10 * SECOND));
	c = bench_admit(&n, t + 10 * SECOND);
	CU_ASSERT_EQUAL(c.admission, BREAKER_REFUSE_OPEN);
	CU_ASSERT_EQUAL(c.edge, EDGE_OPENED);
	CU_ASSERT_NOT_EQUAL(c.epoch, bench_word(&n).epoch);
	CU_ASSERT_EQUAL(bench_word(&n).trips, 1);
	CU_ASSERT(breaker_open_left_ns(n.word, t + 10 * SECOND) >= 10 * SECOND);
	CU_ASSERT(breaker_open_left_ns(n.word, t + 10 * SECOND) < 15 * SECOND);
}

static void lost_slots_do_not_hold_half_open_for_ever(void)
{
	start_open();
	bench_admit(&n, NOW + 6 * SECOND);
	breaker_cancel(&n.b, bench_word(&n).epoch, 1);
	CU_ASSERT_EQUAL(bench_admit(&n, NOW + 20 * SECOND).edge, EDGE_OPENED);
}

/* One good call every 20 s, a timeout of 10 s: a verdict was never awaited for so long. */
static void trickle_of_good_calls_closes_it(void)
{
	start_open();
	CU_ASSERT_EQUAL(bench_call(&n, 0, NOW + 20 * SECOND), EDGE_NONE);
	CU_ASSERT_EQUAL(bench_call(&n, 0, NOW + 40 * SECOND), EDGE_NONE);
	CU_ASSERT_EQUAL(bench_call(&n, 0, NOW + 60 * SECOND), EDGE_CLOSED);
}

static void overlapping_good_probes_move_the_deadline(void)
{
	struct bench_call a, b;
	int stale;

	start_open();
	a = bench_admit(&n, NOW + 10 * SECOND);
	b = bench_admit(&n, NOW + 15 * SECOND);
	bench_end(&n, a, 0, NOW + 19 * SECOND, &stale);
	CU_ASSERT_EQUAL(bench_admit(&n, NOW + 28 * SECOND).admission, BREAKER_ADMIT_PROBE);
	CU_ASSERT_EQUAL(bench_admit(&n, NOW + 29 * SECOND).edge, EDGE_OPENED);
	bench_end(&n, b, 0, NOW + 29 * SECOND, &stale);
	CU_ASSERT_EQUAL(stale, 1);
}

static void every_change_of_phase_is_another_epoch_and_none_is_0(void)
{
	uint64_t t = NOW;
	uint16_t last;

	start_open();
	last = bench_word(&n).epoch;
	CU_ASSERT_EQUAL(last, 1);
	for (uint32_t i = 0; i < 70000; i++) {
		t += 61 * SECOND;
		if (bench_word(&n).phase == BREAKER_OPEN)
			bench_admit(&n, t);
		else
			bench_end(&n,
				  (struct bench_call){.admission = BREAKER_ADMIT_PROBE,
						      .epoch = bench_word(&n).epoch},
				  1, t, &(int){0});
		CU_ASSERT_FATAL(bench_word(&n).epoch == (last == 65535 ? 1 : last + 1));
		last = bench_word(&n).epoch;
	}
}

static void open_time_doubles_and_jitters_within_half(void)
{
	static const struct {
		uint32_t open_ms, max_ms;
		uint8_t trips;
		uint32_t base_ms;
	} rows[] = {
		{5000, 60000, 0, 5000},
		{5000, 60000, 1, 10000},
		{5000, 60000, 3, 40000},
		{5000, 60000, 4, 60000},
		{5000, 60000, 15, 60000},
		{5000, 60000, 255, 60000},
		{1, 1, 0, 1},
		{MAX_OPEN_MS, MAX_OPEN_MS, 15, MAX_OPEN_MS},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct image_breaker rules = {.open_ms = rows[i].open_ms,
					      .max_open_ms = rows[i].max_ms};
		struct random r = {.state = 7};
		uint32_t most = 0;

		CU_ASSERT_EQUAL(breaker_open_ms(&rules, rows[i].trips, 0), rows[i].base_ms);
		for (int k = 0; k < 1000; k++) {
			uint32_t ms = breaker_open_ms(&rules, rows[i].trips, random_next(&r));

			CU_ASSERT(ms >= rows[i].base_ms);
			CU_ASSERT(2ull * ms < 3ull * rows[i].base_ms);
			most = ms > most ? ms : most;
		}
		CU_ASSERT(most >= rows[i].base_ms / 100 * 149);
		CU_ASSERT(2ull * breaker_open_ms(&rules, rows[i].trips, UINT64_MAX) <
			  3ull * rows[i].base_ms);
	}
}

static void times_hold_across_the_32_bit_wrap(void)
{
	uint64_t wrap_ns = (1ull << 32) * MS;

	for (uint64_t t = wrap_ns - 7 * SECOND; t < wrap_ns + SECOND; t += SECOND) {
		start();
		breaker_eject(&n.b, t, 0);
		CU_ASSERT_EQUAL(bench_admit(&n, t + 5 * SECOND - 1).admission, BREAKER_REFUSE_OPEN);
		CU_ASSERT_EQUAL(bench_admit(&n, t + 5 * SECOND).admission, BREAKER_ADMIT_PROBE);
		CU_ASSERT_EQUAL(bench_admit(&n, t + 15 * SECOND - MS).admission,
				BREAKER_ADMIT_PROBE);
		CU_ASSERT_EQUAL(bench_admit(&n, t + 15 * SECOND).edge, EDGE_OPENED);
	}
}

static void clock_that_stands_or_steps_keeps_nothing_open(void)
{
	static const struct {
		int64_t step_s;
		enum breaker_admission then;
	} rows[] = {
		{0, BREAKER_REFUSE_OPEN},
		{-1, BREAKER_REFUSE_OPEN},
		{-80, BREAKER_REFUSE_OPEN},
		{-900, BREAKER_ADMIT_PROBE}, /* could not have been stamped */
		{5, BREAKER_ADMIT_PROBE},
		{86400 * 24, BREAKER_ADMIT_PROBE},
		{86400 * 30, BREAKER_ADMIT_PROBE}, /* behind 2^31 ms */
		{86400 * 49, BREAKER_ADMIT_PROBE},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t t = NOW + (uint64_t)rows[i].step_s * SECOND;

		start_open();
		CU_ASSERT_EQUAL(breaker_looks_admitting(n.word, &n.rules, OVERRIDE_NONE, t),
				rows[i].then == BREAKER_ADMIT_PROBE);
		CU_ASSERT_EQUAL(bench_admit(&n, t).admission, rows[i].then);
	}
}

static void longest_open_time_fits(void)
{
	start();
	n.rules.open_ms = n.rules.max_open_ms = MAX_OPEN_MS;
	breaker_eject(&n.b, NOW, UINT64_MAX);
	CU_ASSERT_EQUAL(bench_admit(&n, NOW + 20ull * 86400 * SECOND).admission,
			BREAKER_REFUSE_OPEN);
	CU_ASSERT_EQUAL(bench_admit(&n, NOW + 21ull * 86400 * SECOND).admission,
			BREAKER_ADMIT_PROBE);
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(open_refuses_until_its_time),
		SUITE_TEST(late_results_never_extend_open),
		SUITE_TEST(half_open_admits_as_many_as_it_has_probes),
		SUITE_TEST(successes_close_it_with_an_empty_window),
		SUITE_TEST(more_successes_than_a_word_counts_still_close),
		SUITE_TEST(a_failed_probe_reopens_for_twice_as_long),
		SUITE_TEST(a_slow_probe_is_a_failed_one_where_slow_counts),
		SUITE_TEST(other_probes_of_a_reopened_breaker_change_nothing),
		SUITE_TEST(verdict_that_does_not_fit_its_phase_changes_nothing),
		SUITE_TEST(neutral_end_returns_the_slot_once),
		SUITE_TEST(half_open_without_a_verdict_reopens),
		SUITE_TEST(lost_slots_do_not_hold_half_open_for_ever),
		SUITE_TEST(trickle_of_good_calls_closes_it),
		SUITE_TEST(overlapping_good_probes_move_the_deadline),
		SUITE_TEST(every_change_of_phase_is_another_epoch_and_none_is_0),
		SUITE_TEST(open_time_doubles_and_jitters_within_half),
		SUITE_TEST(times_hold_across_the_32_bit_wrap),
		SUITE_TEST(clock_that_stands_or_steps_keeps_nothing_open),
		SUITE_TEST(longest_open_time_fits),
		CU_TEST_INFO_NULL,
	};

	return suite_run("breaker_recovery", tests);
}
