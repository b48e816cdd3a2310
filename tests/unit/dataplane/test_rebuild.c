/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/policy/source_permits.h"
#include "tests/unit/dataplane/policy_world.h"
#include "tests/unit/dataplane/suite.h"

static const struct call_request nobody = {0};

static void no_calls_leave_nothing_held(void)
{
	struct world *w = world_simple(1);
	struct world_words *words = &w->words;

	words->listeners[0].bulkhead.word = words->clusters[0].bulkhead.word = ~UINT64_C(0);
	words->clusters[0].attempts_in_flight = words->clusters[0].retries_in_flight = 9;
	words->clusters[0].ejected = 9;
	words->endpoints[0].in_flight = 9;
	words->sources[3].word[2] = UINT64_C(5) << 32 | 4;
	world_rebuild(w, words);
	CU_ASSERT_EQUAL(words->listeners[0].bulkhead.word, 0);
	CU_ASSERT_EQUAL(words->clusters[0].bulkhead.word, 0);
	CU_ASSERT_EQUAL(words->clusters[0].attempts_in_flight, 0);
	CU_ASSERT_EQUAL(words->clusters[0].retries_in_flight, 0);
	CU_ASSERT_EQUAL(words->clusters[0].ejected, 0);
	CU_ASSERT_EQUAL(words->endpoints[0].in_flight, 0);
	CU_ASSERT_EQUAL((uint32_t)words->sources[3].word[2], 0);
	world_destroy(w);
}

static void learned_state_stays(void)
{
	struct world *w = world_simple(2);
	struct world_words before;

	w->words.clusters[0].breaker =
		breaker_pack((struct breaker_word){.phase = BREAKER_OPEN, .epoch = 7, .trips = 3});
	w->words.clusters[0].recorded = 5;
	w->words.clusters[0].ramp_ns = 6;
	w->words.clusters[0].admin = 1 << 8;
	w->words.clusters[0].window.bucket[3] = 8;
	w->words.clusters[0].budget.calls = 9;
	w->words.endpoints[0].ewma = 10;
	w->words.endpoints[1].breaker = breaker_pack(
		(struct breaker_word){.phase = BREAKER_HALF_OPEN, .epoch = 8, .ok = 2});
	w->words.clusters[0].ejected = 1;
	before = w->words;
	world_rebuild(w, &w->words);
	CU_ASSERT_EQUAL(memcmp(&before, &w->words, sizeof(before)), 0);
	world_destroy(w);
}

/* One row a bit of enum call_held: what it stands for is counted, once a call. */
static void every_kind_is_counted(void)
{
	struct world *w = world_simple(2);
	struct world_words *words = &w->words;
	const uint64_t half_open = breaker_pack(
		(struct breaker_word){.phase = BREAKER_HALF_OPEN, .epoch = 3, .until_ms = 1});
	struct call *call = w->calls[0];

	words->clusters[0].breaker = words->endpoints[1].breaker = half_open;
	for (uint32_t n = 0; n < 2; n++)
		call[n] = (struct call){.endpoint = 1,
					.cluster_epoch = 3,
					.endpoint_epoch = 3,
					.source = 11,
					.marks = CALL_OPEN,
					.held = (1 << 10) - 1};
	world_rebuild(w, words);
	CU_ASSERT_EQUAL(words->listeners[0].bulkhead.word, UINT64_C(2) << 32 | 2);
	CU_ASSERT_EQUAL(words->clusters[0].bulkhead.word, UINT64_C(2) << 32 | 2);
	CU_ASSERT_EQUAL(words->clusters[0].attempts_in_flight, 2);
	CU_ASSERT_EQUAL(words->clusters[0].retries_in_flight, 2);
	CU_ASSERT_EQUAL(words->endpoints[1].in_flight, 2);
	CU_ASSERT_EQUAL(breaker_unpack(words->clusters[0].breaker).active, 2);
	CU_ASSERT_EQUAL(breaker_unpack(words->endpoints[1].breaker).active, 2);
	CU_ASSERT_EQUAL((uint32_t)words->sources[1].word[3], 2);
	CU_ASSERT_EQUAL(words->clusters[0].ejected, 1);
	world_destroy(w);
}

static void probe_of_an_earlier_epoch_has_no_slot(void)
{
	struct world *w = world_simple(1);

	w->words.clusters[0].breaker =
		breaker_pack((struct breaker_word){.phase = BREAKER_HALF_OPEN, .epoch = 4});
	w->calls[0][0] = (struct call){.marks = CALL_OPEN,
				       .endpoint = CALL_NO_SLOT,
				       .held = CALL_CLUSTER_PROBE,
				       .cluster_epoch = 3};
	world_rebuild(w, &w->words);
	CU_ASSERT_EQUAL(breaker_unpack(w->words.clusters[0].breaker).active, 0);
	world_destroy(w);
}

static void slots_out_of_range_are_passed_over(void)
{
	struct world *w = world_simple(1);

	w->calls[0][0] = (struct call){.marks = CALL_OPEN,
				       .listener = WORLD_LISTENERS,
				       .cluster = WORLD_CLUSTERS,
				       .endpoint = CALL_NO_SLOT,
				       .source = UINT32_MAX,
				       .held = UINT16_MAX};
	world_rebuild(w, &w->words);
	w->calls[0][0].marks = 0;
	CU_ASSERT_TRUE(world_words_are_live(w));
	world_destroy(w);
}

static void successor_finds_what_the_dead_one_held(void)
{
	struct world *w = world_create(2, 1);
	struct world_words before;

	world_cluster(w, 2);
	world_listener(w, 0);
	w->clusters[0].bulkhead = world_bulkhead(6, 4);
	w->clusters[0].retry = world_retry();
	for (uint32_t n = 0; n < 4; n++) {
		world_start(w, 0, n);
		world_start(w, 1, n);
	}
	call_attempt_failed(&w->engines[0], world_call(w, 0, 0), &nobody, REASON_CONNECT_REFUSED);
	before = w->words;
	CU_ASSERT_EQUAL(before.clusters[0].bulkhead.word, UINT64_C(6) << 32 | 2);
	world_rebuild(w, &w->words);
	CU_ASSERT_EQUAL(memcmp(&before, &w->words, sizeof(before)), 0);
	world_destroy(w);
}

/* In a region with another number of lines its old place means nothing. */
static void source_without_a_place_finds_one(void)
{
	struct world *w = world_simple(1);
	struct call *call = &w->calls[0][0];
	uint32_t place;

	*call = (struct call){.held = CALL_SOURCE_PERMIT, .source = CALL_SOURCE_UNKNOWN};
	w->calls[0][1] = *call;
	for (int i = 0; i < 2; i++) {
		rebuild_source(&w->engines[0].state, &w->calls[0][i], &w->clusters[0], 77);
		rebuild_call(&w->engines[0].state, &w->calls[0][i]);
	}
	CU_ASSERT_EQUAL(call->source, w->calls[0][1].source);
	CU_ASSERT_EQUAL(
		source_enter(&w->engines[0].state, source_hash(w->clusters[0].key, 77), 2, &place),
		SOURCE_REFUSE);
	rebuild_source(&w->engines[0].state, call, NULL, 77);
	CU_ASSERT_EQUAL(call->held, 0);
	world_destroy(w);
}

static CU_TestInfo tests[] = {
	SUITE_TEST(no_calls_leave_nothing_held),
	SUITE_TEST(learned_state_stays),
	SUITE_TEST(every_kind_is_counted),
	SUITE_TEST(probe_of_an_earlier_epoch_has_no_slot),
	SUITE_TEST(slots_out_of_range_are_passed_over),
	SUITE_TEST(successor_finds_what_the_dead_one_held),
	SUITE_TEST(source_without_a_place_finds_one),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	return suite_run("rebuild", tests);
}
