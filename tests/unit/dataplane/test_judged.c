/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/judged.h"

#include <pthread.h>

#include "tests/unit/dataplane/suite.h"

enum { SLOTS = 5, ROUNDS = 20000 };

static struct policy_counters counters[SLOTS];

static void what_was_added_is_counted_once(void)
{
	struct judged j;

	memset(counters, 0, sizeof(counters));
	CU_ASSERT_EQUAL_FATAL(judged_create(&j, SLOTS), 0);
	judged_add(&j, 0, (struct outlier_judged){.ejected = 2});
	judged_add(&j, SLOTS - 1, (struct outlier_judged){.ejected = 1, .refused = 3});
	judged_add(&j, SLOTS - 1, (struct outlier_judged){.refused = 4});
	for (int i = 0; i < 2; i++)
		judged_count(&j, counters);
	CU_ASSERT_EQUAL(counters[0].ejections, 2);
	CU_ASSERT_EQUAL(counters[0].ejections_overflow, 0);
	CU_ASSERT_EQUAL(counters[SLOTS - 1].ejections, 1);
	CU_ASSERT_EQUAL(counters[SLOTS - 1].ejections_overflow, 7);
	CU_ASSERT_EQUAL(counters[1].ejections, 0);
	judged_destroy(&j);
}

static void nothing_judged_is_no_reason_to_look(void)
{
	struct judged j;

	CU_ASSERT_EQUAL_FATAL(judged_create(&j, SLOTS), 0);
	judged_add(&j, 1, (struct outlier_judged){0});
	CU_ASSERT_EQUAL(j.any, 0);
	judged_destroy(&j);
}

static void *add_all(void *arg)
{
	for (uint32_t i = 0; i < ROUNDS; i++)
		judged_add(arg, i % SLOTS, (struct outlier_judged){.ejected = 1, .refused = 2});
	return NULL;
}

/* The worker counts while the main thread judges: in the end all of it is counted. */
static void nothing_is_lost_between_the_threads(void)
{
	struct judged j;
	pthread_t id;

	memset(counters, 0, sizeof(counters));
	CU_ASSERT_EQUAL_FATAL(judged_create(&j, SLOTS), 0);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&id, NULL, add_all, &j), 0);
	for (uint32_t i = 0; i < ROUNDS; i++)
		judged_count(&j, counters);
	pthread_join(id, NULL);
	judged_count(&j, counters);
	for (uint32_t i = 0; i < SLOTS; i++) {
		CU_ASSERT_EQUAL(counters[i].ejections, ROUNDS / SLOTS);
		CU_ASSERT_EQUAL(counters[i].ejections_overflow, 2 * ROUNDS / SLOTS);
	}
	judged_destroy(&j);
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(what_was_added_is_counted_once),
		SUITE_TEST(nothing_judged_is_no_reason_to_look),
		SUITE_TEST(nothing_is_lost_between_the_threads),
		CU_TEST_INFO_NULL,
	};

	return suite_run("judged", tests);
}
