/* SPDX-License-Identifier: Apache-2.0 */
/* Lost swaps, one by one: the swap of ebpf/limit.h is replaced by one that loses on demand. */
#include <stdint.h>

static int lose;               /* so many swaps from now on */
static uint64_t other_takes;   /* what the winner of each adds to the word */
static unsigned int swaps;     /* attempted */
static const void *only_there; /* lose on this word alone; NULL for all */

static int swap_or_lose(unsigned long long *word, unsigned long long *old, unsigned long long next)
{
	swaps++;
	if (lose > 0 && (!only_there || only_there == word)) {
		lose--;
		*word += other_takes;
	}
	if (*word != *old) {
		*old = *word;
		return 0;
	}
	*word = next;
	return 1;
}

#define __atomic_compare_exchange_n(word, old, next, weak, success, failure) \
	swap_or_lose(word, old, next)

#include "tests/unit/ebpf/limits.h"

enum { COST = 1 << LIMIT_UNIT_SHIFT }; /* of one unit in a bucket's word */

static void contend(int times, uint64_t takes, const void *where)
{
	lose = times;
	other_takes = takes;
	only_there = where;
	swaps = 0;
}

static void lost_swap_is_decided_anew(void)
{
	struct limit_rule rule = bucket(1000, 100);
	__u64 word = limit_full(&rule, NOW_NS), start = word;

	contend(LIMIT_TRIES - 1, COST, NULL);
	CU_ASSERT_EQUAL(limit_take(&word, &rule, NOW_NS, 1), LIMIT_PASS);
	CU_ASSERT_EQUAL(swaps, LIMIT_TRIES);
	CU_ASSERT_EQUAL(word, start + (__u64)LIMIT_TRIES * COST);
}

static void exhausted_tries_refuse_and_take_nothing(void)
{
	struct limit_rule rule = bucket(1000, 100);
	__u64 word = limit_full(&rule, NOW_NS), start = word;

	contend(LIMIT_TRIES, COST, NULL);
	CU_ASSERT_EQUAL(limit_take(&word, &rule, NOW_NS, 1), LIMIT_CONTENDED);
	CU_ASSERT_EQUAL(swaps, LIMIT_TRIES);
	CU_ASSERT_EQUAL(word, start + (__u64)LIMIT_TRIES * COST);
}

static void loser_is_refused_when_the_winners_took_the_rest(void)
{
	struct limit_rule rule = bucket(1000, 3);
	__u64 word = limit_full(&rule, NOW_NS), start = word;

	contend(3, COST, NULL);
	CU_ASSERT_EQUAL(limit_take(&word, &rule, NOW_NS, 1), LIMIT_REFUSED);
	CU_ASSERT_EQUAL(word, start + (__u64)3 * COST);
}

static __u64 words[2];

static void pair_gives_the_packet_back_when_bytes_go_to_others(void)
{
	struct limit_rule rules[2] = {bucket(1000, 10), bucket(1000000, 3000)};
	__u64 start;

	words[0] = start = limit_full(&rules[0], NOW_NS);
	words[1] = limit_full(&rules[1], NOW_NS);
	contend(1, 2000 * COST, &words[1]);
	CU_ASSERT_EQUAL(limit_take_pair(words, rules, NOW_NS, 1500),
			LIMIT_REFUSED | LIMIT_BY_BYTES);
	CU_ASSERT_EQUAL(words[0], start);
	contend(LIMIT_TRIES, COST, &words[1]);
	CU_ASSERT_EQUAL(limit_take_pair(words, rules, NOW_NS, 100),
			LIMIT_CONTENDED | LIMIT_BY_BYTES);
	CU_ASSERT_EQUAL(words[0], start);
	contend(LIMIT_TRIES, COST, &words[0]);
	CU_ASSERT_EQUAL(limit_take_pair(words, rules, NOW_NS, 100), LIMIT_CONTENDED);
	CU_ASSERT_EQUAL(words[0], start + (__u64)LIMIT_TRIES * COST);
}

static void lost_give_back_leaves_the_cost_taken(void)
{
	struct limit_rule rule = bucket(1000, 100);
	__u64 word = limit_full(&rule, NOW_NS) + 50 * COST, start = word;

	contend(LIMIT_TRIES - 1, COST, NULL);
	CU_ASSERT_EQUAL(limit_give_back(&word, &rule, NOW_NS, 5), 0);
	CU_ASSERT_EQUAL(word, start + (__u64)(LIMIT_TRIES - 1 - 5) * COST);
	start = word;
	contend(LIMIT_TRIES, COST, NULL);
	CU_ASSERT_EQUAL(limit_give_back(&word, &rule, NOW_NS, 5), LIMIT_CONTENDED);
	CU_ASSERT_EQUAL(word, start + (__u64)LIMIT_TRIES * COST);
}

/* A word far in the future is put right by a refusal; losing that swap passes nothing. */
static void refusal_that_writes_never_turns_into_a_pass(void)
{
	struct limit_rule rules[2] = {bucket(1000, 10), bucket(1000000, 3000)};
	__u64 now = limit_full(&rules[0], NOW_NS), far = now + (1ull << 40);
	__u64 bytes = limit_full(&rules[1], NOW_NS);

	words[0] = far;
	words[1] = bytes;
	contend(1, now - far, &words[0]); /* another has put it right, even full */
	CU_ASSERT_EQUAL(limit_take_pair(words, rules, NOW_NS, 100), LIMIT_REFUSED);
	CU_ASSERT_EQUAL(words[0], now);
	CU_ASSERT_EQUAL(words[1], bytes);
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(lost_swap_is_decided_anew),
		SUITE_TEST(exhausted_tries_refuse_and_take_nothing),
		SUITE_TEST(loser_is_refused_when_the_winners_took_the_rest),
		SUITE_TEST(pair_gives_the_packet_back_when_bytes_go_to_others),
		SUITE_TEST(lost_give_back_leaves_the_cost_taken),
		SUITE_TEST(refusal_that_writes_never_turns_into_a_pass),
		CU_TEST_INFO_NULL,
	};

	return suite_run("limit_contended", tests);
}
