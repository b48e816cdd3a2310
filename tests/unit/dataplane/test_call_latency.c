/* SPDX-License-Identifier: Apache-2.0 */
/* What a verdict takes for the endpoint's time, and what the estimate hears of it. */
#include "dataplane/lb/ewma.h"
#include "tests/unit/dataplane/policy_world.h"
#include "tests/unit/dataplane/suite.h"

enum { NEVER = 0, MILLISECONDS = 1000 };

static struct engine *engine(struct world *w)
{
	return &w->engines[0];
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

static uint32_t estimate_us(const struct world *w)
{
	return (uint32_t)(w->words.endpoints[0].ewma >> 32);
}

static void is_over(struct world *w, struct call *call)
{
	call_end(engine(w), call);
	CU_ASSERT_TRUE(world_laws_hold(w, 0));
	CU_ASSERT_TRUE(world_words_are_live(w));
	world_destroy(w);
}

/* One call: connected after 2 ms, asked twice, ended; each some ms after the step before. */
static void latency_is_connect_time_and_that_from_request_to_verdict(void)
{
	static const struct {
		uint32_t asked_ms, again_ms, verdict_ms; /* NEVER: not */
		uint32_t latency_ms, estimate_ms;
	} rows[] = {
		{300, NEVER, 5, 7, 7},       /* the client thought for 300 ms */
		{300, 3, 5, 10, 10},         /* its second packet does not count */
		{1, NEVER, 50, 52, 52},      /* slow, though it connects fast */
		{NEVER, NEVER, 50, 52, 2},   /* the endpoint speaks first: from the SYN */
		{NEVER, NEVER, 1000, 2, 2},  /* verdict_after, nothing asked */
		{400, NEVER, 600, 2, 2},     /* verdict_after, nothing answered */
		{400, NEVER, 599, 601, 601}, /* just before it */
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		/* Slow is what takes this long, and not what is 1 ms shorter. */
		for (uint32_t longer = 0; longer < 2; longer++) {
			struct world *w = world_simple(1);
			struct call *call;

			w->clusters[0].breaker = world_breaker(0);
			w->clusters[0].breaker.slow_us =
				(rows[i].latency_ms + longer) * MILLISECONDS;
			call = call_is_sent(w);
			connects(w, call, 2);
			world_later(w, rows[i].asked_ms);
			if (rows[i].asked_ms != NEVER)
				call_requested(engine(w), call);
			world_later(w, rows[i].again_ms);
			if (rows[i].again_ms != NEVER)
				call_requested(engine(w), call);
			world_later(w, rows[i].verdict_ms);
			call_succeeded(engine(w), call);
			CU_ASSERT_EQUAL(w->policy_counters[0][0].slow_calls, 1 - longer);
			CU_ASSERT_EQUAL(estimate_us(w), rows[i].estimate_ms * MILLISECONDS);
			is_over(w, call);
		}
	}
}

static void request_before_the_endpoint_accepted_is_nothing(void)
{
	struct world *w = world_simple(1);
	struct call *call = call_is_sent(w);

	call_requested(engine(w), call);
	CU_ASSERT_FALSE(call->marks & CALL_REQUESTED);
	connects(w, call, 2);
	world_later(w, 3);
	call_succeeded(engine(w), call);
	CU_ASSERT_EQUAL(estimate_us(w), 2 * MILLISECONDS);
	is_over(w, call);
}

static void failure_after_a_request_is_a_penalty(void)
{
	struct world *w = world_simple(1);
	struct call *call = call_is_sent(w);

	connects(w, call, 2);
	call_requested(engine(w), call);
	world_later(w, 1);
	call_failed(engine(w), call, REASON_UPSTREAM_RESET);
	CU_ASSERT_EQUAL(estimate_us(w), EWMA_PENALTY_US);
	is_over(w, call);
}

/* Its connect time was sampled when it connected, others have found the endpoint slow since. */
static void unanswered_request_leaves_the_estimate_alone(void)
{
	struct world *w = world_simple(1);
	struct call *call = call_is_sent(w);
	uint64_t estimate;

	connects(w, call, 2);
	call_requested(engine(w), call);
	ewma_sample(&w->words.endpoints[0].ewma, 50 * WORLD_MS, 0, w->now_ns);
	estimate = w->words.endpoints[0].ewma;
	world_later(w, 1000);
	call_succeeded(engine(w), call);
	CU_ASSERT_EQUAL(w->words.endpoints[0].ewma, estimate);
	is_over(w, call);
}

static void next_attempt_forgets_the_request(void)
{
	static const struct call_request nobody = {0};
	struct world *w = world_simple(1);
	struct call *call;
	struct call_step step;

	w->clusters[0].retry = world_retry();
	call = call_is_sent(w);
	connects(w, call, 2);
	call_requested(engine(w), call);
	step = call_attempt_failed(engine(w), call, &nobody, REASON_CONNECT_TIMEOUT);
	CU_ASSERT_EQUAL_FATAL(step.next, CALL_BACK_OFF);
	world_at(w, step.wake_ns);
	CU_ASSERT_EQUAL_FATAL(call_expired(engine(w), call, &nobody).next, CALL_SEND);
	CU_ASSERT_FALSE(call->marks & CALL_REQUESTED);
	is_over(w, call);
}

static void clock_that_steps_back_gives_the_connect_time(void)
{
	struct world *w = world_simple(1);
	struct call *call = call_is_sent(w);

	connects(w, call, 2);
	world_later(w, 10);
	call_requested(engine(w), call);
	world_at(w, w->now_ns - 5 * WORLD_MS);
	call_succeeded(engine(w), call);
	CU_ASSERT_EQUAL(estimate_us(w), 2 * MILLISECONDS);
	is_over(w, call);
}

/* A call that had waited holds its neighbours' numbers where the time of the request goes. */
static void request_of_a_call_that_had_queued_is_its_own(void)
{
	static const struct call_request nobody = {0};
	struct world *w = world_simple(1);
	struct call *first = call_is_sent(w), *second = world_call(w, 0, 1);

	call_end(engine(w), first);
	w->clusters[0].bulkhead = (struct image_bulkhead){.mode = MODE_ENFORCE,
							  .max_concurrent = 1,
							  .max_queue = 1,
							  .queue_timeout_ms = 1000,
							  .scope = SCOPE_CLUSTER};
	first = call_is_sent(w);
	CU_ASSERT_EQUAL_FATAL(world_start(w, 0, 1).next, CALL_WAIT);
	call_end(engine(w), first);
	CU_ASSERT_PTR_EQUAL_FATAL(call_next_granted(engine(w)), second);
	CU_ASSERT_EQUAL_FATAL(call_granted(engine(w), second, &nobody).next, CALL_SEND);
	connects(w, second, 2);
	world_later(w, 100);
	call_requested(engine(w), second);
	world_later(w, 5);
	call_succeeded(engine(w), second);
	CU_ASSERT_EQUAL(estimate_us(w), 7 * MILLISECONDS);
	is_over(w, second);
}

static CU_TestInfo tests[] = {
	SUITE_TEST(latency_is_connect_time_and_that_from_request_to_verdict),
	SUITE_TEST(request_before_the_endpoint_accepted_is_nothing),
	SUITE_TEST(failure_after_a_request_is_a_penalty),
	SUITE_TEST(unanswered_request_leaves_the_estimate_alone),
	SUITE_TEST(next_attempt_forgets_the_request),
	SUITE_TEST(clock_that_steps_back_gives_the_connect_time),
	SUITE_TEST(request_of_a_call_that_had_queued_is_its_own),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	return suite_run("call_latency", tests);
}
