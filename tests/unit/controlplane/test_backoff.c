/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/backoff.h"

#include "tests/unit/dataplane/suite.h"

static void first_two_deaths_are_answered_at_once(void)
{
	struct backoff b = {0};

	CU_ASSERT_EQUAL(backoff_died(&b, 0), 0);
	CU_ASSERT_EQUAL(backoff_died(&b, 0), 0);
	CU_ASSERT_EQUAL(backoff_died(&b, 0), BACKOFF_FIRST_MS);
}

static void delay_doubles_up_to_the_cap(void)
{
	static const uint32_t delays_ms[] = {0,    0,    100,  200,  400, 800,
					     1600, 3200, 5000, 5000, 5000};
	struct backoff b = {0};

	for (size_t i = 0; i < sizeof(delays_ms) / sizeof(delays_ms[0]); i++)
		CU_ASSERT_EQUAL(backoff_died(&b, 10), delays_ms[i]);
	for (int i = 0; i < 1000; i++)
		CU_ASSERT_EQUAL(backoff_died(&b, 10), BACKOFF_MAX_MS);
}

static void three_deaths_count_only_within_the_window(void)
{
	/* Third death 10 s of life after the first; then 1 ms later than that. */
	struct backoff in = {0};
	struct backoff out = {0};

	backoff_died(&in, 0);
	backoff_died(&in, 4000);
	CU_ASSERT_EQUAL(backoff_died(&in, 6000), BACKOFF_FIRST_MS);
	backoff_died(&out, 0);
	backoff_died(&out, 4000);
	CU_ASSERT_EQUAL(backoff_died(&out, 6001), 0);
}

static void a_long_life_starts_anew(void)
{
	struct backoff b = {0};

	for (int i = 0; i < 6; i++)
		backoff_died(&b, 1);
	CU_ASSERT_EQUAL(backoff_died(&b, UINT64_MAX), 0);
	CU_ASSERT_EQUAL(backoff_died(&b, 1), 0);
	CU_ASSERT_EQUAL(backoff_died(&b, 1), BACKOFF_FIRST_MS);
}

static CU_TestInfo tests[] = {
	SUITE_TEST(first_two_deaths_are_answered_at_once),
	SUITE_TEST(delay_doubles_up_to_the_cap),
	SUITE_TEST(three_deaths_count_only_within_the_window),
	SUITE_TEST(a_long_life_starts_anew),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	return suite_run("backoff", tests);
}
