/* SPDX-License-Identifier: Apache-2.0 */
/* Packets and bytes together, and what is given back. */
#include "tests/unit/ebpf/limits.h"

static void packet_of_a_pair_returns_when_bytes_refuse(void)
{
	struct limit_rule rules[2] = {bucket(1000, 10), bucket(1000000, 3000)};
	__u64 words[2] = {limit_full(&rules[0], NOW_NS), limit_full(&rules[1], NOW_NS)};
	__u64 before;

	CU_ASSERT_EQUAL(limit_take_pair(words, rules, NOW_NS, 1500), LIMIT_PASS);
	CU_ASSERT_EQUAL(limit_take_pair(words, rules, NOW_NS, 1500), LIMIT_PASS);
	before = words[0];
	CU_ASSERT_EQUAL(limit_take_pair(words, rules, NOW_NS, 1500),
			LIMIT_REFUSED | LIMIT_BY_BYTES);
	CU_ASSERT_EQUAL(limit_take_pair(words, rules, NOW_NS, 3001),
			LIMIT_TOO_BIG | LIMIT_BY_BYTES);
	CU_ASSERT_EQUAL(words[0], before);
	CU_ASSERT_EQUAL(passes(&words[0], &rules[0], NOW_NS, 1, 20), 8);
	before = words[1];
	CU_ASSERT_EQUAL(limit_take_pair(words, rules, NOW_NS + 10000, 10), LIMIT_REFUSED);
	CU_ASSERT_EQUAL(words[1], before);
}

/* As after the clock stepped far back: what refuses is put right, so that it can fill. */
static void pair_locks_out_on_neither_word(void)
{
	struct limit_rule rules[2] = {bucket(1000, 10), bucket(1000000, 3000)};

	for (int k = 0; k < 2; k++) {
		__u64 words[2] = {limit_full(&rules[0], NOW_NS), limit_full(&rules[1], NOW_NS)};

		words[k] += 1ull << 50;
		CU_ASSERT_NOT_EQUAL(limit_take_pair(words, rules, NOW_NS, 1000), LIMIT_PASS);
		CU_ASSERT_EQUAL(limit_take_pair(words, rules, NOW_NS + 10000000, 1000), LIMIT_PASS);
	}
}

/* Any pair, any time: the verdict and both words are those of take, take, give back. */
static void pair_equals_take_take_give_back(void)
{
	uint64_t seed = 0xe7037ed1a0b428db, kinds[2 * LIMIT_BY_BYTES] = {0};
	int differ = 0;

	for (int i = 0; i < 300; i++) {
		struct limit_rule rules[2];
		__u64 words[2], plain[2], now_ns = NOW_NS;

		for (int k = 0; k < 2; k++) {
			uint32_t a = random64(&seed) % (LIMIT_SLIDING_WINDOW + 1);
			uint64_t rate = k ? 1 << 20 : 1 << 10;

			rules[k] = (struct limit_rule){0};
			if (a)
				rules[k] = is_bucket(a) ? bucket(rate, rate / 4) : window(a, rate);
			words[k] = plain[k] = limit_full(&rules[k], now_ns);
		}
		for (int n = 0; n < 2000; n++) {
			uint32_t bytes = (uint32_t)(random64(&seed) % 2800), want, got;

			now_ns += random64(&seed) % 1000000;
			want = limit_take(&plain[0], &rules[0], now_ns, 1);
			if (want == LIMIT_PASS) {
				want = limit_take(&plain[1], &rules[1], now_ns, bytes);
				want |= want ? LIMIT_BY_BYTES : 0;
				if (want)
					limit_give_back(&plain[0], &rules[0], now_ns, 1);
			}
			got = limit_take_pair(words, rules, now_ns, bytes);
			kinds[got]++;
			differ += got != want;
			for (int k = 0; k < 2; k++) /* one may know already that time has passed */
				differ +=
					limit_take_owned(&(__u64){words[k]}, &rules[k], now_ns,
							 1) !=
					limit_take_owned(&(__u64){plain[k]}, &rules[k], now_ns, 1);
		}
	}
	CU_ASSERT_EQUAL(differ, 0);
	CU_ASSERT(kinds[LIMIT_PASS] && kinds[LIMIT_REFUSED] &&
		  kinds[LIMIT_REFUSED | LIMIT_BY_BYTES]);
}

static void given_back_cost_passes_again(void)
{
	for (uint32_t a = LIMIT_TOKEN_BUCKET; a <= LIMIT_SLIDING_WINDOW; a++) {
		struct limit_rule rule = is_bucket(a) ? bucket(100, 100) : window(a, 100);
		__u64 word = limit_full(&rule, NOW_NS), before;

		passes(&word, &rule, NOW_NS, 1, 100);
		CU_ASSERT_EQUAL(limit_give_back(&word, &rule, NOW_NS, 30), 0);
		CU_ASSERT_EQUAL(passes(&word, &rule, NOW_NS, 1, 100), 30);
		if (is_bucket(a))
			continue;
		before = word;
		limit_give_back(&word, &rule, NOW_NS, 101); /* more than the window counted */
		CU_ASSERT_EQUAL(word, before);
		limit_give_back(&word, &rule, NOW_NS + SECOND_NS, 30); /* it is over */
		CU_ASSERT_EQUAL(word, before);
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(packet_of_a_pair_returns_when_bytes_refuse),
		SUITE_TEST(pair_locks_out_on_neither_word),
		SUITE_TEST(pair_equals_take_take_give_back),
		SUITE_TEST(given_back_cost_passes_again),
		CU_TEST_INFO_NULL,
	};

	return suite_run("limit_pair", tests);
}
