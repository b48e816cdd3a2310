/* SPDX-License-Identifier: Apache-2.0 */
/* Impossible words of the policies' state are put right by what the live calls hold. */
#include "dataplane/policy/repair.h"

#include "tests/unit/dataplane/policy_world.h"
#include "tests/unit/dataplane/suite.h"

enum { MOST = 2 * WORLD_CALLS };

static struct world *world;
static struct world_words words;
static struct policy_state state, counted;
static struct repair repair;

/* Three calls under way at one cluster of three endpoints. */
static void begin(void)
{
	const struct call_request request = {0};

	world = world_simple(3);
	world->clusters[0].bulkhead = world_bulkhead(4, 8);
	world->clusters[0].outlier = world_outlier();
	for (uint32_t i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(call_start(&world->engines[0], &world->calls[0][i], &request).next,
				CALL_SEND);
	memset(&words, 0, sizeof(words));
	state = world_state(world, &world->words, 0);
	counted = world_state(world, &words, 0);
	for (uint32_t i = 0; i < 3; i++)
		rebuild_call(&counted, &world->calls[0][i]);
	repair = (struct repair){.view = &world->view,
				 .state = &state,
				 .counted = &counted,
				 .most = MOST,
				 .now_ns = world->now_ns};
}

static void what_calls_brought_about_is_left_alone(void)
{
	struct world_words before;

	begin();
	before = world->words;
	CU_ASSERT_EQUAL(repair_words(&repair), 0);
	CU_ASSERT_EQUAL(memcmp(&before, &world->words, sizeof(before)), 0);
	/* Not what is merely unlikely either: it may be a permit between two hands. */
	world->words.clusters[0].bulkhead.word += UINT64_C(1) << 32;
	CU_ASSERT_EQUAL(repair_words(&repair), 0);
	world_destroy(world);
}

static void each_impossible_word_becomes_what_is_counted(void)
{
	struct {
		uint64_t *word;
		uint64_t value;
	} rows[] = {
		{NULL, UINT64_MAX},        {NULL, (uint64_t)(MOST + 1) << 32}, {NULL, MOST + 1},
		{NULL, UINT64_C(1) << 63}, {NULL, UINT64_C(3) << 62},
	};
	struct world_words before;

	begin();
	before = world->words;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cluster_state *c = &world->words.clusters[0];
		uint64_t *counts[] = {&c->bulkhead.word,
				      &c->attempts_in_flight,
				      &c->retries_in_flight,
				      &world->words.endpoints[1].in_flight,
				      &world->words.listeners[0].bulkhead.word,
				      &c->ejected};

		for (size_t k = 0; k < sizeof(counts) / sizeof(counts[0]); k++) {
			*counts[k] = rows[i].value;
			CU_ASSERT_EQUAL(repair_words(&repair), 1);
			CU_ASSERT_EQUAL(memcmp(&before, &world->words, sizeof(before)), 0);
		}
	}
	world_destroy(world);
}

static void a_phase_that_is_none_is_closed_and_not_counted_as_ejected(void)
{
	struct endpoint_state *e;

	begin();
	e = &world->words.endpoints[2];
	e->breaker = UINT64_C(3) << 62;
	world->words.clusters[0].ejected = 1;
	CU_ASSERT_EQUAL(repair_words(&repair), 2);
	CU_ASSERT_EQUAL(breaker_unpack(e->breaker).phase, BREAKER_CLOSED);
	CU_ASSERT_EQUAL(world->words.clusters[0].ejected, 0);
	world_destroy(world);
}

static void a_time_that_has_not_come_is_none(void)
{
	begin();
	world->words.endpoints[0].ramp_ns = world->now_ns + UINT64_C(2000000000);
	world->words.clusters[0].ramp_ns = world->now_ns;
	CU_ASSERT_EQUAL(repair_words(&repair), 1);
	CU_ASSERT_EQUAL(world->words.endpoints[0].ramp_ns, 0);
	CU_ASSERT_EQUAL(world->words.clusters[0].ramp_ns, world->now_ns);
	world_destroy(world);
}

static void without_counts_it_only_looks(void)
{
	struct world_words before;

	begin();
	world->words.clusters[0].bulkhead.word = UINT64_MAX;
	world->words.endpoints[0].breaker = UINT64_MAX;
	world->words.sources[5].word[1] = UINT64_MAX;
	before = world->words;
	repair.counted = NULL;
	/* The phase that would change leaves `ejected` to be looked at. */
	CU_ASSERT_TRUE(repair_words(&repair) >= 3);
	CU_ASSERT_EQUAL(memcmp(&before, &world->words, sizeof(before)), 0);
	repair.counted = &counted;
	CU_ASSERT_TRUE(repair_words(&repair) >= 3);
	CU_ASSERT_EQUAL(repair_words(&repair), 0);
	CU_ASSERT_EQUAL((uint32_t)world->words.sources[5].word[1], 0);
	world_destroy(world);
}

static CU_TestInfo tests[] = {
	SUITE_TEST(what_calls_brought_about_is_left_alone),
	SUITE_TEST(each_impossible_word_becomes_what_is_counted),
	SUITE_TEST(a_phase_that_is_none_is_closed_and_not_counted_as_ejected),
	SUITE_TEST(a_time_that_has_not_come_is_none),
	SUITE_TEST(without_counts_it_only_looks),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	return suite_run("repair", tests);
}
