/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/policy/bulkhead.h"

#include "tests/unit/dataplane/suite.h"

static uint64_t word_of(uint32_t in_flight, uint32_t queued)
{
	return (uint64_t)in_flight << 32 | queued;
}

static struct bulkhead_state state_of(uint32_t in_flight, uint32_t queued)
{
	return (struct bulkhead_state){.word = word_of(in_flight, queued)};
}

static struct image_bulkhead rules_of(uint32_t max_concurrent, uint32_t max_queue)
{
	return (struct image_bulkhead){.max_concurrent = max_concurrent, .max_queue = max_queue};
}

#define MAX 0xffffu

static const struct enter_row {
	uint32_t in_flight, queued, max_concurrent, max_queue;
	int may_queue;
	enum bulkhead_admission expect;
} enter_rows[] = {
	{0, 0, 1, 0, 0, BULKHEAD_ADMIT},
	{0, 0, 1, 0, 1, BULKHEAD_ADMIT},
	{9, 0, 10, 5, 0, BULKHEAD_ADMIT}, /* the last permit */
	{10, 0, 10, 0, 0, BULKHEAD_FULL},
	{10, 0, 10, 0, 1, BULKHEAD_FULL},
	{11, 0, 10, 0, 1, BULKHEAD_FULL}, /* after a shrink */
	{10, 0, 10, 5, 0, BULKHEAD_FULL}, /* room in the queue, but no ticket yet */
	{10, 0, 10, 5, 1, BULKHEAD_QUEUE},
	{10, 4, 10, 5, 1, BULKHEAD_QUEUE}, /* the last place */
	{10, 5, 10, 5, 1, BULKHEAD_QUEUE_FULL},
	{10, 5, 10, 5, 0, BULKHEAD_QUEUE_FULL},
	{10, 6, 10, 5, 1, BULKHEAD_QUEUE_FULL}, /* the queue was shortened */
	{3, 1, 10, 5, 1, BULKHEAD_QUEUE},       /* nobody overtakes who waits */
	{3, 1, 10, 5, 0, BULKHEAD_FULL},
	{3, 5, 10, 5, 1, BULKHEAD_QUEUE_FULL},
	{3, 1, 10, 0, 1, BULKHEAD_FULL},
	{0, 0, 0, 0, 0, BULKHEAD_ADMIT}, /* no bound */
	{MAX_PERMITS, 0, 0, 0, 0, BULKHEAD_ADMIT},
	{7, 3, 0, 0, 0, BULKHEAD_ADMIT}, /* the bound was taken away */
	{MAX_PERMITS - 1, 0, MAX_PERMITS, 0, 0, BULKHEAD_ADMIT},
	{MAX_PERMITS, 0, MAX_PERMITS, 0, 0, BULKHEAD_FULL},
};

static void entering_follows_the_word(void)
{
	for (size_t i = 0; i < sizeof(enter_rows) / sizeof(enter_rows[0]); i++) {
		const struct enter_row *r = &enter_rows[i];
		struct bulkhead_state s = state_of(r->in_flight, r->queued);
		const struct image_bulkhead rules = rules_of(r->max_concurrent, r->max_queue);
		uint64_t after = word_of(r->in_flight + (r->expect == BULKHEAD_ADMIT),
					 r->queued + (r->expect == BULKHEAD_QUEUE));

		CU_ASSERT_EQUAL(bulkhead_looks_free(&s, &rules), r->expect == BULKHEAD_ADMIT);
		CU_ASSERT_EQUAL(s.word, word_of(r->in_flight, r->queued));
		CU_ASSERT_EQUAL(bulkhead_enter(&s, &rules, r->may_queue), r->expect);
		CU_ASSERT_EQUAL(s.word, after);
		CU_ASSERT_EQUAL(s.overshoot_max, 0);
	}
}

static const struct leave_row {
	uint32_t in_flight, queued, limit;
	uint32_t in_flight_after, queued_after;
	int owed;
} leave_rows[] = {
	{1, 0, 1, 0, 0, 0},    {10, 0, 10, 9, 0, 0},
	{10, 3, 10, 10, 2, 1},                        /* passed on, never free in between */
	{9, 3, 10, 9, 2, 1},   {11, 3, 10, 10, 3, 0}, /* after a shrink: destroyed */
	{11, 0, 10, 10, 0, 0}, {5, 3, 0, 5, 2, 1},    /* no bound any more */
	{5, 0, 0, 4, 0, 0},    {0, 0, 10, 0, 0, 0},   /* nothing is out */
	{0, 3, 10, 0, 3, 0},   {1, MAX, 1, 1, MAX - 1, 1},
};

static void a_permit_that_returns_goes_to_the_queue_or_is_free(void)
{
	for (size_t i = 0; i < sizeof(leave_rows) / sizeof(leave_rows[0]); i++) {
		const struct leave_row *r = &leave_rows[i];
		struct bulkhead_state s = state_of(r->in_flight, r->queued);

		CU_ASSERT_EQUAL(bulkhead_leave(&s, r->limit), r->owed);
		CU_ASSERT_EQUAL(s.word, word_of(r->in_flight_after, r->queued_after));
	}
}

static uint64_t with_left(uint64_t word, uint16_t left)
{
	return word | (uint64_t)left << 16;
}

static void leaving_the_queue_counts_down_to_empty(void)
{
	struct bulkhead_state s = state_of(4, 2);

	CU_ASSERT_EQUAL(bulkhead_unqueue(&s), 1);
	CU_ASSERT_EQUAL(bulkhead_unqueue(&s), 1);
	CU_ASSERT_EQUAL(s.word, with_left(word_of(4, 0), 2));
	CU_ASSERT_EQUAL(bulkhead_unqueue(&s), 0);
	CU_ASSERT_EQUAL(s.word, with_left(word_of(4, 0), 2));
	CU_ASSERT_EQUAL(bulkhead_left(&s), 2);
}

static void who_left_is_counted_without_a_carry(void)
{
	struct bulkhead_state s = {.word = with_left(word_of(4, MAX), MAX)};

	CU_ASSERT_EQUAL(bulkhead_unqueue(&s), 1);
	CU_ASSERT_EQUAL(s.word, word_of(4, MAX - 1));
}

static void an_empty_word_is_zero(void)
{
	struct bulkhead_state s = {.word = with_left(word_of(1, 0), 7)};
	uint16_t seen = 7;

	CU_ASSERT_EQUAL(bulkhead_leave(&s, 5), 0);
	CU_ASSERT_EQUAL(s.word, 0);
	s.word = with_left(word_of(1, 0), 7);
	CU_ASSERT_EQUAL(bulkhead_give_back(&s, 5, &seen), 0);
	CU_ASSERT_EQUAL(s.word, 0);
	s.word = with_left(word_of(0, 1), 7);
	CU_ASSERT_EQUAL(bulkhead_unqueue(&s), 1);
	CU_ASSERT_EQUAL(s.word, 0);
}

static const struct give_back_row {
	uint32_t in_flight, queued;
	uint16_t left, seen;
	uint32_t limit;
	uint32_t in_flight_after, queued_after;
	int owed;
	uint16_t seen_after;
} give_back_rows[] = {
	{3, 0, 9, 9, 5, 2, 0, 0, 9}, {3, 2, 9, 9, 5, 3, 1, 1, 9},
	{3, 2, 9, 8, 5, 3, 2, 1, 9}, /* somebody left: search again, nothing changes */
	{3, 0, 9, 8, 5, 3, 0, 1, 9}, {3, 0, 0, MAX, 5, 3, 0, 1, 0},
	{6, 2, 9, 8, 5, 6, 2, 1, 9}, {6, 2, 9, 9, 5, 5, 2, 0, 9}, /* after a shrink: destroyed */
	{6, 2, 9, 9, 0, 6, 1, 1, 9}, {0, 2, 9, 8, 5, 0, 2, 0, 8}, /* nothing is out */
};

static void a_permit_nobody_was_found_for_is_free_unless_somebody_left(void)
{
	for (size_t i = 0; i < sizeof(give_back_rows) / sizeof(give_back_rows[0]); i++) {
		const struct give_back_row *r = &give_back_rows[i];
		struct bulkhead_state s = {
			.word = with_left(word_of(r->in_flight, r->queued), r->left)};
		uint16_t seen = r->seen;

		CU_ASSERT_EQUAL(bulkhead_give_back(&s, r->limit, &seen), r->owed);
		CU_ASSERT_EQUAL(s.word,
				with_left(word_of(r->in_flight_after, r->queued_after), r->left));
		CU_ASSERT_EQUAL(seen, r->seen_after);
	}
}

static const struct refill_row {
	uint32_t in_flight, queued, limit;
	uint32_t owed; /* calls until it returns 0 */
} refill_rows[] = {
	{0, 0, 5, 0}, {5, 3, 5, 0}, {6, 3, 5, 0}, {5, 3, 6, 1},
	{5, 3, 8, 3}, {5, 3, 9, 3}, {5, 3, 0, 3}, {5, 0, 9, 0},
};

static void a_raised_limit_admits_who_waits(void)
{
	for (size_t i = 0; i < sizeof(refill_rows) / sizeof(refill_rows[0]); i++) {
		const struct refill_row *r = &refill_rows[i];
		struct bulkhead_state s = state_of(r->in_flight, r->queued);
		uint32_t owed = 0;

		while (bulkhead_refill(&s, r->limit))
			owed++;
		CU_ASSERT_EQUAL(owed, r->owed);
		CU_ASSERT_EQUAL(s.word, word_of(r->in_flight + owed, r->queued - owed));
		CU_ASSERT_EQUAL(s.overshoot_max, 0);
	}
}

static void five_and_ten_take_fifteen_and_reject_the_sixteenth(void)
{
	const struct image_bulkhead rules = rules_of(5, 10);
	struct bulkhead_state s = {0};

	for (int i = 0; i < 5; i++)
		CU_ASSERT_EQUAL(bulkhead_enter(&s, &rules, 1), BULKHEAD_ADMIT);
	for (int i = 0; i < 10; i++)
		CU_ASSERT_EQUAL(bulkhead_enter(&s, &rules, 1), BULKHEAD_QUEUE);
	CU_ASSERT_EQUAL(bulkhead_enter(&s, &rules, 1), BULKHEAD_QUEUE_FULL);
	CU_ASSERT_EQUAL(s.word, word_of(5, 10));
}

static void a_smaller_limit_admits_nobody_until_below_it(void)
{
	const struct image_bulkhead large = rules_of(8, 0);
	const struct image_bulkhead small = rules_of(3, 4);
	struct bulkhead_state s = {0};

	for (int i = 0; i < 8; i++)
		CU_ASSERT_EQUAL(bulkhead_enter(&s, &large, 0), BULKHEAD_ADMIT);
	CU_ASSERT_EQUAL(bulkhead_enter(&s, &small, 1), BULKHEAD_QUEUE);
	for (uint32_t left = 7; left >= 3; left--) {
		CU_ASSERT_EQUAL(bulkhead_leave(&s, 3), 0);
		CU_ASSERT_EQUAL(s.word, word_of(left, 1));
		CU_ASSERT_EQUAL(bulkhead_enter(&s, &small, 0), BULKHEAD_FULL);
	}
	CU_ASSERT_EQUAL(bulkhead_leave(&s, 3), 1);
	CU_ASSERT_EQUAL(s.word, word_of(3, 0));
	CU_ASSERT_EQUAL(s.overshoot_max, 0);
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(entering_follows_the_word),
		SUITE_TEST(a_permit_that_returns_goes_to_the_queue_or_is_free),
		SUITE_TEST(leaving_the_queue_counts_down_to_empty),
		SUITE_TEST(who_left_is_counted_without_a_carry),
		SUITE_TEST(an_empty_word_is_zero),
		SUITE_TEST(a_permit_nobody_was_found_for_is_free_unless_somebody_left),
		SUITE_TEST(a_raised_limit_admits_who_waits),
		SUITE_TEST(five_and_ten_take_fifteen_and_reject_the_sixteenth),
		SUITE_TEST(a_smaller_limit_admits_nobody_until_below_it),
		CU_TEST_INFO_NULL,
	};

	return suite_run("bulkhead", tests);
}
