/* SPDX-License-Identifier: Apache-2.0 */
/* Load balancing: what belongs to which algorithm, and how much of it there may be. */
#include "config/checks.h"

#include "config/maglev.h"

static void check_table_size(struct check *c, const struct policy_cluster *cluster)
{
	const struct policy_load_balancing *lb = &cluster->load_balancing;
	const struct yaml_node *node = check_at(&lb->map, "table_size");
	uint32_t prime = (uint32_t)lb->table_size;

	if (lb->table_size == 0)
		return;
	if (prime < cluster->endpoints.count) {
		yaml_error(c->d, node, "found %u, expected at least %zu, the number of endpoints",
			   prime, cluster->endpoints.count);
	} else if (!maglev_is_prime(prime)) {
		while (!maglev_is_prime(prime))
			prime++;
		yaml_error(c->d, node, "found %llu, expected a prime such as %u",
			   (unsigned long long)lb->table_size, prime);
	}
}

enum {
	OF_MAGLEV = 1 << LB_MAGLEV,
	OF_RING_HASH = 1 << LB_RING_HASH,
	OF_RENDEZVOUS = 1 << LB_RENDEZVOUS,
};

static void check_keys(struct check *c, const struct policy_load_balancing *lb)
{
	static const struct {
		const char *key;
		unsigned int algorithms;
		const char *message;
	} rows[] = {
		{"hash_on", OF_MAGLEV | OF_RING_HASH | OF_RENDEZVOUS,
		 "only maglev, ring_hash and rendezvous use this; expected one of them as the "
		 "algorithm, or not to find this key"},
		{"table_size", OF_MAGLEV,
		 "only maglev uses this; expected algorithm: maglev, or not to find this key"},
		{"points", OF_RING_HASH,
		 "only ring_hash uses this; expected algorithm: ring_hash, or not to find this "
		 "key"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if ((rows[i].algorithms >> lb->algorithm & 1) == 0 &&
		    check_given(&lb->map, rows[i].key))
			yaml_error(c->d, check_at(&lb->map, rows[i].key), "%s", rows[i].message);
	}
}

/* A pick that looks at every endpoint takes few of them. */
static void check_endpoint_counts(struct check *c, const struct policy_cluster *cluster)
{
	const struct policy_load_balancing *lb = &cluster->load_balancing;
	size_t count = cluster->endpoints.count;

	if (lb->algorithm == LB_RENDEZVOUS && count > RENDEZVOUS_MAX_ENDPOINTS)
		yaml_error(c->d, check_at(&lb->map, "algorithm"),
			   "found rendezvous for %zu endpoints, expected at most %d, or maglev or "
			   "ring_hash",
			   count, RENDEZVOUS_MAX_ENDPOINTS);
	if (lb->bounded_load != 0 && count > BOUNDED_MAX_ENDPOINTS)
		yaml_error(c->d, check_at(&lb->map, "bounded_load"),
			   "found it for %zu endpoints, expected at most %d, or not to find this "
			   "key",
			   count, BOUNDED_MAX_ENDPOINTS);
	if (lb->bounded_load % 100 != 0)
		yaml_error(c->d, check_at(&lb->map, "bounded_load"),
			   "found a fraction of a percent, expected a whole one such as 125%%");
}

static uint64_t ring_points(const struct policy_cluster *cluster)
{
	uint64_t points = 0;

	for (size_t i = 0; i < cluster->endpoints.count; i++)
		points += cluster->endpoints.items[i].weight * cluster->load_balancing.points;
	return points;
}

void check_load_balancing(struct check *c)
{
	uint64_t points = 0;

	for (size_t i = 0; i < c->policy->clusters.count; i++) {
		const struct policy_cluster *cluster = &c->policy->clusters.items[i];
		const struct policy_load_balancing *lb = &cluster->load_balancing;
		uint64_t own = lb->algorithm == LB_RING_HASH ? ring_points(cluster) : 0;

		if (lb->map.errors != 0)
			continue;
		check_keys(c, lb);
		check_endpoint_counts(c, cluster);
		if (lb->algorithm == LB_MAGLEV)
			check_table_size(c, cluster);
		points += own;
		if (own != 0 && points > RING_MAX_POINTS)
			yaml_error(c->d, check_at(&lb->map, "points"),
				   "found %llu points on the rings up to this one, expected at "
				   "most %d in all: fewer points or smaller weights",
				   (unsigned long long)points, RING_MAX_POINTS);
	}
}
