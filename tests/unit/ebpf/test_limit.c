/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/ebpf/limits.h"

static void burst_passes_at_once_and_no_more(void)
{
	static const struct {
		uint64_t rate;
		uint64_t burst;
		uint32_t cost;
		uint64_t passes;
	} rows[] = {
		{1, 1, 1, 1},
		{1, 86400, 1, 86400},
		{3, 3, 1, 3},
		{7, 1000, 3, 333},
		{1000, 10, 1, 10},
		{20000, 40000, 1, 40000},
		{10485760, 20971520, 1500, 13981},
		{1000 * 1000, 1499, 1500, 0},
		{1000 * 1000, 1500, 1500, 1},
		{1000 * 1000, 1501, 1500, 1},
		{LIMIT_MAX_RATE, 1, 1, 1},
		{LIMIT_MAX_RATE, 65535, 65535, 1},
		{LIMIT_MAX_RATE, LIMIT_MAX_BURST, UINT32_MAX, 256},
	};

	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct limit_rule rule = bucket(rows[i].rate, rows[i].burst);
		__u64 word = limit_full(&rule, NOW_NS);

		CU_ASSERT_EQUAL(passes(&word, &rule, NOW_NS, rows[i].cost, rows[i].passes + 5),
				rows[i].passes);
	}
}

static void window_passes_its_count_and_no_more(void)
{
	static const uint64_t rates[] = {1, 2, 3, 1000, 99999};
	static const uint32_t algorithms[] = {LIMIT_FIXED_WINDOW, LIMIT_SLIDING_WINDOW};

	for (unsigned int a = 0; a < 2; a++) {
		for (unsigned int i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
			struct limit_rule rule = window(algorithms[a], rates[i]);
			__u64 word = limit_full(&rule, NOW_NS);

			CU_ASSERT_EQUAL(passes(&word, &rule, NOW_NS, 1, rates[i] + 5), rates[i]);
		}
	}
}

static void bucket_refills_at_its_rate_to_its_burst(void)
{
	struct limit_rule rule = bucket(1000, 10);
	__u64 word = limit_full(&rule, NOW_NS);

	passes(&word, &rule, NOW_NS, 1, 10);
	CU_ASSERT_EQUAL(limit_take(&word, &rule, NOW_NS + 990000, 1), LIMIT_REFUSED);
	CU_ASSERT_EQUAL(limit_take(&word, &rule, NOW_NS + 1000001, 1), LIMIT_PASS);
	CU_ASSERT_EQUAL(limit_take(&word, &rule, NOW_NS + 1000001, 1), LIMIT_REFUSED);
	CU_ASSERT_EQUAL(passes(&word, &rule, NOW_NS + 5 * 1000000 + 2, 1, 20), 4);
	CU_ASSERT_EQUAL(passes(&word, &rule, NOW_NS + 3600 * SECOND_NS, 1, 20), 10);
}

static void leaky_bucket_decides_as_the_token_bucket(void)
{
	uint64_t seed = 0x853c49e6748fea9b;
	struct limit_rule token = bucket(12345, 100), leaky = token;
	__u64 a = limit_full(&token, NOW_NS), b = a, now_ns = NOW_NS;
	int differ = 0;

	leaky.algorithm = LIMIT_LEAKY_BUCKET;
	for (int i = 0; i < 10000; i++) {
		now_ns += random64(&seed) % 200000;
		differ += limit_take(&a, &token, now_ns, 1 + i % 3) !=
			  limit_take(&b, &leaky, now_ns, 1 + i % 3);
		differ += a != b;
	}
	CU_ASSERT_EQUAL(differ, 0);
}

static void fixed_window_starts_over_at_its_edge(void)
{
	struct limit_rule rule = window(LIMIT_FIXED_WINDOW, 10);
	uint64_t edge_ns = edge_after(NOW_NS);
	__u64 word = limit_full(&rule, NOW_NS);

	CU_ASSERT_EQUAL(passes(&word, &rule, edge_ns - 1, 1, 20), 10);
	CU_ASSERT_EQUAL(passes(&word, &rule, edge_ns, 1, 20), 10);
	CU_ASSERT_EQUAL(passes(&word, &rule, edge_ns + SECOND_NS - 1, 1, 20), 0);
	CU_ASSERT_EQUAL(passes(&word, &rule, edge_ns + 5 * SECOND_NS, 1, 20), 10);
}

static void sliding_window_counts_what_is_left_of_the_last(void)
{
	static const struct {
		uint64_t ms; /* after the edge */
		uint64_t passes;
	} rows[] = {{0, 0}, {100, 9}, {250, 24}, {500, 49}, {750, 74}, {999, 99}, {1000, 99}};

	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct limit_rule rule = window(LIMIT_SLIDING_WINDOW, 100);
		uint64_t edge_ns = edge_after(NOW_NS);
		__u64 word = limit_full(&rule, NOW_NS);
		uint64_t n;

		CU_ASSERT_EQUAL(passes(&word, &rule, edge_ns - 1, 1, 200), 100);
		n = passes(&word, &rule, edge_ns + rows[i].ms * 1000000, 1, 200);
		/* the grain of 1/4096 may take one */
		CU_ASSERT(n == rows[i].passes || n == rows[i].passes + 1);
	}
}

/* The grain is rounded to the limit's side, so that the bound holds to the unit. */
static void sliding_window_keeps_its_bound_to_the_unit(void)
{
	struct limit_spec spec = {.algorithm = LIMIT_SLIDING_WINDOW, .rate_per_second = 10000};
	struct limit_rule rule = rule_of(&spec);
	uint64_t edge_ns = edge_after(NOW_NS);
	int breaches = 0;

	for (uint64_t before = 9900; before <= 10000; before++) {
		for (uint64_t part = 0; part < 4; part++) {
			uint64_t after_ns = part * SECOND_NS / 4096;
			__u64 word = limit_full(&rule, edge_ns - 1);
			uint64_t n = before;

			CU_ASSERT_EQUAL(limit_take(&word, &rule, edge_ns - 1, (uint32_t)before),
					LIMIT_PASS);
			n += passes(&word, &rule, edge_ns + after_ns, 1, 10000 - before + 20);
			breaches += !within_bound(&spec, n, after_ns + 1);
		}
	}
	CU_ASSERT_EQUAL(breaches, 0);
}

/* A reading from before the edge, where another CPU counts in the new window already. */
static void late_reading_is_of_the_new_windows_first_moment(void)
{
	struct limit_rule rule = window(LIMIT_SLIDING_WINDOW, 100);
	uint64_t edge_ns = edge_after(NOW_NS);
	__u64 word = limit_full(&rule, NOW_NS);

	CU_ASSERT_EQUAL(passes(&word, &rule, edge_ns - 1, 1, 200), 100);
	CU_ASSERT(passes(&word, &rule, edge_ns + 100000000, 1, 200) >= 9);
	CU_ASSERT_EQUAL(passes(&word, &rule, edge_ns - 1, 1, 200), 0);
}

static void late_readings_grant_nothing_to_a_bucket(void)
{
	struct limit_rule rule = bucket(1000000, 100);
	__u64 word = limit_full(&rule, NOW_NS);
	uint64_t n = 0;

	for (int i = 0; i < 1000; i++) {
		n += passes(&word, &rule, NOW_NS, 1, 10);
		n += passes(&word, &rule, NOW_NS - 60000000, 1, 10);
	}
	CU_ASSERT_EQUAL(n, 100);
}

static void cost_above_the_capacity_never_passes(void)
{
	struct limit_rule rules[] = {bucket(1000000, 1499), window(LIMIT_FIXED_WINDOW, 1499),
				     window(LIMIT_SLIDING_WINDOW, 1499)};

	for (unsigned int i = 0; i < 3; i++) {
		__u64 word = limit_full(&rules[i], NOW_NS), before = word;

		CU_ASSERT_EQUAL(limit_take(&word, &rules[i], NOW_NS, 1500), LIMIT_TOO_BIG);
		CU_ASSERT_EQUAL(limit_take(&word, &rules[i], NOW_NS, UINT32_MAX), LIMIT_TOO_BIG);
		CU_ASSERT_EQUAL(word, before);
		CU_ASSERT_EQUAL(limit_take(&word, &rules[i], NOW_NS, 1499), LIMIT_PASS);
		CU_ASSERT_EQUAL(limit_take(&word, &rules[i], NOW_NS, 1), LIMIT_REFUSED);
	}
}

static void refusal_does_not_write(void)
{
	struct limit_rule rules[] = {bucket(1000, 10), window(LIMIT_FIXED_WINDOW, 10),
				     window(LIMIT_SLIDING_WINDOW, 10)};

	for (unsigned int i = 0; i < 3; i++) {
		__u64 word = limit_full(&rules[i], NOW_NS), before;

		passes(&word, &rules[i], NOW_NS, 1, 10);
		before = word;
		CU_ASSERT_EQUAL(passes(&word, &rules[i], NOW_NS, 1, 10), 0);
		CU_ASSERT_EQUAL(word, before);
	}
}

static void no_limit_passes_all_and_keeps_the_word(void)
{
	struct limit_rule rule = {0};
	__u64 word = 42;

	CU_ASSERT_EQUAL(limit_take(&word, &rule, NOW_NS, UINT32_MAX), LIMIT_PASS);
	CU_ASSERT_EQUAL(limit_give_back(&word, &rule, NOW_NS, 1), 0);
	CU_ASSERT_EQUAL(word, 42);
}

static void empty_entry_earns_before_it_passes(void)
{
	struct limit_rule rule = bucket(1000, 10);
	__u64 word = limit_empty(&rule, NOW_NS);
	uint64_t edge_ns = edge_after(NOW_NS);

	CU_ASSERT_EQUAL(passes(&word, &rule, NOW_NS, 1, 20), 0);
	CU_ASSERT_EQUAL(passes(&word, &rule, NOW_NS + 3000010, 1, 20), 3);
	for (uint32_t a = LIMIT_FIXED_WINDOW; a <= LIMIT_SLIDING_WINDOW; a++) {
		rule = window(a, 10);
		word = limit_empty(&rule, NOW_NS);
		CU_ASSERT_EQUAL(passes(&word, &rule, edge_ns - 1, 1, 20), 0);
		CU_ASSERT_EQUAL(passes(&word, &rule, edge_ns + SECOND_NS, 1, 20), 10);
	}
}

/* After a step back nothing more passes than burst + rate * time, and nothing waits for long. */
static void clock_stepping_back_neither_grants_nor_locks_out(void)
{
	static const uint64_t steps_ns[] = {
		1,         1000,          SECOND_NS / 100, SECOND_NS / 10,
		SECOND_NS, 3 * SECOND_NS, 500 * SECOND_NS};

	for (uint32_t a = LIMIT_TOKEN_BUCKET; a <= LIMIT_SLIDING_WINDOW; a++) {
		for (unsigned int i = 0; i < sizeof(steps_ns) / sizeof(steps_ns[0]); i++) {
			struct limit_rule rule =
				is_bucket(a) ? bucket(1000, 1000) : window(a, 1000);
			uint64_t back_ns = NOW_NS - steps_ns[i], n = 0;
			__u64 word = limit_full(&rule, NOW_NS);

			rule.algorithm = a;
			passes(&word, &rule, NOW_NS, 1, 2000);
			CU_ASSERT_EQUAL(passes(&word, &rule, back_ns, 1, 2000), 0);
			for (uint64_t ms = 1; ms <= 5000; ms++)
				n += passes(&word, &rule, back_ns + ms * 1000000, 1, 2);
			CU_ASSERT(n <= 5000);
			CU_ASSERT(n >= 2900); /* two capacities, or two windows, at most are lost */
		}
	}
}

/* CLOCK_MONOTONIC after 584 years: at most one capacity more, and no lock-out. */
static void wrap_of_the_clock_costs_one_capacity_at_most(void)
{
	for (uint32_t a = LIMIT_TOKEN_BUCKET; a <= LIMIT_SLIDING_WINDOW; a++) {
		struct limit_rule rule = is_bucket(a) ? bucket(1000, 1000) : window(a, 1000);
		uint64_t start_ns = UINT64_MAX - 2 * SECOND_NS, n = 0;
		__u64 word = limit_full(&rule, start_ns);

		rule.algorithm = a;
		for (uint64_t ms = 0; ms < 10000; ms++)
			n += passes(&word, &rule, start_ns + ms * 1000000, 1, 2);
		CU_ASSERT(n <= 10000 + 2000);
		CU_ASSERT(n >= 8000);
	}
}

/* Any word under any rule: one capacity at once at most; and soon a packet passes. */
static void no_word_grants_much_or_locks_out(void)
{
	uint64_t seed = 0xa0761d6478bd642f;
	int too_much = 0, locked = 0;

	for (int i = 0; i < 20000; i++) {
		uint32_t a = 1 + i % LIMIT_SLIDING_WINDOW;
		uint64_t rate = random_magnitude(&seed, 1 << 30), wait_ns;
		struct limit_rule rule;
		__u64 word = random64(&seed), used;

		rule = is_bucket(a) ? bucket(rate, 1 + rate / 2) : window(a, rate);
		rule.algorithm = a;
		if (i % 3 == 0) /* near to what it would be */
			word = limit_full(&rule, NOW_NS) + (word >> 24) - (1ull << 39);
		used = 0;
		for (int k = 0; k < 8; k++) {
			uint32_t cost = (uint32_t)(1 + rate / 5);

			used += limit_take(&word, &rule, NOW_NS, cost) == LIMIT_PASS ? cost : 0;
		}
		too_much += used > (is_bucket(a) ? 1 + rate / 2 : rate);
		wait_ns = is_bucket(a) ? SECOND_NS / 2 + 2 * SECOND_NS / rate + LIMIT_SKEW_NS + 2
				       : 2 * SECOND_NS;
		locked += limit_take(&word, &rule, NOW_NS + wait_ns, 1) != LIMIT_PASS;
	}
	CU_ASSERT_EQUAL(too_much, 0);
	CU_ASSERT_EQUAL(locked, 0);
}

/* Offered without end in each of these milliseconds. */
static uint64_t passes_in(__u64 *word, const struct limit_rule *rule, uint64_t from_ns, uint64_t ms)
{
	uint64_t n = 0;

	for (uint64_t i = 1; i <= ms; i++)
		n += passes(word, rule, from_ns + i * 1000000, 1, 50);
	return n;
}

static void changed_rate_holds_from_the_next_packet(void)
{
	static const struct {
		uint64_t before;
		uint64_t after;
	} rows[] = {{10000, 5000}, {5000, 10000}, {10000, 1000}, {1000, 10000}, {7000, 7001}};

	for (uint32_t a = LIMIT_TOKEN_BUCKET; a <= LIMIT_SLIDING_WINDOW; a++) {
		for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			struct limit_rule before = is_bucket(a) ? bucket(rows[i].before, 100)
								: window(a, rows[i].before);
			struct limit_rule after = is_bucket(a) ? bucket(rows[i].after, 100)
							       : window(a, rows[i].after);
			uint64_t changed_ns = edge_after(NOW_NS), capacity, n;
			__u64 word = limit_full(&before, NOW_NS);

			passes_in(&word, &before, NOW_NS, (changed_ns - NOW_NS) / 1000000);
			n = passes_in(&word, &after, changed_ns, 4000);
			capacity = is_bucket(a) ? 100 : rows[i].after;
			CU_ASSERT(n <= 4 * rows[i].after + capacity);
			CU_ASSERT(n + capacity >= 4 * rows[i].after);
			if (is_bucket(a)) { /* within 100 ms */
				n = passes_in(&word, &after, changed_ns + 4 * SECOND_NS, 100);
				CU_ASSERT(n >= rows[i].after / 10 - 1);
				CU_ASSERT(n <= rows[i].after / 10 + 1);
			}
		}
	}
}

static void changed_burst_keeps_what_is_in_use(void)
{
	struct limit_rule small = bucket(1000, 100), large = bucket(1000, 150);
	__u64 word = limit_full(&small, NOW_NS);

	CU_ASSERT_EQUAL(passes(&word, &small, NOW_NS, 1, 200), 100);
	CU_ASSERT_EQUAL(passes(&word, &large, NOW_NS, 1, 200), 50);
	CU_ASSERT_EQUAL(passes(&word, &small, NOW_NS + 49000000, 1, 200), 0);
	CU_ASSERT_EQUAL(passes(&word, &small, NOW_NS + 55000010, 1, 200), 5);
}

/* Mark beyond the limit, drop beyond twice the limit, both on one word. */
static void doubled_rule_shares_the_word(void)
{
	for (uint32_t a = LIMIT_TOKEN_BUCKET; a <= LIMIT_SLIDING_WINDOW; a++) {
		struct limit_rule rule = is_bucket(a) ? bucket(1000, 1000) : window(a, 1000);
		struct limit_rule twice = limit_rule_double(&rule);
		__u64 word = limit_full(&rule, NOW_NS);
		uint64_t edge_ns = edge_after(NOW_NS), n;

		CU_ASSERT_EQUAL(passes(&word, &rule, edge_ns - 1, 1, 3000), 1000);
		CU_ASSERT_EQUAL(passes(&word, &twice, edge_ns - 1, 1, 3000), 1000);
		CU_ASSERT_EQUAL(passes(&word, &rule, edge_ns - 1, 1, 3000), 0);
		/* in half a second nothing within the limit, but beyond it half a second's worth */
		if (a == LIMIT_FIXED_WINDOW)
			continue;
		CU_ASSERT_EQUAL(passes(&word, &rule, edge_ns + SECOND_NS / 2 - 1, 1, 3000), 0);
		n = passes(&word, &twice, edge_ns + SECOND_NS / 2 - 1, 1, 3000);
		CU_ASSERT(n >= (a == LIMIT_SLIDING_WINDOW ? 995 : 499));
		CU_ASSERT(n <= (a == LIMIT_SLIDING_WINDOW ? 1000 : 500));
	}
}

static void what_passed_beyond_the_limit_weighs_on_the_next_window(void)
{
	struct limit_rule rule = window(LIMIT_SLIDING_WINDOW, 1000);
	struct limit_rule twice = limit_rule_double(&rule);
	uint64_t edge_ns = edge_after(NOW_NS), n;
	__u64 word = limit_full(&rule, NOW_NS);

	passes(&word, &rule, edge_ns - 1, 1, 1000);
	CU_ASSERT_EQUAL(passes(&word, &twice, edge_ns - 1, 1, 500), 500);
	CU_ASSERT_EQUAL(passes(&word, &rule, edge_ns + 30 * SECOND_NS / 100, 1, 100), 0);
	n = passes(&word, &rule, edge_ns + 35 * SECOND_NS / 100, 1, 100); /* 1000 - 1500 * 65 % */
	CU_ASSERT(n >= 23);
	CU_ASSERT(n <= 25);
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(burst_passes_at_once_and_no_more),
		SUITE_TEST(window_passes_its_count_and_no_more),
		SUITE_TEST(bucket_refills_at_its_rate_to_its_burst),
		SUITE_TEST(leaky_bucket_decides_as_the_token_bucket),
		SUITE_TEST(fixed_window_starts_over_at_its_edge),
		SUITE_TEST(sliding_window_counts_what_is_left_of_the_last),
		SUITE_TEST(sliding_window_keeps_its_bound_to_the_unit),
		SUITE_TEST(late_reading_is_of_the_new_windows_first_moment),
		SUITE_TEST(late_readings_grant_nothing_to_a_bucket),
		SUITE_TEST(cost_above_the_capacity_never_passes),
		SUITE_TEST(refusal_does_not_write),
		SUITE_TEST(no_limit_passes_all_and_keeps_the_word),
		SUITE_TEST(empty_entry_earns_before_it_passes),
		SUITE_TEST(clock_stepping_back_neither_grants_nor_locks_out),
		SUITE_TEST(wrap_of_the_clock_costs_one_capacity_at_most),
		SUITE_TEST(no_word_grants_much_or_locks_out),
		SUITE_TEST(changed_rate_holds_from_the_next_packet),
		SUITE_TEST(changed_burst_keeps_what_is_in_use),
		SUITE_TEST(doubled_rule_shares_the_word),
		SUITE_TEST(what_passed_beyond_the_limit_weighs_on_the_next_window),
		CU_TEST_INFO_NULL,
	};

	return suite_run("limit", tests);
}
