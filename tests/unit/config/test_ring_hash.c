/* SPDX-License-Identifier: Apache-2.0 */
#include "config/ring_hash.h"

#include <errno.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "shm/limits.h"
#include "shm/lookup.h"
#include "tests/unit/config/policy_text.h"

enum { MAX_HOSTS = 50, KEYS = 400000, POINTS = 160, MAX_RING = 65536 };

static char keys[MAX_HOSTS][32];
static uint64_t ring[MAX_RING];
static uint16_t table[MAX_RING];

static void name_hosts(struct lb_host *hosts, uint32_t count, uint32_t weight)
{
	for (uint32_t i = 0; i < count; i++) {
		snprintf(keys[i], sizeof(keys[i]), "10.2.0.%u:8080", i + 1);
		hosts[i] = (struct lb_host){keys[i], weight};
	}
}

/* splitmix64: evenly spread keys, the same in every run */
static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ull;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

static uint32_t build(const struct lb_host *hosts, uint32_t count, uint64_t points)
{
	uint64_t total = ring_hash_count(hosts, count, points);

	require(total <= MAX_RING);
	require(ring_hash_build(hosts, count, points, ring, table) == 0);
	for (uint64_t i = 0; i < total; i++)
		require(table[i] < count && (i == 0 || ring[i] >= ring[i - 1]));
	return (uint32_t)total;
}

static void points_are_the_documented_hashes(void)
{
	struct lb_host hosts[3];
	uint32_t total, found = 0;

	name_hosts(hosts, 3, 1);
	hosts[1].weight = 2;
	total = build(hosts, 3, 5);
	CU_ASSERT_EQUAL(total, 20);
	for (uint32_t h = 0; h < 3; h++) {
		for (uint32_t i = 0; i < 5 * hosts[h].weight; i++) {
			char text[64];
			int bytes = snprintf(text, sizeof(text), "%s_%u", hosts[h].key, i);
			uint64_t point = XXH64(text, (size_t)bytes, 0);

			for (uint32_t k = 0; k < total; k++)
				found += ring[k] == point && table[k] == h;
		}
	}
	CU_ASSERT_EQUAL(found, 20);
}

static void order_of_hosts_changes_only_their_numbers(void)
{
	static uint64_t other_ring[10 * POINTS];
	static uint16_t other[10 * POINTS];
	struct lb_host hosts[10], reversed[10];
	uint32_t total;

	name_hosts(hosts, 10, 1);
	for (uint32_t i = 0; i < 10; i++)
		reversed[i] = hosts[9 - i];
	total = build(hosts, 10, POINTS);
	CU_ASSERT_EQUAL(ring_hash_build(reversed, 10, POINTS, other_ring, other), 0);
	CU_ASSERT_EQUAL(memcmp(ring, other_ring, total * sizeof(ring[0])), 0);
	for (uint32_t i = 0; i < total; i++)
		CU_ASSERT_EQUAL(table[i], 9 - other[i]);
}

/* Two hosts of one key are all ties: the first point of each pair is the first host's. */
static void ties_are_in_the_order_of_keys(void)
{
	static const struct lb_host twins[] = {{"10.0.0.1:1", 1}, {"10.0.0.1:1", 1}};
	uint32_t total = build(twins, 2, 50);

	for (uint32_t i = 0; i < total; i += 2) {
		CU_ASSERT_EQUAL(ring[i], ring[i + 1]);
		CU_ASSERT_NOT_EQUAL(table[i], table[i + 1]);
		CU_ASSERT_EQUAL(table[i], table[0]);
	}
}

/* Largest part of the keys over the mean, mean of it over several sets of hosts. */
static double max_over_mean(uint32_t count, uint32_t sets)
{
	double sum = 0;

	for (uint32_t s = 0; s < sets; s++) {
		struct lb_host hosts[MAX_HOSTS];
		uint32_t drawn[MAX_HOSTS] = {0}, most = 0, total;

		for (uint32_t i = 0; i < count; i++) {
			snprintf(keys[i], sizeof(keys[i]), "10.%u.0.%u:8080", s, i + 1);
			hosts[i] = (struct lb_host){keys[i], 1};
		}
		total = build(hosts, count, POINTS);
		for (uint64_t k = 0; k < MAX_RING; k++) /* as evenly as keys can be */
			drawn[table[lookup_point(ring, total, k << 48)]]++;
		for (uint32_t i = 0; i < count; i++)
			most = drawn[i] > most ? drawn[i] : most;
		sum += (double)most * count / MAX_RING;
	}
	return sum / sets;
}

static void shares_scatter_no_more_than_the_points_allow(void)
{
	double ten = max_over_mean(10, 8), fifty = max_over_mean(50, 4);

	printf("max/mean %.3f of 10, %.3f of 50 hosts: ", ten, fifty);
	CU_ASSERT(ten > 1.05 && ten < 1.16);
	CU_ASSERT(fifty > 1.10 && fifty < 1.25);
}

static void shares_follow_the_weights(void)
{
	static const uint32_t weights[] = {1, 2, 3, 4};
	struct lb_host hosts[4];
	uint32_t drawn[4] = {0}, total;

	name_hosts(hosts, 4, 1);
	for (uint32_t i = 0; i < 4; i++)
		hosts[i].weight = weights[i];
	total = build(hosts, 4, POINTS);
	for (uint64_t k = 0; k < KEYS; k++)
		drawn[table[lookup_point(ring, total, mix(k))]]++;
	for (uint32_t i = 0; i < 4; i++)
		CU_ASSERT(drawn[i] > weights[i] * 0.085 * KEYS &&
			  drawn[i] < weights[i] * 0.115 * KEYS);
}

static void removing_one_of_ten_hosts_moves_its_keys_alone(void)
{
	static uint64_t before_ring[10 * POINTS];
	static uint16_t before[10 * POINTS];
	struct lb_host hosts[10];
	uint32_t moved = 0, total;

	name_hosts(hosts, 10, 1);
	require(ring_hash_build(hosts, 10, POINTS, before_ring, before) == 0);
	for (uint32_t removed = 0; removed < 10; removed++) {
		struct lb_host left[9];

		for (uint32_t i = 0; i < 9; i++)
			left[i] = hosts[i < removed ? i : i + 1];
		total = build(left, 9, POINTS);
		for (uint64_t k = 0; k < KEYS / 20; k++) {
			uint32_t was = before[lookup_point(before_ring, 10 * POINTS, mix(k))];
			uint32_t now = table[lookup_point(ring, total, mix(k))];

			now += now >= removed;
			CU_ASSERT(now == was || was == removed);
			moved += now != was;
		}
	}
	printf("moved %.2f %%: ", moved * 200.0 / KEYS);
	CU_ASSERT_EQUAL(moved, KEYS / 20); /* over all removals, each key once: 10.0 % a removal */
}

static void look_up_finds_the_first_point_at_or_after(void)
{
	static const uint64_t points[] = {5, 7, 7, 7, 9, UINT64_MAX};
	static const struct {
		uint64_t hash;
		uint32_t count;
		uint32_t place;
	} rows[] = {
		{0, 6, 0},  {5, 6, 0},          {6, 6, 1},  {7, 6, 1}, {8, 6, 4}, {9, 6, 4},
		{10, 6, 5}, {UINT64_MAX, 6, 5}, {10, 5, 0}, {9, 5, 4}, {0, 1, 0}, {6, 1, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		CU_ASSERT_EQUAL(lookup_point(points, rows[i].count, rows[i].hash), rows[i].place);
}

/* What it does by guessing and galloping, one after the other. */
static uint32_t first_at_or_after(const uint64_t *points, uint32_t count, uint64_t hash)
{
	for (uint32_t i = 0; i < count; i++)
		if (points[i] >= hash)
			return i;
	return 0;
}

static int ascending(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Even as hashes are, all low, all high, or many equal ones. */
static uint64_t point_of_shape(uint32_t shape, uint64_t even)
{
	switch (shape) {
	case 0:
		return even;
	case 1:
		return even >> 40;
	case 2:
		return ~(even >> 40);
	default:
		return even << 62;
	}
}

static void look_up_is_that_of_a_plain_walk(void)
{
	enum { MOST = 600 };
	static uint64_t points[MOST];

	for (uint32_t n = 0; n < 400; n++) {
		const uint32_t count = n < 80 ? n + 1 : n * 3 / 2;

		for (uint32_t i = 0; i < count; i++)
			points[i] = point_of_shape(n % 4, mix((uint64_t)n << 32 | i));
		qsort(points, count, sizeof(points[0]), ascending);
		for (uint32_t k = 0; k < 100; k++) {
			/* one before a point, at it, one behind it; and anywhere */
			uint64_t hash = k % 4 < 3 ? points[mix(k) % count] + k % 4 - 1 : mix(~k);

			CU_ASSERT_EQUAL(lookup_point(points, count, hash),
					first_at_or_after(points, count, hash));
		}
		CU_ASSERT_EQUAL(lookup_point(points, count, 0), 0);
		CU_ASSERT_EQUAL(lookup_point(points, count, UINT64_MAX),
				first_at_or_after(points, count, UINT64_MAX));
	}
}

static void place_is_the_hashs_part_of_the_table(void)
{
	CU_ASSERT_EQUAL(lookup_place(0, 7), 0);
	CU_ASSERT_EQUAL(lookup_place(UINT64_MAX, 7), 6);
	CU_ASSERT_EQUAL(lookup_place(UINT64_MAX, 1), 0);
	CU_ASSERT_EQUAL(lookup_place(UINT64_MAX / 2, 65537), 32768);
	CU_ASSERT_EQUAL(lookup_place(UINT64_MAX, MAGLEV_MAX_SIZE), MAGLEV_MAX_SIZE - 1);
}

static void bad_sizes_are_refused(void)
{
	struct lb_host hosts[3];

	name_hosts(hosts, 3, 256);
	CU_ASSERT_EQUAL(ring_hash_count(hosts, 3, 160), 3 * 256 * 160);
	CU_ASSERT_EQUAL(ring_hash_count(hosts, 3, UINT64_MAX / 2), UINT64_MAX);
	CU_ASSERT_EQUAL(ring_hash_count(hosts, 0, 160), 0);
	CU_ASSERT_EQUAL(ring_hash_build(hosts, 0, 160, ring, table), -EINVAL);
	CU_ASSERT_EQUAL(ring_hash_build(hosts, 3, 0, ring, table), -EINVAL);
	CU_ASSERT_EQUAL(ring_hash_build(hosts, 3, RING_MAX_POINTS / (3 * 256) + 1, ring, table),
			-EINVAL);
	CU_ASSERT_EQUAL(ring_hash_build(hosts, 3, UINT64_MAX / 2, ring, table), -EINVAL);
	CU_ASSERT_EQUAL(ring_hash_build(hosts, MAX_ENDPOINTS + 1, 1, ring, table), -EINVAL);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"points", points_are_the_documented_hashes},
		{"order of hosts", order_of_hosts_changes_only_their_numbers},
		{"ties", ties_are_in_the_order_of_keys},
		{"even shares", shares_scatter_no_more_than_the_points_allow},
		{"weights", shares_follow_the_weights},
		{"removal", removing_one_of_ten_hosts_moves_its_keys_alone},
		{"look-up", look_up_finds_the_first_point_at_or_after},
		{"look-up against a walk", look_up_is_that_of_a_plain_walk},
		{"place", place_is_the_hashs_part_of_the_table},
		{"bad sizes", bad_sizes_are_refused},
		CU_TEST_INFO_NULL,
	};

	return run_suite("ring hash", tests);
}
