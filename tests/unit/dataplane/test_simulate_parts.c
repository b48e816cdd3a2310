/* SPDX-License-Identifier: Apache-2.0 */
/* Agenda, times, histogram and endpoints of the simulator. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/simulate/draw.h"
#include "dataplane/simulate/heap.h"
#include "dataplane/simulate/histogram.h"
#include "dataplane/simulate/model.h"
#include "tests/unit/dataplane/suite.h"

#define MS UINT64_C(1000000)

static void heap_gives_back_in_order_of_time_rank_and_insertion(void)
{
	struct random random = draw_stream(1, 1);
	struct heap heap = {0};
	struct heap_item item, last = {0};
	uint32_t popped = 0;

	CU_ASSERT_EQUAL(heap_pop(&heap, &item), 0);
	for (uint32_t i = 0; i < 5000; i++)
		CU_ASSERT_EQUAL(heap_push(&heap, (uint8_t)random_below(&random, 3),
					  (struct heap_item){.at_ns = random_below(&random, 100),
							     .subject = i}),
				0);
	while (heap_pop(&heap, &item)) {
		CU_ASSERT(popped == 0 || item.at_ns > last.at_ns ||
			  (item.at_ns == last.at_ns && item.order > last.order));
		last = item;
		popped++;
	}
	CU_ASSERT_EQUAL(popped, 5000);
	heap_free(&heap);
}

static double mean_of(const struct sim_times *times, uint64_t *least, uint64_t *most)
{
	struct random random = draw_stream(7, 7);
	double sum = 0;

	*least = UINT64_MAX;
	*most = 0;
	for (int i = 0; i < 100000; i++) {
		uint64_t t = draw_time(&random, times);

		sum += (double)t;
		*least = t < *least ? t : *least;
		*most = t > *most ? t : *most;
	}
	return sum / 100000;
}

static void times_have_their_distribution(void)
{
	static const struct {
		struct sim_times times;
		double mean_ms;
		double least_ms;
		double most_ms;
	} rows[] = {
		{{SIM_FIXED, 5 * MS, 0}, 5, 5, 5},
		{{SIM_UNIFORM, 2 * MS, 6 * MS}, 4, 2, 6},
		{{SIM_UNIFORM, 6 * MS, 6 * MS}, 6, 6, 6},
		{{SIM_EXPONENTIAL, 5 * MS, 0}, 5, 0, 1e9},
		{{SIM_EXPONENTIAL, 0, 0}, 0, 0, 0},
		{{SIM_LOGNORMAL, 5 * MS, 5 * MS}, 5, 5, 5},
		{{SIM_LOGNORMAL, 0, 0}, 0, 0, 0},
		/* sigma = ln(8)/2.326: mean = 5 e^(sigma^2/2) */
		{{SIM_LOGNORMAL, 5 * MS, 40 * MS}, 7.4545, 0, 1e9},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t least, most;
		double mean = mean_of(&rows[i].times, &least, &most) / MS;

		CU_ASSERT_DOUBLE_EQUAL(mean, rows[i].mean_ms, 0.02 * rows[i].mean_ms + 1e-6);
		CU_ASSERT((double)least / MS >= rows[i].least_ms);
		CU_ASSERT((double)most / MS <= rows[i].most_ms);
	}
}

static void lognormal_meets_its_percentiles(void)
{
	const struct sim_times times = {SIM_LOGNORMAL, 5 * MS, 40 * MS};
	struct random random = draw_stream(3, 3);
	struct histogram *h = calloc(1, sizeof(*h));

	CU_ASSERT_PTR_NOT_NULL_FATAL(h);
	for (int i = 0; i < 200000; i++)
		histogram_add(h, draw_time(&random, &times));
	CU_ASSERT_DOUBLE_EQUAL((double)histogram_percentile(h, 500) / MS, 5, 0.15);
	CU_ASSERT_DOUBLE_EQUAL((double)histogram_percentile(h, 990) / MS, 40, 2);
	free(h);
}

static void longest_times_are_cut(void)
{
	const struct sim_times times = {SIM_EXPONENTIAL, UINT64_MAX, 0};
	uint64_t least, most;

	mean_of(&times, &least, &most);
	CU_ASSERT(most <= DRAW_MAX_NS);
}

static void streams_are_unlike(void)
{
	struct random a = draw_stream(1, 0), b = draw_stream(1, 1), c = draw_stream(2, 0);
	uint64_t first = random_next(&a);

	CU_ASSERT_NOT_EQUAL(first, random_next(&b));
	CU_ASSERT_NOT_EQUAL(first, random_next(&c));
}

static void percentiles_lie_within_a_bucket(void)
{
	static const uint64_t values[] = {0,
					  1,
					  63,
					  64,
					  65,
					  127,
					  128,
					  1000,
					  999999,
					  5 * MS,
					  UINT32_MAX,
					  UINT64_C(1) << 40,
					  123456789012345,
					  UINT64_MAX / 2,
					  UINT64_MAX};
	struct histogram *h = calloc(1, sizeof(*h));

	CU_ASSERT_PTR_NOT_NULL_FATAL(h);
	CU_ASSERT_EQUAL(histogram_percentile(h, 500), 0);
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		uint64_t found;

		memset(h, 0, sizeof(*h));
		histogram_add(h, values[i]);
		histogram_add(h, UINT64_MAX); /* so that the maximum does not cut it */
		found = histogram_percentile(h, 500);
		CU_ASSERT(found >= values[i]);
		CU_ASSERT(found - values[i] <= values[i] / 64);
		CU_ASSERT_EQUAL(histogram_percentile(h, 1000), UINT64_MAX);
	}
	free(h);
}

static void percentile_ranks_are_exact(void)
{
	struct histogram *h = calloc(1, sizeof(*h));

	CU_ASSERT_PTR_NOT_NULL_FATAL(h);
	for (uint64_t i = 1; i <= 60; i++)
		histogram_add(h, i);
	CU_ASSERT_EQUAL(histogram_percentile(h, 0), 1);
	CU_ASSERT_EQUAL(histogram_percentile(h, 500), 30);
	CU_ASSERT_EQUAL(histogram_percentile(h, 900), 54);
	CU_ASSERT_EQUAL(histogram_percentile(h, 1000), 60);
	free(h);
}

/* What one endpoint does to an attempt at @now_ns. */
static struct fate attempt(const struct sim_endpoint *e, uint64_t now_ns)
{
	struct world_name name = {1, "10.2.0.11:80", 0};
	struct world world = {.endpoints = {&name, 1}};
	struct sim_scenario s = {.endpoints = e, .endpoint_count = e != NULL};
	struct model m;
	struct fate fate;

	CU_ASSERT_EQUAL_FATAL(model_create(&m, &s, &world), 0);
	fate = model_attempt(&m, 0, now_ns);
	model_free(&m);
	return fate;
}

static void outages_and_flaps_have_their_times(void)
{
	static const struct sim_outage outages[] = {{10 * MS, 20 * MS, SIM_HANG, 0},
						    {15 * MS, 30 * MS, SIM_REFUSE, 0},
						    {40 * MS, 50 * MS, SIM_SLOW, 10}};
	const struct sim_endpoint e = {.connect = {SIM_FIXED, MS, 0},
				       .latency = {SIM_FIXED, 2 * MS, 0},
				       .outages = outages,
				       .outage_count = 3,
				       .flap_period_ns = 100 * MS,
				       .flap_down_ns = 10 * MS,
				       .flap_fault = SIM_BLACKHOLE};
	static const struct {
		uint64_t at_ms;
		enum sim_fault fault;
		uint64_t answer_ms;
	} rows[] = {{0, SIM_WORKS, 3},   {9, SIM_WORKS, 3},      {10, SIM_HANG, 3},
		    {19, SIM_HANG, 3},   {20, SIM_REFUSE, 3},    {30, SIM_WORKS, 3},
		    {40, SIM_WORKS, 21}, {49, SIM_WORKS, 21},    {50, SIM_WORKS, 3},
		    {89, SIM_WORKS, 3},  {90, SIM_BLACKHOLE, 3}, {99, SIM_BLACKHOLE, 3},
		    {100, SIM_WORKS, 3}, {190, SIM_BLACKHOLE, 3}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fate fate = attempt(&e, rows[i].at_ms * MS);

		CU_ASSERT_EQUAL(fate.fault, rows[i].fault);
		CU_ASSERT_EQUAL(fate.connect_ns, MS);
		CU_ASSERT_EQUAL(fate.answer_ns, rows[i].answer_ms * MS);
	}
}

static void own_entry_comes_before_the_one_for_all(void)
{
	struct world_name names[] = {{1, "10.2.0.11:80", 0}, {2, "10.2.0.12:80", 0}};
	struct world world = {.endpoints = {names, 2}};
	struct sim_endpoint entries[] = {
		{.name = "10.2.0.12:80", .failure_rate = 10000, .failure = SIM_RESET},
		{.latency = {SIM_FIXED, 7 * MS, 0}}};
	struct sim_scenario s = {.endpoints = entries, .endpoint_count = 2};
	struct model m;

	CU_ASSERT_EQUAL_FATAL(model_create(&m, &s, &world), 0);
	CU_ASSERT_EQUAL(model_attempt(&m, 0, 0).fault, SIM_WORKS);
	CU_ASSERT_EQUAL(model_attempt(&m, 0, 0).answer_ns, 7 * MS);
	CU_ASSERT_EQUAL(model_attempt(&m, 1, 0).fault, SIM_RESET);
	model_free(&m);
	CU_ASSERT_EQUAL(attempt(NULL, 0).answer_ns, 3 * MS / 2); /* not spoken of */
}

static void attempts_fail_as_often_as_told(void)
{
	struct world_name name = {1, "10.2.0.11:80", 0};
	struct world world = {.endpoints = {&name, 1}};
	struct sim_endpoint e = {.failure_rate = 250, .failure = SIM_REFUSE};
	struct sim_scenario s = {.endpoints = &e, .endpoint_count = 1};
	struct model m;
	int failed = 0;

	CU_ASSERT_EQUAL_FATAL(model_create(&m, &s, &world), 0);
	for (int i = 0; i < 100000; i++)
		failed += model_attempt(&m, 0, 0).fault == SIM_REFUSE;
	CU_ASSERT(failed > 2350 && failed < 2650);
	model_free(&m);
}

int main(void)
{
	static CU_TestInfo tests[] = {
		SUITE_TEST(heap_gives_back_in_order_of_time_rank_and_insertion),
		SUITE_TEST(times_have_their_distribution),
		SUITE_TEST(lognormal_meets_its_percentiles),
		SUITE_TEST(longest_times_are_cut),
		SUITE_TEST(streams_are_unlike),
		SUITE_TEST(percentiles_lie_within_a_bucket),
		SUITE_TEST(percentile_ranks_are_exact),
		SUITE_TEST(outages_and_flaps_have_their_times),
		SUITE_TEST(own_entry_comes_before_the_one_for_all),
		SUITE_TEST(attempts_fail_as_often_as_told),
		CU_TEST_INFO_NULL,
	};

	return suite_run("simulate_parts", tests);
}
