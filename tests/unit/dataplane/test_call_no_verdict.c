/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of which no verdict is expected (UDP without expect_reply): counted, and feed nothing. */
#include "tests/unit/dataplane/policy_world.h"
#include "tests/unit/dataplane/suite.h"

static const struct call_request unheard = {.no_queue = 1, .no_retry = 1, .no_verdict = 1};

static struct world *world(void)
{
	struct world *w = world_simple(2);

	w->clusters[0].breaker = world_breaker(1);
	w->clusters[0].outlier = world_outlier();
	w->clusters[0].outlier.breaker.consecutive_failures = 1;
	w->clusters[0].outlier.statistics = OUTLIER_SUCCESS_RATE | OUTLIER_LATENCY;
	return w;
}

static void done(struct world *w)
{
	for (uint32_t n = 0; n < WORLD_CALLS; n++)
		call_end(&w->engines[0], world_call(w, 0, n));
	CU_ASSERT_TRUE(world_laws_hold(w, 0));
	CU_ASSERT_TRUE(world_words_are_live(w));
	world_destroy(w);
}

static uint64_t word(enum breaker_phase phase, uint64_t until_ns)
{
	return breaker_pack((struct breaker_word){
		.phase = (uint8_t)phase, .epoch = 3, .until_ms = state_ms(until_ns)});
}

static void either_end_is_counted_and_feeds_nothing(void)
{
	struct world *w = world();
	const struct endpoint_state before = {.in_flight = 0};
	struct engine *e = &w->engines[0];

	for (uint32_t n = 0; n < 40; n++) {
		CU_ASSERT_EQUAL(world_start_as(w, 0, n, &unheard).next, CALL_SEND);
		world_later(w, 1);
		if (n % 2)
			call_succeeded(e, world_call(w, 0, n));
		else
			call_failed(e, world_call(w, 0, n), REASON_UPSTREAM_UNREACHABLE);
		call_end(e, world_call(w, 0, n));
	}
	CU_ASSERT_EQUAL(w->cluster_counters[0][0].succeeded, 20);
	CU_ASSERT_EQUAL(w->cluster_counters[0][0].failed, 20);
	CU_ASSERT_EQUAL(w->words.clusters[0].breaker, 0);
	CU_ASSERT_EQUAL(w->words.clusters[0].recorded, 0);
	for (uint32_t i = 0; i < 2; i++) {
		CU_ASSERT_EQUAL(memcmp(&w->words.endpoints[i], &before, sizeof(before)), 0);
		CU_ASSERT_EQUAL(w->endpoint_outcomes[0][i].calls, 0);
		CU_ASSERT_EQUAL(w->endpoint_outcomes[0][i].interval, 0);
	}
	CU_ASSERT_EQUAL(w->policy_counters[0][0].stale_verdicts, 0);
	done(w);
}

/* It goes where a probe could go, so that a breaker nobody probes any more refuses no one. */
static void breaker_word_decides_and_stays_as_it_is(void)
{
	static const struct {
		enum breaker_phase phase;
		int64_t until_ms; /* from now */
		uint8_t active;
		enum reason reason;
	} rows[] = {
		{BREAKER_CLOSED, 0, 0, REASON_NONE},
		{BREAKER_OPEN, 1000, 0, REASON_CIRCUIT_OPEN},
		{BREAKER_OPEN, 0, 0, REASON_NONE},
		{BREAKER_OPEN, -86400000, 0, REASON_NONE},
		{BREAKER_HALF_OPEN, 1000, 0, REASON_NONE},
		{BREAKER_HALF_OPEN, 1000, 3, REASON_HALF_OPEN_FULL},
		{BREAKER_HALF_OPEN, -1, 3, REASON_NONE},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world *w = world();
		uint64_t until_ns = w->now_ns + (uint64_t)(rows[i].until_ms * WORLD_MS);
		uint64_t is = word(rows[i].phase, until_ns);
		struct call_step step;

		if (rows[i].active)
			is |= (uint64_t)rows[i].active << 5;
		w->words.clusters[0].breaker = is;
		step = world_start_as(w, 0, 0, &unheard);
		CU_ASSERT_EQUAL(step.next,
				rows[i].reason == REASON_NONE ? CALL_SEND : CALL_REJECTED);
		CU_ASSERT_EQUAL(step.reason, rows[i].reason);
		CU_ASSERT_EQUAL(world_call(w, 0, 0)->held & CALL_CLUSTER_PROBE, 0);
		call_failed(&w->engines[0], world_call(w, 0, 0), REASON_UPSTREAM_UNREACHABLE);
		CU_ASSERT_EQUAL(w->words.clusters[0].breaker, is);
		CU_ASSERT_EQUAL(w->policy_counters[0][0].probes, 0);
		w->words.clusters[0].breaker = 0;
		done(w);
	}
}

static void ejected_endpoint_is_skipped_until_its_time_and_never_probed(void)
{
	struct world *w = world();
	uint64_t open = word(BREAKER_OPEN, w->now_ns + UINT64_C(1000) * WORLD_MS);
	uint32_t at_first = 0;

	w->words.endpoints[0].breaker = open;
	w->words.clusters[0].ejected = 1;
	for (uint32_t n = 0; n < 8; n++)
		CU_ASSERT_EQUAL(world_start_as(w, 0, n, &unheard).endpoint, 1);
	world_later(w, 1000);
	for (uint32_t n = 8; n < 16; n++) {
		at_first += world_start_as(w, 0, n, &unheard).endpoint == 0;
		call_failed(&w->engines[0], world_call(w, 0, n), REASON_UPSTREAM_UNREACHABLE);
	}
	CU_ASSERT_EQUAL(at_first, 4);
	CU_ASSERT_EQUAL(w->words.endpoints[0].breaker, open);
	CU_ASSERT_EQUAL(w->policy_counters[0][0].endpoint_probes, 0);
	done(w);
}

static void observed_breakers_count_what_they_would_refuse(void)
{
	struct world *w = world();
	uint64_t open = word(BREAKER_OPEN, w->now_ns + UINT64_C(1000) * WORLD_MS);

	w->clusters[0].breaker.mode = MODE_OBSERVE;
	w->clusters[0].outlier.breaker.mode = MODE_OBSERVE;
	w->words.clusters[0].breaker = open;
	w->words.endpoints[0].breaker = w->words.endpoints[1].breaker = open;
	w->words.clusters[0].ejected = 2;
	CU_ASSERT_EQUAL(world_start_as(w, 0, 0, &unheard).next, CALL_SEND);
	CU_ASSERT_EQUAL(w->policy_counters[0][0].would_circuit_open, 1);
	CU_ASSERT_EQUAL(w->policy_counters[0][0].would_eject, 1);
	done(w);
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(either_end_is_counted_and_feeds_nothing),
		SUITE_TEST(breaker_word_decides_and_stays_as_it_is),
		SUITE_TEST(ejected_endpoint_is_skipped_until_its_time_and_never_probed),
		SUITE_TEST(observed_breakers_count_what_they_would_refuse),
		CU_TEST_INFO_NULL,
	};

	return suite_run("call_no_verdict", tests);
}
