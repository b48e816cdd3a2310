/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/policy/queue.h"

#include <errno.h>

#include "tests/unit/dataplane/permit_world.h"

static struct permit_world world;
static const struct image_bulkhead *const rules = &world.rules;

static void queues_of_any_size_are_empty_at_first(void)
{
	static const struct {
		uint32_t slots, workers;
		int error;
	} rows[] = {
		{1, 1, 0},
		{63, 2, 0},
		{64, 3, 0},
		{65, 16, 0},
		{QUEUE_MAX_SLOTS, 2, 0},
		{0, 1, -EINVAL},
		{1, 0, -EINVAL},
		{QUEUE_MAX_SLOTS + 1, 1, -EINVAL},
	};
	const struct calls none = {0};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct queues q;
		uint32_t slot;

		CU_ASSERT_EQUAL(queues_create(&q, rows[i].slots, rows[i].workers), rows[i].error);
		for (uint32_t w = 0; w < q.workers; w++) {
			CU_ASSERT_FALSE(queue_has_grants(&q, w));
			CU_ASSERT_EQUAL(queue_take_grants(&q, w, &slot), 0);
			CU_ASSERT_PTR_NULL(queue_first(&q, &none, q.slots - 1, w));
		}
		if (q.slots)
			CU_ASSERT_EQUAL(queue_grant(&q, q.slots - 1), UINT32_MAX);
		queues_destroy(&q);
	}
}

/* Fill one worker's list with calls 0..n-1. */
static void push(uint32_t n)
{
	const struct calls calls = world_calls(&world, 0);

	for (uint32_t i = 0; i < n; i++)
		queue_push(&world.queues, &calls, 0, 0, &world.calls[0][i], &world.ticket);
}

static void a_list_keeps_its_order_whoever_leaves(void)
{
	/* The order in which four leave; the head and the published ticket must follow. */
	static const uint8_t orders[][4] = {
		{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 0, 3, 2}, {2, 0, 1, 3}, {1, 2, 3, 0},
	};

	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		const struct calls calls = world_calls(&world, 0);
		uint32_t present = 0xf;

		world_init(&world, 1, 1, 4);
		push(4);
		for (uint32_t k = 0; k < 4; k++) {
			struct call *first = queue_first(&world.queues, &calls, 0, 0);
			uint32_t lowest = (uint32_t)__builtin_ctz(present);

			CU_ASSERT_PTR_EQUAL(first, &world.calls[0][lowest]);
			CU_ASSERT_EQUAL(world.queues.share[0].head, lowest + 1);
			CU_ASSERT_EQUAL(world.queues.own[0].count, 4 - k);
			queue_remove(&world.queues, &calls, 0, 0, &world.calls[0][orders[i][k]]);
			present &= ~(1u << orders[i][k]);
		}
		world_assert_quiet(&world);
		queues_destroy(&world.queues);
	}
}

static void a_call_may_wait_again(void)
{
	world_init(&world, 1, 1, 4);
	for (uint32_t round = 0; round < 3; round++) {
		push(2);
		for (uint32_t i = 2; i-- > 0;) {
			const struct calls calls = world_calls(&world, 0);

			queue_remove(&world.queues, &calls, 0, 0, &world.calls[0][i]);
		}
	}
	CU_ASSERT_EQUAL(world.ticket, 6);
	world_assert_quiet(&world);
	queues_destroy(&world.queues);
}

static void grants_of_many_slots_are_each_taken_once(void)
{
	static const uint32_t slots[] = {0, 1, 63, 64, 65, 700, QUEUE_MAX_SLOTS - 1};
	enum { SLOTS = sizeof(slots) / sizeof(slots[0]) };
	static struct call waiting[SLOTS];
	const struct calls calls = {(uint8_t *)waiting, sizeof(waiting[0])};
	uint64_t ticket = 0;
	uint32_t seen = 0, slot, permits;
	struct queues q;

	CU_ASSERT_EQUAL_FATAL(queues_create(&q, QUEUE_MAX_SLOTS, 2), 0);
	for (uint32_t i = 0; i < SLOTS; i++) {
		waiting[i].number = i;
		queue_push(&q, &calls, slots[i], 1, &waiting[i], &ticket);
		for (uint32_t k = 0; k <= i; k++)
			CU_ASSERT_EQUAL(queue_grant(&q, slots[i]), 1);
	}
	CU_ASSERT_FALSE(queue_has_grants(&q, 0));
	CU_ASSERT_TRUE(queue_has_grants(&q, 1));
	while ((permits = queue_take_grants(&q, 1, &slot)) != 0) {
		CU_ASSERT_FATAL(seen < SLOTS);
		CU_ASSERT_EQUAL(slot, slots[seen]);
		CU_ASSERT_EQUAL(permits, ++seen);
	}
	CU_ASSERT_EQUAL(seen, SLOTS);
	CU_ASSERT_FALSE(queue_has_grants(&q, 1));
	queues_destroy(&q);
}

/* Workers 0 1 0 2 in the order of their tickets, behind one active call of worker 3. */
static void four_wait(void)
{
	static const uint8_t order[] = {0, 1, 0, 2};

	world_init(&world, 4, 1, 8);
	CU_ASSERT_EQUAL(world_enter(&world, rules, 3, 0), BULKHEAD_ADMIT);
	for (uint32_t i = 0; i < 4; i++)
		CU_ASSERT_EQUAL(world_enter(&world, rules, order[i], i), BULKHEAD_QUEUE);
}

static void permits_go_to_the_oldest_ticket_over_all_workers(void)
{
	static const uint8_t order[] = {3, 0, 1, 0, 2};

	four_wait();
	for (uint32_t i = 0; i + 1 < 5; i++) {
		world_leave(&world, 1, order[i], i ? i - 1 : 0);
		CU_ASSERT_EQUAL(bulkhead_in_flight(world.state.word), 1);
		for (uint32_t w = 0; w < 4; w++)
			CU_ASSERT_EQUAL(queue_has_grants(&world.queues, w), w == order[i + 1]);
		world_turn(&world, 1, order[i + 1], NULL, NULL);
		CU_ASSERT_EQUAL(world.phase[order[i + 1]][i], ACTIVE);
	}
	world_leave(&world, 1, 2, 3);
	world_assert_quiet(&world);
	queues_destroy(&world.queues);
}

static void two_permits_at_once_keep_the_order(void)
{
	four_wait();
	/* Both reach worker 0, whose head is the lowest until it takes its turn. */
	while (bulkhead_refill(&world.state, 3))
		world_owe(&world, 3);
	CU_ASSERT_EQUAL(world.queues.share[0].granted, 2);
	world_turn(&world, 3, 0, NULL, NULL);
	CU_ASSERT_EQUAL(world.phase[0][0], ACTIVE);
	CU_ASSERT_EQUAL(world.phase[0][2], WAITING);
	world_turn(&world, 3, 1, NULL, NULL);
	CU_ASSERT_EQUAL(world.phase[1][1], ACTIVE);
	queues_destroy(&world.queues);
}

static void a_waiter_that_has_left_passes_its_permit_on(void)
{
	four_wait();
	world_leave(&world, 1, 3, 0);
	/* Its permit is on its way; the other call of worker 0 is younger than worker 1's. */
	world_cancel(&world, 0, 0);
	world_turn(&world, 1, 0, NULL, NULL);
	CU_ASSERT_EQUAL(world.phase[0][2], WAITING);
	world_turn(&world, 1, 1, NULL, NULL);
	CU_ASSERT_EQUAL(world.phase[1][1], ACTIVE);
	CU_ASSERT_EQUAL(bulkhead_in_flight(world.state.word), 1);
	queues_destroy(&world.queues);
}

/* Worker 0 holds the only permit, worker 1 waits; then the permit is on its way. */
static void one_is_on_its_way(void)
{
	world_init(&world, 2, 1, 1);
	CU_ASSERT_EQUAL(world_enter(&world, rules, 0, 0), BULKHEAD_ADMIT);
	CU_ASSERT_EQUAL(world_enter(&world, rules, 1, 0), BULKHEAD_QUEUE);
	world_leave(&world, 1, 0, 0);
	CU_ASSERT_EQUAL(bulkhead_in_flight(world.state.word), 1);
}

static void a_permit_nobody_waits_for_any_more_is_free(void)
{
	one_is_on_its_way();
	CU_ASSERT_EQUAL(world_cancel(&world, 1, 0), 0);
	CU_ASSERT_EQUAL(bulkhead_in_flight(world.state.word), 1);
	world_turn(&world, 1, 1, NULL, NULL);
	world_assert_quiet(&world);
	queues_destroy(&world.queues);
}

static void a_permit_on_its_way_beats_the_timeout(void)
{
	one_is_on_its_way();
	CU_ASSERT_EQUAL(world_time_out(&world, 1, 0), 0);
	world_turn(&world, 1, 1, NULL, NULL);
	CU_ASSERT_EQUAL(world.phase[1][0], ACTIVE);
	world_leave(&world, 1, 1, 0);
	world_assert_quiet(&world);
	queues_destroy(&world.queues);
}

/* The permit of one that has gone meets one that came after: see queue.h. */
static void a_place_counted_twice_returns_with_the_next_release(void)
{
	one_is_on_its_way();
	CU_ASSERT_EQUAL(world_cancel(&world, 1, 0), 0);
	CU_ASSERT_EQUAL(world_enter(&world, rules, 1, 1), BULKHEAD_QUEUE);
	world_turn(&world, 1, 1, NULL, NULL);
	CU_ASSERT_EQUAL(world.phase[1][1], ACTIVE);
	CU_ASSERT_EQUAL(bulkhead_queued(world.state.word), 1);
	world_leave(&world, 1, 1, 1);
	world_assert_quiet(&world);
	queues_destroy(&world.queues);
}

/*
 * Worker 0's release has found no head; then worker 1 begins to wait, and worker 2, for whom the
 * permit was, leaves and takes the place of worker 1 out of the count.
 */
static void who_leaves_during_a_search_makes_it_begin_anew(void)
{
	uint16_t seen;

	world_init(&world, 3, 1, 8);
	CU_ASSERT_EQUAL(world_enter(&world, rules, 0, 0), BULKHEAD_ADMIT);
	CU_ASSERT_EQUAL(world_enter(&world, rules, 2, 0), BULKHEAD_QUEUE);
	world.phase[0][0] = IDLE;
	CU_ASSERT_EQUAL(bulkhead_leave(&world.state, 1), 1);
	seen = bulkhead_left(&world.state);
	CU_ASSERT_EQUAL(world_enter(&world, rules, 1, 0), BULKHEAD_QUEUE);
	world_cancel(&world, 2, 0);
	CU_ASSERT_EQUAL(bulkhead_queued(world.state.word), 0);
	CU_ASSERT_EQUAL(bulkhead_give_back(&world.state, 1, &seen), 1);
	CU_ASSERT_EQUAL(queue_pass_on(&world.queues, 0, &world.state, 1), 1);
	world_turn(&world, 1, 1, NULL, NULL);
	CU_ASSERT_EQUAL(world.phase[1][0], ACTIVE);
	world_leave(&world, 1, 1, 0);
	world_assert_quiet(&world);
	queues_destroy(&world.queues);
}

/* 15 calls of 500 ms at once against 3 permits, 5 places and 1 s. */
static void fifteen_calls_against_three_and_five(void)
{
	uint32_t rejected = 0, succeeded = 0, timed_out = 0, last_ms = 0;
	uint32_t until_ms[15] = {0};

	world_init(&world, 1, 3, 5);
	for (uint32_t now_ms = 0; now_ms <= 5000; now_ms++) {
		for (uint32_t n = 0; n < 15; n++) {
			if (now_ms == 0 && world_enter(&world, rules, 0, n) >= BULKHEAD_FULL)
				rejected++;
			if (world.phase[0][n] != ACTIVE || until_ms[n] == 0)
				continue;
			if (now_ms == until_ms[n]) {
				world_leave(&world, 3, 0, n);
				succeeded++;
				last_ms = now_ms;
			}
		}
		/* A permit beats a timeout at the same instant. */
		world_turn(&world, 3, 0, NULL, NULL);
		for (uint32_t n = 0; n < 15; n++) {
			if (world.phase[0][n] == ACTIVE && until_ms[n] == 0)
				until_ms[n] = now_ms + 500;
			if (world.phase[0][n] == WAITING && now_ms == 1000)
				timed_out += (uint32_t)world_time_out(&world, 0, n);
		}
	}
	CU_ASSERT_EQUAL(succeeded, 8);
	CU_ASSERT_EQUAL(last_ms, 1500);
	CU_ASSERT_EQUAL(rejected, 7);
	CU_ASSERT_EQUAL(timed_out, 0);
	world_assert_quiet(&world);
	queues_destroy(&world.queues);
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(queues_of_any_size_are_empty_at_first),
		SUITE_TEST(a_list_keeps_its_order_whoever_leaves),
		SUITE_TEST(a_call_may_wait_again),
		SUITE_TEST(grants_of_many_slots_are_each_taken_once),
		SUITE_TEST(permits_go_to_the_oldest_ticket_over_all_workers),
		SUITE_TEST(two_permits_at_once_keep_the_order),
		SUITE_TEST(a_waiter_that_has_left_passes_its_permit_on),
		SUITE_TEST(a_permit_nobody_waits_for_any_more_is_free),
		SUITE_TEST(a_permit_on_its_way_beats_the_timeout),
		SUITE_TEST(a_place_counted_twice_returns_with_the_next_release),
		SUITE_TEST(who_leaves_during_a_search_makes_it_begin_anew),
		SUITE_TEST(fifteen_calls_against_three_and_five),
		CU_TEST_INFO_NULL,
	};

	return suite_run("queue", tests);
}
