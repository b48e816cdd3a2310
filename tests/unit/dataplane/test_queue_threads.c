/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Four workers on one bulkhead: calls come, end, time out and go at random. Afterwards nobody
 * starts or gives up any more: only permits that arrive can end the rest. A lost permit or
 * wake-up shows as a wait that does not end.
 */
#include "dataplane/policy/queue.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <time.h>

#include "tests/unit/dataplane/permit_world.h"

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { STEPS = 20000 };
#else
enum { STEPS = 100000 };
#endif
enum { CALLS = 8, MAX_LIMIT = 6, MAX_WAITING = 5, QUIET_S = 20 };

static struct permit_world world;
static uint32_t limit; /* in force */
static uint32_t resizes;
static uint64_t really_active;
static uint64_t overshoots;
static uint32_t finished;

struct worker {
	uint32_t number;
	struct random random;
	struct image_bulkhead rules;
	uint64_t admitted, queued, served, timed_out, gone;
	int stuck;
};

static uint32_t limit_now(void)
{
	return __atomic_load_n(&limit, __ATOMIC_RELAXED);
}

/* Counted by the test beside the word: with a constant limit it must never be passed. */
static void begin(struct worker *me)
{
	uint64_t active = __atomic_add_fetch(&really_active, 1, __ATOMIC_RELAXED);

	if (active > (resizes ? MAX_LIMIT : limit_now()))
		__atomic_fetch_add(&overshoots, 1, __ATOMIC_RELAXED);
}

static void served(void *ctx, uint32_t number, struct call *call)
{
	struct worker *me = ctx;

	me->served++;
	begin(me);
}

static void end(struct worker *me, uint32_t n)
{
	__atomic_fetch_sub(&really_active, 1, __ATOMIC_RELAXED);
	world_leave(&world, limit_now(), me->number, n);
}

static void step(struct worker *me)
{
	const uint32_t n = random_below(&me->random, CALLS);
	uint64_t word;

	me->rules.max_concurrent = limit_now();
	switch (world.phase[me->number][n]) {
	case IDLE:
		switch (world_enter(&world, &me->rules, me->number, n)) {
		case BULKHEAD_ADMIT:
			me->admitted++;
			begin(me);
			break;
		case BULKHEAD_QUEUE:
			me->queued++;
			break;
		default:
			break;
		}
		break;
	case ACTIVE:
		end(me, n);
		break;
	case WAITING:
		if (random_below(&me->random, 4))
			break;
		if (random_below(&me->random, 2)) {
			me->timed_out += (uint64_t)world_time_out(&world, me->number, n);
		} else {
			world_cancel(&world, me->number, n);
			me->gone++;
		}
		break;
	}
	word = __atomic_load_n(&world.state.word, __ATOMIC_RELAXED);
	if (bulkhead_in_flight(word) > (resizes ? MAX_LIMIT : limit_now()))
		__atomic_fetch_add(&overshoots, 1, __ATOMIC_RELAXED);
}

/* As at every adoption. */
static void settle(uint32_t to)
{
	while (bulkhead_refill(&world.state, to))
		world_owe(&world, to);
}

static void resize(struct worker *me)
{
	uint32_t to = 1 + random_below(&me->random, MAX_LIMIT);

	__atomic_store_n(&limit, to, __ATOMIC_RELAXED);
	settle(to);
}

static int is_idle(const struct worker *me)
{
	for (uint32_t n = 0; n < CALLS; n++)
		if (world.phase[me->number][n] != IDLE)
			return 0;
	return 1;
}

static time_t seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* Until every worker is idle: a permit for nobody may still come by here. */
static void calm_down(struct worker *me)
{
	const time_t last = seconds() + QUIET_S;
	int counted = 0;

	while (__atomic_load_n(&finished, __ATOMIC_ACQUIRE) < world.workers ||
	       queue_has_grants(&world.queues, me->number)) {
		world_turn(&world, limit_now(), me->number, served, me);
		for (uint32_t n = 0; n < CALLS; n++)
			if (world.phase[me->number][n] == ACTIVE)
				end(me, n);
		if (!counted && is_idle(me)) {
			__atomic_fetch_add(&finished, 1, __ATOMIC_ACQ_REL);
			counted = 1;
		}
		if (seconds() > last) {
			me->stuck = 1;
			return;
		}
		sched_yield();
	}
}

static void *work(void *argument)
{
	struct worker *me = argument;

	for (uint32_t i = 0; i < STEPS; i++) {
		step(me);
		if (random_below(&me->random, 2))
			world_turn(&world, limit_now(), me->number, served, me);
		if (resizes && me->number == 0 && random_below(&me->random, 50) == 0)
			resize(me);
		if (random_below(&me->random, 64) == 0)
			sched_yield();
	}
	settle(limit_now()); /* each with the last limit: some have used others until now */
	calm_down(me);
	return NULL;
}

static void run(uint32_t with_resizes)
{
	struct worker workers[WORLD_WORKERS] = {0};
	pthread_t threads[WORLD_WORKERS];
	uint64_t served_total = 0, left = 0;

	world_init(&world, WORLD_WORKERS, 3, MAX_WAITING);
	resizes = with_resizes;
	limit = 3;
	finished = 0;
	overshoots = 0;
	really_active = 0;
	for (uint32_t i = 0; i < WORLD_WORKERS; i++) {
		workers[i].number = i;
		workers[i].random.state = 0x9e3779b97f4a7c15ull * (i + 1 + 7 * with_resizes);
		workers[i].rules = world.rules;
		if (pthread_create(&threads[i], NULL, work, &workers[i]))
			abort();
	}
	for (uint32_t i = 0; i < WORLD_WORKERS; i++) {
		pthread_join(threads[i], NULL);
		CU_ASSERT_FALSE(workers[i].stuck);
		served_total += workers[i].served;
		left += workers[i].timed_out + workers[i].gone;
	}
	CU_ASSERT_EQUAL(overshoots, 0);
	CU_ASSERT_EQUAL(really_active, 0);
	CU_ASSERT(served_total > 100 && left > 100); /* it was a test */
	world_assert_quiet(&world);
	queues_destroy(&world.queues);
}

static void no_permit_and_no_wake_up_is_lost(void)
{
	run(0);
}

static void nor_while_the_limit_changes(void)
{
	run(1);
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(no_permit_and_no_wake_up_is_lost),
		SUITE_TEST(nor_while_the_limit_changes),
		CU_TEST_INFO_NULL,
	};

	return suite_run("queue_threads", tests);
}
