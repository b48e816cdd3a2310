/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/ebpf/limits.h"

#include <string.h>

static void rule_out_of_range_is_refused(void)
{
	static const struct {
		struct limit_spec spec;
		int err;
	} rows[] = {
		{{LIMIT_NONE, 0, 0, 0}, 0},
		{{LIMIT_SLIDING_WINDOW + 1, 1, 1, 0}, -EINVAL},
		{{LIMIT_TOKEN_BUCKET, 0, 1, 0}, -ERANGE},
		{{LIMIT_TOKEN_BUCKET, 1, 0, 0}, -ERANGE},
		{{LIMIT_TOKEN_BUCKET, 1, 1, 0}, 0},
		{{LIMIT_TOKEN_BUCKET, 1, 1, SECOND_NS}, -EINVAL},
		{{LIMIT_LEAKY_BUCKET, 1, 86400, 0}, 0},
		{{LIMIT_LEAKY_BUCKET, 1, 86401, 0}, -ERANGE},
		{{LIMIT_TOKEN_BUCKET, LIMIT_MAX_RATE, LIMIT_MAX_BURST, 0}, 0},
		{{LIMIT_TOKEN_BUCKET, LIMIT_MAX_RATE + 1, 1, 0}, -ERANGE},
		{{LIMIT_TOKEN_BUCKET, LIMIT_MAX_RATE, LIMIT_MAX_BURST + 1, 0}, -ERANGE},
		{{LIMIT_TOKEN_BUCKET, UINT64_MAX, UINT64_MAX, 0}, -ERANGE},
		{{LIMIT_FIXED_WINDOW, 1, 0, 0}, 0},
		{{LIMIT_FIXED_WINDOW, 1, 1, 0}, -EINVAL},
		{{LIMIT_FIXED_WINDOW, 9, 0, LIMIT_MIN_WINDOW_NS}, -ERANGE}, /* L = 0 */
		{{LIMIT_FIXED_WINDOW, 10, 0, LIMIT_MIN_WINDOW_NS}, 0},
		{{LIMIT_FIXED_WINDOW, 10, 0, LIMIT_MIN_WINDOW_NS - 1}, -ERANGE},
		{{LIMIT_SLIDING_WINDOW, LIMIT_MAX_COUNT, 0, 0}, 0},
		{{LIMIT_SLIDING_WINDOW, LIMIT_MAX_COUNT + 1, 0, 0}, -ERANGE},
		{{LIMIT_SLIDING_WINDOW, 1, 0, LIMIT_MAX_WINDOW_NS}, 0},
		{{LIMIT_SLIDING_WINDOW, 1, 0, LIMIT_MAX_WINDOW_NS + 1}, -ERANGE},
	};
	static const struct limit_rule none;
	struct limit_rule rule;

	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		memset(&rule, 0xff, sizeof(rule));
		CU_ASSERT_EQUAL(limit_rule_make(&rule, &rows[i].spec), rows[i].err);
		if (rows[i].err)
			CU_ASSERT_EQUAL(memcmp(&rule, &none, sizeof(rule)), 0);
	}
}

static void rates_and_windows_round_to_the_limits_side(void)
{
	uint64_t seed = 0x589965cc75374cc3;

	for (int i = 0; i < 1000; i++) {
		uint64_t rate = random_magnitude(&seed, LIMIT_MAX_COUNT);
		struct limit_rule b = bucket(rate, 1), w = window(LIMIT_SLIDING_WINDOW, rate);

		CU_ASSERT((wide)b.speed * SECOND_NS <= (wide)rate << 58);
		CU_ASSERT(((wide)b.speed + 1) * SECOND_NS > (wide)rate << 58);
		CU_ASSERT((wide)w.speed * SECOND_NS <= (wide)1 << 62);
		CU_ASSERT((wide)w.share * rate >= (wide)1 << 62);
	}
}

static void clock_is_the_high_part_of_the_product(void)
{
	uint64_t seed = 0x8ebc6af09c88c6e3;
	int differ = 0;

	for (int i = 0; i < 100000; i++) {
		uint64_t speed = random64(&seed) >> (random64(&seed) % 64);
		uint64_t now_ns = random64(&seed) >> (random64(&seed) % 64);

		differ += limit_clock(speed, now_ns) !=
			  (uint64_t)(((wide)speed * now_ns) >> LIMIT_CLOCK_SHIFT);
	}
	CU_ASSERT_EQUAL(differ, 0);
	CU_ASSERT_EQUAL(limit_clock(UINT64_MAX, UINT64_MAX),
			(uint64_t)(((wide)UINT64_MAX * UINT64_MAX) >> LIMIT_CLOCK_SHIFT));
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(rule_out_of_range_is_refused),
		SUITE_TEST(rates_and_windows_round_to_the_limits_side),
		SUITE_TEST(clock_is_the_high_part_of_the_product),
		CU_TEST_INFO_NULL,
	};

	return suite_run("limit_rule", tests);
}
