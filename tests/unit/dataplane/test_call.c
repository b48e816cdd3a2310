/* SPDX-License-Identifier: Apache-2.0 */
/* One call after the other: what is held and counted, which endpoint, which refusal. */
#include "dataplane/policy/bulkhead.h"
#include "tests/unit/dataplane/one_call.h"

static void success_is_counted_on_every_level(void)
{
	struct world *w = world_simple(1);
	struct call *call = world_call(w, 0, 0);

	CU_ASSERT_EQUAL(call_is_sent(w, 0), 0);
	CU_ASSERT_EQUAL(call->held, CALL_LISTENER_PERMIT | CALL_CLUSTER_PERMIT |
					    CALL_ENDPOINT_PERMIT | CALL_ATTEMPT);
	CU_ASSERT_EQUAL(w->words.endpoints[0].in_flight, 1);
	CU_ASSERT_EQUAL(w->words.clusters[0].attempts_in_flight, 1);
	CU_ASSERT_TRUE(world_laws_hold(w, 0));
	call_succeeded(&w->engines[0], call);
	CU_ASSERT_EQUAL(w->words.clusters[0].attempts_in_flight, 0);
	CU_ASSERT_EQUAL(w->words.endpoints[0].in_flight, 1); /* until the connection is over */
	call_end(&w->engines[0], call);
	CU_ASSERT_EQUAL(w->words.endpoints[0].in_flight, 0);
	CU_ASSERT_EQUAL(w->listener_counters[0][0].calls.succeeded, 1);
	CU_ASSERT_EQUAL(w->cluster_counters[0][0].succeeded, 1);
	CU_ASSERT_EQUAL(w->endpoint_counters[0][0].succeeded, 1);
	CU_ASSERT_EQUAL(counters(w)->attempts, 1);
	nothing_is_left(w);
}

static void second_verdict_and_second_end_do_nothing(void)
{
	struct world *w = world_simple(1);
	struct engine *e = &w->engines[0];
	struct call *call = world_call(w, 0, 0);

	call_is_sent(w, 0);
	call_failed(e, call, REASON_UPSTREAM_RESET);
	call_succeeded(e, call);
	call_cancelled(e, call);
	call_end(e, call);
	call_end(e, call);
	CU_ASSERT_EQUAL(w->cluster_counters[0][0].failed, 1);
	CU_ASSERT_EQUAL(w->cluster_counters[0][0].succeeded, 0);
	CU_ASSERT_EQUAL(w->cluster_counters[0][0].cancelled, 0);
	CU_ASSERT_EQUAL(w->listener_counters[0][0].failed[REASON_UPSTREAM_RESET], 1);
	CU_ASSERT_EQUAL(counters(w)->attempt_failures, 1);
	nothing_is_left(w);
}

static void end_without_verdict_is_cancelled_and_neutral(void)
{
	struct world *w = world_simple(2);

	w->clusters[0].breaker = world_breaker(1);
	w->clusters[0].outlier = world_outlier();
	w->clusters[0].outlier.breaker.consecutive_failures = 1;
	call_is_sent(w, 0);
	call_end(&w->engines[0], world_call(w, 0, 0));
	CU_ASSERT_EQUAL(w->cluster_counters[0][0].cancelled, 1);
	CU_ASSERT_EQUAL(w->endpoint_counters[0][0].cancelled, 1);
	CU_ASSERT_EQUAL(w->words.clusters[0].recorded, 0);
	CU_ASSERT_EQUAL(w->words.endpoints[0].recorded, 0);
	nothing_is_left(w);
}

static void draining_refuses_new_calls_and_lets_others_be(void)
{
	struct world *w = world_simple(1);
	struct engine *e = &w->engines[0];

	call_is_sent(w, 0);
	e->draining = 1;
	call_is_refused(w, 1, REASON_DRAINING);
	call_succeeded(e, world_call(w, 0, 0));
	call_end(e, world_call(w, 0, 0));
	e->draining = 0;
	call_is_sent(w, 2);
	call_end(e, world_call(w, 0, 2));
	nothing_is_left(w);
}

static void unsendable_attempt_is_rejected_without_verdict(void)
{
	struct world *w = world_simple(2);

	w->clusters[0].breaker = world_breaker(1);
	w->clusters[0].retry = world_retry();
	call_is_sent(w, 0);
	call_not_sent(&w->engines[0], world_call(w, 0, 0), REASON_NO_PORT);
	CU_ASSERT_EQUAL(counters(w)->rejected[REASON_NO_PORT], 1);
	CU_ASSERT_EQUAL(w->endpoint_counters[0][0].rejected, 1);
	CU_ASSERT_EQUAL(w->words.clusters[0].recorded, 0);
	CU_ASSERT_EQUAL(w->words.clusters[0].budget.calls, 0);
	CU_ASSERT_EQUAL(world_call(w, 0, 0)->held, 0);
	nothing_is_left(w);
}

static void cluster_without_usable_endpoint_rejects(void)
{
	struct world *w = world_simple(0);

	call_is_refused(w, 0, REASON_NO_ENDPOINT);
	CU_ASSERT_EQUAL(w->cluster_counters[0][0].rejected, 1);
	nothing_is_left(w);

	w = world_simple(1);
	w->words.endpoints[0].admin = admin_pack((struct admin_word){.drained = 1});
	call_is_refused(w, 0, REASON_NO_ENDPOINT);
	nothing_is_left(w);
}

static void limit_without_queue_refuses(void)
{
	struct world *w = world_simple(1);

	w->clusters[0].bulkhead = world_bulkhead(2, 0);
	call_is_sent(w, 0);
	call_is_sent(w, 1);
	call_is_refused(w, 2, REASON_BULKHEAD_FULL);
	call_end(&w->engines[0], world_call(w, 0, 0));
	call_is_sent(w, 2);
	call_end(&w->engines[0], world_call(w, 0, 1));
	call_end(&w->engines[0], world_call(w, 0, 2));
	nothing_is_left(w);
}

static void listener_limit_comes_before_the_cluster(void)
{
	struct world *w = world_simple(1);

	w->listeners[0].bulkhead = world_bulkhead(1, 0);
	w->clusters[0].breaker = world_breaker(1);
	call_is_sent(w, 0);
	w->words.clusters[0].admin = admin_pack((struct admin_word){.override = OVERRIDE_OPEN});
	call_is_refused(w, 1, REASON_BULKHEAD_FULL);
	call_end(&w->engines[0], world_call(w, 0, 0));
	call_is_refused(w, 1, REASON_CIRCUIT_OPEN);
	nothing_is_left(w);
}

static void source_limit_is_each_clients(void)
{
	struct world *w = world_simple(1);
	struct call_request a = {.source = 7}, b = {.source = 8};

	w->clusters[0].bulkhead = world_bulkhead(1, 0);
	w->clusters[0].bulkhead.scope = SCOPE_SOURCE;
	CU_ASSERT_EQUAL(world_start_as(w, 0, 0, &a).next, CALL_SEND);
	CU_ASSERT_EQUAL(world_start_as(w, 0, 1, &a).reason, REASON_BULKHEAD_FULL);
	CU_ASSERT_EQUAL(world_start_as(w, 0, 2, &b).next, CALL_SEND);
	CU_ASSERT_TRUE(world_words_are_live(w));
	call_end(&w->engines[0], world_call(w, 0, 0));
	CU_ASSERT_EQUAL(world_start_as(w, 0, 1, &a).next, CALL_SEND);
	call_end(&w->engines[0], world_call(w, 0, 1));
	call_end(&w->engines[0], world_call(w, 0, 2));
	nothing_is_left(w);
}

static void source_limit_is_each_clusters(void)
{
	struct world *w = world_create(1, 1);
	struct call_request r = {.source = 7};

	for (uint16_t i = 0; i < 2; i++) {
		world_cluster(w, 1)->bulkhead = world_bulkhead(1, 0);
		w->clusters[i].bulkhead.scope = SCOPE_SOURCE;
		world_listener(w, i);
		r.listener = i;
		CU_ASSERT_EQUAL(world_start_as(w, 0, i, &r).next, CALL_SEND);
	}
	for (uint32_t n = 0; n < 2; n++)
		call_end(&w->engines[0], world_call(w, 0, n));
	nothing_is_left(w);
}

static void share_bounds_a_clusters_entries(void)
{
	struct world *w = world_simple(1);

	w->clusters[0].bulkhead = (struct image_bulkhead){.mode = MODE_ENFORCE, .share = 500};
	for (uint32_t n = 0; n < WORLD_CALLS * 5 / 100; n++)
		call_is_sent(w, n);
	call_is_refused(w, 10, REASON_OVERLOAD);
	for (uint32_t n = 0; n < WORLD_CALLS * 5 / 100; n++)
		call_end(&w->engines[0], world_call(w, 0, n));
	nothing_is_left(w);
}

static void breaker_opens_refuses_probes_and_closes(void)
{
	struct world *w = world_simple(1);
	struct image_breaker *rules = &w->clusters[0].breaker;

	*rules = world_breaker(5);
	for (uint32_t n = 0; n < 5; n++)
		fail(w, n);
	CU_ASSERT_EQUAL(counters(w)->breaker_opened, 1);
	call_is_refused(w, 5, REASON_CIRCUIT_OPEN);
	world_later(w, 7501); /* 5 s and 50 % of jitter */
	for (uint32_t n = 0; n < 3; n++)
		call_is_sent(w, n);
	CU_ASSERT_EQUAL(counters(w)->probes, 3);
	call_is_refused(w, 3, REASON_HALF_OPEN_FULL);
	CU_ASSERT_TRUE(world_words_are_live(w));
	for (uint32_t n = 0; n < 3; n++) {
		call_succeeded(&w->engines[0], world_call(w, 0, n));
		call_end(&w->engines[0], world_call(w, 0, n));
	}
	CU_ASSERT_EQUAL(breaker_unpack(w->words.clusters[0].breaker).phase, BREAKER_CLOSED);
	CU_ASSERT_EQUAL(w->words.clusters[0].ramp_ns, w->now_ns);
	succeed(w, 0);
	nothing_is_left(w);
}

static void cancelled_probe_returns_its_slot(void)
{
	struct world *w = world_simple(1);

	w->clusters[0].breaker = world_breaker(1);
	fail(w, 0);
	world_later(w, 7501);
	for (uint32_t n = 0; n < 3; n++)
		call_is_sent(w, n);
	call_end(&w->engines[0], world_call(w, 0, 1));
	call_is_sent(w, 3);
	call_is_refused(w, 1, REASON_HALF_OPEN_FULL);
	for (uint32_t n = 0; n < 4; n++)
		call_end(&w->engines[0], world_call(w, 0, n));
	CU_ASSERT_EQUAL(breaker_unpack(w->words.clusters[0].breaker).active, 0);
	nothing_is_left(w);
}

static void late_verdict_of_an_earlier_epoch_changes_nothing(void)
{
	struct world *w = world_simple(1);
	uint64_t opened;

	w->clusters[0].breaker = world_breaker(1);
	call_is_sent(w, 0);
	fail(w, 1);
	opened = w->words.clusters[0].breaker;
	call_succeeded(&w->engines[0], world_call(w, 0, 0));
	call_end(&w->engines[0], world_call(w, 0, 0));
	CU_ASSERT_EQUAL(w->words.clusters[0].breaker, opened);
	CU_ASSERT_EQUAL(counters(w)->stale_verdicts, 1);
	nothing_is_left(w);
}

static void refusals_feed_no_breaker(void)
{
	struct world *w = world_simple(1);

	w->clusters[0].breaker = world_breaker(1);
	w->clusters[0].bulkhead = world_bulkhead(1, 0);
	call_is_sent(w, 0);
	for (uint32_t n = 1; n < 30; n++)
		call_is_refused(w, n, REASON_BULKHEAD_FULL);
	CU_ASSERT_EQUAL(w->words.clusters[0].breaker, 0);
	CU_ASSERT_EQUAL(w->words.clusters[0].recorded, 0);
	call_end(&w->engines[0], world_call(w, 0, 0));
	nothing_is_left(w);
}

static void operators_open_and_closed_override_the_breaker(void)
{
	struct world *w = world_simple(1);
	uint64_t *admin = &w->words.clusters[0].admin;

	*admin = admin_pack((struct admin_word){.override = OVERRIDE_OPEN});
	call_is_refused(w, 0, REASON_CIRCUIT_OPEN); /* without a block too */
	w->clusters[0].breaker = world_breaker(1);
	*admin = admin_pack((struct admin_word){.override = OVERRIDE_CLOSED});
	fail(w, 0);
	fail(w, 1);
	CU_ASSERT_EQUAL(w->words.clusters[0].breaker, 0);
	*admin = 0;
	fail(w, 0);
	call_is_refused(w, 1, REASON_CIRCUIT_OPEN);
	*admin = admin_pack((struct admin_word){.override = OVERRIDE_CLOSED});
	succeed(w, 1);
	nothing_is_left(w);
}

static void slow_verdicts_trip(void)
{
	struct world *w = world_simple(1);

	w->clusters[0].breaker = world_breaker(0);
	w->clusters[0].breaker.slow_us = 10000;
	for (uint32_t n = 0; n < 20; n++) {
		call_is_sent(w, n);
		world_later(w, n % 2 ? 10 : 11);
		call_succeeded(&w->engines[0], world_call(w, 0, n));
		call_end(&w->engines[0], world_call(w, 0, n));
	}
	CU_ASSERT_EQUAL(counters(w)->slow_calls, 20);
	call_is_refused(w, 0, REASON_CIRCUIT_OPEN);
	nothing_is_left(w);
}

static void silence_after_the_handshake_is_not_slow(void)
{
	struct world *w = world_simple(1);

	w->clusters[0].breaker = world_breaker(0);
	w->clusters[0].breaker.slow_us = 10000;
	call_is_sent(w, 0);
	world_later(w, 2);
	call_connected(&w->engines[0], world_call(w, 0, 0), 2 * WORLD_MS);
	world_later(w, w->clusters[0].timeouts.verdict_after_ms);
	call_succeeded(&w->engines[0], world_call(w, 0, 0));
	call_end(&w->engines[0], world_call(w, 0, 0));
	CU_ASSERT_EQUAL(counters(w)->slow_calls, 0);
	nothing_is_left(w);
}

static void edges_are_events(void)
{
	struct world *w = world_simple(2);

	w->clusters[0].breaker = world_breaker(1);
	fail(w, 0);
	world_later(w, 7501);
	for (uint32_t n = 0; n < 3; n++)
		succeed(w, n);
	CU_ASSERT_EQUAL(world_events(w, EVENT_BREAKER_OPENED), 1);
	CU_ASSERT_EQUAL(world_events(w, EVENT_BREAKER_HALF_OPEN), 1);
	CU_ASSERT_EQUAL(world_events(w, EVENT_BREAKER_CLOSED), 1);
	nothing_is_left(w);
}

/* The only endpoint is never ejected: without a bound its failures would flood the ring. */
static void refused_ejections_are_one_event_a_second(void)
{
	struct world *w = world_simple(1);

	w->clusters[0].outlier = world_outlier();
	w->clusters[0].outlier.breaker.consecutive_failures = 1;
	for (uint32_t n = 0; n < 30; n++) {
		fail(w, n);
		world_later(w, 100);
	}
	CU_ASSERT_EQUAL(counters(w)->ejections_overflow, 30);
	CU_ASSERT_EQUAL(world_events(w, EVENT_EJECTION_REFUSED), 3);
	world_at(w, 5 * (uint64_t)WORLD_MS); /* the clock stepped back */
	fail(w, 30);
	CU_ASSERT_EQUAL(world_events(w, EVENT_EJECTION_REFUSED), 4);
	nothing_is_left(w);
}

static void call_ends_after_its_cluster_and_listener_left(void)
{
	struct world *w = world_simple(1);

	w->clusters[0].breaker = world_breaker(1);
	w->clusters[0].bulkhead = world_bulkhead(1, 0);
	call_is_sent(w, 0);
	w->cluster_at[0] = w->listener_at[0] = VIEW_NONE;
	world_changed(w);
	call_failed(&w->engines[0], world_call(w, 0, 0), REASON_CONNECT_REFUSED);
	call_end(&w->engines[0], world_call(w, 0, 0));
	CU_ASSERT_EQUAL(w->words.clusters[0].breaker, 0);
	CU_ASSERT_EQUAL(w->cluster_counters[0][0].failed, 1);
	nothing_is_left(w);
}

static void request_timeout_of_an_attempt_trips_both_breakers(void)
{
	struct world *w = world_simple(2);
	struct call *call = world_call(w, 0, 0);
	struct call_step step;

	w->clusters[0].breaker = world_breaker(1);
	w->clusters[0].outlier = world_outlier();
	w->clusters[0].outlier.breaker.consecutive_failures = 1;
	w->clusters[0].retry = world_retry();
	call_is_sent(w, 0);
	world_later(w, 15000);
	step = call_attempt_failed(&w->engines[0], call, &nobody, REASON_REQUEST_TIMEOUT);
	CU_ASSERT_EQUAL(step.next, CALL_FAILED);
	CU_ASSERT_EQUAL(step.reason, REASON_REQUEST_TIMEOUT);
	CU_ASSERT_EQUAL(counters(w)->breaker_opened, 1);
	CU_ASSERT_EQUAL(counters(w)->ejections, 1);
	CU_ASSERT_EQUAL(call->held, CALL_LISTENER_PERMIT | CALL_CLUSTER_PERMIT);
	call_end(&w->engines[0], call);
	nothing_is_left(w);
}

static CU_TestInfo tests[] = {
	SUITE_TEST(success_is_counted_on_every_level),
	SUITE_TEST(second_verdict_and_second_end_do_nothing),
	SUITE_TEST(end_without_verdict_is_cancelled_and_neutral),
	SUITE_TEST(draining_refuses_new_calls_and_lets_others_be),
	SUITE_TEST(unsendable_attempt_is_rejected_without_verdict),
	SUITE_TEST(cluster_without_usable_endpoint_rejects),
	SUITE_TEST(limit_without_queue_refuses),
	SUITE_TEST(listener_limit_comes_before_the_cluster),
	SUITE_TEST(source_limit_is_each_clients),
	SUITE_TEST(source_limit_is_each_clusters),
	SUITE_TEST(share_bounds_a_clusters_entries),
	SUITE_TEST(breaker_opens_refuses_probes_and_closes),
	SUITE_TEST(cancelled_probe_returns_its_slot),
	SUITE_TEST(late_verdict_of_an_earlier_epoch_changes_nothing),
	SUITE_TEST(refusals_feed_no_breaker),
	SUITE_TEST(operators_open_and_closed_override_the_breaker),
	SUITE_TEST(slow_verdicts_trip),
	SUITE_TEST(silence_after_the_handshake_is_not_slow),
	SUITE_TEST(edges_are_events),
	SUITE_TEST(refused_ejections_are_one_event_a_second),
	SUITE_TEST(call_ends_after_its_cluster_and_listener_left),
	SUITE_TEST(request_timeout_of_an_attempt_trips_both_breakers),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	return suite_run("call", tests);
}
