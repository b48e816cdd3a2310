/* SPDX-License-Identifier: Apache-2.0 */
/* Retries: which failures, when, where, what refuses them, and what they hold meanwhile. */
#include "dataplane/policy/budget.h"
#include "tests/unit/dataplane/policy_world.h"
#include "tests/unit/dataplane/suite.h"

static const struct call_request nobody = {0};

static struct policy_counters *counters(struct world *w)
{
	return &w->policy_counters[0][0];
}

static struct world *retrying(uint32_t endpoints)
{
	struct world *w = world_simple(endpoints);

	w->clusters[0].retry = world_retry();
	return w;
}

static struct call_step fails(struct world *w, uint32_t number, enum reason reason)
{
	return call_attempt_failed(&w->engines[0], world_call(w, 0, number), &nobody, reason);
}

static struct call_step again(struct world *w, uint32_t number, struct call_step step)
{
	world_at(w, step.wake_ns);
	return call_expired(&w->engines[0], world_call(w, 0, number), &nobody);
}

static void done(struct world *w)
{
	for (uint32_t n = 0; n < WORLD_CALLS; n++)
		call_end(&w->engines[0], world_call(w, 0, n));
	CU_ASSERT_TRUE(world_laws_hold(w, 0));
	CU_ASSERT_TRUE(world_words_are_live(w));
	CU_ASSERT_EQUAL(w->words.clusters[0].retries_in_flight, 0);
	CU_ASSERT_EQUAL(w->words.clusters[0].attempts_in_flight, 0);
	CU_ASSERT_EQUAL(w->words.clusters[0].bulkhead.word, 0);
	world_destroy(w);
}

static void only_named_reasons_are_retried(void)
{
	static const struct {
		uint8_t on;
		enum reason reason;
		enum call_next next;
	} rows[] = {
		{RETRY_ON_CONNECT_FAILURE, REASON_CONNECT_REFUSED, CALL_BACK_OFF},
		{RETRY_ON_CONNECT_FAILURE, REASON_UPSTREAM_UNREACHABLE, CALL_BACK_OFF},
		{RETRY_ON_CONNECT_FAILURE, REASON_CONNECT_TIMEOUT, CALL_FAILED},
		{RETRY_ON_CONNECT_TIMEOUT, REASON_CONNECT_TIMEOUT, CALL_BACK_OFF},
		{RETRY_ON_CONNECT_TIMEOUT, REASON_CONNECT_REFUSED, CALL_FAILED},
		{3, REASON_REQUEST_TIMEOUT, CALL_FAILED},
		{3, REASON_UPSTREAM_RESET, CALL_FAILED},
		{0, REASON_CONNECT_REFUSED, CALL_FAILED},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world *w = retrying(2);

		w->clusters[0].retry.on = rows[i].on;
		world_start(w, 0, 0);
		CU_ASSERT_EQUAL(fails(w, 0, rows[i].reason).next, rows[i].next);
		done(w);
	}
}

static void retry_goes_to_an_endpoint_not_yet_tried(void)
{
	struct world *w = retrying(3);
	uint32_t used = 0;
	struct call_step step;

	w->clusters[0].algorithm = LB_RANDOM;
	step = world_start(w, 0, 0);
	for (uint32_t attempt = 1; attempt < 3; attempt++) {
		used |= 1u << step.endpoint;
		step = fails(w, 0, REASON_CONNECT_REFUSED);
		CU_ASSERT_EQUAL_FATAL(step.next, CALL_BACK_OFF);
		/* base 25 ms, doubled, without jitter */
		CU_ASSERT_EQUAL(step.wake_ns - w->now_ns, UINT64_C(25) * attempt * WORLD_MS);
		step = again(w, 0, step);
		CU_ASSERT_EQUAL_FATAL(step.next, CALL_SEND);
		CU_ASSERT_FALSE(used >> step.endpoint & 1);
	}
	step = fails(w, 0, REASON_CONNECT_TIMEOUT);
	CU_ASSERT_EQUAL(step.next, CALL_FAILED);
	CU_ASSERT_EQUAL(step.reason, REASON_CONNECT_TIMEOUT);
	CU_ASSERT_EQUAL(counters(w)->retry_limit, 1);
	CU_ASSERT_EQUAL(counters(w)->attempts, 3);
	CU_ASSERT_EQUAL(counters(w)->retries, 2);
	CU_ASSERT_EQUAL(counters(w)->attempt_failures, 3);
	CU_ASSERT_EQUAL(w->cluster_counters[0][0].failed, 1);
	done(w);
}

static void tried_endpoints_serve_when_there_is_no_other(void)
{
	struct world *w = retrying(1);
	struct call_step step;

	world_start(w, 0, 0);
	step = again(w, 0, fails(w, 0, REASON_CONNECT_REFUSED));
	CU_ASSERT_EQUAL(step.next, CALL_SEND);
	call_succeeded(&w->engines[0], world_call(w, 0, 0));
	CU_ASSERT_EQUAL(counters(w)->retry_success, 1);
	CU_ASSERT_EQUAL(w->cluster_counters[0][0].succeeded, 1);
	done(w);
}

static void back_off_holds_cluster_and_listener_permits_alone(void)
{
	struct world *w = retrying(2);
	struct call_step step;

	world_start(w, 0, 0);
	step = fails(w, 0, REASON_CONNECT_REFUSED);
	CU_ASSERT_EQUAL(world_call(w, 0, 0)->held, CALL_LISTENER_PERMIT | CALL_CLUSTER_PERMIT);
	CU_ASSERT_EQUAL(w->words.endpoints[0].in_flight + w->words.endpoints[1].in_flight, 0);
	CU_ASSERT_EQUAL(w->words.clusters[0].attempts_in_flight, 0);
	CU_ASSERT_TRUE(world_laws_hold(w, 0));
	again(w, 0, step);
	CU_ASSERT_TRUE(world_call(w, 0, 0)->held & CALL_RETRY_ON_WIRE);
	CU_ASSERT_EQUAL(w->words.clusters[0].retries_in_flight, 1);
	CU_ASSERT_TRUE(world_words_are_live(w));
	done(w);
}

static void cluster_breaker_is_fed_once_a_call(void)
{
	struct world *w = retrying(2);
	struct call_step step;

	w->clusters[0].breaker = world_breaker(0);
	step = world_start(w, 0, 0);
	for (uint32_t attempt = 0; attempt < 2; attempt++)
		step = again(w, 0, fails(w, 0, REASON_CONNECT_REFUSED));
	CU_ASSERT_EQUAL(step.next, CALL_SEND);
	CU_ASSERT_EQUAL(w->words.clusters[0].recorded & 0xffffffffffff, 0);
	fails(w, 0, REASON_CONNECT_REFUSED);
	CU_ASSERT_EQUAL(w->words.clusters[0].recorded & 0xffffffffffff, 1);
	done(w);
}

static void open_breaker_refuses_retries(void)
{
	struct world *w = retrying(2);
	const uint64_t open = breaker_pack((struct breaker_word){
		.phase = BREAKER_OPEN, .epoch = 1, .until_ms = state_ms(w->now_ns) + 5000});
	struct call_step step;

	w->clusters[0].breaker = world_breaker(0);
	world_start(w, 0, 0);
	world_start(w, 0, 1);
	step = fails(w, 0, REASON_CONNECT_REFUSED);
	w->words.clusters[0].breaker = open;
	step = again(w, 0, step); /* it opened during the back-off */
	CU_ASSERT_EQUAL(step.next, CALL_FAILED);
	CU_ASSERT_EQUAL(step.reason, REASON_CONNECT_REFUSED);
	CU_ASSERT_EQUAL(fails(w, 1, REASON_CONNECT_TIMEOUT).next, CALL_FAILED);
	CU_ASSERT_EQUAL(counters(w)->retry_breaker, 2);
	done(w);
}

static void cluster_probe_is_not_retried_but_an_endpoint_probe_is(void)
{
	struct world *w = retrying(2);
	const uint64_t half_open = breaker_pack((struct breaker_word){
		.phase = BREAKER_HALF_OPEN, .epoch = 1, .until_ms = state_ms(w->now_ns) + 9000});

	w->clusters[0].breaker = world_breaker(0);
	w->words.clusters[0].breaker = half_open;
	world_start(w, 0, 0);
	CU_ASSERT_EQUAL(fails(w, 0, REASON_CONNECT_REFUSED).next, CALL_FAILED);
	CU_ASSERT_EQUAL(counters(w)->retry_breaker, 1);
	CU_ASSERT_EQUAL(breaker_unpack(w->words.clusters[0].breaker).phase, BREAKER_OPEN);
	done(w);

	/* Other probes have closed it meanwhile: it was one all the same. */
	w = retrying(2);
	w->clusters[0].breaker = world_breaker(0);
	w->words.clusters[0].breaker = half_open;
	world_start(w, 0, 0);
	w->words.clusters[0].breaker = breaker_pack((struct breaker_word){.epoch = 2});
	CU_ASSERT_EQUAL(fails(w, 0, REASON_CONNECT_REFUSED).next, CALL_FAILED);
	CU_ASSERT_EQUAL(counters(w)->retry_breaker, 1);
	done(w);

	w = retrying(2);
	w->clusters[0].outlier = world_outlier();
	w->words.endpoints[0].breaker = w->words.endpoints[1].breaker = half_open;
	w->words.clusters[0].ejected = 2;
	world_start(w, 0, 0);
	CU_ASSERT_EQUAL(fails(w, 0, REASON_CONNECT_REFUSED).next, CALL_BACK_OFF);
	CU_ASSERT_EQUAL(world_call(w, 0, 0)->held & CALL_ENDPOINT_PROBE, 0);
	done(w);
}

static void deadline_that_cannot_be_met_refuses(void)
{
	static const struct {
		uint64_t failed_at_ms;
		enum call_next next;
	} rows[] = {{974, CALL_BACK_OFF}, {975, CALL_FAILED}, {999, CALL_FAILED}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world *w = retrying(2);

		w->clusters[0].timeouts.request_ms = 1000;
		world_start(w, 0, 0);
		world_later(w, rows[i].failed_at_ms);
		CU_ASSERT_EQUAL(fails(w, 0, REASON_CONNECT_REFUSED).next, rows[i].next);
		CU_ASSERT_EQUAL(counters(w)->retry_no_deadline, rows[i].next == CALL_FAILED);
		done(w);
	}
}

static void budget_bounds_retries(void)
{
	struct world *w = retrying(2);
	uint32_t retries = 0;

	w->clusters[0].retry.minimum_per_second = 1; /* ten in a window */
	for (uint32_t i = 0; i < 40; i++) {
		struct call_step step;

		world_start(w, 0, 0);
		step = fails(w, 0, REASON_CONNECT_REFUSED);
		if (step.next == CALL_BACK_OFF)
			step = again(w, 0, step);
		if (step.next == CALL_SEND) {
			retries++;
			call_succeeded(&w->engines[0], world_call(w, 0, 0));
		}
		call_end(&w->engines[0], world_call(w, 0, 0));
	}
	CU_ASSERT_EQUAL(retries, 10);
	CU_ASSERT_EQUAL(counters(w)->retry_no_budget, 30);
	CU_ASSERT_EQUAL(w->words.clusters[0].budget.calls, 40);
	CU_ASSERT_EQUAL(w->words.clusters[0].budget.retries, 10);
	done(w);
}

/* When it was sent, if that is told, else when it ends; not at all when it was not sent. */
static void budget_counts_each_call_once(void)
{
	struct world *w = retrying(2);
	const uint64_t *calls = &w->words.clusters[0].budget.calls;
	struct call_step step;

	world_start(w, 0, 0);
	CU_ASSERT_EQUAL(*calls, 0);
	call_sent(&w->engines[0], world_call(w, 0, 0));
	CU_ASSERT_EQUAL(*calls, 1);
	step = again(w, 0, fails(w, 0, REASON_CONNECT_REFUSED));
	CU_ASSERT_EQUAL(step.next, CALL_SEND);
	call_sent(&w->engines[0], world_call(w, 0, 0));
	call_succeeded(&w->engines[0], world_call(w, 0, 0));
	CU_ASSERT_EQUAL(*calls, 1);
	world_start(w, 0, 1);
	call_succeeded(&w->engines[0], world_call(w, 0, 1));
	CU_ASSERT_EQUAL(*calls, 2);
	world_start(w, 0, 2);
	call_not_sent(&w->engines[0], world_call(w, 0, 2), REASON_NO_PORT);
	CU_ASSERT_EQUAL(*calls, 2);
	done(w);
}

static void budget_is_taken_when_the_retry_starts(void)
{
	struct world *w = retrying(2);
	struct call_step step[12];

	w->clusters[0].retry.minimum_per_second = 1;
	for (uint32_t n = 0; n < 12; n++) {
		world_start(w, 0, n);
		step[n] = fails(w, n, REASON_CONNECT_REFUSED);
		CU_ASSERT_EQUAL(step[n].next, CALL_BACK_OFF); /* only looked at so far */
	}
	for (uint32_t n = 0; n < 12; n++)
		CU_ASSERT_EQUAL(again(w, n, step[n]).next, n < 10 ? CALL_SEND : CALL_FAILED);
	CU_ASSERT_EQUAL(w->words.endpoints[0].in_flight + w->words.endpoints[1].in_flight, 10);
	CU_ASSERT_TRUE(world_words_are_live(w));
	done(w);
}

static void retries_on_the_wire_are_bounded(void)
{
	struct world *w = retrying(2);
	struct call_step step[3];

	w->clusters[0].retry.max_concurrent = 2;
	for (uint32_t n = 0; n < 3; n++) {
		world_start(w, 0, n);
		step[n] = fails(w, n, REASON_CONNECT_REFUSED);
	}
	for (uint32_t n = 0; n < 3; n++)
		CU_ASSERT_EQUAL(again(w, n, step[n]).next, n < 2 ? CALL_SEND : CALL_FAILED);
	CU_ASSERT_EQUAL(w->words.clusters[0].retries_in_flight, 2);
	CU_ASSERT_EQUAL(w->words.clusters[0].budget.retries, 2);
	call_succeeded(&w->engines[0], world_call(w, 0, 0));
	CU_ASSERT_EQUAL(w->words.clusters[0].retries_in_flight, 1);
	done(w);
}

static void retry_without_endpoint_fails_with_the_first_reason(void)
{
	struct world *w = retrying(1);
	struct call_step step;

	world_start(w, 0, 0);
	step = fails(w, 0, REASON_CONNECT_TIMEOUT);
	w->words.endpoints[0].admin = admin_pack((struct admin_word){.drained = 1});
	step = again(w, 0, step);
	CU_ASSERT_EQUAL(step.next, CALL_FAILED);
	CU_ASSERT_EQUAL(step.reason, REASON_CONNECT_TIMEOUT);
	CU_ASSERT_EQUAL(counters(w)->retry_no_endpoint, 1);
	CU_ASSERT_EQUAL(w->words.clusters[0].budget.retries, 0);
	done(w);
}

static void requests_may_forbid_it(void)
{
	const struct call_request rows[] = {{.no_retry = 1}, {.no_queue = 1}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world *w = retrying(2);
		struct call_step step;

		world_start(w, 0, 0);
		step = call_attempt_failed(&w->engines[0], world_call(w, 0, 0), &rows[i],
					   REASON_CONNECT_REFUSED);
		CU_ASSERT_EQUAL(step.next, CALL_FAILED);
		CU_ASSERT_EQUAL(counters(w)->retry_no_budget + counters(w)->retry_limit, 0);
		done(w);
	}
}

static void policy_taken_back_during_back_off_ends_the_call(void)
{
	struct world *w = retrying(2);
	struct call_step step;

	world_start(w, 0, 0);
	step = fails(w, 0, REASON_CONNECT_REFUSED);
	w->clusters[0].retry.mode = MODE_OFF;
	world_changed(w);
	CU_ASSERT_EQUAL(again(w, 0, step).reason, REASON_CONNECT_REFUSED);

	w->clusters[0].retry.mode = MODE_ENFORCE;
	world_start(w, 0, 1);
	step = fails(w, 1, REASON_CONNECT_REFUSED);
	w->cluster_at[0] = VIEW_NONE;
	world_changed(w);
	CU_ASSERT_EQUAL(again(w, 1, step).reason, REASON_DRAINING);
	done(w);
}

static void client_leaves_during_back_off(void)
{
	struct world *w = retrying(2);

	w->clusters[0].breaker = world_breaker(1);
	world_start(w, 0, 0);
	fails(w, 0, REASON_CONNECT_REFUSED);
	call_end(&w->engines[0], world_call(w, 0, 0));
	CU_ASSERT_EQUAL(w->cluster_counters[0][0].cancelled, 1);
	CU_ASSERT_EQUAL(w->words.clusters[0].breaker, 0);
	done(w);
}

/* POLICY: everything failing at 100 a second, 4 attempts: at most 1.2 attempts a call. */
static void oracle_of_a_total_outage(void)
{
	struct world *w = retrying(4);
	struct call_step step[WORLD_CALLS] = {0};
	uint64_t began = w->now_ns;

	w->clusters[0].retry.max_attempts = 4;
	w->clusters[0].retry.base_us = 5000;
	for (uint32_t i = 0; i < 6000; i++) {
		uint32_t n = i % WORLD_CALLS;

		world_at(w, began + (uint64_t)i * 10 * WORLD_MS);
		for (uint32_t k = 0; k < WORLD_CALLS; k++) {
			if (step[k].next == CALL_BACK_OFF && step[k].wake_ns <= w->now_ns) {
				step[k] =
					call_expired(&w->engines[0], world_call(w, 0, k), &nobody);
				if (step[k].next == CALL_SEND)
					step[k] = fails(w, k, REASON_CONNECT_REFUSED);
			}
		}
		call_end(&w->engines[0], world_call(w, 0, n));
		CU_ASSERT_EQUAL(world_start(w, 0, n).next, CALL_SEND);
		step[n] = fails(w, n, REASON_CONNECT_REFUSED);
	}
	CU_ASSERT_TRUE(counters(w)->attempts * 100 <= UINT64_C(6000) * 121);
	CU_ASSERT_TRUE(counters(w)->attempts * 100 >= UINT64_C(6000) * 110);
	done(w);
}

static CU_TestInfo tests[] = {
	SUITE_TEST(only_named_reasons_are_retried),
	SUITE_TEST(retry_goes_to_an_endpoint_not_yet_tried),
	SUITE_TEST(tried_endpoints_serve_when_there_is_no_other),
	SUITE_TEST(back_off_holds_cluster_and_listener_permits_alone),
	SUITE_TEST(cluster_breaker_is_fed_once_a_call),
	SUITE_TEST(open_breaker_refuses_retries),
	SUITE_TEST(cluster_probe_is_not_retried_but_an_endpoint_probe_is),
	SUITE_TEST(deadline_that_cannot_be_met_refuses),
	SUITE_TEST(budget_bounds_retries),
	SUITE_TEST(budget_counts_each_call_once),
	SUITE_TEST(budget_is_taken_when_the_retry_starts),
	SUITE_TEST(retries_on_the_wire_are_bounded),
	SUITE_TEST(retry_without_endpoint_fails_with_the_first_reason),
	SUITE_TEST(requests_may_forbid_it),
	SUITE_TEST(policy_taken_back_during_back_off_ends_the_call),
	SUITE_TEST(client_leaves_during_back_off),
	SUITE_TEST(oracle_of_a_total_outage),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	return suite_run("call_retry", tests);
}
