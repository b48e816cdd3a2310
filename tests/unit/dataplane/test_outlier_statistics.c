/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/policy/outlier.h"
#include "tests/unit/dataplane/outlier_world.h"
#include "tests/unit/dataplane/suite.h"

#define NOW (1000 * SECOND)

enum { MOST = 12 };

static const struct image_outlier defaults = {.minimum_hosts = 5, .minimum_calls = 100};

static uint32_t mask_of(const uint8_t *out, uint32_t n)
{
	uint32_t mask = 0;

	for (uint32_t i = 0; i < n; i++)
		mask |= (uint32_t)out[i] << i;
	return mask;
}

static void success_rates_fall_by_row(void)
{
	/* Rates in percent of 1,000 calls; fallen as a mask. */
	static const struct {
		uint32_t n, rate[MOST], fallen;
	} rows[] = {
		{5, {50, 100, 100, 100, 100}, 1}, /* mean 90, stdev 20, threshold 52 */
		{5, {99, 100, 100, 100, 100}, 0}, /* threshold 99.04, but within 5 points */
		{5, {100, 100, 100, 100, 100}, 0},
		{5, {0, 0, 0, 0, 0}, 0},
		{5, {100, 100, 93, 100, 100}, 1 << 2}, /* mean 98.6: 5.6 points */
		{5, {100, 100, 95, 100, 100}, 0},      /* mean 99: 4 points */
		{4, {50, 100, 100, 100}, 0},           /* too few hosts */
		{6, {0, 0, 100, 100, 100, 100}, 0},    /* stdev 47.1: threshold below 0 */
		{10, {50, 50, 100, 100, 100, 100, 100, 100, 100, 100}, 3}, /* threshold 52 */
		{0, {0}, 0},
		{1, {0}, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct outlier_sample s[MOST] = {0};
		uint8_t out[MOST];
		uint32_t n;

		for (uint32_t k = 0; k < rows[i].n; k++)
			s[k] = (struct outlier_sample){.calls = 1000,
						       .failed = 1000 - 10 * rows[i].rate[k]};
		n = outlier_success_rate(&defaults, s, rows[i].n, out);
		CU_ASSERT_EQUAL(mask_of(out, rows[i].n), rows[i].fallen);
		CU_ASSERT_EQUAL(n, (uint32_t)__builtin_popcount(rows[i].fallen));
	}
}

static void hosts_with_few_calls_take_no_part(void)
{
	struct outlier_sample s[6] = {
		{100, 0, 5000000}, {100, 0, 5000000},   {100, 0, 5000000},
		{100, 0, 5000000}, {100, 50, 90000000}, {99, 99, 900000000},
	};
	uint8_t out[6];

	CU_ASSERT_EQUAL(outlier_success_rate(&defaults, s, 6, out), 1);
	CU_ASSERT_EQUAL(mask_of(out, 6), 1 << 4);
	CU_ASSERT_EQUAL(outlier_latency(&defaults, s, 6, out), 1);
	CU_ASSERT_EQUAL(mask_of(out, 6), 1 << 4);
	s[0].calls = 99; /* four are left */
	CU_ASSERT_EQUAL(outlier_success_rate(&defaults, s, 6, out), 0);
	CU_ASSERT_EQUAL(outlier_latency(&defaults, s, 6, out), 0);
	CU_ASSERT_EQUAL(mask_of(out, 6), 0);
}

static void zero_minimums_divide_by_nothing(void)
{
	struct image_outlier rules = {0};
	struct outlier_sample s[2] = {{0, 0, 0}, {0, 7, 0}};
	uint8_t out[2] = {9, 9};

	CU_ASSERT_EQUAL(outlier_success_rate(&rules, s, 2, out), 0);
	CU_ASSERT_EQUAL(outlier_latency(&rules, s, 2, out), 0);
	CU_ASSERT_EQUAL(mask_of(out, 2), 0);
	CU_ASSERT_EQUAL(outlier_success_rate(&rules, s, 0, out), 0);
	CU_ASSERT_EQUAL(outlier_latency(&rules, s, 0, out), 0);
}

static void latencies_fall_by_row(void)
{
	static const struct {
		uint32_t n, us[MOST], fallen;
	} rows[] = {
		{5, {1000, 1000, 1000, 1000, 1000}, 0},
		{5, {1000, 1000, 1000, 1000, 2000}, 0},  /* not more than twice, nor m + 1 ms */
		{5, {1000, 1000, 1000, 1000, 2001}, 16}, /* one more, of MAD 0 */
		{5, {100, 100, 100, 100, 1000}, 0},      /* ten times, but not 1 ms apart */
		{5, {100, 100, 100, 100, 1101}, 16},
		{5, {50000, 50000, 50000, 50000, 100000}, 0},
		{5, {50000, 50000, 50000, 50000, 100001}, 16},
		/* m 30 ms, MAD 10 ms: limit 104.13 ms, above 2 m */
		{5, {10000, 20000, 30000, 40000, 104129}, 0},
		{5, {10000, 20000, 30000, 40000, 104131}, 16},
		/* even: m 25 ms, MAD 10 ms: limit 99.13 ms */
		{6, {10000, 20000, 20000, 30000, 40000, 99129}, 0},
		{6, {10000, 20000, 20000, 30000, 40000, 99131}, 32},
		{5, {1, 1, 1, 60000, 60000}, 24},
		{5, {1, 1, 60000, 60000, 60000}, 0}, /* quick ones never fall */
		{4, {1000, 1000, 1000, 900000}, 0},
		{6, {0, 1000, 1000, 1000, 1000, 9000}, 32}, /* 0: no latency known */
		{5, {0, 1000, 1000, 1000, 9000}, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct outlier_sample s[MOST] = {0};
		uint8_t out[MOST];
		uint32_t n;

		for (uint32_t k = 0; k < rows[i].n; k++)
			s[k] = (struct outlier_sample){.calls = 100,
						       .median_ns = rows[i].us[k] * 1000ull};
		n = outlier_latency(&defaults, s, rows[i].n, out);
		CU_ASSERT_EQUAL(mask_of(out, rows[i].n), rows[i].fallen);
		CU_ASSERT_EQUAL(n, (uint32_t)__builtin_popcount(rows[i].fallen));
	}
}

static uint64_t median_of_outcomes(const struct outcomes *o)
{
	uint32_t sum[LATENCY_BUCKETS];

	for (int i = 0; i < LATENCY_BUCKETS; i++)
		sum[i] = o->latency[i];
	return latency_median_ns(sum);
}

static void median_is_within_10_percent(void)
{
	for (uint64_t ns = 64000; ns <= 2 * SECOND; ns += ns / 997 + 1) {
		struct outcomes o = {0};
		uint64_t median;

		latency_add(&o, ns);
		median = median_of_outcomes(&o);
		CU_ASSERT(median * 10 >= ns * 9 && median * 10 <= ns * 11);
	}
}

static void latencies_beyond_the_histogram_count_at_its_ends(void)
{
	static const uint64_t ns[] = {1, 63999, 64000, 3 * SECOND, UINT64_MAX};

	for (int i = 0; i < 5; i++) {
		struct outcomes o = {0};

		latency_add(&o, ns[i]);
		CU_ASSERT_EQUAL(o.latency[i < 3 ? 0 : LATENCY_BUCKETS - 1], 1);
		CU_ASSERT_EQUAL(o.latencies, 1);
	}
	CU_ASSERT_EQUAL(latency_median_ns((uint32_t[LATENCY_BUCKETS]){0}), 0);
}

static void median_is_the_middle_one(void)
{
	struct outcomes o = {0};

	for (uint32_t i = 0; i < 49; i++)
		latency_add(&o, SECOND);
	for (uint32_t i = 0; i < 51; i++)
		latency_add(&o, MS);
	CU_ASSERT(median_of_outcomes(&o) < 2 * MS);
	for (uint32_t i = 0; i < 4; i++)
		latency_add(&o, SECOND);
	CU_ASSERT(median_of_outcomes(&o) > SECOND / 2);
}

static void full_histogram_is_halved_and_keeps_its_median(void)
{
	struct outcomes o = {0};
	uint32_t all = 0;

	for (uint32_t i = 0; i < 300000; i++)
		latency_add(&o, i % 3 ? 10 * MS : 500 * MS);
	for (int i = 0; i < LATENCY_BUCKETS; i++)
		all += o.latency[i];
	CU_ASSERT_EQUAL(o.latencies, all);
	CU_ASSERT(all > 40000);
	CU_ASSERT(median_of_outcomes(&o) > 9 * MS && median_of_outcomes(&o) < 11 * MS);
}

static struct outlier_world w;

static void note(uint32_t endpoint, uint32_t calls, uint32_t failed, uint64_t latency_ns,
		 uint64_t now_ns)
{
	uint16_t slot = w.endpoint_slot[WORLD_FIRST + endpoint];

	for (uint32_t i = 0; i < calls; i++)
		outlier_note(&w.outcomes[i % WORLD_WORKERS][slot], &w.cluster.outlier, i < failed,
			     latency_ns, now_ns);
}

static void start(uint8_t statistics)
{
	world_start(&w, 6);
	w.cluster.outlier.statistics = statistics;
}

/* Five good endpoints and one, the last, that fails half of its calls and takes 80 ms. */
static void note_all(uint64_t now_ns)
{
	for (uint32_t i = 0; i < 5; i++)
		note(i, 120, 0, MS, now_ns);
	note(5, 120, 60, 80 * MS, now_ns);
}

static struct outlier_judged judge_all(uint32_t *last, uint64_t now_ns)
{
	struct random r = {.state = 1};

	return outlier_interval(&w.view, &w.state, 0, last, now_ns, &r);
}

static uint32_t judge(uint32_t *last, uint64_t now_ns)
{
	return judge_all(last, now_ns).ejected;
}

static void interval_is_judged_once_near_its_end(void)
{
	static const struct {
		uint64_t at_ms;
		uint32_t ejected;
	} rows[] = {
		{1000, 0}, {7499, 0}, {7500, 1}, {9999, 1}, {10000, 1}, {17499, 1}, {17500, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t last = 0;

		start(OUTLIER_SUCCESS_RATE);
		note_all(NOW + 100 * MS);
		CU_ASSERT_EQUAL(judge(&last, NOW + rows[i].at_ms * MS), rows[i].ejected);
		CU_ASSERT_EQUAL(world_ejected(&w), rows[i].ejected);
		CU_ASSERT_EQUAL(w.cluster_state.ejected, rows[i].ejected);
		world_state(&w, 5)->breaker = 0;
		CU_ASSERT_EQUAL(judge(&last, NOW + rows[i].at_ms * MS), 0);
	}
}

static void each_statistic_judges_only_when_named(void)
{
	static const struct {
		uint8_t statistics;
		uint32_t failed;
		uint64_t latency_ns;
		uint32_t ejected;
	} rows[] = {
		{0, 60, 80 * MS, 0},
		{OUTLIER_SUCCESS_RATE, 60, MS, 1},
		{OUTLIER_SUCCESS_RATE, 0, 80 * MS, 0},
		{OUTLIER_LATENCY, 60, MS, 0},
		{OUTLIER_LATENCY, 0, 80 * MS, 1},
		{OUTLIER_LATENCY | OUTLIER_SUCCESS_RATE, 60, 80 * MS, 1},
		{OUTLIER_LATENCY, 60, 0, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t last = 0;

		start(rows[i].statistics);
		for (uint32_t k = 0; k < 5; k++)
			note(k, 120, 0, MS, NOW);
		note(5, 120, rows[i].failed, rows[i].latency_ns, NOW);
		CU_ASSERT_EQUAL(judge(&last, NOW + 9 * SECOND), rows[i].ejected);
		CU_ASSERT_EQUAL(world_word(&w, 5).phase,
				rows[i].ejected ? BREAKER_OPEN : BREAKER_CLOSED);
	}
}

static void calls_of_an_earlier_interval_do_not_count(void)
{
	uint32_t last = 0;

	start(OUTLIER_SUCCESS_RATE);
	note_all(NOW);
	for (uint32_t i = 0; i < 6; i++)
		note(i, 3, 0, MS, NOW + 10 * SECOND);
	CU_ASSERT_EQUAL(judge(&last, NOW + 18 * SECOND), 0);
	note_all(NOW + 30 * SECOND);
	CU_ASSERT_EQUAL(judge(&last, NOW + 38 * SECOND), 1);
}

static void statistics_keep_to_max_ejected(void)
{
	struct outlier_judged judged;
	uint32_t last = 0;

	world_start(&w, 16);
	w.cluster.outlier.statistics = OUTLIER_LATENCY;
	w.cluster.outlier.max_ejected = 1000; /* one */
	for (uint32_t i = 0; i < 16; i++)
		note(i, 120, 0, i < 4 ? 500 * MS : MS, NOW);
	judged = judge_all(&last, NOW + 8 * SECOND);
	CU_ASSERT_EQUAL(judged.ejected, 1);
	CU_ASSERT_EQUAL(judged.refused, 3);
	judged = judge_all(&last, NOW + 8 * SECOND); /* once an interval */
	CU_ASSERT_EQUAL(judged.ejected + judged.refused, 0);
	CU_ASSERT_EQUAL(w.cluster_state.ejected, 1);
	CU_ASSERT_EQUAL(world_ejected(&w), 1);
}

static void only_closed_breakers_of_a_policy_in_force_open(void)
{
	uint32_t last = 0;

	start(OUTLIER_SUCCESS_RATE);
	note_all(NOW);
	world_state(&w, 5)->breaker =
		breaker_pack((struct breaker_word){.phase = BREAKER_HALF_OPEN, .epoch = 2});
	CU_ASSERT_EQUAL(judge(&last, NOW + 9 * SECOND), 0);
	CU_ASSERT_EQUAL(world_word(&w, 5).phase, BREAKER_HALF_OPEN);
	start(OUTLIER_SUCCESS_RATE);
	note_all(NOW);
	w.cluster.outlier.breaker.mode = MODE_OFF;
	last = 0;
	CU_ASSERT_EQUAL(judge(&last, NOW + 9 * SECOND), 0);
}

static void ejections_done_and_refused_are_events(void)
{
	uint32_t last = 0;
	uint64_t seq = 0, lost = 0;
	struct event event;

	start(OUTLIER_SUCCESS_RATE);
	w.cluster.outlier.breaker.mode = MODE_OBSERVE;
	note_all(NOW);
	judge(&last, NOW + 9 * SECOND);
	CU_ASSERT_EQUAL(event_read(&w.events, &seq, &event, &lost), 1);
	CU_ASSERT_EQUAL(event.kind, EVENT_EJECTED);
	CU_ASSERT_EQUAL(event.subject, SUBJECT_ENDPOINT);
	CU_ASSERT_EQUAL(event.slot, w.endpoint_slot[WORLD_FIRST + 5]);
	CU_ASSERT_EQUAL(event.key, w.endpoints[WORLD_FIRST + 5].key);
	CU_ASSERT_EQUAL(event.at_ns, NOW + 9 * SECOND);
	CU_ASSERT_EQUAL(event.observed, 1);
	CU_ASSERT(event.detail >= 5000 && event.detail < 7500);
	CU_ASSERT_EQUAL(event_read(&w.events, &seq, &event, &lost), 0);
	breaker_reset(&world_state(&w, 5)->breaker); /* the cluster's word stays: full */
	w.cluster.outlier.max_ejected = 1;
	note_all(NOW + 10 * SECOND);
	judge(&last, NOW + 19 * SECOND);
	CU_ASSERT_EQUAL(event_read(&w.events, &seq, &event, &lost), 1);
	CU_ASSERT_EQUAL(event.kind, EVENT_EJECTION_REFUSED);
	CU_ASSERT_EQUAL(event_read(&w.events, &seq, &event, &lost), 0);
	w.state.events = NULL;
	note_all(NOW + 20 * SECOND);
	judge(&last, NOW + 29 * SECOND);
}

static void fresh_memory_and_the_first_interval_are_told_apart(void)
{
	uint32_t last = 0;

	start(OUTLIER_SUCCESS_RATE);
	CU_ASSERT_EQUAL(judge(&last, 0), 0);
	note_all(0);
	CU_ASSERT_EQUAL(judge(&last, 9 * SECOND), 1);
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(success_rates_fall_by_row),
		SUITE_TEST(hosts_with_few_calls_take_no_part),
		SUITE_TEST(zero_minimums_divide_by_nothing),
		SUITE_TEST(latencies_fall_by_row),
		SUITE_TEST(median_is_within_10_percent),
		SUITE_TEST(latencies_beyond_the_histogram_count_at_its_ends),
		SUITE_TEST(median_is_the_middle_one),
		SUITE_TEST(full_histogram_is_halved_and_keeps_its_median),
		SUITE_TEST(interval_is_judged_once_near_its_end),
		SUITE_TEST(each_statistic_judges_only_when_named),
		SUITE_TEST(calls_of_an_earlier_interval_do_not_count),
		SUITE_TEST(statistics_keep_to_max_ejected),
		SUITE_TEST(only_closed_breakers_of_a_policy_in_force_open),
		SUITE_TEST(ejections_done_and_refused_are_events),
		SUITE_TEST(fresh_memory_and_the_first_interval_are_told_apart),
		CU_TEST_INFO_NULL,
	};

	return suite_run("outlier_statistics", tests);
}
