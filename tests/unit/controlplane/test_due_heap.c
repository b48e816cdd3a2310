/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/due_heap.h"

#include <stdlib.h>

#include "tests/unit/dataplane/suite.h"

enum { ENTRIES = 100, STEPS = 20000 };

static void an_empty_heap_has_no_first(void)
{
	struct due_heap heap = {0};
	struct due due = {0};

	CU_ASSERT_PTR_NULL(due_heap_first(&heap));
	due_heap_remove(&heap, &due);
	CU_ASSERT_EQUAL(due_heap_reserve(&heap, 1), 0);
	due_heap_set(&heap, &due, 5);
	CU_ASSERT_PTR_EQUAL(due_heap_first(&heap), &due);
	due_heap_remove(&heap, &due);
	due_heap_remove(&heap, &due);
	CU_ASSERT_PTR_NULL(due_heap_first(&heap));
	due_heap_free(&heap);
}

static void an_entry_moves_to_its_new_time(void)
{
	struct due_heap heap = {0};
	struct due a = {0}, b = {0};

	CU_ASSERT_EQUAL(due_heap_reserve(&heap, 2), 0);
	due_heap_set(&heap, &a, 1);
	due_heap_set(&heap, &b, 2);
	due_heap_set(&heap, &a, 3);
	CU_ASSERT_PTR_EQUAL(due_heap_first(&heap), &b);
	due_heap_set(&heap, &a, UINT64_MAX);
	due_heap_set(&heap, &a, 0);
	CU_ASSERT_PTR_EQUAL(due_heap_first(&heap), &a);
	CU_ASSERT_EQUAL(heap.count, 2);
	due_heap_free(&heap);
}

/* The earliest time of those that are in, by looking at all. */
static uint64_t earliest(const struct due *all)
{
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < ENTRIES; i++)
		if (all[i].place != 0 && all[i].at_ms < least)
			least = all[i].at_ms;
	return least;
}

static void the_first_is_always_the_earliest(void)
{
	struct due_heap heap = {0};
	struct due all[ENTRIES] = {0};
	unsigned int seed = 7;
	int wrong = 0;

	CU_ASSERT_EQUAL(due_heap_reserve(&heap, ENTRIES), 0);
	for (int i = 0; i < STEPS; i++) {
		struct due *due = &all[rand_r(&seed) % ENTRIES];

		if (rand_r(&seed) % 3 == 0)
			due_heap_remove(&heap, due);
		else
			due_heap_set(&heap, due, (uint64_t)rand_r(&seed) % 1000);
		wrong += heap.count == 0 ? due_heap_first(&heap) != NULL
					 : due_heap_first(&heap)->at_ms != earliest(all);
	}
	CU_ASSERT_EQUAL(wrong, 0);
	due_heap_free(&heap);
}

static CU_TestInfo tests[] = {
	SUITE_TEST(an_empty_heap_has_no_first),
	SUITE_TEST(an_entry_moves_to_its_new_time),
	SUITE_TEST(the_first_is_always_the_earliest),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	return suite_run("due_heap", tests);
}
