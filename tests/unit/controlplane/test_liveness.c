/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/liveness.h"

#include "tests/unit/controlplane/fixture.h"
#include "tests/unit/dataplane/suite.h"

enum { START = 5, MS = 1000 * 1000 };

static const uint64_t now_ns = 60ull * 1000 * MS;

static struct region region;

static void set(uint32_t worker, uint32_t state, uint64_t age_ms, uint64_t applied)
{
	region.workers[worker].state = state;
	region.workers[worker].heartbeat_ns = now_ns - age_ms * MS;
	region.workers[worker].applied_generation = applied;
}

static struct liveness read_since(uint64_t since_ns)
{
	struct liveness live;

	liveness_read(&live, &region, since_ns, now_ns);
	return live;
}

static void a_new_region_has_no_worker_up(void)
{
	struct liveness live;

	memset(region.workers, 0, 2 * sizeof(region.workers[0]));
	live = read_since(START);
	CU_ASSERT_EQUAL(live.workers, 2);
	CU_ASSERT_EQUAL(live.up, 0);
	CU_ASSERT_EQUAL(live.hung, NO_WORKER);
	CU_ASSERT_EQUAL(live.applied_generation, 0);
}

static void applied_is_the_slowest_worker_s(void)
{
	struct liveness live;

	set(0, WORKER_RUNNING, 10, 7);
	set(1, WORKER_PARKED, 10, 6);
	live = read_since(START);
	CU_ASSERT_EQUAL(live.up, 2);
	CU_ASSERT_EQUAL(live.applied_generation, 6);
	CU_ASSERT_EQUAL(live.slowest, 1);
}

static void nothing_is_applied_until_all_are_up(void)
{
	struct liveness live;

	set(0, WORKER_RUNNING, 10, 7);
	set(1, WORKER_STOPPED, 10, 7);
	live = read_since(START);
	CU_ASSERT_EQUAL(live.up, 1);
	CU_ASSERT_EQUAL(live.applied_generation, 0);
}

static void what_an_earlier_process_left_is_not_up(void)
{
	set(0, WORKER_RUNNING, 500, 7);
	set(1, WORKER_RUNNING, 10, 7);
	CU_ASSERT_EQUAL(read_since(now_ns - 100ull * MS).up, 1);
	CU_ASSERT_EQUAL(read_since(now_ns - 500ull * MS).up, 2);
}

static void a_running_worker_is_hung_after_a_second(void)
{
	static const struct {
		uint32_t state;
		uint64_t age_ms;
		int hung;
	} rows[] = {
		{WORKER_RUNNING, HEARTBEAT_HUNG_MS, NO_WORKER},
		{WORKER_RUNNING, HEARTBEAT_HUNG_MS + 1, 1},
		{WORKER_PARKED, 50 * HEARTBEAT_HUNG_MS, NO_WORKER},
		{WORKER_STOPPED, 50 * HEARTBEAT_HUNG_MS, NO_WORKER},
	};

	set(0, WORKER_RUNNING, 0, 7);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		set(1, rows[i].state, rows[i].age_ms, 7);
		CU_ASSERT_EQUAL(read_since(START).hung, rows[i].hung);
	}
}

static void the_main_thread_is_hung_when_its_heartbeat_is_old(void)
{
	set(0, WORKER_RUNNING, 0, 7);
	set(1, WORKER_RUNNING, 0, 7);
	region.header->dataplane_heartbeat_ns = now_ns - MAIN_HUNG_MS * MS;
	CU_ASSERT_FALSE(read_since(START).main_hung);
	region.header->dataplane_heartbeat_ns--;
	CU_ASSERT_TRUE(read_since(START).main_hung);
	CU_ASSERT_EQUAL(read_since(START).hung, NO_WORKER);
	/* Not before it is up. */
	set(1, WORKER_STOPPED, 0, 7);
	CU_ASSERT_FALSE(read_since(START).main_hung);
}

static void a_heartbeat_after_now_is_no_age(void)
{
	set(0, WORKER_RUNNING, 0, 7);
	set(1, WORKER_RUNNING, 0, 7);
	region.workers[1].heartbeat_ns = now_ns + 5;
	CU_ASSERT_EQUAL(read_since(START).hung, NO_WORKER);
}

static CU_TestInfo tests[] = {
	SUITE_TEST(a_new_region_has_no_worker_up),
	SUITE_TEST(applied_is_the_slowest_worker_s),
	SUITE_TEST(nothing_is_applied_until_all_are_up),
	SUITE_TEST(what_an_earlier_process_left_is_not_up),
	SUITE_TEST(a_running_worker_is_hung_after_a_second),
	SUITE_TEST(the_main_thread_is_hung_when_its_heartbeat_is_old),
	SUITE_TEST(a_heartbeat_after_now_is_no_age),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	struct image_header *image = fixture_compile(FIXTURE_POLICY);
	int rc;

	fixture_region(&region, image);
	rc = suite_run("liveness", tests);
	region_close(&region);
	free(image);
	return rc;
}
