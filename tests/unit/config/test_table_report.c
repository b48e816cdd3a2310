/* SPDX-License-Identifier: Apache-2.0 */
#include "config/table_report.h"

#include "config/maglev.h"
#include "config/ring_hash.h"
#include "config/round_robin.h"
#include "shm/names.h"
#include "tests/unit/config/policy_text.h"

enum { HOSTS = 64, ENTRIES = 65537, POINTS = 160 };

/* An image of one cluster, as far as the report reads it. */
struct fixture {
	struct image_header header;
	struct image_cluster cluster;
	struct image_endpoint endpoints[HOSTS];
	uint16_t tables[ENTRIES + 7];
	uint64_t points[ENTRIES];
};

#define SPAN(member, n) \
	((struct image_span){__builtin_offsetof(struct fixture, member), (uint32_t)(n)})

static void fill(struct fixture *f, const struct lb_host *hosts, uint32_t count)
{
	uint16_t weights[HOSTS];

	if (f->cluster.algorithm == LB_MAGLEV) {
		f->cluster.table_count = ENTRIES;
		require(maglev_build(hosts, count, ENTRIES, f->tables) == 0);
		return;
	}
	if (f->cluster.algorithm == LB_RING_HASH) {
		f->cluster.table_count = (uint32_t)ring_hash_count(hosts, count, POINTS);
		require(f->cluster.table_count <= ENTRIES);
		require(ring_hash_build(hosts, count, POINTS, f->points, f->tables) == 0);
		return;
	}
	for (uint32_t i = 0; i < count; i++)
		weights[i] = (uint16_t)hosts[i].weight;
	f->cluster.table_count = round_robin_reduce(weights, count);
	require(round_robin_build(weights, count, f->cluster.table_count, f->tables) == 0);
}

/* Hosts 10.2.0.1... but for number @without; every @heavy-th has weight 3. */
static struct image_header *image_of(enum image_algorithm algorithm, uint32_t count,
				     uint32_t without, uint32_t heavy)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char names[HOSTS][ENDPOINT_NAME_BYTES];
	struct lb_host hosts[HOSTS];
	uint32_t n = 0;

	require(f != NULL && count <= HOSTS);
	f->cluster.key = name_key("web");
	f->cluster.algorithm = (uint8_t)algorithm;
	for (uint32_t i = 0; i < count; i++) {
		if (i == without)
			continue;
		snprintf(names[n], sizeof(names[n]), "10.2.0.%u:8080", i + 1);
		hosts[n] = (struct lb_host){names[n], heavy != 0 && i % heavy == 0 ? 3 : 1};
		f->endpoints[n].key = endpoint_key("web", names[n]);
		f->endpoints[n].weight = (uint16_t)hosts[n].weight;
		n++;
	}
	f->cluster.endpoint_count = n;
	if (n != 0)
		fill(f, hosts, n);
	f->header.clusters = SPAN(cluster, 1);
	f->header.endpoints = SPAN(endpoints, n);
	f->header.tables = SPAN(tables, f->cluster.table_count);
	f->header.points = SPAN(points, f->cluster.table_count);
	return &f->header;
}

static struct table_report report_of(struct image_header *old, struct image_header *new)
{
	struct table_report report;

	require(table_report(&report, old, new, 0) == 0);
	free(old);
	free(new);
	return report;
}

static void nothing_moves_without_a_change(void)
{
	for (int algorithm = 0; algorithm < LB_ALGORITHMS; algorithm++) {
		enum image_algorithm a = (enum image_algorithm)algorithm;
		struct table_report r =
			report_of(image_of(a, 10, HOSTS, 3), image_of(a, 10, HOSTS, 3));

		CU_ASSERT_EQUAL(r.moved_keys_percent, 0);
		CU_ASSERT(r.entries >= 10);
	}
}

static void removing_one_of_ten_moves_about_a_tenth(void)
{
	static const struct {
		enum image_algorithm algorithm;
		uint32_t low;
		uint32_t high;
	} rows[] = {
		{LB_MAGLEV, 1000, 1050}, {LB_RING_HASH, 800, 1200}, {LB_RENDEZVOUS, 960, 1040},
		{LB_ROUND_ROBIN, 0, 0},  {LB_RANDOM, 0, 0},         {LB_PEAK_EWMA, 0, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct table_report r = report_of(image_of(rows[i].algorithm, 10, HOSTS, 0),
						  image_of(rows[i].algorithm, 10, 4, 0));

		CU_ASSERT(r.moved_keys_percent >= rows[i].low &&
			  r.moved_keys_percent <= rows[i].high);
	}
}

static void shares_are_told_relative_to_the_weights(void)
{
	static const struct {
		enum image_algorithm algorithm;
		uint32_t hosts;
		uint32_t heavy;
		uint32_t low;
		uint32_t high;
	} rows[] = {
		{LB_MAGLEV, 10, 0, 100, 100},     {LB_MAGLEV, 50, 0, 100, 101},
		{LB_MAGLEV, 10, 3, 100, 101},     {LB_RING_HASH, 10, 0, 104, 120},
		{LB_RING_HASH, 50, 0, 110, 130},  {LB_RING_HASH, 10, 3, 102, 125},
		{LB_RENDEZVOUS, 50, 3, 100, 100}, {LB_ROUND_ROBIN, 50, 3, 100, 100},
		{LB_RING_HASH, 1, 0, 100, 100},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct table_report r = report_of(
			NULL, image_of(rows[i].algorithm, rows[i].hosts, HOSTS, rows[i].heavy));

		CU_ASSERT(r.max_share_over_mean >= rows[i].low &&
			  r.max_share_over_mean <= rows[i].high);
	}
}

static void cycle_that_lost_a_turn_is_uneven(void)
{
	struct image_header *image = image_of(LB_ROUND_ROBIN, 4, HOSTS, 0);

	((struct fixture *)image)->tables[0] = 1; /* 1 1 2 3 */
	CU_ASSERT_EQUAL(report_of(NULL, image).max_share_over_mean, 200);
}

static void first_policy_moves_nothing(void)
{
	struct table_report r = report_of(NULL, image_of(LB_MAGLEV, 10, HOSTS, 0));

	CU_ASSERT_EQUAL(r.moved_keys_percent, 0);
	CU_ASSERT_EQUAL(r.entries, ENTRIES);
}

static void cluster_of_another_name_is_not_compared(void)
{
	struct image_header *old = image_of(LB_MAGLEV, 10, HOSTS, 0);

	((struct fixture *)old)->cluster.key++;
	CU_ASSERT_EQUAL(report_of(old, image_of(LB_MAGLEV, 10, 4, 0)).moved_keys_percent, 0);
}

static void cluster_that_gains_or_loses_all_endpoints(void)
{
	struct table_report r;

	r = report_of(image_of(LB_MAGLEV, 0, HOSTS, 0), image_of(LB_MAGLEV, 10, HOSTS, 0));
	CU_ASSERT_EQUAL(r.moved_keys_percent, 0);
	r = report_of(image_of(LB_MAGLEV, 10, HOSTS, 0), image_of(LB_MAGLEV, 0, HOSTS, 0));
	CU_ASSERT_EQUAL(r.moved_keys_percent, 10000);
	CU_ASSERT_EQUAL(r.max_share_over_mean, 0);
	CU_ASSERT_EQUAL(r.entries, 0);
}

static void another_algorithm_by_hash_moves_most(void)
{
	struct table_report r =
		report_of(image_of(LB_MAGLEV, 10, HOSTS, 0), image_of(LB_RENDEZVOUS, 10, HOSTS, 0));

	CU_ASSERT(r.moved_keys_percent > 8800 && r.moved_keys_percent < 9200);
	r = report_of(image_of(LB_MAGLEV, 10, HOSTS, 0), image_of(LB_ROUND_ROBIN, 10, HOSTS, 0));
	CU_ASSERT_EQUAL(r.moved_keys_percent, 0);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"no change", nothing_moves_without_a_change},
		{"removal", removing_one_of_ten_moves_about_a_tenth},
		{"shares", shares_are_told_relative_to_the_weights},
		{"uneven cycle", cycle_that_lost_a_turn_is_uneven},
		{"first policy", first_policy_moves_nothing},
		{"another name", cluster_of_another_name_is_not_compared},
		{"all or none", cluster_that_gains_or_loses_all_endpoints},
		{"another algorithm", another_algorithm_by_hash_moves_most},
		CU_TEST_INFO_NULL,
	};

	return run_suite("table report", tests);
}
