/* SPDX-License-Identifier: Apache-2.0 */
/* What a call's times count in the histograms of its cluster. */
#include "shm/histogram.h"

#include <string.h>

#include "tests/unit/dataplane/policy_world.h"
#include "tests/unit/dataplane/suite.h"

enum { BLOCKS = 64 };

static struct cluster_histograms clusters[WORLD_CLUSTERS];
static struct histogram_block pool[BLOCKS];
static const struct histograms histograms = {clusters, pool, BLOCKS};
static const struct call_request nobody;

static struct engine *engine(struct world *w)
{
	return &w->engines[0];
}

static struct world *world(void)
{
	struct world *w = world_simple(1);

	memset(clusters, 0, sizeof(clusters));
	memset(pool, 0, sizeof(pool));
	w->engines[0].state.histograms = histograms;
	return w;
}

static struct call *call_is_sent(struct world *w)
{
	CU_ASSERT_EQUAL_FATAL(world_start(w, 0, 0).next, CALL_SEND);
	return world_call(w, 0, 0);
}

static void connects(struct world *w, struct call *call, uint64_t ms)
{
	world_later(w, ms);
	call_connected(engine(w), call, ms * WORLD_MS);
}

/* The one value's milliseconds; 0: none, 99999: several. */
static uint64_t only_ms(const struct call *call, enum histogram_kind kind)
{
	struct histogram_sum sum = {0};

	histogram_add_to(&sum, &histograms, call->cluster, kind);
	if (sum.count > 1)
		return 99999;
	return sum.count == 0 ? 0 : sum.sum_us / 1000;
}

static void is_over(struct world *w, struct call *call)
{
	call_end(engine(w), call);
	world_destroy(w);
}

static void first_byte_leaves_the_clients_own_delay_out(void)
{
	struct world *w = world();
	struct call *call = call_is_sent(w);

	connects(w, call, 2);
	world_later(w, 300);
	call_requested(engine(w), call);
	world_later(w, 5);
	call_first_byte(engine(w), call);
	call_succeeded(engine(w), call);
	CU_ASSERT_EQUAL(only_ms(call, HISTOGRAM_CONNECT), 2);
	CU_ASSERT_EQUAL(only_ms(call, HISTOGRAM_FIRST_BYTE), 7);
	CU_ASSERT_EQUAL(only_ms(call, HISTOGRAM_QUEUE_WAIT), 0);
	is_over(w, call);
}

static void first_byte_of_who_speaks_first_counts_from_the_syn(void)
{
	struct world *w = world();
	struct call *call = call_is_sent(w);

	connects(w, call, 2);
	world_later(w, 40);
	call_first_byte(engine(w), call);
	CU_ASSERT_EQUAL(only_ms(call, HISTOGRAM_FIRST_BYTE), 42);
	is_over(w, call);
}

/* verdict_after has passed: a slow answer must not be missing from the statistics. */
static void first_byte_after_the_verdict_counts_from_the_request(void)
{
	struct world *w = world();
	struct call *call = call_is_sent(w);

	connects(w, call, 2);
	world_later(w, 1000);
	call_succeeded(engine(w), call);
	world_later(w, 9000);
	call_requested(engine(w), call);
	world_later(w, 1500);
	call_first_byte(engine(w), call);
	CU_ASSERT_EQUAL(only_ms(call, HISTOGRAM_FIRST_BYTE), 1502);
	is_over(w, call);
}

static struct call *waiting_call(struct world *w)
{
	struct call *first;

	w->clusters[0].bulkhead = (struct image_bulkhead){.mode = MODE_ENFORCE,
							  .max_concurrent = 1,
							  .max_queue = 1,
							  .queue_timeout_ms = 1000,
							  .scope = SCOPE_CLUSTER};
	first = call_is_sent(w);
	CU_ASSERT_EQUAL_FATAL(world_start(w, 0, 1).next, CALL_WAIT);
	world_later(w, 30);
	CU_ASSERT_EQUAL(only_ms(first, HISTOGRAM_QUEUE_WAIT), 0);
	return first;
}

static void wait_is_counted_when_the_call_is_sent(void)
{
	struct world *w = world();
	struct call *first = waiting_call(w), *second = world_call(w, 0, 1);

	call_end(engine(w), first);
	CU_ASSERT_PTR_EQUAL_FATAL(call_next_granted(engine(w)), second);
	CU_ASSERT_EQUAL_FATAL(call_granted(engine(w), second, &nobody).next, CALL_SEND);
	CU_ASSERT_EQUAL(only_ms(second, HISTOGRAM_QUEUE_WAIT), 30);
	world_later(w, 30);
	call_end(engine(w), second);
	CU_ASSERT_EQUAL(only_ms(second, HISTOGRAM_QUEUE_WAIT), 30);
	world_destroy(w);
}

static void wait_is_counted_when_the_call_gives_up(void)
{
	struct world *w = world();
	struct call *first = waiting_call(w), *second = world_call(w, 0, 1);

	world_later(w, 970);
	CU_ASSERT_EQUAL(call_expired(engine(w), second, &nobody).reason, REASON_QUEUE_TIMEOUT);
	CU_ASSERT_EQUAL(only_ms(second, HISTOGRAM_QUEUE_WAIT), 1000);
	call_end(engine(w), second);
	CU_ASSERT_EQUAL(only_ms(second, HISTOGRAM_QUEUE_WAIT), 1000);
	is_over(w, first);
}

static CU_TestInfo tests[] = {
	SUITE_TEST(first_byte_leaves_the_clients_own_delay_out),
	SUITE_TEST(first_byte_of_who_speaks_first_counts_from_the_syn),
	SUITE_TEST(first_byte_after_the_verdict_counts_from_the_request),
	SUITE_TEST(wait_is_counted_when_the_call_is_sent),
	SUITE_TEST(wait_is_counted_when_the_call_gives_up),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	return suite_run("call_histograms", tests);
}
