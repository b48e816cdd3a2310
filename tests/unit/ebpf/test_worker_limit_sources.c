/* SPDX-License-Identifier: Apache-2.0 */
/* The words of sources and listeners that workers share: a full line, and several threads. */
#include "tests/unit/ebpf/worker_limits.h"

#include <pthread.h>

enum { THREADS = 4, OFFERS = 50000 };

static struct worker_world world;

static void fresh(struct image_rate_limit limits)
{
	worker_world_close(&world);
	worker_world_open(&world);
	worker_world_limit(&world, WEB, limits);
}

static int start_from(uint32_t source)
{
	return begin(&world, 0, WEB, (struct sent){.flags = TCP_SYN, .source = source});
}

static uint64_t cold_starts(void)
{
	return world.counters[WEB].events[WORKER_LIMIT_COLD_START];
}

/* Many more sources than the table has entries, each once, from @first. */
static void flood(uint32_t first)
{
	for (uint32_t i = 0; i < 100 * LINES; i++)
		start_from(first + i);
}

static void entries_that_are_full_again_give_way_at_no_loss(void)
{
	fresh((struct image_rate_limit){.source = per_second(1, 2)});
	for (uint32_t round = 0; round < 50; round++) {
		for (uint32_t i = 0; i < LINES / 4; i++) {
			uint32_t source = 0x0a000000 + round * LINES + i;

			/* few at a time, so that hardly a line has five of them */
			CU_ASSERT_EQUAL(start_from(source), WORKER_LIMIT_PASSED);
		}
		world.now_ns += SECOND_NS;
	}
	CU_ASSERT_EQUAL(cold_starts(), 0);
}

/* Bound: burst + R * W, and one start for each time it was pushed out. */
static void pushing_a_source_out_does_not_refill_it(void)
{
	enum { ROUNDS = 30, BURST = 10 };
	unsigned int passed = 0;

	fresh((struct image_rate_limit){.source = per_second(1, BURST)});
	for (uint32_t round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < 5; i++)
			passed += start_from(7) == WORKER_LIMIT_PASSED;
		flood(0x0b000000 + round * 0x10000);
	}
	CU_ASSERT(passed <= BURST + ROUNDS);
	CU_ASSERT(passed >= ROUNDS - 1); /* nor is it kept out */
	CU_ASSERT(cold_starts() > 0);
}

/* Behind it stands the listener's word, which nothing pushes out. */
static void listeners_limit_bounds_a_flood_of_sources(void)
{
	uint64_t passed;

	fresh((struct image_rate_limit){.source = per_second(1, 10),
					.listener = per_second(1, 100)});
	flood(0x0c000000);
	passed = world.counters[WEB].packets[WORKER_LIMIT_PASSED];
	CU_ASSERT_EQUAL(passed, 100);
	world.now_ns += 5 * SECOND_NS;
	flood(0x0d000000);
	CU_ASSERT_EQUAL(world.counters[WEB].packets[WORKER_LIMIT_PASSED], passed + 5);
}

static void a_name_that_takes_the_slot_has_words_of_its_own(void)
{
	struct image_listener other = {.key = 0x9999, .rate_limit = {.source = per_second(1, 3)}};

	fresh((struct image_rate_limit){.source = per_second(1, 3)});
	for (int i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(start_from(7), WORKER_LIMIT_PASSED);
	CU_ASSERT_EQUAL(start_from(7), WORKER_LIMIT_SOURCE);
	CU_ASSERT_EQUAL(limiter_rules_make(&world.policy->rules[WEB], &other), 0);
	CU_ASSERT_EQUAL(start_from(7), WORKER_LIMIT_PASSED);
}

/* What another program left there. */
static void any_contents_are_safe(void)
{
	uint64_t seed = 0xbadc0ffee;
	int passed = 0;

	fresh((struct image_rate_limit){.source = per_second(1, 10),
					.listener = per_second(1, 50)});
	for (int round = 0; round < 200; round++) {
		uint64_t *word = (uint64_t *)world.lines;

		for (size_t i = 0; i < sizeof(world.lines) / (sizeof(*word)); i++)
			word[i] = random64(&seed);
		world.listeners[WEB].limit_starts = random64(&seed);
		world.listeners[WEB].limit_shape = (uint32_t)random64(&seed);
		world.flows[0].to[0].words[0] = random64(&seed);
		for (uint32_t i = 0; i < 100; i++)
			passed += start_from(i % 3) == WORKER_LIMIT_PASSED;
	}
	CU_ASSERT(passed <= 200 * 50);
}

struct offering {
	struct limiter limiter;
	uint32_t source;
	uint64_t passed;
};

static void *offer(void *arg)
{
	struct offering *o = arg;
	const struct sent s = {.flags = TCP_SYN, .source = o->source};
	uint8_t frame[64];
	struct packet p = packet_of(frame, &s);

	for (int i = 0; i < OFFERS; i++)
		o->passed += limiter_start(&o->limiter, &p, WEB) == REASON_NONE;
	return NULL;
}

/* Workers of their own counters and one clock that stands still. */
static uint64_t offered_by_threads(int sources)
{
	static struct worker_limit_counters counters[THREADS][SLOTS];
	static struct offering offerings[THREADS];
	pthread_t threads[THREADS];
	uint64_t passed = 0;

	for (int i = 0; i < THREADS; i++) {
		offerings[i] = (struct offering){.limiter = world.limiter,
						 .source = (uint32_t)(i % sources)};
		offerings[i].limiter.counters = counters[i];
		limiter_set_time(&offerings[i].limiter, world.now_ns);
		if (pthread_create(&threads[i], NULL, offer, &offerings[i]) != 0)
			CU_FAIL_FATAL("no thread");
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		passed += offerings[i].passed;
	}
	return passed;
}

static void shared_words_are_exact_under_threads(void)
{
	fresh((struct image_rate_limit){.listener = per_second(1, 1000)});
	CU_ASSERT_EQUAL(offered_by_threads(1), 1000);
	fresh((struct image_rate_limit){.source = per_second(1, 1000)});
	CU_ASSERT_EQUAL(offered_by_threads(1), 1000);
	CU_ASSERT_EQUAL(offered_by_threads(2), 1000);
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(entries_that_are_full_again_give_way_at_no_loss),
		SUITE_TEST(pushing_a_source_out_does_not_refill_it),
		SUITE_TEST(listeners_limit_bounds_a_flood_of_sources),
		SUITE_TEST(a_name_that_takes_the_slot_has_words_of_its_own),
		SUITE_TEST(any_contents_are_safe),
		SUITE_TEST(shared_words_are_exact_under_threads),
		CU_TEST_INFO_NULL,
	};
	int rc;

	worker_world_open(&world);
	rc = suite_run("worker_limit_sources", tests);
	worker_world_close(&world);
	return rc;
}
