/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/conn/wheel.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>

#define SECOND 1000000000ull

enum { ENTRIES = 500 };

static struct wheel wheel;
static struct conn entries[ENTRIES];
static struct conn_own own[ENTRIES];
static uint64_t random_state;

static uint64_t random64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state * 2685821657736338717ull;
}

static void start(uint64_t now_ns)
{
	memset(entries, 0, sizeof(entries));
	memset(own, 0, sizeof(own));
	wheel_init(&wheel, entries, own, now_ns);
}

static void put(uint32_t number, uint64_t deadline_ns)
{
	entries[number].deadline_ns = deadline_ns;
	wheel_insert(&wheel, number);
}

static void empty_wheel_never_fires(void)
{
	struct conn *expired[1];

	start(7 * SECOND);
	CU_ASSERT_EQUAL(wheel_next_ns(&wheel), UINT64_MAX);
	CU_ASSERT_EQUAL(wheel_expire(&wheel, 0, expired, 1), 0);
	CU_ASSERT_EQUAL(wheel_expire(&wheel, UINT64_MAX, expired, 1), 0);
	CU_ASSERT_EQUAL(wheel_next_ns(&wheel), UINT64_MAX);
}

static void never_early_and_at_most_a_tick_late(void)
{
	struct conn *expired[1];

	for (uint64_t ns = 0; ns < 3 * WHEEL_TICK_NS; ns += WHEEL_TICK_NS / 7) {
		uint64_t deadline_ns = 5 * SECOND + ns;

		start(5 * SECOND);
		put(0, deadline_ns);
		CU_ASSERT_EQUAL(wheel_expire(&wheel, deadline_ns - 1, expired, 1), 0);
		CU_ASSERT(wheel_next_ns(&wheel) > deadline_ns);
		CU_ASSERT(wheel_next_ns(&wheel) <= deadline_ns + WHEEL_TICK_NS);
		CU_ASSERT_EQUAL(wheel_expire(&wheel, wheel_next_ns(&wheel) - 1, expired, 1), 0);
		CU_ASSERT_EQUAL(wheel_expire(&wheel, wheel_next_ns(&wheel), expired, 1), 1);
		CU_ASSERT_PTR_EQUAL(expired[0], &entries[0]);
		CU_ASSERT_EQUAL(own[0].list, CONN_LIST_NONE);
	}
}

static void deadline_moved_just_past_its_slot_waits_on(void)
{
	struct conn *expired[1];
	uint64_t fires;

	start(5 * SECOND);
	put(0, 6 * SECOND);
	fires = wheel_next_ns(&wheel);
	entries[0].deadline_ns = fires + 1;
	CU_ASSERT_EQUAL(wheel_expire(&wheel, fires, expired, 1), 0);
	CU_ASSERT_EQUAL(wheel_next_ns(&wheel), fires + WHEEL_TICK_NS);
	CU_ASSERT_EQUAL(wheel_expire(&wheel, fires + WHEEL_TICK_NS, expired, 1), 1);
}

static void deadline_beyond_the_horizon_waits_its_turn(void)
{
	struct conn *expired[1];
	uint64_t deadline_ns = 3600 * SECOND, now = SECOND;
	uint32_t visits = 0;

	start(now);
	put(0, deadline_ns);
	while (wheel_next_ns(&wheel) <= deadline_ns) {
		now = wheel_next_ns(&wheel);
		CU_ASSERT_EQUAL(wheel_expire(&wheel, now, expired, 1), 0);
		visits++;
	}
	/* Once in a horizon of 34 s. */
	CU_ASSERT(visits >= 100 && visits <= 106);
	CU_ASSERT_EQUAL(wheel_expire(&wheel, deadline_ns + WHEEL_TICK_NS, expired, 1), 1);
}

static void entry_without_deadline_never_expires(void)
{
	struct conn *expired[1];
	uint64_t now = SECOND;

	start(now);
	put(0, UINT64_MAX);
	for (int i = 0; i < 1000; i++) {
		now += 100 * SECOND;
		CU_ASSERT_EQUAL(wheel_expire(&wheel, now, expired, 1), 0);
	}
	CU_ASSERT_NOT_EQUAL(wheel_next_ns(&wheel), UINT64_MAX);
}

static void deadline_that_nobody_set_comes_with_its_slot(void)
{
	const uint64_t far[] = {UINT64_MAX - 1, UINT64_MAX / 2, 5 * SECOND + 2 * WHEEL_FARTHEST_NS};
	struct conn *expired[1];

	for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
		start(5 * SECOND);
		put(0, 6 * SECOND);
		entries[0].deadline_ns = far[i];
		CU_ASSERT_EQUAL(wheel_expire(&wheel, 7 * SECOND, expired, 1), 1);
		start(5 * SECOND);
		put(0, far[i]);
		CU_ASSERT_EQUAL(wheel_expire(&wheel, 60 * SECOND, expired, 1), 1);
	}
}

static void clock_that_stands_or_steps_back_fires_nothing_twice(void)
{
	struct conn *expired[4];

	start(10 * SECOND);
	put(0, 11 * SECOND);
	CU_ASSERT_EQUAL(wheel_expire(&wheel, 10 * SECOND, expired, 4), 0);
	CU_ASSERT_EQUAL(wheel_expire(&wheel, 12 * SECOND, expired, 4), 1);
	CU_ASSERT_EQUAL(wheel_expire(&wheel, 12 * SECOND, expired, 4), 0);
	put(1, 12 * SECOND + SECOND / 2);
	CU_ASSERT_EQUAL(wheel_expire(&wheel, 3 * SECOND, expired, 4), 0);
	/* Made while the clock was back: fires when it has caught up, not never. */
	put(2, 4 * SECOND);
	CU_ASSERT_EQUAL(wheel_expire(&wheel, 5 * SECOND, expired, 4), 0);
	CU_ASSERT_EQUAL(wheel_expire(&wheel, 12 * SECOND + 2 * WHEEL_TICK_NS, expired, 4), 1);
	CU_ASSERT_PTR_EQUAL(expired[0], &entries[2]);
	CU_ASSERT_EQUAL(wheel_expire(&wheel, 13 * SECOND, expired, 4), 1);
	CU_ASSERT_PTR_EQUAL(expired[0], &entries[1]);
}

static void work_of_a_call_is_bounded_after_a_jump(void)
{
	struct conn *expired[10];
	uint32_t calls = 0, n = 0;
	uint64_t week = 7 * 24 * 3600 * SECOND;

	start(SECOND);
	/* Half of them are due after the jump, half of them later still. */
	for (uint32_t i = 0; i < ENTRIES; i++)
		put(i, i % 2 ? SECOND + i * SECOND / 10 : 2 * week);
	while (wheel_next_ns(&wheel) <= week) {
		n += wheel_expire(&wheel, week, expired, 10);
		CU_ASSERT_FATAL(++calls <= 3 * ENTRIES / 10);
	}
	CU_ASSERT_EQUAL(n, ENTRIES / 2);
	CU_ASSERT(calls >= ENTRIES / 10);
	CU_ASSERT_NOT_EQUAL(wheel_next_ns(&wheel), UINT64_MAX);
}

static void removed_entries_do_not_fire(void)
{
	struct conn *expired[4];

	start(SECOND);
	for (uint32_t i = 0; i < 3; i++)
		put(i, 2 * SECOND);
	wheel_remove(&wheel, 1); /* middle, then an end, then the last */
	CU_ASSERT_EQUAL(own[1].list, CONN_LIST_NONE);
	wheel_remove(&wheel, 2);
	CU_ASSERT_NOT_EQUAL(wheel_next_ns(&wheel), UINT64_MAX);
	wheel_remove(&wheel, 0);
	CU_ASSERT_EQUAL(wheel_next_ns(&wheel), UINT64_MAX);
	CU_ASSERT_EQUAL(wheel_expire(&wheel, 9 * SECOND, expired, 4), 0);
}

/* When each entry is due: its deadline, or, given while the clock was back, where that had been. */
static uint64_t due_ns[ENTRIES];

static uint64_t model_first(void)
{
	uint64_t first = UINT64_MAX;

	for (uint32_t i = 0; i < ENTRIES; i++)
		if (own[i].list != CONN_LIST_NONE && due_ns[i] < first)
			first = due_ns[i];
	return first;
}

static uint64_t random_deadline(uint64_t now)
{
	static const uint64_t spans[] = {WHEEL_TICK_NS, SECOND, 40 * SECOND, 4000 * SECOND};

	return now + random64() % spans[random64() % 4];
}

static uint64_t random_step(uint64_t now)
{
	uint64_t kind = random64() % 100;

	if (kind < 30)
		return now; /* stands */
	if (kind < 80)
		return now + random64() % (3 * WHEEL_TICK_NS);
	if (kind < 95)
		return now + random64() % (5 * SECOND);
	if (kind < 98)
		return now + random64() % (500 * SECOND);
	return now > SECOND ? now - random64() % SECOND : now;
}

static void change(uint32_t i, uint64_t now, uint64_t latest)
{
	if (own[i].list == CONN_LIST_NONE) {
		put(i, random_deadline(now));
	} else if (random64() % 4 == 0) {
		wheel_remove(&wheel, i);
	} else {
		entries[i].deadline_ns = random_deadline(now);
		if (!wheel_is_early_enough(&wheel, i)) {
			wheel_remove(&wheel, i);
			wheel_insert(&wheel, i);
		}
	}
	due_ns[i] = entries[i].deadline_ns > latest ? entries[i].deadline_ns : latest;
}

static void random_operations_match_a_model(void)
{
	uint64_t now = 1000 * SECOND, latest = now;
	uint32_t early = 0, late = 0, overslept = 0, fired = 0;

	random_state = 4711;
	start(now);
	for (uint32_t op = 0; op < 300000; op++) {
		struct conn *expired[8];
		uint32_t n;

		change((uint32_t)(random64() % ENTRIES), now, latest);
		if (op % 3)
			continue;
		now = random_step(now);
		if (now > latest)
			latest = now;
		/* Whoever sleeps until the wheel says so misses nothing by more than a tick. */
		if (model_first() != UINT64_MAX && model_first() >= latest)
			overslept += wheel_next_ns(&wheel) > model_first() + WHEEL_TICK_NS;
		do {
			n = wheel_expire(&wheel, now, expired, 1 + random64() % 8);
			for (uint32_t i = 0; i < n; i++)
				early += expired[i]->deadline_ns > now;
			fired += n;
		} while (wheel_next_ns(&wheel) <= now);
		if (now == latest)
			late += model_first() + WHEEL_TICK_NS <= now;
	}
	CU_ASSERT_EQUAL(early, 0);
	CU_ASSERT_EQUAL(late, 0);
	CU_ASSERT_EQUAL(overslept, 0);
	CU_ASSERT(fired > 10000);
}

int main(void)
{
	CU_initialize_registry();
	CU_pSuite s = CU_add_suite("wheel", NULL, NULL);

	CU_ADD_TEST(s, empty_wheel_never_fires);
	CU_ADD_TEST(s, never_early_and_at_most_a_tick_late);
	CU_ADD_TEST(s, deadline_moved_just_past_its_slot_waits_on);
	CU_ADD_TEST(s, deadline_beyond_the_horizon_waits_its_turn);
	CU_ADD_TEST(s, entry_without_deadline_never_expires);
	CU_ADD_TEST(s, deadline_that_nobody_set_comes_with_its_slot);
	CU_ADD_TEST(s, clock_that_stands_or_steps_back_fires_nothing_twice);
	CU_ADD_TEST(s, work_of_a_call_is_bounded_after_a_jump);
	CU_ADD_TEST(s, removed_entries_do_not_fire);
	CU_ADD_TEST(s, random_operations_match_a_model);
	CU_basic_set_mode(CU_BRM_NORMAL);
	CU_basic_run_tests();
	unsigned int failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed != 0;
}
