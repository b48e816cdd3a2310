/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/policy/budget.h"

#include "shm/limits.h"
#include "tests/unit/dataplane/suite.h"

#define US UINT64_C(1000)

static struct image_retry rules_of(uint32_t base_us, uint32_t max_us, uint32_t factor_percent,
				   enum image_jitter jitter)
{
	return (struct image_retry){.base_us = base_us,
				    .max_us = max_us,
				    .factor_percent = factor_percent,
				    .jitter = (uint8_t)jitter};
}

static const struct row {
	uint32_t base_us, max_us, factor_percent, k;
	uint64_t delay_ns; /* without jitter */
} rows[] = {
	{25000, 250000, 200, 1, 25000 * US},
	{25000, 250000, 200, 2, 50000 * US},
	{25000, 250000, 200, 3, 100000 * US},
	{25000, 250000, 200, 4, 200000 * US},
	{25000, 250000, 200, 5, 250000 * US},
	{25000, 250000, 200, 10, 250000 * US},
	{10000, 1000000, 150, 1, 10000 * US},
	{10000, 1000000, 150, 2, 15000 * US},
	{10000, 1000000, 150, 3, 22500 * US},
	{10000, 1000000, 150, 4, 33750 * US},
	{1, 1000000, 150, 3, 2250}, /* ns below a microsecond are kept */
	{100, 1000000, 100, 10, 100 * US},
	{300, 200, 200, 1, 200 * US}, /* base above max */
	{0, 250000, 200, 7, 0},
	{25000, 0, 200, 3, 0},
	{1, UINT32_MAX, 1000, 10, 1000000000 * US},
	{2, UINT32_MAX, 1000, 10, 2000000000 * US},
	{5, UINT32_MAX, 1000, 10, UINT32_MAX *US},
	{UINT32_MAX, UINT32_MAX, 1000, 10, UINT32_MAX *US},
	{UINT32_MAX - 1, UINT32_MAX, 1000, 2, UINT32_MAX *US},
	{1, UINT32_MAX, 1000, UINT32_MAX,
	 1000000000 * US}, /* more than MAX_ATTEMPTS there are not */
	{25000, 250000, 200, 0, 25000 * US},
};

static void the_delay_grows_by_the_factor_up_to_its_maximum(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		const struct image_retry rules =
			rules_of(r->base_us, r->max_us, r->factor_percent, JITTER_NONE);

		CU_ASSERT_EQUAL(backoff_ns(&rules, r->k, 0), r->delay_ns);
		CU_ASSERT_EQUAL(backoff_ns(&rules, r->k, UINT64_MAX), r->delay_ns);
	}
}

static void full_jitter_is_below_the_delay(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		const struct image_retry rules =
			rules_of(r->base_us, r->max_us, r->factor_percent, JITTER_FULL);

		CU_ASSERT_EQUAL(backoff_ns(&rules, r->k, 0), 0);
		CU_ASSERT_EQUAL(backoff_ns(&rules, r->k, UINT64_C(1) << 63), r->delay_ns / 2);
		CU_ASSERT_EQUAL(backoff_ns(&rules, r->k, UINT64_MAX),
				r->delay_ns ? r->delay_ns - 1 : 0);
	}
}

static void full_jitter_is_uniform(void)
{
	enum { DRAWS = 100000, PARTS = 10 };
	const struct image_retry rules = rules_of(25000, 250000, 200, JITTER_FULL);
	struct random r = {.state = 42};
	uint32_t part[PARTS] = {0};

	for (uint32_t i = 0; i < DRAWS; i++)
		part[backoff_ns(&rules, 3, random_next(&r)) / (100000 * US / PARTS)]++;
	for (uint32_t i = 0; i < PARTS; i++) /* 5 standard deviations of 95 */
		CU_ASSERT(part[i] > DRAWS / PARTS - 475 && part[i] < DRAWS / PARTS + 475);
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(the_delay_grows_by_the_factor_up_to_its_maximum),
		SUITE_TEST(full_jitter_is_below_the_delay),
		SUITE_TEST(full_jitter_is_uniform),
		CU_TEST_INFO_NULL,
	};

	return suite_run("retry_backoff", tests);
}
