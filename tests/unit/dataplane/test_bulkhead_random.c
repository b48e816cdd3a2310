/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random schedules of arrivals, ends, timeouts, cancellations, turns and resizes on up to four
 * workers. At every step every call is in one place, the word agrees, and who gets a permit out
 * of the queue is the oldest of all who wait.
 */
#include "dataplane/policy/queue.h"

#include "tests/unit/dataplane/permit_world.h"

enum { SEEDS = 3000, STEPS = 200 };

static struct permit_world world;

struct tally {
	uint64_t total, succeeded, failed, rejected, timed_out, queue_timeouts, cancelled;
	uint32_t out_of_order;
	uint32_t surplus; /* permits that were on their way to who has gone */
};
static struct tally tally;
static int clients_go; /* while they wait; else only their time is up */

static uint32_t count_in(enum phase phase)
{
	uint32_t n = 0;

	for (uint32_t w = 0; w < world.workers; w++)
		for (uint32_t i = 0; i < WORLD_CALLS; i++)
			n += world.phase[w][i] == phase;
	return n;
}

static uint32_t on_the_way(void)
{
	uint32_t n = 0;

	for (uint32_t w = 0; w < world.workers; w++)
		n += (uint32_t)world.queues.share[w].granted;
	return n;
}

static int all_is_accounted_for(void)
{
	const uint32_t active = count_in(ACTIVE), waiting = count_in(WAITING), way = on_the_way();
	const uint32_t queued = bulkhead_queued(world.state.word);
	const struct tally *t = &tally;

	return t->total == t->succeeded + t->failed + t->rejected + t->timed_out +
				   t->queue_timeouts + t->cancelled + active + waiting &&
	       bulkhead_in_flight(world.state.word) == active + way && queued + way >= waiting &&
	       queued + way <= waiting + t->surplus && world.state.overshoot_max == 0;
}

static void note_order(void *ctx, uint32_t worker, struct call *call)
{
	for (uint32_t w = 0; w < world.workers; w++)
		for (uint32_t i = 0; i < WORLD_CALLS; i++)
			tally.out_of_order += world.phase[w][i] == WAITING &&
					      world.calls[w][i].ticket < call->ticket;
}

static void arrive_or_end(struct random *r, uint32_t worker, uint32_t n)
{
	uint64_t *const ends[] = {&tally.succeeded, &tally.failed, &tally.timed_out,
				  &tally.cancelled};

	switch (world.phase[worker][n]) {
	case IDLE:
		tally.total++;
		tally.rejected += world_enter(&world, &world.rules, worker, n) >= BULKHEAD_FULL;
		break;
	case ACTIVE:
		world_leave(&world, world.rules.max_concurrent, worker, n);
		++*ends[random_below(r, 4)];
		break;
	case WAITING:
		if (clients_go && random_below(r, 2)) {
			tally.surplus += !world_cancel(&world, worker, n);
			tally.cancelled++;
		} else {
			tally.queue_timeouts += (uint64_t)world_time_out(&world, worker, n);
		}
		break;
	}
}

static void resize(struct random *r)
{
	world.rules.max_concurrent = random_below(r, 20) ? 1 + random_below(r, 6) : 0;
	world.rules.max_queue = random_below(r, 8);
	while (bulkhead_refill(&world.state, world.rules.max_concurrent))
		world_owe(&world, world.rules.max_concurrent);
}

/* Everybody ends, the longest waiting last: all that is left must come by its permit. */
static void drain(void)
{
	for (uint32_t round = 0; round < 1000 && world.state.word != 0; round++) {
		for (uint32_t w = 0; w < world.workers; w++) {
			for (uint32_t n = 0; n < WORLD_CALLS; n++) {
				if (world.phase[w][n] != ACTIVE)
					continue;
				world_leave(&world, world.rules.max_concurrent, w, n);
				tally.succeeded++;
			}
			world_turn(&world, world.rules.max_concurrent, w, note_order, NULL);
		}
	}
}

static uint32_t run(uint64_t seed)
{
	struct random r = {.state = seed * 0x9e3779b97f4a7c15ull | 1};
	const uint32_t calls = 4 + random_below(&r, 12);
	uint32_t bad = 0;

	world_init(&world, 1 + random_below(&r, WORLD_WORKERS), 1 + random_below(&r, 5),
		   random_below(&r, 8));
	tally = (struct tally){0};
	for (uint32_t i = 0; i < STEPS; i++) {
		uint32_t worker = random_below(&r, world.workers);
		uint32_t dice = random_below(&r, 64);

		if (dice == 0)
			resize(&r);
		else if (dice < 24)
			world_turn(&world, world.rules.max_concurrent, worker, note_order, NULL);
		else
			arrive_or_end(&r, worker, random_below(&r, calls));
		bad += !all_is_accounted_for();
	}
	drain();
	bad += !all_is_accounted_for() || world.state.word != 0 || on_the_way() != 0;
	queues_destroy(&world.queues);
	return bad + tally.out_of_order;
}

static void run_seeds(int with_clients_that_go)
{
	uint32_t bad = 0;

	clients_go = with_clients_that_go;
	for (uint64_t seed = 1; seed <= SEEDS && bad == 0; seed++) {
		bad = run(seed);
		if (bad)
			printf("seed %lu: %u breaches\n", (unsigned long)seed, bad);
	}
	CU_ASSERT_EQUAL(bad, 0);
}

/* queued + on their way = waiting, exactly. */
static void every_call_is_accounted_for_and_served_in_order(void)
{
	run_seeds(0);
}

static void clients_that_go_while_they_wait_lose_no_permit(void)
{
	run_seeds(1);
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(every_call_is_accounted_for_and_served_in_order),
		SUITE_TEST(clients_that_go_while_they_wait_lose_no_permit),
		CU_TEST_INFO_NULL,
	};

	return suite_run("bulkhead_random", tests);
}
