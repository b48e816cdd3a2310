/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/guard.h"

#include "controlplane/liveness.h"
#include "shm/histogram.h"
#include "shm/names.h"
#include "shm/registry.h"
#include "tests/unit/controlplane/fixture.h"
#include "tests/unit/dataplane/suite.h"

static uv_loop_t loop;
static struct region region;
static struct guard *guard;
static struct image_header *image;
static int trips;
static char said[512];

static void on_tripped(void *ctx, const char *why)
{
	trips++;
	snprintf(said, sizeof(said), "%s", why);
	uv_stop(&loop);
}

static void begin(struct image_guard rules)
{
	const struct guard_config config = {&loop, &region, NULL, on_tripped};

	trips = 0;
	said[0] = '\0';
	uv_loop_init(&loop);
	image = fixture_compile(FIXTURE_POLICY);
	fixture_region(&region, image);
	image->guard = rules;
	CU_ASSERT_EQUAL_FATAL(guard_create(&guard, &config), 0);
}

static void close_handle(uv_handle_t *handle, void *arg)
{
	uv_close(handle, NULL);
}

static void end(void)
{
	guard_stop(guard);
	uv_walk(&loop, close_handle, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	uv_loop_close(&loop);
	guard_free(guard);
	region_close(&region);
	free(image);
}

static uint32_t slot_of(const char *cluster)
{
	return registry_find(region.cluster_registry, region.shape.cluster_slots,
			     name_key(cluster));
}

static void count(uint32_t worker, uint64_t succeeded, uint64_t failed, uint64_t rejected)
{
	struct call_counters *c = region_cluster_counters(&region, worker, slot_of("web"));
	struct policy_counters *p = region_policy_counters(&region, worker, slot_of("web"));

	counter_add(&c->started, succeeded + failed + rejected);
	counter_add(&c->succeeded, succeeded);
	counter_add(&c->failed, failed);
	counter_add(&c->rejected, rejected);
	counter_add(&p->failed[REASON_CONNECT_REFUSED], failed);
	counter_add(&p->rejected[REASON_NO_ENDPOINT], rejected);
}

/* What a dataplane that was killed took with it; @named: the reason follows the sum. */
static void count_lost(uint64_t calls, int named)
{
	counter_add(&region_cluster_counters(&region, 0, slot_of("web"))->failed, calls);
	if (named)
		counter_add(&region_policy_counters(&region, 0, slot_of("web"))
				     ->failed[REASON_DATAPLANE_RESTART],
			    calls);
}

/* Until it trips, or the watch is over. */
static void run(void)
{
	uv_run(&loop, UV_RUN_DEFAULT);
}

static const struct image_guard errors = {
	.watch_ms = 400, .error_rate_ppm = 100000, .minimum_calls = 20};
static const struct image_guard slow = {.watch_ms = 400, .p99_us = 100000, .minimum_calls = 20};
static const struct image_guard nothing = {0};

static void errors_since_the_change_trip_it(void)
{
	begin(errors);
	count(0, 0, 1000, 0);
	guard_watch(guard, image);
	count(0, 18, 1, 0);
	count(1, 0, 0, 1);
	run();
	CU_ASSERT_EQUAL(trips, 1);
	CU_ASSERT_STRING_EQUAL(said, "cluster web: 2 of 20 calls failed (10.0%) since the change, "
				     "rollback_if allows less than 10.0%");
	end();
}

static void what_is_allowed_passes(void)
{
	static const struct {
		uint64_t succeeded;
		uint64_t failed;
	} rows[] = {{0, 0}, {0, 19}, {91, 10}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin(errors);
		guard_watch(guard, image);
		count(1, rows[i].succeeded, rows[i].failed, 0);
		run();
		CU_ASSERT_EQUAL(trips, 0);
		end();
	}
}

static void slow_first_bytes_trip_it(void)
{
	struct histograms h;

	begin(slow);
	h = region_histograms(&region, 0);
	for (int i = 0; i < 1000; i++)
		histogram_record(&h, slot_of("web"), HISTOGRAM_FIRST_BYTE, 900000000);
	guard_watch(guard, image);
	for (int i = 0; i < 90; i++)
		histogram_record(&h, slot_of("web"), HISTOGRAM_FIRST_BYTE, 1000000);
	run();
	CU_ASSERT_EQUAL(trips, 0);
	guard_watch(guard, image);
	for (int i = 0; i < 90; i++)
		histogram_record(&h, slot_of("web"), HISTOGRAM_FIRST_BYTE, 200000000);
	run();
	CU_ASSERT_EQUAL(trips, 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(said, "over 90 calls"));
	end();
}

static void what_a_dead_dataplane_lost_says_nothing_of_the_policy(void)
{
	for (int named = 0; named < 2; named++) {
		begin(errors);
		guard_watch(guard, image);
		count(0, 19, 1, 0);
		count_lost(100, named);
		run();
		CU_ASSERT_EQUAL(trips, 0);
		end();
	}
}

static void a_watch_goes_on_in_the_next_process(void)
{
	uint64_t end_ns;

	begin(errors);
	guard_watch(guard, image);
	end_ns = guard_end_ns(guard);
	CU_ASSERT(end_ns > monotonic_ns());
	guard_stop(guard);
	CU_ASSERT_EQUAL(guard_end_ns(guard), 0);
	guard_resume(guard, image, end_ns);
	CU_ASSERT_EQUAL(guard_end_ns(guard), end_ns);
	count(0, 0, 20, 0);
	run();
	CU_ASSERT_EQUAL(trips, 1);
	end();
}

static void what_is_over_or_absurd_is_not_resumed(void)
{
	const uint64_t now_ns = monotonic_ns();
	const uint64_t rows[] = {0, 1, now_ns, now_ns + 3600000000000, UINT64_MAX};

	begin(errors);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		guard_resume(guard, image, rows[i]);
		CU_ASSERT_EQUAL(guard_end_ns(guard), 0);
	}
	end();
}

static void without_rules_nothing_is_watched(void)
{
	begin(nothing);
	guard_watch(guard, image);
	count(0, 0, 100, 0);
	run();
	CU_ASSERT_EQUAL(trips, 0);
	end();
}

static CU_TestInfo tests[] = {
	SUITE_TEST(errors_since_the_change_trip_it),
	SUITE_TEST(what_is_allowed_passes),
	SUITE_TEST(slow_first_bytes_trip_it),
	SUITE_TEST(what_a_dead_dataplane_lost_says_nothing_of_the_policy),
	SUITE_TEST(a_watch_goes_on_in_the_next_process),
	SUITE_TEST(what_is_over_or_absurd_is_not_resumed),
	SUITE_TEST(without_rules_nothing_is_watched),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	return suite_run("guard", tests);
}
