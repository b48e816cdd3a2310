/* SPDX-License-Identifier: Apache-2.0 */
#include "config/maglev.h"

#include <errno.h>

#include "shm/limits.h"
#include "shm/lookup.h"
#include "tests/unit/config/policy_text.h"

enum { MAX_HOSTS = 64, KEYS = 1000000 };

static char keys[MAX_HOSTS][32];

static void name_hosts(struct lb_host *hosts, uint32_t count, uint32_t weight)
{
	for (uint32_t i = 0; i < count; i++) {
		snprintf(keys[i], sizeof(keys[i]), "10.2.0.%u:8080", i + 1);
		hosts[i] = (struct lb_host){keys[i], weight};
	}
}

static void count_entries(const uint16_t *table, uint32_t size, uint32_t *entries, uint32_t hosts)
{
	memset(entries, 0, hosts * sizeof(*entries));
	for (uint32_t i = 0; i < size; i++) {
		require(table[i] < hosts);
		entries[table[i]]++;
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

static void table_of_seven_entries_is_the_published_one(void)
{
	static const struct lb_host hosts[] = {
		{"127.0.0.1:90", 1}, {"127.0.0.1:91", 1}, {"127.0.0.1:92", 1},
		{"127.0.0.1:93", 1}, {"127.0.0.1:94", 1}, {"127.0.0.1:95", 1},
	};
	static const uint16_t expected[7] = {2, 4, 0, 1, 5, 0, 3};
	uint16_t table[7];

	CU_ASSERT_EQUAL(maglev_build(hosts, 6, 7, table), 0);
	CU_ASSERT_EQUAL(memcmp(table, expected, sizeof(table)), 0);
}

static void order_of_hosts_changes_only_their_numbers(void)
{
	static const struct lb_host hosts[] = {
		{"127.0.0.1:95", 1}, {"127.0.0.1:94", 1}, {"127.0.0.1:93", 1},
		{"127.0.0.1:92", 1}, {"127.0.0.1:91", 1}, {"127.0.0.1:90", 1},
	};
	static const uint16_t expected[7] = {3, 1, 5, 4, 0, 5, 2};
	uint16_t table[7];

	CU_ASSERT_EQUAL(maglev_build(hosts, 6, 7, table), 0);
	CU_ASSERT_EQUAL(memcmp(table, expected, sizeof(table)), 0);
}

static void weights_one_to_two_share_the_large_table(void)
{
	static uint16_t table[65537];
	struct lb_host hosts[2];
	uint32_t entries[2];

	name_hosts(hosts, 2, 1);
	hosts[1].weight = 2;
	CU_ASSERT_EQUAL(maglev_build(hosts, 2, 65537, table), 0);
	count_entries(table, 65537, entries, 2);
	CU_ASSERT_EQUAL(entries[0], 21846);
	CU_ASSERT_EQUAL(entries[1], 43691);
}

/* Turns are counted from 1: the light host's second turn comes before the heavy one's. */
static void first_turns_are_counted_from_one(void)
{
	struct lb_host hosts[2];
	uint32_t entries[2];
	uint16_t table[3];

	name_hosts(hosts, 2, 1);
	hosts[1].weight = 2;
	CU_ASSERT_EQUAL(maglev_build(hosts, 2, 3, table), 0);
	count_entries(table, 3, entries, 2);
	CU_ASSERT_EQUAL(entries[0], 2);
	CU_ASSERT_EQUAL(entries[1], 1);
}

static void equal_hosts_differ_by_at_most_one_entry(void)
{
	static const uint32_t sizes[] = {67, 251, 1009, 65537};
	static uint16_t table[65537];
	struct lb_host hosts[MAX_HOSTS];
	uint32_t entries[MAX_HOSTS];

	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		for (uint32_t n = 1; n <= MAX_HOSTS; n++) {
			uint32_t least = sizes[s] / n;

			name_hosts(hosts, n, 7);
			require(maglev_build(hosts, n, sizes[s], table) == 0);
			count_entries(table, sizes[s], entries, n);
			for (uint32_t i = 0; i < n; i++)
				CU_ASSERT(entries[i] == least || entries[i] == least + 1);
		}
	}
}

/* Keys moved when one of ten hosts leaves, in hundredths of a percent. */
static uint32_t moved_by_removal(const uint16_t *before, uint32_t removed)
{
	static uint16_t after[65537];
	struct lb_host hosts[10];
	uint32_t moved = 0;

	name_hosts(hosts, 10, 1);
	memmove(&hosts[removed], &hosts[removed + 1], (9 - removed) * sizeof(hosts[0]));
	require(maglev_build(hosts, 9, 65537, after) == 0);
	for (uint32_t k = 0; k < KEYS; k++) {
		uint32_t at = lookup_place(mix(k), 65537);
		uint32_t now = after[at] < removed ? after[at] : after[at] + 1u;

		moved += now != before[at];
	}
	return moved / (KEYS / 10000);
}

static void removing_one_of_ten_hosts_moves_a_tenth_of_the_keys(void)
{
	static uint16_t table[65537];
	struct lb_host hosts[10];
	uint32_t low = UINT32_MAX, high = 0, sum = 0;

	name_hosts(hosts, 10, 1);
	require(maglev_build(hosts, 10, 65537, table) == 0);
	for (uint32_t i = 0; i < 10; i++) {
		uint32_t moved = moved_by_removal(table, i);

		low = moved < low ? moved : low;
		high = moved > high ? moved : high;
		sum += moved;
	}
	printf("moved %.2f %% to %.2f %%, mean %.2f %%: ", low / 100.0, high / 100.0, sum / 1000.0);
	CU_ASSERT(low >= 1000 && high <= 1060);
	CU_ASSERT(sum / 10 >= 1020 && sum / 10 <= 1040);
}

/* The largest part of the keys drawn over the mean, in hundredths of a percent. */
static uint32_t max_over_mean(uint32_t count)
{
	static uint16_t table[65537];
	struct lb_host hosts[MAX_HOSTS];
	uint32_t drawn[MAX_HOSTS] = {0}, most = 0;

	name_hosts(hosts, count, 1);
	require(maglev_build(hosts, count, 65537, table) == 0);
	for (uint32_t k = 0; k < 4 * KEYS; k++)
		drawn[table[lookup_place(mix(k), 65537)]]++;
	for (uint32_t i = 0; i < count; i++)
		most = drawn[i] > most ? drawn[i] : most;
	return (uint32_t)((uint64_t)most * count * 10000 / (4 * KEYS));
}

static void hosts_share_the_keys_evenly(void)
{
	uint32_t ten = max_over_mean(10), fifty = max_over_mean(50);

	printf("max/mean %.4f of 10, %.4f of 50 hosts: ", ten / 1e4, fifty / 1e4);
	CU_ASSERT(ten <= 10060);
	CU_ASSERT(fifty <= 10250);
}

static void default_size_follows_the_weights(void)
{
	struct lb_host hosts[MAX_HOSTS];

	name_hosts(hosts, 1, 256);
	CU_ASSERT_EQUAL(maglev_default_size(hosts, 1), 1009);
	name_hosts(hosts, 10, 1);
	CU_ASSERT_EQUAL(maglev_default_size(hosts, 10), 1009);
	name_hosts(hosts, 11, 2); /* gcd 2: 1,100 -> 1,103 */
	CU_ASSERT_EQUAL(maglev_default_size(hosts, 11), 1103);
	hosts[0].weight = 1; /* 21 units: 2,100 -> 2,111 */
	CU_ASSERT_EQUAL(maglev_default_size(hosts, 11), 2111);
	name_hosts(hosts, MAX_HOSTS, 255);
	hosts[0].weight = 256;
	CU_ASSERT_EQUAL(maglev_default_size(hosts, MAX_HOSTS), 65537);
}

static void bad_sizes_are_refused(void)
{
	struct lb_host hosts[3];
	uint16_t table[8];

	name_hosts(hosts, 3, 1);
	CU_ASSERT_EQUAL(maglev_build(hosts, 0, 7, table), -EINVAL);
	CU_ASSERT_EQUAL(maglev_build(hosts, 3, 2, table), -EINVAL);
	CU_ASSERT_EQUAL(maglev_build(hosts, 3, 8, table), -EINVAL);
	CU_ASSERT_EQUAL(maglev_build(hosts, 3, 5000077, table), -EINVAL);
	CU_ASSERT_EQUAL(maglev_build(hosts, 3, 3, table), 0);
	CU_ASSERT_EQUAL(maglev_build(hosts, 1, 2, table), 0);
}

static void primes_are_told_from_others(void)
{
	static const uint32_t primes[] = {2, 3, 5, 7, 1009, 65537, MAGLEV_MAX_SIZE};
	static const uint32_t others[] = {0, 1, 4, 9, 1007, 65536, 5000009};

	for (size_t i = 0; i < sizeof(primes) / sizeof(primes[0]); i++)
		CU_ASSERT(maglev_is_prime(primes[i]));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		CU_ASSERT(!maglev_is_prime(others[i]));
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"published table", table_of_seven_entries_is_the_published_one},
		{"order of hosts", order_of_hosts_changes_only_their_numbers},
		{"weights 1:2", weights_one_to_two_share_the_large_table},
		{"first turns", first_turns_are_counted_from_one},
		{"equal hosts", equal_hosts_differ_by_at_most_one_entry},
		{"removal", removing_one_of_ten_hosts_moves_a_tenth_of_the_keys},
		{"even shares", hosts_share_the_keys_evenly},
		{"default size", default_size_follows_the_weights},
		{"bad sizes", bad_sizes_are_refused},
		{"primes", primes_are_told_from_others},
		CU_TEST_INFO_NULL,
	};

	return run_suite("maglev", tests);
}
