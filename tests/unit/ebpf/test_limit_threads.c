/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One word under several threads. They share a clock that each offer moves on, so that the result
 * depends on no scheduler: a thread that is held up reads late, as a CPU would.
 */
#include "tests/unit/ebpf/limits.h"

#include <pthread.h>

enum { THREADS = 4, OFFERS = 150000 };

struct shared {
	const struct limit_rule *rules; /* packets, bytes */
	uint64_t step_ns;
	uint64_t now_ns; /* atomic */
	__u64 words[2] __attribute__((aligned(64)));
	int pair;
	uint64_t passed __attribute__((aligned(64))); /* atomic */
	uint64_t contended;                           /* atomic */
};

static void *offer(void *arg)
{
	struct shared *s = arg;
	uint64_t passed = 0, contended = 0;

	for (int i = 0; i < OFFERS; i++) {
		uint64_t now_ns = __atomic_fetch_add(&s->now_ns, s->step_ns, __ATOMIC_RELAXED);
		uint32_t verdict = s->pair ? limit_take_pair(s->words, s->rules, now_ns, 1000)
					   : limit_take(&s->words[0], &s->rules[0], now_ns, 1);

		passed += verdict == LIMIT_PASS;
		contended += (verdict & ~(uint32_t)LIMIT_BY_BYTES) == LIMIT_CONTENDED;
	}
	__atomic_fetch_add(&s->passed, passed, __ATOMIC_RELAXED);
	__atomic_fetch_add(&s->contended, contended, __ATOMIC_RELAXED);
	return NULL;
}

static void run(struct shared *s)
{
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, offer, s) != 0)
			CU_FAIL_FATAL("no thread");
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

/* Offered at 200 M/s of that clock, for 3 ms; the rate half of it. */
static void bucket_is_exact_under_threads(void)
{
	struct limit_rule rule = bucket(100 * 1000 * 1000, 1000);
	struct shared s = {.rules = &rule, .step_ns = 5, .now_ns = NOW_NS};
	double want = 0.1 * (double)THREADS * OFFERS * 5;

	s.words[0] = limit_full(&rule, NOW_NS);
	run(&s);
	CU_ASSERT((double)s.passed <= want + 1000);
	CU_ASSERT((double)s.passed >= 0.99 * want);
	CU_ASSERT(s.contended <= s.passed / 100);
}

/* No swap is lost or doubled: in one window the word counts what passed. */
static void window_counts_each_pass_once(void)
{
	for (uint32_t a = LIMIT_FIXED_WINDOW; a <= LIMIT_SLIDING_WINDOW; a++) {
		struct limit_rule rule = window(a, THREADS * OFFERS / 2);
		struct shared s = {.rules = &rule, .step_ns = 1, .now_ns = NOW_NS};

		s.words[0] = limit_full(&rule, NOW_NS);
		run(&s);
		CU_ASSERT_EQUAL(s.passed, THREADS * OFFERS / 2);
		CU_ASSERT_EQUAL(s.words[0] & ((1ull << LIMIT_COUNT_BITS) - 1), s.passed);
	}
}

/* From the middle of a window to that of the next: L of each, late readings or not. */
static void window_admits_its_count_on_both_sides_of_an_edge(void)
{
	struct limit_rule rule = window(LIMIT_FIXED_WINDOW, THREADS * OFFERS / 6);
	struct shared s = {.rules = &rule,
			   .step_ns = SECOND_NS / (THREADS * OFFERS),
			   .now_ns = NOW_NS / SECOND_NS * SECOND_NS + SECOND_NS / 2};

	s.words[0] = limit_full(&rule, s.now_ns);
	run(&s);
	CU_ASSERT_EQUAL(s.passed, 2 * rule.capacity);
}

/* Bytes refuse half of what packets admit: each packet comes back, but for those in flight. */
static void pair_is_exact_under_threads(void)
{
	struct limit_rule rules[2] = {bucket(100 * 1000 * 1000, 1000),
				      bucket(10000000000, 1000000)};
	struct shared s = {.rules = rules, .step_ns = 5, .now_ns = NOW_NS, .pair = 1};
	double want = 0.01 * (double)THREADS * OFFERS * 5;

	for (int i = 0; i < 2; i++)
		s.words[i] = limit_full(&rules[i], NOW_NS);
	run(&s);
	CU_ASSERT((double)s.passed <= want + 1000);
	CU_ASSERT((double)s.passed >= 0.99 * want);
	CU_ASSERT(s.contended <= s.passed / 10);
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(bucket_is_exact_under_threads),
		SUITE_TEST(window_counts_each_pass_once),
		SUITE_TEST(window_admits_its_count_on_both_sides_of_an_edge),
		SUITE_TEST(pair_is_exact_under_threads),
		CU_TEST_INFO_NULL,
	};

	return suite_run("limit_threads", tests);
}
