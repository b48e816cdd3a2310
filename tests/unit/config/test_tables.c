/* SPDX-License-Identifier: Apache-2.0 */
#include "config/tables.h"

#include <arpa/inet.h>
#include <errno.h>

#include "config/arena.h"
#include "config/maglev.h"
#include "config/ring_hash.h"
#include "shm/names.h"
#include "tests/unit/config/policy_text.h"

enum { CLUSTERS = 8, HOSTS = 4, POINTS = 160 };

/* A policy of up to CLUSTERS clusters and what is built of it. */
struct fixture {
	struct policy policy;
	struct policy_cluster clusters[CLUSTERS];
	struct policy_endpoint endpoints[CLUSTERS][HOSTS];
	struct yaml_node node;
	struct arena *arena;
	struct diagnostics *d;
	struct tables tables;
};

static void start(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	f->policy.clusters.items = f->clusters;
	f->policy.sidecar.policy_slot_bytes = 4 * 1024 * 1024;
	f->policy.sidecar.map.node = &f->node;
	f->arena = arena_create();
	f->d = diagnostics_create("p");
	require(f->arena != NULL && f->d != NULL);
}

static void stop(struct fixture *f)
{
	tables_free(&f->tables);
	arena_free(f->arena);
	diagnostics_free(f->d);
}

/* One more cluster: @count hosts 10.<subnet>.0.1... of the weights 1, 2, 3... */
static struct policy_cluster *add(struct fixture *f, enum image_algorithm algorithm, uint32_t count,
				  uint8_t subnet)
{
	size_t number = f->policy.clusters.count++;
	struct policy_cluster *cluster = &f->clusters[number];

	require(number < CLUSTERS && count <= HOSTS);
	cluster->load_balancing.algorithm = algorithm;
	cluster->load_balancing.points = POINTS;
	cluster->load_balancing.map.node = &f->node;
	cluster->endpoints.items = f->endpoints[number];
	cluster->endpoints.count = count;
	for (uint32_t i = 0; i < count; i++) {
		struct policy_endpoint *e = &f->endpoints[number][i];

		e->address.family = FAMILY_V4;
		e->address.ip = image_ip_v4(htonl(10u << 24 | (uint32_t)subnet << 16 | (i + 1)));
		e->address.port = htons(8080);
		e->weight = i + 1;
	}
	return cluster;
}

static int build(struct fixture *f)
{
	return tables_build(&f->tables, &f->policy, f->arena, f->d);
}

static void hosts_of(const struct policy_cluster *cluster, struct lb_host *hosts,
		     char names[HOSTS][ENDPOINT_NAME_BYTES])
{
	for (size_t i = 0; i < cluster->endpoints.count; i++) {
		const struct policy_endpoint *e = &cluster->endpoints.items[i];

		endpoint_name(&e->address.ip, e->address.family, e->address.port, names[i]);
		hosts[i] = (struct lb_host){names[i], (uint32_t)e->weight};
	}
}

static void every_algorithm_but_two_has_the_cycle(void)
{
	static const uint16_t cycle[] = {2, 1, 0, 2, 1, 2};
	static const enum image_algorithm all[] = {LB_ROUND_ROBIN, LB_RANDOM, LB_LEAST_REQUESTS,
						   LB_PEAK_EWMA, LB_RENDEZVOUS};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct fixture f;

		start(&f);
		add(&f, all[i], 3, 1);
		CU_ASSERT_EQUAL(build(&f), 0);
		CU_ASSERT_EQUAL(f.tables.of[0].count, 6);
		CU_ASSERT_EQUAL(f.tables.of[0].point_first, 0);
		CU_ASSERT_EQUAL(f.tables.point_count, 0);
		CU_ASSERT_EQUAL(memcmp(f.tables.entries, cycle, sizeof(cycle)), 0);
		stop(&f);
	}
}

static void maglev_has_its_table(void)
{
	char names[HOSTS][ENDPOINT_NAME_BYTES];
	static uint16_t expected[1009];
	struct lb_host hosts[HOSTS];
	struct fixture f;

	start(&f);
	hosts_of(add(&f, LB_MAGLEV, 4, 1), hosts, names);
	CU_ASSERT_EQUAL(build(&f), 0);
	CU_ASSERT_EQUAL(f.tables.of[0].count, 1009);
	require(maglev_build(hosts, 4, 1009, expected) == 0);
	CU_ASSERT_EQUAL(memcmp(f.tables.entries, expected, sizeof(expected)), 0);
	stop(&f);
}

static void ring_has_its_points_beside_its_table(void)
{
	char names[HOSTS][ENDPOINT_NAME_BYTES];
	static uint64_t ring[10 * POINTS];
	static uint16_t table[10 * POINTS];
	struct lb_host hosts[HOSTS];
	struct fixture f;

	start(&f);
	add(&f, LB_RING_HASH, 2, 1);
	hosts_of(add(&f, LB_RING_HASH, 4, 2), hosts, names);
	CU_ASSERT_EQUAL(build(&f), 0);
	CU_ASSERT_EQUAL(f.tables.of[0].count, 3 * POINTS);
	CU_ASSERT_EQUAL(f.tables.of[1].count, 10 * POINTS);
	CU_ASSERT_EQUAL(f.tables.of[1].first, 3 * POINTS);
	CU_ASSERT_EQUAL(f.tables.of[1].point_first, 3 * POINTS);
	CU_ASSERT_EQUAL(f.tables.count, 13 * POINTS);
	CU_ASSERT_EQUAL(f.tables.point_count, 13 * POINTS);
	require(ring_hash_build(hosts, 4, POINTS, ring, table) == 0);
	CU_ASSERT_EQUAL(memcmp(f.tables.entries + 3 * POINTS, table, sizeof(table)), 0);
	CU_ASSERT_EQUAL(memcmp(f.tables.points + 3 * POINTS, ring, sizeof(ring)), 0);
	stop(&f);
}

static void identical_tables_are_stored_once(void)
{
	struct fixture f;
	const struct table *of;

	start(&f);
	add(&f, LB_ROUND_ROBIN, 3, 1);
	add(&f, LB_RING_HASH, 3, 1);
	add(&f, LB_MAGLEV, 3, 1);
	add(&f, LB_RING_HASH, 3, 1);
	add(&f, LB_RANDOM, 3, 2); /* the cycle depends on weights alone */
	add(&f, LB_MAGLEV, 3, 1);
	add(&f, LB_RING_HASH, 3, 2);
	CU_ASSERT_EQUAL(build(&f), 0);
	of = f.tables.of;
	CU_ASSERT_EQUAL(memcmp(&of[3], &of[1], sizeof(of[1])), 0);
	CU_ASSERT_EQUAL(memcmp(&of[4], &of[0], sizeof(of[0])), 0);
	CU_ASSERT_EQUAL(memcmp(&of[5], &of[2], sizeof(of[2])), 0);
	CU_ASSERT_EQUAL(of[6].point_first, 6 * POINTS);
	CU_ASSERT_EQUAL(f.tables.count, 6 + 12 * POINTS + 1009);
	CU_ASSERT_EQUAL(f.tables.point_count, 12 * POINTS);
	stop(&f);
}

static void equal_entries_of_other_points_are_another_ring(void)
{
	struct fixture f;

	start(&f);
	add(&f, LB_RING_HASH, 1, 1); /* all entries are 0 */
	add(&f, LB_RING_HASH, 1, 2);
	CU_ASSERT_EQUAL(build(&f), 0);
	CU_ASSERT_EQUAL(f.tables.of[1].first, POINTS);
	CU_ASSERT_EQUAL(f.tables.of[1].point_first, POINTS);
	CU_ASSERT_EQUAL(f.tables.count, 2 * POINTS);
	stop(&f);
}

static void ring_shares_nothing_with_a_cycle(void)
{
	struct fixture f;

	start(&f);
	add(&f, LB_ROUND_ROBIN, 1, 1);
	add(&f, LB_RING_HASH, 1, 1)->load_balancing.points = 1;
	add(&f, LB_RANDOM, 1, 1);
	CU_ASSERT_EQUAL(build(&f), 0);
	CU_ASSERT_EQUAL(f.tables.of[1].first, 1);
	CU_ASSERT_EQUAL(f.tables.of[1].count, 1);
	CU_ASSERT_EQUAL(f.tables.of[2].first, 0);
	CU_ASSERT_EQUAL(f.tables.count, 2);
	stop(&f);
}

static void cluster_without_endpoints_has_no_table(void)
{
	for (int algorithm = 0; algorithm < LB_ALGORITHMS; algorithm++) {
		struct fixture f;

		start(&f);
		add(&f, (enum image_algorithm)algorithm, 0, 1);
		CU_ASSERT_EQUAL(build(&f), 0);
		CU_ASSERT(f.tables.of[0].count == 0 && f.tables.of[0].first == 0);
		CU_ASSERT(f.tables.count == 0 && f.tables.point_count == 0);
		stop(&f);
	}
}

static void slot_bounds_entries_and_points(void)
{
	static const struct {
		enum image_algorithm algorithm;
		uint64_t bytes; /* that just fit */
		const char *message;
	} rows[] = {
		{LB_ROUND_ROBIN, 10 * 2, "smaller table_size or fewer different weights\n"},
		{LB_MAGLEV, 1009 * 2, "smaller table_size or fewer different weights\n"},
		{LB_RING_HASH, 10ull * POINTS * 10, "fewer points or smaller weights\n"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (uint64_t missing = 0; missing < 2; missing++) {
			struct fixture f;
			char *text;

			start(&f);
			add(&f, rows[i].algorithm, 4, 1);
			f.policy.sidecar.policy_slot_bytes = rows[i].bytes - missing;
			CU_ASSERT_EQUAL(build(&f), missing != 0 ? -EMSGSIZE : 0);
			text = diagnostics_text(f.d);
			CU_ASSERT((strstr(text, rows[i].message) != NULL) == (missing != 0));
			free(text);
			stop(&f);
		}
	}
}

static void rings_have_a_bound_in_all(void)
{
	struct fixture f;
	char *text;

	start(&f);
	f.policy.sidecar.policy_slot_bytes = 1ull << 30;
	add(&f, LB_RING_HASH, 4, 1)->load_balancing.points = RING_MAX_POINTS / 10 + 1;
	f.node = (struct yaml_node){.kind = YAML_MAP, .line = 7, .column = 9};
	CU_ASSERT_EQUAL(build(&f), -EMSGSIZE);
	text = diagnostics_text(f.d);
	CU_ASSERT(strstr(text,
			 "points 838861 a unit of weight makes the rings longer than 8388608 "
			 "points in all; expected fewer points or smaller weights\n") != NULL);
	free(text);
	stop(&f);

	/* one unit of weight has the rest of them, two have not */
	for (uint64_t weight = 1; weight <= 2; weight++) {
		start(&f);
		f.policy.sidecar.policy_slot_bytes = 1ull << 30;
		add(&f, LB_RING_HASH, 1, 1);
		add(&f, LB_RING_HASH, 1, 2);
		f.clusters[0].load_balancing.points = 1000;
		f.clusters[1].load_balancing.points = 1000;
		f.endpoints[1][0].weight = weight;
		f.clusters[1].load_balancing.points = weight == 1 ? 1000 : RING_MAX_POINTS / 2;
		CU_ASSERT_EQUAL(build(&f), weight == 1 ? 0 : -EMSGSIZE);
		stop(&f);
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"cycle", every_algorithm_but_two_has_the_cycle},
		{"maglev", maglev_has_its_table},
		{"ring", ring_has_its_points_beside_its_table},
		{"stored once", identical_tables_are_stored_once},
		{"equal entries", equal_entries_of_other_points_are_another_ring},
		{"ring and cycle", ring_shares_nothing_with_a_cycle},
		{"empty", cluster_without_endpoints_has_no_table},
		{"slot", slot_bounds_entries_and_points},
		{"points in all", rings_have_a_bound_in_all},
		CU_TEST_INFO_NULL,
	};

	return run_suite("tables", tests);
}
