/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/registry.h"

#include <string.h>

#include "tests/unit/shm/suite.h"

enum { SLOTS = 16 };

/* A key whose home is @home: the home slot is taken from the upper half. */
static uint64_t key_at(uint32_t home, uint32_t number)
{
	return (uint64_t)home << 32 | (number + 2);
}

static struct registry_entry entries[SLOTS];

static struct registry fresh(void)
{
	memset(entries, 0, sizeof(entries));
	return registry_load(entries, SLOTS);
}

static uint32_t find(uint64_t key)
{
	return registry_find(entries, SLOTS, key);
}

static void an_empty_registry_finds_nothing(void)
{
	struct registry r = fresh();

	CU_ASSERT_EQUAL(r.used, 0);
	CU_ASSERT_EQUAL(find(key_at(3, 0)), REGISTRY_NONE);
}

static void a_name_is_found_at_the_slot_it_got(void)
{
	struct registry r = fresh();
	uint32_t slot = registry_claim(&r, key_at(3, 0), "a", 1);

	CU_ASSERT_EQUAL(slot, 3);
	CU_ASSERT_EQUAL(find(key_at(3, 0)), 3);
	CU_ASSERT_EQUAL(find(key_at(3, 1)), REGISTRY_NONE);
	CU_ASSERT_STRING_EQUAL(entries[3].name, "a");
	CU_ASSERT_EQUAL(entries[3].generation, 1);
	CU_ASSERT_EQUAL(r.used, 1);
}

static void a_name_claimed_again_keeps_its_slot_and_takes_the_generation(void)
{
	struct registry r = fresh();

	CU_ASSERT_EQUAL(registry_claim(&r, key_at(3, 0), "a", 1), 3);
	CU_ASSERT_EQUAL(registry_claim(&r, key_at(3, 0), "a", 9), 3);
	CU_ASSERT_EQUAL(entries[3].generation, 9);
	CU_ASSERT_EQUAL(r.used, 1);
}

static void probing_goes_on_and_wraps(void)
{
	struct registry r = fresh();

	CU_ASSERT_EQUAL(registry_claim(&r, key_at(15, 0), "a", 1), 15);
	CU_ASSERT_EQUAL(registry_claim(&r, key_at(15, 1), "b", 1), 0);
	CU_ASSERT_EQUAL(registry_claim(&r, key_at(0, 2), "c", 1), 1);
	CU_ASSERT_EQUAL(find(key_at(15, 1)), 0);
	CU_ASSERT_EQUAL(find(key_at(0, 2)), 1);
}

static void half_full_is_full(void)
{
	struct registry r = fresh();
	char name[2] = "a";

	for (uint32_t i = 0; i < SLOTS / 2; i++, name[0]++)
		CU_ASSERT_EQUAL(registry_claim(&r, key_at(2 * i, i), name, 1), 2 * i);
	CU_ASSERT_EQUAL(registry_claim(&r, key_at(1, 99), "z", 1), REGISTRY_NONE);
	CU_ASSERT_EQUAL(find(key_at(1, 99)), REGISTRY_NONE);
	CU_ASSERT_EQUAL(registry_claim(&r, key_at(0, 0), "a", 2), 0);
	CU_ASSERT_EQUAL(registry_load(entries, SLOTS).used, SLOTS / 2);
}

static void another_name_with_the_same_key_is_a_conflict(void)
{
	struct registry r = fresh();

	registry_claim(&r, key_at(3, 0), "a", 1);
	CU_ASSERT_EQUAL(registry_claim(&r, key_at(3, 0), "b", 2), REGISTRY_CONFLICT);
	CU_ASSERT_STRING_EQUAL(entries[3].name, "a");
	CU_ASSERT_EQUAL(entries[3].generation, 1);
}

static void a_removed_name_does_not_hide_those_behind_it(void)
{
	struct registry r = fresh();

	for (uint32_t i = 0; i < 3; i++)
		registry_claim(&r, key_at(5, i), (const char[]){(char)('a' + i), 0}, 1);
	registry_remove(&r, 6, 1000);
	CU_ASSERT_EQUAL(find(key_at(5, 1)), REGISTRY_NONE);
	CU_ASSERT_EQUAL(find(key_at(5, 2)), 7);
	CU_ASSERT_EQUAL(r.used, 3);
}

static void a_removed_slot_is_used_again_only_once_recycled(void)
{
	struct registry r = fresh();

	for (uint32_t i = 0; i < 3; i++)
		registry_claim(&r, key_at(5, i), (const char[]){(char)('a' + i), 0}, 1);
	registry_remove(&r, 6, 1000);
	CU_ASSERT_EQUAL(registry_claim(&r, key_at(5, 8), "x", 2), 8);
	registry_recycle(&r, 6);
	CU_ASSERT_EQUAL(r.used, 3);
	CU_ASSERT_EQUAL(entries[6].key, REGISTRY_REMOVED);
	CU_ASSERT_EQUAL(registry_claim(&r, key_at(5, 9), "y", 2), 6);
	CU_ASSERT_EQUAL(find(key_at(5, 9)), 6);
	CU_ASSERT_EQUAL(find(key_at(5, 2)), 7);
	CU_ASSERT_STRING_EQUAL(entries[6].name, "y");
	CU_ASSERT_EQUAL(r.used, registry_load(entries, SLOTS).used);
}

static void recycling_the_end_of_a_run_frees_the_run(void)
{
	struct registry r = fresh();

	for (uint32_t i = 0; i < 4; i++)
		registry_claim(&r, key_at(14, i), (const char[]){(char)('a' + i), 0}, 1);
	/* 14 15 0 1: the middle first, then the end */
	registry_remove(&r, 15, 1000);
	registry_remove(&r, 0, 1000);
	registry_recycle(&r, 15);
	registry_recycle(&r, 0);
	CU_ASSERT_EQUAL(entries[15].key, REGISTRY_REMOVED);
	registry_remove(&r, 1, 1000);
	registry_recycle(&r, 1);
	CU_ASSERT_EQUAL(entries[1].key, REGISTRY_FREE);
	CU_ASSERT_EQUAL(entries[0].key, REGISTRY_FREE);
	CU_ASSERT_EQUAL(entries[15].key, REGISTRY_FREE);
	CU_ASSERT_EQUAL(find(key_at(14, 0)), 14);
	CU_ASSERT_EQUAL(r.used, 1);
	CU_ASSERT_EQUAL(registry_load(entries, SLOTS).used, 1);
}

/* Names come and go for a long time: every live one stays findable, used stays right. */
static void churn_loses_nobody(void)
{
	struct registry r = fresh();
	uint64_t live[SLOTS / 2] = {0};
	uint32_t slot_of[SLOTS / 2];
	uint32_t random = 1;

	for (uint32_t step = 0; step < 20000; step++) {
		uint32_t i = (random = random * 1664525 + 1013904223) >> 16 & (SLOTS / 2 - 1);

		if (live[i]) {
			registry_remove(&r, slot_of[i], 1000);
			registry_recycle(&r, slot_of[i]);
			live[i] = 0;
		} else {
			live[i] = key_at(random >> 8 & (SLOTS - 1), step);
			slot_of[i] = registry_claim(&r, live[i], "n", 1);
			CU_ASSERT_NOT_EQUAL_FATAL(slot_of[i], REGISTRY_NONE);
		}
		for (uint32_t k = 0; k < SLOTS / 2; k++) {
			if (live[k] && find(live[k]) != slot_of[k])
				CU_FAIL_FATAL("a live name was lost");
		}
		if (r.used != registry_load(entries, SLOTS).used)
			CU_FAIL_FATAL("used is wrong");
	}
}

/* Written over while it was in use: counted as half empty, and not a free place in it. */
static void a_registry_without_a_free_place_is_searched_once(void)
{
	struct registry r = fresh();

	for (uint32_t i = 0; i < SLOTS; i++)
		entries[i] = (struct registry_entry){.key = key_at(i, 1), .generation = 7};
	CU_ASSERT_EQUAL(registry_claim(&r, key_at(3, 0), "a", 1), REGISTRY_NONE);
	CU_ASSERT_EQUAL(find(key_at(3, 0)), REGISTRY_NONE);
}

static const struct test tests[] = {
	TEST(an_empty_registry_finds_nothing),
	TEST(a_name_is_found_at_the_slot_it_got),
	TEST(a_name_claimed_again_keeps_its_slot_and_takes_the_generation),
	TEST(probing_goes_on_and_wraps),
	TEST(half_full_is_full),
	TEST(another_name_with_the_same_key_is_a_conflict),
	TEST(a_removed_name_does_not_hide_those_behind_it),
	TEST(a_removed_slot_is_used_again_only_once_recycled),
	TEST(recycling_the_end_of_a_run_frees_the_run),
	TEST(churn_loses_nobody),
	TEST(a_registry_without_a_free_place_is_searched_once),
};

int main(void)
{
	return suite_run("registry", tests, sizeof(tests) / sizeof(tests[0]));
}
