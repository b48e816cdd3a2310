/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for an endpoint: permits of the cluster are free, those of its endpoints are not. */
#include "tests/unit/dataplane/queue_world.h"

static void all_endpoints_full_means_the_clusters_queue(void)
{
	struct world *w = limited(1, 10, 10);
	struct call_step step;

	w->clusters[0].endpoint_bulkhead = world_bulkhead(1, 0);
	world_start(w, 0, 0);
	world_start(w, 0, 1);
	CU_ASSERT_EQUAL(world_start(w, 0, 2).next, CALL_WAIT);
	CU_ASSERT_EQUAL(world_call(w, 0, 2)->held, CALL_LISTENER_PERMIT | CALL_CLUSTER_QUEUED);
	CU_ASSERT_EQUAL(world_start(w, 0, 3).next, CALL_WAIT); /* behind it, permits or not */
	CU_ASSERT_EQUAL(next_sent(w, 0), -1);
	CU_ASSERT_TRUE(world_words_are_live(w));
	end(w, 0, 0);
	CU_ASSERT_EQUAL(next_sent(w, 0), 2);
	CU_ASSERT_EQUAL(next_sent(w, 0), -1);
	/* The endpoint's permit alone comes free: the failed call keeps the cluster's. */
	step = call_attempt_failed(&w->engines[0], world_call(w, 0, 1), &nobody,
				   REASON_CONNECT_REFUSED);
	CU_ASSERT_EQUAL(step.next, CALL_FAILED);
	CU_ASSERT_EQUAL(next_sent(w, 0), 3);
	CU_ASSERT_TRUE(world_words_are_live(w));
	done(w);
}

/* Nothing is released then: the next newcomer finds out, and all that fit go, in order. */
static void endpoint_that_becomes_usable_serves_the_queue(void)
{
	struct world *w = limited(2, 10, 10);

	w->clusters[0].endpoint_bulkhead = world_bulkhead(3, 0);
	w->clusters[0].health.type = HEALTH_TCP;
	w->clusters[0].health.mode = MODE_ENFORCE;
	w->words.endpoints[1].admin = admin_pack((struct admin_word){.health = HEALTH_UNHEALTHY});
	for (uint32_t n = 0; n < 3; n++)
		CU_ASSERT_EQUAL(world_start(w, 0, n).endpoint, 0);
	CU_ASSERT_EQUAL(world_start(w, 0, 3).next, CALL_WAIT);
	CU_ASSERT_EQUAL(world_start(w, 1, 4).next, CALL_WAIT);
	CU_ASSERT_EQUAL(next_sent(w, 0), -1);
	w->words.endpoints[1].admin = admin_pack((struct admin_word){.health = HEALTH_HEALTHY});
	CU_ASSERT_EQUAL(world_start(w, 0, 5).next, CALL_WAIT);
	CU_ASSERT_EQUAL(next_sent(w, 0), 3);
	CU_ASSERT_EQUAL(next_sent(w, 0), -1);
	CU_ASSERT_EQUAL(next_sent(w, 1), 4);
	CU_ASSERT_EQUAL(next_sent(w, 0), 5);
	CU_ASSERT_EQUAL(world_start(w, 0, 6).next, CALL_WAIT);
	CU_ASSERT_EQUAL(next_sent(w, 0), -1);
	CU_ASSERT_TRUE(world_words_are_live(w));
	done(w);
}

/* Ejected and not probed, it would never come back while callers wait for it. */
static void endpoint_whose_ejection_is_over_is_probed_by_the_queue(void)
{
	struct world *w = limited(1, 10, 10);

	w->clusters[0].endpoint_bulkhead = world_bulkhead(1, 0);
	w->clusters[0].outlier = world_outlier();
	w->words.clusters[0].ejected = 1;
	w->words.endpoints[1].breaker = breaker_pack(
		(struct breaker_word){.phase = BREAKER_OPEN,
				      .epoch = 1,
				      .until_ms = state_ms(w->now_ns + 500 * WORLD_MS)});
	world_start(w, 0, 0);
	CU_ASSERT_EQUAL(world_start(w, 0, 1).next, CALL_WAIT);
	CU_ASSERT_EQUAL(next_sent(w, 0), -1);
	world_later(w, 500);
	CU_ASSERT_EQUAL(world_start(w, 0, 2).next, CALL_WAIT);
	CU_ASSERT_EQUAL(next_sent(w, 0), 1);
	CU_ASSERT_TRUE(world_call(w, 0, 1)->held & CALL_ENDPOINT_PROBE);
	CU_ASSERT_EQUAL(next_sent(w, 0), -1);
	done(w);
}

static void queueing_again_does_not_prolong_the_wait(void)
{
	struct world *w = limited(1, 10, 4);
	struct call_step step;
	uint64_t until_ns;
	struct call *call;

	w->listeners[0].bulkhead = world_bulkhead(3, 4);
	w->clusters[0].endpoint_bulkhead = world_bulkhead(1, 0);
	for (uint32_t n = 0; n < 2; n++)
		world_start(w, 0, n);
	world_later(w, 100);
	step = world_start(w, 0, 2);
	until_ns = w->now_ns + 1000 * (uint64_t)WORLD_MS;
	CU_ASSERT_EQUAL(step.wake_ns, until_ns);
	world_start(w, 0, 3); /* in the listener's queue */
	world_later(w, 600);
	w->words.endpoints[0].admin = admin_pack((struct admin_word){.drained = 1});
	end(w, 0, 0);
	call = call_next_granted(&w->engines[0]);
	CU_ASSERT_PTR_EQUAL_FATAL(call, world_call(w, 0, 3));
	step = call_granted(&w->engines[0], call, &nobody);
	CU_ASSERT_EQUAL(step.wake_ns, w->now_ns + 1000 * (uint64_t)WORLD_MS); /* another queue */
	call = call_next_granted(&w->engines[0]);
	CU_ASSERT_PTR_EQUAL_FATAL(call, world_call(w, 0, 2));
	step = call_granted(&w->engines[0], call, &nobody);
	CU_ASSERT_EQUAL(step.next, CALL_WAIT);
	CU_ASSERT_EQUAL(step.wake_ns, until_ns);
	done(w);
}

static void queue_for_endpoints_is_bounded_too(void)
{
	struct world *w = limited(1, 10, 1);

	w->clusters[0].endpoint_bulkhead = world_bulkhead(1, 0);
	world_start(w, 0, 0);
	world_start(w, 0, 1);
	CU_ASSERT_EQUAL(world_start(w, 0, 2).next, CALL_WAIT);
	CU_ASSERT_EQUAL(world_start(w, 0, 3).reason, REASON_QUEUE_FULL);
	/* A newcomer may take the endpoint before call 2 has its turn, and another its place. */
	end(w, 0, 0);
	CU_ASSERT_EQUAL(world_start(w, 0, 3).next, CALL_SEND);
	CU_ASSERT_EQUAL(world_start(w, 0, 4).next, CALL_WAIT);
	CU_ASSERT_EQUAL(next_sent(w, 0), -2);
	CU_ASSERT_EQUAL(counters(w)->rejected[REASON_QUEUE_FULL], 2);
	CU_ASSERT_EQUAL(next_sent(w, 0), -2); /* its permit went to call 4, which waits again */
	CU_ASSERT_TRUE(world_call(w, 0, 4)->held & CALL_CLUSTER_QUEUED);
	CU_ASSERT_TRUE(world_words_are_live(w));
	done(w);
}

/* Calls that an observed bulkhead let through hold no permit of the one now enforced. */
static void endpoint_freed_by_a_call_without_permit_wakes_a_waiter(void)
{
	struct world *w = limited(1, 1, 4);

	w->clusters[0].bulkhead.mode = MODE_OBSERVE;
	w->clusters[0].endpoint_bulkhead = world_bulkhead(1, 0);
	world_start(w, 0, 0);
	world_start(w, 0, 1);
	CU_ASSERT_EQUAL(world_call(w, 0, 1)->held & CALL_CLUSTER_PERMIT, 0);
	w->clusters[0].bulkhead.mode = MODE_ENFORCE;
	w->clusters[0].bulkhead.max_concurrent = 2;
	world_changed(w);
	CU_ASSERT_EQUAL(world_start(w, 0, 2).next, CALL_WAIT);
	end(w, 0, 1);
	CU_ASSERT_EQUAL(next_sent(w, 0), 2);
	done(w);
}

static CU_TestInfo tests[] = {
	SUITE_TEST(all_endpoints_full_means_the_clusters_queue),
	SUITE_TEST(endpoint_that_becomes_usable_serves_the_queue),
	SUITE_TEST(endpoint_whose_ejection_is_over_is_probed_by_the_queue),
	SUITE_TEST(queueing_again_does_not_prolong_the_wait),
	SUITE_TEST(queue_for_endpoints_is_bounded_too),
	SUITE_TEST(endpoint_freed_by_a_call_without_permit_wakes_a_waiter),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	return suite_run("call_queue_endpoints", tests);
}
