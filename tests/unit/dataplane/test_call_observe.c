/* SPDX-License-Identifier: Apache-2.0 */
/* Observed policies: they go on as if enforced, refuse nothing, and count what they would have. */
#include "tests/unit/dataplane/policy_world.h"
#include "tests/unit/dataplane/suite.h"

static const struct call_request nobody = {0};

static struct policy_counters *counters(struct world *w)
{
	return &w->policy_counters[0][0];
}

static void end_all(struct world *w)
{
	for (uint32_t n = 0; n < WORLD_CALLS; n++)
		call_end(&w->engines[0], world_call(w, 0, n));
}

static void done(struct world *w)
{
	end_all(w);
	CU_ASSERT_TRUE(world_laws_hold(w, 0));
	CU_ASSERT_TRUE(world_words_are_live(w));
	CU_ASSERT_EQUAL(w->words.clusters[0].bulkhead.word, 0);
	CU_ASSERT_EQUAL(w->words.endpoints[0].in_flight, 0);
	CU_ASSERT_EQUAL(w->cluster_counters[0][0].rejected, 0);
	world_destroy(w);
}

static void fail(struct world *w, uint32_t number)
{
	CU_ASSERT_EQUAL(world_start(w, 0, number).next, CALL_SEND);
	call_failed(&w->engines[0], world_call(w, 0, number), REASON_UPSTREAM_RESET);
	call_end(&w->engines[0], world_call(w, 0, number));
}

static void breaker_opens_but_lets_calls_pass(void)
{
	struct world *w = world_simple(1);
	uint64_t opened;

	w->clusters[0].breaker = world_breaker(3);
	w->clusters[0].breaker.mode = MODE_OBSERVE;
	for (uint32_t n = 0; n < 3; n++)
		fail(w, n);
	opened = w->words.clusters[0].breaker;
	CU_ASSERT_EQUAL(breaker_unpack(opened).phase, BREAKER_OPEN);
	for (uint32_t n = 0; n < 5; n++)
		fail(w, n);
	CU_ASSERT_EQUAL(counters(w)->would_circuit_open, 5);
	/* What would have been refused feeds nothing. */
	CU_ASSERT_EQUAL(w->words.clusters[0].breaker, opened);
	CU_ASSERT_EQUAL(counters(w)->stale_verdicts, 0);
	world_later(w, 7501);
	fail(w, 0); /* the one probe it would have sent */
	CU_ASSERT_EQUAL(counters(w)->probes, 1);
	CU_ASSERT_EQUAL(breaker_unpack(w->words.clusters[0].breaker).trips, 1);
	done(w);
}

static void open_observed_breaker_forbids_no_retry_and_sends_no_waiter_away(void)
{
	struct world *w = world_simple(2);
	enum reason reason = REASON_NONE;

	w->clusters[0].breaker = world_breaker(1);
	w->clusters[0].breaker.mode = MODE_OBSERVE;
	w->clusters[0].retry = world_retry();
	w->clusters[0].bulkhead = world_bulkhead(1, 4);
	fail(w, 0);
	world_start(w, 0, 0);
	CU_ASSERT_EQUAL(world_start(w, 0, 1).next, CALL_WAIT);
	CU_ASSERT_PTR_NULL(call_next_refused(&w->engines[0], &reason));
	CU_ASSERT_EQUAL(call_attempt_failed(&w->engines[0], world_call(w, 0, 0), &nobody,
					    REASON_CONNECT_REFUSED)
				.next,
			CALL_BACK_OFF);
	call_end(&w->engines[0], world_call(w, 0, 1));
	done(w);
}

static void full_bulkhead_lets_calls_pass_without_permit(void)
{
	struct world *w = world_simple(1);

	w->clusters[0].bulkhead = world_bulkhead(2, 1);
	w->clusters[0].bulkhead.mode = MODE_OBSERVE;
	w->listeners[0].bulkhead = world_bulkhead(4, 0);
	w->listeners[0].bulkhead.mode = MODE_OBSERVE;
	for (uint32_t n = 0; n < 6; n++)
		CU_ASSERT_EQUAL(world_start(w, 0, n).next, CALL_SEND);
	CU_ASSERT_EQUAL(counters(w)->would_bulkhead, 4 + 2);
	CU_ASSERT_EQUAL(w->words.clusters[0].bulkhead.word, UINT64_C(2) << 32);
	CU_ASSERT_EQUAL(w->words.clusters[0].bulkhead.overshoot_max, 0);
	CU_ASSERT_EQUAL(w->words.listeners[0].bulkhead.word, UINT64_C(4) << 32);
	CU_ASSERT_TRUE(world_words_are_live(w));
	done(w);
}

static void source_share_and_endpoint_limits_refuse_nothing(void)
{
	struct world *w = world_simple(1);

	w->clusters[0].bulkhead = world_bulkhead(1, 0);
	w->clusters[0].bulkhead.mode = MODE_OBSERVE;
	w->clusters[0].bulkhead.scope = SCOPE_SOURCE;
	w->clusters[0].bulkhead.share = 500; /* 3 of 64 */
	w->clusters[0].endpoint_bulkhead = world_bulkhead(4, 0);
	w->clusters[0].endpoint_bulkhead.mode = MODE_OBSERVE;
	for (uint32_t n = 0; n < 5; n++)
		CU_ASSERT_EQUAL(world_start_as(w, 0, n, &nobody).next, CALL_SEND);
	CU_ASSERT_EQUAL(counters(w)->would_bulkhead, 2 + 4 + 1);
	done(w);
}

static void ejected_endpoint_is_still_used(void)
{
	struct world *w = world_simple(2);
	uint32_t used[2] = {0};

	w->clusters[0].outlier = world_outlier();
	w->clusters[0].outlier.breaker.mode = MODE_OBSERVE;
	for (uint32_t n = 0; n < 20; n++) {
		struct call_step step = world_start(w, 0, n);

		if (step.endpoint == 0)
			call_failed(&w->engines[0], world_call(w, 0, n), REASON_CONNECT_REFUSED);
		else
			call_succeeded(&w->engines[0], world_call(w, 0, n));
		call_end(&w->engines[0], world_call(w, 0, n));
		used[step.endpoint]++;
	}
	CU_ASSERT_EQUAL(counters(w)->ejections, 1);
	CU_ASSERT_EQUAL(w->words.clusters[0].ejected, 1);
	CU_ASSERT_EQUAL(used[0], 10);
	CU_ASSERT_EQUAL(counters(w)->would_eject, 5);
	done(w);
}

static void retry_is_counted_and_not_made(void)
{
	struct world *w = world_simple(2);

	w->clusters[0].retry = world_retry();
	w->clusters[0].retry.mode = MODE_OBSERVE;
	w->clusters[0].retry.minimum_per_second = 1;
	for (uint32_t n = 0; n < 15; n++) {
		world_start(w, 0, n);
		CU_ASSERT_EQUAL(call_attempt_failed(&w->engines[0], world_call(w, 0, n), &nobody,
						    REASON_CONNECT_REFUSED)
					.next,
				CALL_FAILED);
	}
	CU_ASSERT_EQUAL(counters(w)->would_retry, 10); /* as its budget goes */
	CU_ASSERT_EQUAL(counters(w)->retries, 0);
	CU_ASSERT_EQUAL(counters(w)->retry_no_budget, 0);
	done(w);
}

static void observed_while_calls_wait_lets_them_in(void)
{
	struct world *w = world_simple(1);

	w->clusters[0].bulkhead = world_bulkhead(1, 4);
	world_start(w, 0, 0);
	world_start(w, 0, 1);
	world_start(w, 0, 2);
	w->clusters[0].bulkhead.mode = MODE_OBSERVE;
	world_changed(w);
	for (uint32_t n = 1; n < 3; n++) {
		struct call *call = call_next_granted(&w->engines[0]);

		CU_ASSERT_PTR_EQUAL_FATAL(call, world_call(w, 0, n));
		CU_ASSERT_EQUAL(call_granted(&w->engines[0], call, &nobody).next, CALL_SEND);
	}
	done(w);
}

static CU_TestInfo tests[] = {
	SUITE_TEST(breaker_opens_but_lets_calls_pass),
	SUITE_TEST(open_observed_breaker_forbids_no_retry_and_sends_no_waiter_away),
	SUITE_TEST(full_bulkhead_lets_calls_pass_without_permit),
	SUITE_TEST(source_share_and_endpoint_limits_refuse_nothing),
	SUITE_TEST(ejected_endpoint_is_still_used),
	SUITE_TEST(retry_is_counted_and_not_made),
	SUITE_TEST(observed_while_calls_wait_lets_them_in),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	return suite_run("call_observe", tests);
}
