/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/lb/bounded.h"

#include <pthread.h>

#include "tests/unit/dataplane/lb_world.h"

enum { THREADS = 4, ROUNDS = 20000, LIMIT = 3 };

static void caps_follow_the_formula(void)
{
	static const struct {
		uint32_t percent;
		uint64_t total;
		uint32_t w;
		uint64_t weights;
		uint64_t cap;
	} rows[] = {
		{100, 0, 1, 1, 1},
		{100, 0, 1, 10, 1},
		{100, 9, 1, 10, 1},
		{100, 10, 1, 10, 2},
		{125, 0, 1, 4, 1},
		{125, 99, 1, 10, 13},
		{125, 79, 1, 10, 10},
		{125, 80, 1, 10, 11},
		{125, 99, 2, 11, 23},
		{200, 49, 1, 5, 20},
		{1000, 0, 256, 256, 10},
		{125, 3, 3, 4, 4},
		{150, 9, 0, 10, 0},
		{125, 7, 1, 0, 10}, /* it became usable just now */
		{125, 7, 4, 2, 10},
		{101, 99, 1, 1, 101},
		{1000, 1u << 30, 256, 1024, 2684354563},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		CU_ASSERT_EQUAL(
			bounded_cap(rows[i].percent, rows[i].total, rows[i].w, rows[i].weights),
			rows[i].cap);
}

/* One more call always fits somewhere, and no cap is a whole call above the bound. */
static void caps_admit_one_more_and_no_more_than_the_bound(void)
{
	for (uint64_t seed = 0; seed < 5000; seed++) {
		uint32_t hosts = 1 + (uint32_t)(lb_mix(seed) % 20);
		uint32_t percent = 100 + (uint32_t)(lb_mix(seed + 1) % 901);
		uint64_t total = lb_mix(seed + 2) % 100000, weights = 0, sum = 0;

		for (uint32_t i = 0; i < hosts; i++)
			weights += 1 + lb_mix(seed * 32 + i) % 256;
		for (uint32_t i = 0; i < hosts; i++) {
			uint32_t w = 1 + (uint32_t)(lb_mix(seed * 32 + i) % 256);
			uint64_t cap = bounded_cap(percent, total, w, weights);

			CU_ASSERT(cap >= 1);
			CU_ASSERT((cap - 1) * 100 * weights < percent * (total + 1) * w);
			CU_ASSERT(cap * 100 * weights >= percent * (total + 1) * w);
			sum += cap;
		}
		CU_ASSERT(sum >= total + 1);
	}
}

static void totals_are_those_of_the_usable_endpoints_of_a_priority(void)
{
	static const uint32_t weights[] = {1, 2, 4, 8, 16};
	struct lb_world *w = lb_world_of(LB_ROUND_ROBIN, 5, NULL, weights);
	uint64_t total, sum;

	for (uint32_t i = 0; i < 5; i++)
		w->states[i].in_flight = 100u << i;
	w->endpoints[4].priority = 1;
	lb_set_health(w, 1, HEALTH_UNHEALTHY, 5);
	lb_set_drained(w, 2);
	bounded_totals(&w->view, &w->state, 0, 0, 0, LB_NOW_NS, &total, &sum);
	CU_ASSERT_EQUAL(sum, 1 + 8);
	CU_ASSERT_EQUAL(total, 900);
	bounded_totals(&w->view, &w->state, 0, 0, 1, LB_NOW_NS, &total, &sum);
	CU_ASSERT_EQUAL(sum, 1 + 2 + 8);
	CU_ASSERT_EQUAL(total, 1100);
	bounded_totals(&w->view, &w->state, 0, 1, 0, LB_NOW_NS, &total, &sum);
	CU_ASSERT_EQUAL(sum, 16);
	CU_ASSERT_EQUAL(total, 1600);
	bounded_totals(&w->view, &w->state, 0, 2, 0, LB_NOW_NS, &total, &sum);
	CU_ASSERT(sum == 0 && total == 0);
	w->cluster.endpoint_count = 0;
	bounded_totals(&w->view, &w->state, 0, 0, 1, LB_NOW_NS, &total, &sum);
	CU_ASSERT(sum == 0 && total == 0);
	free(w);
}

static void word_counts_up_to_its_limit_and_down_to_zero(void)
{
	uint64_t word = 0;

	for (int i = 0; i < LIMIT; i++)
		CU_ASSERT(endpoint_enter(&word, LIMIT));
	CU_ASSERT(!endpoint_enter(&word, LIMIT));
	CU_ASSERT(!endpoint_enter(&word, 1)); /* a limit that was lowered */
	CU_ASSERT(endpoint_enter(&word, 0));
	CU_ASSERT_EQUAL(word, LIMIT + 1);
	for (int i = 0; i < LIMIT + 3; i++)
		endpoint_leave(&word);
	CU_ASSERT_EQUAL(word, 0);
	CU_ASSERT(endpoint_enter(&word, LIMIT));
}

struct shared {
	uint64_t in_flight;
	uint64_t inside; /* counted by the threads themselves */
	uint64_t most;
	uint64_t refused;
};

static void *enter_and_leave(void *argument)
{
	struct shared *s = argument;

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t inside, most;

		if (!endpoint_enter(&s->in_flight, LIMIT)) {
			__atomic_fetch_add(&s->refused, 1, __ATOMIC_RELAXED);
			continue;
		}
		inside = __atomic_add_fetch(&s->inside, 1, __ATOMIC_RELAXED);
		most = __atomic_load_n(&s->most, __ATOMIC_RELAXED);
		while (inside > most &&
		       !__atomic_compare_exchange_n(&s->most, &most, inside, 0, __ATOMIC_RELAXED,
						    __ATOMIC_RELAXED))
			;
		__atomic_sub_fetch(&s->inside, 1, __ATOMIC_RELAXED);
		endpoint_leave(&s->in_flight);
	}
	return NULL;
}

static void threads_never_exceed_the_limit(void)
{
	struct shared s = {0};
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		CU_ASSERT_FATAL(pthread_create(&threads[i], NULL, enter_and_leave, &s) == 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	CU_ASSERT(s.most >= 1 && s.most <= LIMIT);
	CU_ASSERT_EQUAL(s.in_flight, 0);
	CU_ASSERT(s.refused < THREADS * ROUNDS);
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(caps_follow_the_formula),
		SUITE_TEST(caps_admit_one_more_and_no_more_than_the_bound),
		SUITE_TEST(totals_are_those_of_the_usable_endpoints_of_a_priority),
		SUITE_TEST(word_counts_up_to_its_limit_and_down_to_zero),
		SUITE_TEST(threads_never_exceed_the_limit),
		CU_TEST_INFO_NULL,
	};

	return suite_run("bounded load", tests);
}
