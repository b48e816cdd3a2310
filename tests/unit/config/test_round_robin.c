/* SPDX-License-Identifier: Apache-2.0 */
#include "config/round_robin.h"

#include <time.h>

#include "shm/limits.h"
#include "tests/unit/config/policy_text.h"

static uint16_t weights[MAX_ENDPOINTS];
static uint16_t table[ROUND_ROBIN_MAX_CYCLE];

static uint32_t cycle_of(const uint16_t *of, uint32_t count)
{
	uint32_t length;

	memcpy(weights, of, count * sizeof(*of));
	length = round_robin_reduce(weights, count);
	require(length >= 1 && length <= ROUND_ROBIN_MAX_CYCLE);
	memset(table, 0xff, sizeof(table));
	require(round_robin_build(weights, count, length, table) == 0);
	return length;
}

/* The textbook form: every host's credit grows, the richest pays. */
static void deal_plainly(const uint16_t *of, uint32_t count, uint32_t length, uint16_t *out)
{
	int64_t credit[16] = {0};

	for (uint32_t step = 0; step < length; step++) {
		uint32_t best = 0;

		for (uint32_t i = 0; i < count; i++) {
			credit[i] += of[i];
			if (credit[i] > credit[best])
				best = i;
		}
		credit[best] -= length;
		out[step] = (uint16_t)best;
	}
}

static void five_one_one_is_dealt_smoothly(void)
{
	static const uint16_t of[] = {5, 1, 1}, expected[] = {0, 0, 1, 0, 2, 0, 0};

	CU_ASSERT_EQUAL(cycle_of(of, 3), 7);
	CU_ASSERT_EQUAL(memcmp(table, expected, sizeof(expected)), 0);
}

static void equal_weights_give_each_host_once_in_order(void)
{
	static uint16_t of[MAX_ENDPOINTS];

	for (uint32_t i = 0; i < MAX_ENDPOINTS; i++)
		of[i] = MAX_WEIGHT;
	CU_ASSERT_EQUAL(cycle_of(of, MAX_ENDPOINTS), MAX_ENDPOINTS);
	for (uint32_t i = 0; i < MAX_ENDPOINTS; i++)
		require(table[i] == i);
}

static void weights_are_divided_by_their_common_divisor(void)
{
	static const uint16_t of[] = {250, 50, 50}, expected[] = {0, 0, 1, 0, 2, 0, 0};

	CU_ASSERT_EQUAL(cycle_of(of, 3), 7);
	CU_ASSERT_EQUAL(memcmp(table, expected, sizeof(expected)), 0);
}

static void one_host_is_a_cycle_of_one(void)
{
	static const uint16_t of[] = {17};

	CU_ASSERT_EQUAL(cycle_of(of, 1), 1);
	CU_ASSERT_EQUAL(table[0], 0);
}

static void dealing_by_weight_class_equals_the_textbook(void)
{
	static uint16_t expected[ROUND_ROBIN_MAX_CYCLE];
	uint64_t seed = 1;

	for (uint32_t round = 0; round < 2000; round++) {
		uint16_t of[16];
		uint32_t count, length;

		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		count = 1 + (seed >> 33) % 16;
		for (uint32_t i = 0; i < count; i++) {
			seed = seed * 6364136223846793005ull + 1442695040888963407ull;
			/* few different weights in odd rounds, many in even ones */
			of[i] = (uint16_t)(1 + (seed >> 33) % (round % 2 != 0 ? 3 : MAX_WEIGHT));
		}
		length = cycle_of(of, count);
		deal_plainly(weights, count, length, expected);
		require(memcmp(table, expected, length * sizeof(table[0])) == 0);
	}
}

static void host_appears_as_often_as_its_weight(void)
{
	static const uint16_t of[] = {256, 255, 3, 1, 128, 77};
	uint32_t times[6] = {0}, length = cycle_of(of, 6);

	for (uint32_t i = 0; i < length; i++)
		times[table[i]]++;
	for (uint32_t i = 0; i < 6; i++)
		CU_ASSERT_EQUAL(times[i], of[i]);
}

/* A quarter of the endpoints each with 256, 128, 32 and 3: 1.7 million in all. */
static void long_cycle_is_scaled_down_in_proportion(void)
{
	static const uint16_t kinds[] = {256, 128, 32, 3};
	static uint16_t of[MAX_ENDPOINTS];
	uint32_t length;

	for (uint32_t i = 0; i < MAX_ENDPOINTS; i++)
		of[i] = kinds[i % 4];
	length = cycle_of(of, MAX_ENDPOINTS);
	CU_ASSERT(length > ROUND_ROBIN_MAX_CYCLE / 2);
	CU_ASSERT(weights[0] >= 2 * weights[1] - 1 && weights[0] <= 2 * weights[1] + 1);
	CU_ASSERT_EQUAL(weights[3], 1);
	CU_ASSERT(weights[2] >= 1 && weights[2] <= 2);
}

static void longest_cycle_that_fits_is_kept_exactly(void)
{
	static uint16_t of[512];
	uint32_t length;

	for (uint32_t i = 0; i < 512; i++)
		of[i] = i % 2 == 0 ? 1 : 255; /* 256 x 256 = 65,536 */
	length = cycle_of(of, 512);
	CU_ASSERT_EQUAL(length, ROUND_ROBIN_MAX_CYCLE);
	of[0] = 2; /* one more: full + 1 */
	length = cycle_of(of, 512);
	CU_ASSERT(length < ROUND_ROBIN_MAX_CYCLE);
	CU_ASSERT(weights[1] >= 200);
}

static void largest_cluster_with_every_weight_is_built_at_once(void)
{
	static uint16_t of[MAX_ENDPOINTS];
	struct timespec start, end;

	for (uint32_t i = 0; i < MAX_ENDPOINTS; i++)
		of[i] = (uint16_t)(1 + i % MAX_WEIGHT);
	clock_gettime(CLOCK_MONOTONIC, &start);
	cycle_of(of, MAX_ENDPOINTS);
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("%.1f ms: ", (double)(end.tv_sec - start.tv_sec) * 1e3 +
				    (double)(end.tv_nsec - start.tv_nsec) / 1e6);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"{5, 1, 1}", five_one_one_is_dealt_smoothly},
		{"equal weights", equal_weights_give_each_host_once_in_order},
		{"common divisor", weights_are_divided_by_their_common_divisor},
		{"one host", one_host_is_a_cycle_of_one},
		{"textbook", dealing_by_weight_class_equals_the_textbook},
		{"shares", host_appears_as_often_as_its_weight},
		{"scaled down", long_cycle_is_scaled_down_in_proportion},
		{"full and full + 1", longest_cycle_that_fits_is_kept_exactly},
		{"largest cluster", largest_cluster_with_every_weight_is_built_at_once},
		CU_TEST_INFO_NULL,
	};

	return run_suite("round robin", tests);
}
