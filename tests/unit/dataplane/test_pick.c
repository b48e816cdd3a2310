/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/lb/pick.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <CUnit/Basic.h>
#include <string.h>

enum { TABLE = 65537, HOSTS = 10 };

static uint16_t table[TABLE];

/* A table whose hosts have parts[i] (NULL: equal parts) of its places, well mixed. */
static struct image_cluster cluster_of(uint32_t hosts, const uint32_t *parts)
{
	static uint16_t cycle[1000];
	uint32_t n = 0;

	for (uint32_t i = 0; i < hosts; i++)
		for (uint32_t k = 0; k < (parts ? parts[i] : 1); k++)
			cycle[n++] = (uint16_t)i;
	for (uint32_t i = 0; n && i < TABLE; i++)
		table[i] = cycle[(i * 7919u) % n];
	return (struct image_cluster){
		.endpoint_count = hosts, .algorithm = LB_MAGLEV, .table_count = hosts ? TABLE : 0};
}

static uint64_t key_hash(uint64_t key)
{
	return XXH64(&key, sizeof(key), 99);
}

static struct flow_key client(uint8_t family, uint32_t address, uint16_t port)
{
	struct flow_key key = {.k = {.sport = port, .proto = PROTO_TCP, .family = family}};

	if (family == FAMILY_V4) {
		key.k.src = address;
	} else {
		memcpy(key.src6, "\xfd\x00\x00\x01", 4);
		memcpy(key.src6 + 12, &address, 4);
	}
	return key;
}

static void cluster_without_endpoints_gives_none(void)
{
	struct image_cluster c = cluster_of(0, NULL);
	uint32_t cursor = 0;

	CU_ASSERT_EQUAL(lb_pick(&c, table, &cursor, 5, 0), UINT32_MAX);
	c.algorithm = LB_ROUND_ROBIN;
	CU_ASSERT_EQUAL(lb_pick(&c, table, &cursor, 5, 3), UINT32_MAX);
}

static void one_endpoint_is_every_candidate(void)
{
	struct image_cluster c = cluster_of(1, NULL);
	uint32_t cursor = 0;

	for (uint32_t attempt = 0; attempt < 100; attempt++)
		CU_ASSERT_EQUAL(lb_pick(&c, table, &cursor, key_hash(attempt), attempt), 0);
	CU_ASSERT_EQUAL(lb_pick(&c, table, &cursor, 0, UINT32_MAX), 0);
}

static void round_robin_walks_its_cycle(void)
{
	static const uint16_t cycle[] = {2, 0, 2, 1};
	struct image_cluster c = {.endpoint_count = 3, .table_count = 4};
	uint32_t cursor = 0;

	for (int i = 0; i < 12; i++)
		CU_ASSERT_EQUAL(lb_pick(&c, cycle, &cursor, 0, 0), cycle[i % 4]);
}

static void round_robin_survives_a_shorter_cycle(void)
{
	static const uint16_t cycle[] = {1, 0};
	struct image_cluster c = {.endpoint_count = 2, .table_count = 2};
	uint32_t cursor = 4000;

	CU_ASSERT_EQUAL(lb_pick(&c, cycle, &cursor, 0, 0), 1);
	CU_ASSERT_EQUAL(lb_pick(&c, cycle, &cursor, 0, 0), 0);
	CU_ASSERT_EQUAL(lb_pick(&c, cycle, &cursor, 0, 0), 1);
	cursor = UINT32_MAX;
	CU_ASSERT_EQUAL(lb_pick(&c, cycle, &cursor, 0, 0), 1);
}

static void maglev_keys_spread_as_the_table_does(void)
{
	static const uint32_t parts[] = {1, 2, 3, 4};
	struct image_cluster c = cluster_of(4, parts);
	uint32_t hits[4] = {0}, cursor = 0;

	for (uint64_t key = 0; key < 200000; key++)
		hits[lb_pick(&c, table, &cursor, key_hash(key), 0)]++;
	for (uint32_t i = 0; i < 4; i++)
		CU_ASSERT(hits[i] > 19200 * parts[i] && hits[i] < 20800 * parts[i]);
	CU_ASSERT_EQUAL(cursor, 0);
}

static void first_and_last_place_are_in_reach(void)
{
	struct image_cluster c = cluster_of(HOSTS, NULL);
	uint32_t cursor = 0;

	memset(table, 0, sizeof(table));
	table[0] = 3;
	table[TABLE - 1] = 4;
	CU_ASSERT_EQUAL(lb_pick(&c, table, &cursor, 0, 0), 3);
	CU_ASSERT_EQUAL(lb_pick(&c, table, &cursor, UINT64_MAX, 0), 4);
}

/* POLICY: candidate a > 0 is the look-up of xxh64(h, a), duplicates skipped. */
static uint32_t model(uint64_t hash, uint32_t wanted)
{
	uint32_t seen = 0, n = 0;

	for (uint32_t a = 0;; a++) {
		uint64_t h = a ? XXH64(&hash, 8, a) : hash;
		uint32_t host = table[(uint32_t)(((unsigned __int128)h * TABLE) >> 64)];

		if (seen & 1u << host)
			continue;
		seen |= 1u << host;
		if (n++ == wanted)
			return host;
	}
}

static void candidates_are_distinct_and_stable(void)
{
	struct image_cluster c = cluster_of(HOSTS, NULL);
	uint32_t cursor = 0;

	for (uint64_t key = 0; key < 5000; key++) {
		uint64_t hash = key_hash(key);
		uint32_t seen = 0;

		for (uint32_t attempt = 0; attempt < HOSTS; attempt++) {
			uint32_t host = lb_pick(&c, table, &cursor, hash, attempt);

			CU_ASSERT_FATAL(host < HOSTS);
			CU_ASSERT_EQUAL(seen & 1u << host, 0);
			if (attempt < 3)
				CU_ASSERT_EQUAL(host, model(hash, attempt));
			seen |= 1u << host;
			/* After the last one they are walked again. */
			if (attempt + HOSTS < 16)
				CU_ASSERT_EQUAL(lb_pick(&c, table, &cursor, hash, attempt + HOSTS),
						host);
		}
		CU_ASSERT_EQUAL(seen, (1u << HOSTS) - 1);
	}
}

static void host_that_chance_does_not_show_is_found(void)
{
	struct image_cluster c = cluster_of(3, NULL);
	uint32_t cursor = 0;

	memset(table, 0, sizeof(table)); /* hosts 1 and 2 have no place worth mentioning */
	CU_ASSERT_EQUAL(lb_pick(&c, table, &cursor, 77, 0), 0);
	CU_ASSERT_EQUAL(lb_pick(&c, table, &cursor, 77, 1), 1);
	CU_ASSERT_EQUAL(lb_pick(&c, table, &cursor, 77, 2), 2);
	CU_ASSERT_EQUAL(lb_pick(&c, table, &cursor, 77, 3), 0);
}

static void many_hosts_and_any_attempt_stay_in_range(void)
{
	struct image_cluster c = cluster_of(300, NULL);
	uint32_t cursor = 0;

	for (uint32_t attempt = 0; attempt < 1000; attempt++)
		CU_ASSERT(lb_pick(&c, table, &cursor, key_hash(attempt), attempt) < 300);
}

static void hash_reads_what_hash_on_names(void)
{
	for (int v6 = 0; v6 < 2; v6++) {
		uint8_t family = v6 ? FAMILY_V6 : FAMILY_V4;
		struct flow_key a = client(family, 1, 1000), b = client(family, 1, 1001),
				d = client(family, 2, 1000);
		uint8_t both = HASH_ON_SOURCE_IP | HASH_ON_SOURCE_PORT;

		CU_ASSERT_EQUAL(lb_hash(&a, HASH_ON_SOURCE_IP), lb_hash(&b, HASH_ON_SOURCE_IP));
		CU_ASSERT_NOT_EQUAL(lb_hash(&a, HASH_ON_SOURCE_IP), lb_hash(&d, HASH_ON_SOURCE_IP));
		CU_ASSERT_EQUAL(lb_hash(&a, HASH_ON_SOURCE_PORT), lb_hash(&d, HASH_ON_SOURCE_PORT));
		CU_ASSERT_NOT_EQUAL(lb_hash(&a, HASH_ON_SOURCE_PORT),
				    lb_hash(&b, HASH_ON_SOURCE_PORT));
		CU_ASSERT_NOT_EQUAL(lb_hash(&a, both), lb_hash(&b, both));
		CU_ASSERT_NOT_EQUAL(lb_hash(&a, both), lb_hash(&d, both));
	}
}

static void hash_is_that_of_the_documented_bytes(void)
{
	struct flow_key v4 = client(FAMILY_V4, 0x0100007f, 0x5000);
	static const uint8_t bytes[18] = {0, 0,    0,    0,   0, 0, 0, 0,    0,
					  0, 0xff, 0xff, 127, 0, 0, 1, 0x00, 0x50};

	CU_ASSERT_EQUAL(lb_hash(&v4, HASH_ON_SOURCE_IP), XXH64(bytes, 16, 0));
	CU_ASSERT_EQUAL(lb_hash(&v4, HASH_ON_SOURCE_IP | HASH_ON_SOURCE_PORT), XXH64(bytes, 18, 0));
	CU_ASSERT_EQUAL(lb_hash(&v4, HASH_ON_SOURCE_PORT), XXH64(bytes + 16, 2, 0));
}

int main(void)
{
	CU_initialize_registry();
	CU_pSuite s = CU_add_suite("pick", NULL, NULL);

	CU_ADD_TEST(s, cluster_without_endpoints_gives_none);
	CU_ADD_TEST(s, one_endpoint_is_every_candidate);
	CU_ADD_TEST(s, round_robin_walks_its_cycle);
	CU_ADD_TEST(s, round_robin_survives_a_shorter_cycle);
	CU_ADD_TEST(s, maglev_keys_spread_as_the_table_does);
	CU_ADD_TEST(s, first_and_last_place_are_in_reach);
	CU_ADD_TEST(s, candidates_are_distinct_and_stable);
	CU_ADD_TEST(s, host_that_chance_does_not_show_is_found);
	CU_ADD_TEST(s, many_hosts_and_any_attempt_stay_in_range);
	CU_ADD_TEST(s, hash_reads_what_hash_on_names);
	CU_ADD_TEST(s, hash_is_that_of_the_documented_bytes);
	CU_basic_set_mode(CU_BRM_NORMAL);
	CU_basic_run_tests();
	unsigned int failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed != 0;
}
