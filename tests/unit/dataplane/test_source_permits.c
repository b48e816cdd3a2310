/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/policy/source_permits.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "tests/unit/dataplane/suite.h"

enum { LINES = 4, PLACES = LINES * SOURCES_PER_LINE };

static struct source_line lines[LINES] __attribute__((aligned(64)));
static const struct policy_state state = {.sources = lines, .source_lines = LINES};

static uint64_t source(uint32_t tag, uint32_t line)
{
	return (uint64_t)tag << 32 | line;
}

static uint64_t permits(void)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < PLACES; i++)
		sum += (uint32_t)lines[i / SOURCES_PER_LINE].word[i % SOURCES_PER_LINE];
	return sum;
}

static void forget(void)
{
	memset(lines, 0, sizeof(lines));
}

static void a_source_gets_its_limit_and_no_more(void)
{
	static const uint32_t limits[] = {1, 2, 7, 1000};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		uint32_t place = PLACES;

		forget();
		for (uint32_t k = 0; k < limits[i]; k++)
			CU_ASSERT_EQUAL(source_enter(&state, source(9, 5), limits[i], &place),
					SOURCE_ADMIT);
		CU_ASSERT_EQUAL(place / SOURCES_PER_LINE, 5 % LINES);
		CU_ASSERT_EQUAL(source_enter(&state, source(9, 5), limits[i], &place),
				SOURCE_REFUSE);
		CU_ASSERT_EQUAL(source_enter(&state, source(8, 5), limits[i], &place),
				SOURCE_ADMIT);
		CU_ASSERT_EQUAL(permits(), limits[i] + 1);
	}
}

static void a_permit_that_returns_can_be_taken_again(void)
{
	uint32_t place, other;

	forget();
	CU_ASSERT_EQUAL(source_enter(&state, source(0, 0), 1, &place), SOURCE_ADMIT);
	CU_ASSERT_EQUAL(source_enter(&state, source(0, 0), 1, &other), SOURCE_REFUSE);
	source_leave(&state, place);
	CU_ASSERT_EQUAL(permits(), 0);
	CU_ASSERT_EQUAL(source_enter(&state, source(0, 0), 1, &place), SOURCE_ADMIT);
	source_leave(&state, place);
	source_leave(&state, place); /* once too often changes nothing */
	source_leave(&state, PLACES);
	source_leave(&state, UINT32_MAX);
	CU_ASSERT_EQUAL(permits(), 0);
}

static void without_a_limit_permits_are_counted(void)
{
	uint32_t place;

	forget();
	for (uint32_t i = 0; i < 100; i++)
		CU_ASSERT_EQUAL(source_enter(&state, source(1, 1), 0, &place), SOURCE_ADMIT);
	CU_ASSERT_EQUAL(permits(), 100);
	CU_ASSERT_EQUAL(source_enter(&state, source(1, 1), 100, &place), SOURCE_REFUSE);
}

static void a_line_of_other_sources_is_full(void)
{
	uint32_t places[SOURCES_PER_LINE], place;

	forget();
	for (uint32_t i = 0; i < SOURCES_PER_LINE; i++)
		CU_ASSERT_EQUAL(source_enter(&state, source(100 + i, 2), 5, &places[i]),
				SOURCE_ADMIT);
	CU_ASSERT_EQUAL(source_enter(&state, source(200, 2), 5, &place), SOURCE_LINE_FULL);
	CU_ASSERT_EQUAL(source_enter(&state, source(103, 2), 5, &place), SOURCE_ADMIT);
	CU_ASSERT_EQUAL(source_enter(&state, source(200, 3), 5, &place), SOURCE_ADMIT);
	source_leave(&state, places[6]);
	CU_ASSERT_EQUAL(source_enter(&state, source(200, 2), 5, &place), SOURCE_ADMIT);
	CU_ASSERT_EQUAL(place, places[6]);
}

/* As two workers leave it that took an empty word each at the same instant. */
static void permits_in_two_words_count_together(void)
{
	uint32_t place;

	forget();
	lines[1].word[2] = source(7, 2);
	lines[1].word[5] = source(7, 1);
	CU_ASSERT_EQUAL(source_enter(&state, source(7, 1), 3, &place), SOURCE_REFUSE);
	CU_ASSERT_EQUAL(source_enter(&state, source(7, 1), 4, &place), SOURCE_ADMIT);
	CU_ASSERT_EQUAL(place, 1 * SOURCES_PER_LINE + 2);
}

static void permits_are_counted_anew_by_their_place(void)
{
	uint32_t places[3], place;

	forget();
	for (uint32_t i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(source_enter(&state, source(i < 2 ? 11 : 12, 0), 4, &places[i]),
				SOURCE_ADMIT);
	source_clear(&state);
	CU_ASSERT_EQUAL(permits(), 0);
	source_recount(&state, places[0]);
	source_recount(&state, places[1]);
	source_recount(&state, PLACES);
	CU_ASSERT_EQUAL(permits(), 2);
	CU_ASSERT_EQUAL(source_enter(&state, source(11, 0), 2, &place), SOURCE_REFUSE);
	CU_ASSERT_EQUAL(source_enter(&state, source(11, 0), 3, &place), SOURCE_ADMIT);
}

/* Twelve sources on eight words, against a count of each. */
static void any_schedule_of_one_worker_is_exact(void)
{
	enum { SOURCES = 12, STEPS = 400, SEEDS = 1000, LIMIT = 3 };
	uint32_t bad = 0;

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct random r = {.state = seed * 0x9e3779b97f4a7c15ull | 1};
		uint32_t place[SOURCES][LIMIT] = {0}, held[SOURCES] = {0}, present = 0;

		forget();
		for (uint32_t i = 0; i < STEPS; i++) {
			uint32_t s = random_below(&r, SOURCES);
			enum source_admission expect, got;

			if (held[s] && random_below(&r, 2)) {
				source_leave(&state, place[s][--held[s]]);
				present -= held[s] == 0;
				continue;
			}
			expect = held[s] == LIMIT                        ? SOURCE_REFUSE
				 : held[s] || present < SOURCES_PER_LINE ? SOURCE_ADMIT
									 : SOURCE_LINE_FULL;
			if (held[s] == LIMIT) {
				uint32_t none;

				got = source_enter(&state, source(s, 3), LIMIT, &none);
			} else {
				got = source_enter(&state, source(s, 3), LIMIT, &place[s][held[s]]);
			}
			bad += got != expect;
			if (got == SOURCE_ADMIT)
				present += held[s]++ == 0;
		}
	}
	CU_ASSERT_EQUAL(bad, 0);
}

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { ROUNDS = 20000 };
#else
enum { ROUNDS = 100000 };
#endif
enum { THREADS = 4, CLIENTS = 3, PER_CLIENT = 2 };

static uint32_t active[CLIENTS];
static uint64_t overshoots;
static uint64_t admissions;

static void *enter_and_leave(void *seed)
{
	struct random r = {.state = (uintptr_t)seed};

	for (uint32_t i = 0; i < ROUNDS; i++) {
		uint32_t client = random_below(&r, CLIENTS), place;

		if (source_enter(&state, source(client, 0), PER_CLIENT, &place) != SOURCE_ADMIT)
			continue;
		__atomic_fetch_add(&admissions, 1, __ATOMIC_RELAXED);
		if (__atomic_add_fetch(&active[client], 1, __ATOMIC_SEQ_CST) > PER_CLIENT)
			__atomic_fetch_add(&overshoots, 1, __ATOMIC_RELAXED);
		if (random_below(&r, 8) == 0)
			sched_yield();
		__atomic_fetch_sub(&active[client], 1, __ATOMIC_SEQ_CST);
		source_leave(&state, place);
	}
	return NULL;
}

static void no_admission_exceeds_the_limit_with_several_workers(void)
{
	pthread_t threads[THREADS];

	forget();
	for (uintptr_t i = 0; i < THREADS; i++)
		CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, enter_and_leave,
						     (void *)(0x9e3779b97f4a7c15ull * (i + 1))),
				      0);
	for (uint32_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	CU_ASSERT_EQUAL(overshoots, 0);
	CU_ASSERT(admissions > ROUNDS / 10);
	CU_ASSERT_EQUAL(permits(), 0);
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(a_source_gets_its_limit_and_no_more),
		SUITE_TEST(a_permit_that_returns_can_be_taken_again),
		SUITE_TEST(without_a_limit_permits_are_counted),
		SUITE_TEST(a_line_of_other_sources_is_full),
		SUITE_TEST(permits_in_two_words_count_together),
		SUITE_TEST(permits_are_counted_anew_by_their_place),
		SUITE_TEST(any_schedule_of_one_worker_is_exact),
		SUITE_TEST(no_admission_exceeds_the_limit_with_several_workers),
		CU_TEST_INFO_NULL,
	};

	return suite_run("source_permits", tests);
}
