/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/starved.h"

#include <unistd.h>

#include "tests/unit/dataplane/suite.h"

#define MS 1000000ull

static struct cpu_look look_of(uint64_t at_ms, pid_t thread, uint64_t run_ms, int ready)
{
	return (struct cpu_look){
		.at_ns = at_ms * MS, .count = 1, .row = {{thread, run_ms * MS, ready}}};
}

static void who_is_starved(void)
{
	static const struct {
		const char *what;
		uint64_t run_ms;
		int ready_before, ready_after, starved;
	} rows[] = {
		{"stopped, or asleep", 0, 0, 0, 0},
		{"runs without end", 400, 1, 1, 0},
		{"runs without end beside nine others", 40, 1, 1, 0},
		{"waits all the time", 0, 1, 1, 1},
		{"waits for most of it", 39, 1, 1, 1},
		{"has just become ready", 0, 0, 1, 0},
		{"has come to run, and sleeps", 1, 1, 0, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cpu_look before = look_of(1000, 7, 50, rows[i].ready_before);
		struct cpu_look after = look_of(1400, 7, 50 + rows[i].run_ms, rows[i].ready_after);

		if (cpu_starved(&before, &after) != rows[i].starved)
			CU_FAIL_FATAL(rows[i].what);
		after.row[0].thread = 8; /* another one */
		CU_ASSERT_FALSE(cpu_starved(&before, &after));
	}
}

static void one_of_many_threads(void)
{
	struct cpu_look before = look_of(0, 1, 0, 1), after = look_of(400, 1, 400, 1);

	before.count = after.count = STARVED_THREADS;
	for (int i = 1; i < STARVED_THREADS; i++)
		before.row[i].thread = after.row[STARVED_THREADS - i].thread = i + 1;
	CU_ASSERT_FALSE(cpu_starved(&before, &after));
	before.row[STARVED_THREADS - 5].ready = after.row[5].ready = 1;
	CU_ASSERT_TRUE(cpu_starved(&before, &after));
}

static void this_process_and_none(void)
{
	struct cpu_look look;

	cpu_look(&look, getpid(), 5);
	CU_ASSERT_EQUAL(look.at_ns, 5);
	if (access("/proc/self/schedstat", R_OK) == 0) {
		CU_ASSERT_TRUE_FATAL(look.count >= 1);
		CU_ASSERT_EQUAL(look.row[0].thread, getpid());
		CU_ASSERT_TRUE(look.row[0].run_ns > 0 && look.row[0].ready);
	}
	cpu_look(&look, 0, 6); /* there is no such process */
	CU_ASSERT_EQUAL(look.count, 0);
}

static CU_TestInfo tests[] = {
	SUITE_TEST(who_is_starved),
	SUITE_TEST(one_of_many_threads),
	SUITE_TEST(this_process_and_none),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	return suite_run("starved", tests);
}
