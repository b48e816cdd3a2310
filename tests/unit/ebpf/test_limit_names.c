/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker counts has the numbers and names of what the XDP program counts. */
#include "ebpf/maps.h"
#include "shm/limit_counters.h"
#include "shm/reasons.h"
#include "tests/unit/dataplane/suite.h"

#include <string.h>

static const struct {
	unsigned int number, worker;
	const char *name;
} rows[] = {
#define X(id, name) {LIMIT_VERDICT_##id, WORKER_LIMIT_##id, #name},
	LIMIT_VERDICTS(X)
#undef X
};

static void verdicts_have_the_numbers_and_names_of_the_program(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CU_ASSERT_EQUAL(rows[i].number, rows[i].worker);
		CU_ASSERT_STRING_EQUAL(rows[i].name, worker_limit_name(rows[i].worker));
	}
	CU_ASSERT_EQUAL((int)LIMIT_VERDICT_COUNT, (int)WORKER_LIMIT_COUNT);
	CU_ASSERT_STRING_EQUAL(worker_limit_name(WORKER_LIMIT_COUNT), "unknown");
}

static void counters_have_one_shape(void)
{
	CU_ASSERT_EQUAL(sizeof(struct limit_counters), sizeof(struct worker_limit_counters));
	CU_ASSERT_EQUAL((int)LIMIT_COUNTER_SLOTS, (int)WORKER_LIMIT_SLOTS);
	CU_ASSERT_EQUAL((int)LIMIT_EVENT_SLOTS, (int)WORKER_LIMIT_EVENT_SLOTS);
	CU_ASSERT_EQUAL((int)LIMIT_EVENT_FULL_START, (int)WORKER_LIMIT_FULL_START);
	CU_ASSERT_EQUAL((int)LIMIT_EVENT_COLD_START, (int)WORKER_LIMIT_COLD_START);
}

/* A packet that a limit dropped is counted in two places under one name. */
static void reasons_have_the_names_of_the_verdicts(void)
{
	CU_ASSERT_STRING_EQUAL(reason_name(REASON_RATE_LIMITED_CONNECTION),
			       worker_limit_name(WORKER_LIMIT_CONNECTION));
	CU_ASSERT_STRING_EQUAL(reason_name(REASON_RATE_LIMITED_SOURCE),
			       worker_limit_name(WORKER_LIMIT_SOURCE));
	CU_ASSERT_STRING_EQUAL(reason_name(REASON_RATE_LIMITED_LISTENER),
			       worker_limit_name(WORKER_LIMIT_LISTENER));
	CU_ASSERT_STRING_EQUAL(reason_name(REASON_RATE_LIMITED_CONTENDED),
			       worker_limit_name(WORKER_LIMIT_CONTENDED));
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(verdicts_have_the_numbers_and_names_of_the_program),
		SUITE_TEST(counters_have_one_shape),
		SUITE_TEST(reasons_have_the_names_of_the_verdicts),
		CU_TEST_INFO_NULL,
	};

	return suite_run("limit_names", tests);
}
