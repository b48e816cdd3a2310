/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several workers on one budget. They step through time together, so that every call and retry
 * has an exact time, and race for everything within a step: who begins a tick, the last retry.
 */
#include "dataplane/policy/budget.h"

#include <pthread.h>
#include <stdlib.h>

#include "tests/unit/dataplane/suite.h"

#define MS UINT64_C(1000000)

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { STEPS = 2000 };
#else
enum { STEPS = 6000 };
#endif
enum { THREADS = 3, OPERATIONS = 12 };

static const struct image_retry rules = {
	.max_attempts = 3,
	.ratio = 2000,
	.minimum_per_second = 3,
	.window_ms = 1000,
	.max_concurrent = 5,
};
static struct budget_state budget;
static uint64_t on_wire;
static uint64_t over_the_wire;
static uint64_t time_ns[STEPS];
static uint32_t calls[STEPS];
static uint32_t retries[STEPS];
static pthread_barrier_t together;

static void try_the_wire(void)
{
	if (!budget_take_wire(&on_wire, &rules, 1000))
		return;
	if (__atomic_load_n(&on_wire, __ATOMIC_RELAXED) > rules.max_concurrent)
		__atomic_fetch_add(&over_the_wire, 1, __ATOMIC_RELAXED);
	budget_leave_wire(&on_wire);
}

static void *work(void *seed)
{
	struct random r = {.state = (uintptr_t)seed};

	for (uint32_t step = 0; step < STEPS; step++) {
		struct budget_view view;

		pthread_barrier_wait(&together);
		for (uint32_t i = 0; i < OPERATIONS; i++) {
			if (random_below(&r, 3)) {
				budget_call(&budget, &rules, time_ns[step]);
				__atomic_fetch_add(&calls[step], 1, __ATOMIC_RELAXED);
			} else if (budget_retry(&budget, &rules, time_ns[step])) {
				__atomic_fetch_add(&retries[step], 1, __ATOMIC_RELAXED);
			}
		}
		try_the_wire();
		budget_look(&budget, &rules, time_ns[step], &view);
	}
	return NULL;
}

/* Of all windows that end with a retry. */
static uint32_t breaches(void)
{
	const uint64_t window_ns = rules.window_ms * MS;
	uint64_t window_calls = 0, window_retries = 0;
	uint32_t first = 0, bad = 0;

	for (uint32_t i = 0; i < STEPS; i++) {
		uint64_t allowed, minimum = rules.minimum_per_second * rules.window_ms / 1000;

		window_calls += calls[i];
		window_retries += retries[i];
		for (; time_ns[first] + window_ns < time_ns[i]; first++) {
			window_calls -= calls[first];
			window_retries -= retries[first];
		}
		allowed = window_calls * rules.ratio / 10000;
		bad += retries[i] != 0 && window_retries > (allowed > minimum ? allowed : minimum);
	}
	return bad;
}

static void the_bound_holds_over_all_workers(void)
{
	struct random r = {.state = 99};
	pthread_t threads[THREADS];
	uint64_t now_ns = 3600 * 1000 * MS, granted = 0, sent = 0;

	for (uint32_t i = 0; i < STEPS; i++) {
		now_ns += random_below(&r, 100) ? random_next(&r) % (40 * MS)
						: random_next(&r) % (5000 * MS);
		time_ns[i] = now_ns;
	}
	pthread_barrier_init(&together, NULL, THREADS);
	for (uintptr_t i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, work,
				   (void *)(0x9e3779b97f4a7c15ull * (i + 1))))
			abort();
	for (uint32_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&together);
	for (uint32_t i = 0; i < STEPS; i++) {
		granted += retries[i];
		sent += calls[i];
	}
	CU_ASSERT_EQUAL(breaches(), 0);
	CU_ASSERT_EQUAL(budget.calls, sent);
	CU_ASSERT_EQUAL(budget.retries, granted);
	CU_ASSERT(granted > sent / 8); /* and is used: 2/11 of the calls at most */
	CU_ASSERT_EQUAL(over_the_wire, 0);
	CU_ASSERT_EQUAL(on_wire, 0);
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(the_bound_holds_over_all_workers),
		CU_TEST_INFO_NULL,
	};

	return suite_run("budget_threads", tests);
}
