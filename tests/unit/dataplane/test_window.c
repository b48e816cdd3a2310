/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/policy/window.h"
#include "tests/unit/dataplane/breaker_bench.h"
#include "tests/unit/dataplane/suite.h"

static struct bench n;

static void start(uint32_t window)
{
	struct image_breaker rules = bench_rules();

	rules.window = window;
	bench_start(&n, rules);
}

static void start_duration(uint32_t window_ms)
{
	struct image_breaker rules = bench_rules();

	rules.window_kind = WINDOW_DURATION;
	rules.window = window_ms;
	bench_start(&n, rules);
}

static void record(uint32_t worker, int failed, int slow, uint64_t now_ns)
{
	struct window_call call = {.word = &n.word,
				   .epoch = bench_word(&n).epoch,
				   .failed = (uint8_t)failed,
				   .slow = (uint8_t)slow,
				   .worker = worker};

	window_record(&n.b.window, &n.rules, &call, now_ns);
}

static void records(uint32_t calls, int failed, uint64_t now_ns)
{
	for (uint32_t i = 0; i < calls; i++)
		record(0, failed, 0, now_ns);
}

static void begin_epoch(uint16_t epoch)
{
	n.word = breaker_pack((struct breaker_word){.epoch = epoch});
}

static void fresh_memory_is_an_empty_window(void)
{
	static const uint64_t nows[] = {0, SECOND, 1000 * SECOND};

	for (int i = 0; i < 3; i++) {
		start(100);
		CU_ASSERT_EQUAL(bench_sum(&n, nows[i]).calls, 0);
		CU_ASSERT_EQUAL(bench_sum(&n, nows[i]).epoch_calls, 0);
		record(0, 1, 1, nows[i]);
		CU_ASSERT_EQUAL(bench_sum(&n, nows[i]).calls, 1);
		CU_ASSERT_EQUAL(bench_sum(&n, nows[i]).failed, 1);
		CU_ASSERT_EQUAL(bench_sum(&n, nows[i]).slow, 1);
		CU_ASSERT_EQUAL(bench_sum(&n, nows[i]).epoch_calls, 1);
	}
}

static void count_window_covers_all_but_a_part_of_the_last_calls(void)
{
	static const uint32_t windows[] = {10, 20, 100, 1000, 40000};

	for (int i = 0; i < 5; i++) {
		uint32_t window = windows[i], part = window / WINDOW_BUCKETS;

		start(window);
		for (uint32_t k = 1; k <= 3 * window; k++) {
			struct window_sum sum;

			record(0, k % 2, k % 3 == 0, 5 * SECOND);
			if (window > 1000 && k % 97)
				continue;
			sum = bench_sum(&n, 5 * SECOND);
			CU_ASSERT_EQUAL(sum.epoch_calls, k);
			CU_ASSERT_EQUAL(sum.calls,
					k <= window ? k : window - part + 1 + (k - 1) % part);
			CU_ASSERT(sum.failed <= sum.calls / 2 + 1);
			CU_ASSERT(sum.slow <= sum.calls / 3 + 1);
		}
	}
}

static void old_calls_leave_a_count_window(void)
{
	start(100);
	records(100, 1, SECOND);
	CU_ASSERT_EQUAL(bench_sum(&n, SECOND).failed, 100);
	for (uint32_t k = 1; k <= 100; k++) {
		record(0, 0, 0, SECOND);
		CU_ASSERT_EQUAL(bench_sum(&n, SECOND).failed, 100 - (k + 9) / 10 * 10);
	}
}

static void parts_begun_more_than_60_s_ago_count_for_nothing(void)
{
	start(100);
	records(10, 1, 100 * SECOND);
	records(10, 0, 130 * SECOND);
	CU_ASSERT_EQUAL(bench_sum(&n, 160 * SECOND).calls, 20);
	CU_ASSERT_EQUAL(bench_sum(&n, 160 * SECOND + 100 * MS).calls, 10);
	CU_ASSERT_EQUAL(bench_sum(&n, 190 * SECOND).failed, 0);
	CU_ASSERT_EQUAL(bench_sum(&n, 190 * SECOND + 100 * MS).calls, 0);
	CU_ASSERT_EQUAL(bench_sum(&n, 190 * SECOND + 100 * MS).epoch_calls, 20);
}

static void part_that_grows_too_old_while_it_fills_begins_anew(void)
{
	start(1000);
	records(50, 1, 100 * SECOND);
	record(0, 0, 0, 161 * SECOND);
	CU_ASSERT_EQUAL(bench_sum(&n, 161 * SECOND).calls, 1);
	CU_ASSERT_EQUAL(bench_sum(&n, 161 * SECOND).failed, 0);
	record(0, 1, 0, 162 * SECOND);
	CU_ASSERT_EQUAL(bench_sum(&n, 162 * SECOND).calls, 2);
}

static void clock_stepping_back_forgets_nothing(void)
{
	start(100);
	records(15, 1, 1000 * SECOND);
	records(15, 0, 900 * SECOND);
	CU_ASSERT_EQUAL(bench_sum(&n, 900 * SECOND).calls, 30);
	CU_ASSERT_EQUAL(bench_sum(&n, 1000 * SECOND).calls, 20);
}

static void another_epoch_starts_empty(void)
{
	start(100);
	records(50, 1, SECOND);
	begin_epoch(3);
	CU_ASSERT_EQUAL(bench_sum(&n, SECOND).calls, 0);
	records(5, 0, SECOND);
	CU_ASSERT_EQUAL(bench_sum(&n, SECOND).calls, 5);
	CU_ASSERT_EQUAL(bench_sum(&n, SECOND).failed, 0);
	CU_ASSERT_EQUAL(bench_sum(&n, SECOND).epoch_calls, 5);
}

/* However far apart: no epoch is taken for a newer one by its number. */
static void window_left_behind_by_any_number_of_epochs_works(void)
{
	static const uint32_t ahead[] = {1, 0x7fff, 0x8000, 0x8001, 0xffff};

	for (int i = 0; i < 5; i++) {
		start(100);
		begin_epoch(7);
		records(50, 1, SECOND);
		begin_epoch((uint16_t)(7 + ahead[i]));
		records(30, 0, SECOND);
		CU_ASSERT_EQUAL(bench_sum(&n, SECOND).calls, 30);
		CU_ASSERT_EQUAL(bench_sum(&n, SECOND).failed, 0);
	}
}

static void late_call_of_an_epoch_changes_nothing(void)
{
	struct window_call late = {.word = &n.word, .epoch = 3, .failed = 1};
	struct bench before;

	start(100);
	begin_epoch(3);
	records(50, 1, SECOND);
	begin_epoch(4);
	records(5, 0, SECOND);
	before = n;
	window_record(&n.b.window, &n.rules, &late, SECOND);
	CU_ASSERT(bench_same(&before, &n));
}

static void call_numbers_wrap_without_a_gap(void)
{
	static const uint64_t numbers[] = {(1ull << 32) - 250, (1ull << 48) - 250};
	static const uint32_t windows[] = {10, 100, 40000};

	for (int i = 0; i < 6; i++) {
		uint32_t window = windows[i % 3];

		start(window);
		n.recorded = numbers[i / 3] - window;
		records(2 * window, 0, SECOND); /* full again before the wrap, or across it */
		for (int k = 0; k < 600; k++) {
			struct window_sum sum;

			record(0, 1, 0, SECOND);
			sum = bench_sum(&n, SECOND);
			CU_ASSERT(sum.calls > window - window / 10 && sum.calls <= window);
			CU_ASSERT(sum.epoch_calls > 1u << 30);
			CU_ASSERT(sum.failed <= (uint32_t)k + 1);
			CU_ASSERT(window == 40000 || sum.failed + window / 10 > (uint32_t)k ||
				  sum.failed > window - window / 10);
		}
		CU_ASSERT_EQUAL(n.recorded >> 48, 0);
	}
}

static void resized_window_is_not_blind(void)
{
	static const uint32_t from_to[][2] = {{10, 1000}, {1000, 10}, {100, 40000}, {40000, 100}};

	for (int i = 0; i < 4; i++) {
		start(from_to[i][0]);
		records(5000, 0, SECOND);
		n.rules.window = from_to[i][1];
		records(n.rules.window, 1, SECOND);
		CU_ASSERT(bench_sum(&n, SECOND).failed > n.rules.window - n.rules.window / 10);
	}
}

static void bucket_never_overflows_into_its_neighbour_field(void)
{
	start(10);
	for (int i = 0; i < 20; i++) {
		struct window_sum sum;

		n.rules.window = i % 2 ? 10 : 40000;
		n.recorded = 0; /* the same numbers again and again */
		records(4000, 1, SECOND);
		n.rules.window = 40000;
		sum = bench_sum(&n, SECOND);
		CU_ASSERT(sum.calls <= 4095u * WINDOW_BUCKETS && sum.failed == sum.calls);
	}
}

static void duration_window_sums_the_workers(void)
{
	start_duration(10000);
	for (uint32_t i = 0; i < BENCH_WORKERS; i++)
		for (uint32_t k = 0; k <= i; k++)
			record(i, k == 0, k == 1, 50 * SECOND);
	CU_ASSERT_EQUAL(bench_sum(&n, 50 * SECOND).calls, 10);
	CU_ASSERT_EQUAL(bench_sum(&n, 50 * SECOND).failed, 4);
	CU_ASSERT_EQUAL(bench_sum(&n, 50 * SECOND).slow, 3);
	CU_ASSERT_EQUAL(bench_sum(&n, 50 * SECOND).epoch_calls, 10);
}

static void duration_window_keeps_nine_to_ten_tenths(void)
{
	start_duration(10000);
	record(0, 1, 0, 50 * SECOND + 999 * MS);
	CU_ASSERT_EQUAL(bench_sum(&n, 59 * SECOND + 999 * MS).calls, 1);
	CU_ASSERT_EQUAL(bench_sum(&n, 60 * SECOND).calls, 0);
	record(0, 0, 0, 60 * SECOND);
	CU_ASSERT_EQUAL(bench_sum(&n, 60 * SECOND).calls, 1);
	CU_ASSERT_EQUAL(bench_sum(&n, 60 * SECOND).failed, 0);
}

static void workers_whose_clocks_straddle_a_tick_are_summed(void)
{
	start_duration(10000);
	record(1, 1, 0, 51 * SECOND);
	CU_ASSERT_EQUAL(bench_sum(&n, 51 * SECOND - 1).calls, 1);
	CU_ASSERT_EQUAL(bench_sum(&n, 50 * SECOND - 1).calls, 0);
}

static void duration_ticks_wrap(void)
{
	uint64_t tick_ns = 10 * MS, wrap_ns = (1ull << 32) * tick_ns;

	start_duration(100);
	for (uint64_t t = 0; t < 30; t++) {
		record(0, 1, 0, wrap_ns + t * tick_ns - 15 * tick_ns);
		CU_ASSERT_EQUAL(bench_sum(&n, wrap_ns + t * tick_ns - 15 * tick_ns).calls,
				t < 10 ? t + 1 : 10);
	}
}

static void full_duration_bucket_is_halved_and_keeps_its_rate(void)
{
	struct window_sum sum;

	start_duration(60000);
	for (uint32_t i = 0; i < 200000; i++)
		record(0, i % 4 == 0, i % 2 == 0, 61 * SECOND);
	sum = bench_sum(&n, 61 * SECOND);
	CU_ASSERT(sum.calls > 32000 && sum.calls <= 65535);
	CU_ASSERT(sum.failed * 4 > sum.calls - 50 && sum.failed * 4 < sum.calls + 50);
	CU_ASSERT(sum.slow * 2 > sum.calls - 50 && sum.slow * 2 < sum.calls + 50);
}

static void duration_window_of_another_epoch_is_empty(void)
{
	start_duration(10000);
	records(9, 1, 50 * SECOND);
	begin_epoch(2);
	CU_ASSERT_EQUAL(bench_sum(&n, 50 * SECOND).calls, 0);
	records(2, 0, 50 * SECOND);
	CU_ASSERT_EQUAL(bench_sum(&n, 50 * SECOND).calls, 2);
	CU_ASSERT_EQUAL(bench_sum(&n, 50 * SECOND).failed, 0);
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(fresh_memory_is_an_empty_window),
		SUITE_TEST(count_window_covers_all_but_a_part_of_the_last_calls),
		SUITE_TEST(old_calls_leave_a_count_window),
		SUITE_TEST(parts_begun_more_than_60_s_ago_count_for_nothing),
		SUITE_TEST(part_that_grows_too_old_while_it_fills_begins_anew),
		SUITE_TEST(clock_stepping_back_forgets_nothing),
		SUITE_TEST(another_epoch_starts_empty),
		SUITE_TEST(window_left_behind_by_any_number_of_epochs_works),
		SUITE_TEST(late_call_of_an_epoch_changes_nothing),
		SUITE_TEST(call_numbers_wrap_without_a_gap),
		SUITE_TEST(resized_window_is_not_blind),
		SUITE_TEST(bucket_never_overflows_into_its_neighbour_field),
		SUITE_TEST(duration_window_sums_the_workers),
		SUITE_TEST(duration_window_keeps_nine_to_ten_tenths),
		SUITE_TEST(workers_whose_clocks_straddle_a_tick_are_summed),
		SUITE_TEST(duration_ticks_wrap),
		SUITE_TEST(full_duration_bucket_is_halved_and_keeps_its_rate),
		SUITE_TEST(duration_window_of_another_epoch_is_empty),
		CU_TEST_INFO_NULL,
	};

	return suite_run("window", tests);
}
