/* SPDX-License-Identifier: Apache-2.0 */
#include "config/tables.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "config/checks.h"
#include "config/maglev.h"
#include "config/ring_hash.h"
#include "config/round_robin.h"
#include "shm/names.h"

struct build {
	struct tables *tables;
	const struct policy *policy;
	struct arena *arena;
	struct diagnostics *d;
};

void tables_free(struct tables *tables)
{
	free(tables->entries);
	free(tables->points);
	memset(tables, 0, sizeof(*tables));
}

/* Room in *@array for @count elements behind the @used ones. */
static int grow(void **array, size_t *capacity, size_t used, size_t count, size_t element)
{
	size_t wanted = *capacity != 0 ? *capacity : 4096;
	void *larger;

	if (*array != NULL && *capacity - used >= count)
		return 0;
	while (wanted - used < count)
		wanted *= 2;
	larger = realloc(*array, wanted * element);
	if (larger == NULL)
		return -ENOMEM;
	*array = larger;
	*capacity = wanted;
	return 0;
}

static size_t bytes_of(size_t entries, size_t points)
{
	return entries * sizeof(uint16_t) + points * sizeof(uint64_t);
}

/* Room for @entries (at most 2^23) and @points behind those there are. */
static int reserve(struct build *b, uint32_t entries, uint32_t points)
{
	struct tables *t = b->tables;
	const struct policy_sidecar *sidecar = &b->policy->sidecar;
	char slot[VALUE_TEXT_BYTES];
	void *array;
	int rc;

	if (bytes_of(t->count + entries, t->point_count + points) > sidecar->policy_slot_bytes) {
		yaml_error(b->d, check_at(&sidecar->map, "policy_slot"),
			   "policy_slot is %s, less than the load-balancing tables alone take; "
			   "expected a larger policy_slot, %s",
			   value_print_size(sidecar->policy_slot_bytes, slot),
			   points != 0 ? "fewer points or smaller weights"
				       : "smaller table_size or fewer different weights");
		return -EMSGSIZE;
	}
	array = t->entries;
	rc = grow(&array, &t->capacity, t->count, entries, sizeof(*t->entries));
	t->entries = array;
	if (rc != 0 || points == 0)
		return rc;
	array = t->points;
	rc = grow(&array, &t->point_capacity, t->point_count, points, sizeof(*t->points));
	t->points = array;
	return rc;
}

static int build_round_robin(struct build *b, const struct policy_cluster *cluster,
			     struct table *table)
{
	uint32_t count = (uint32_t)cluster->endpoints.count;
	uint16_t *weights = arena_array(b->arena, count, sizeof(*weights));
	int rc;

	if (weights == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		weights[i] = (uint16_t)cluster->endpoints.items[i].weight;
	table->count = round_robin_reduce(weights, count);
	rc = reserve(b, table->count, 0);
	if (rc != 0)
		return rc;
	return round_robin_build(weights, count, table->count, b->tables->entries + table->first);
}

static struct lb_host *hosts_of(struct build *b, const struct policy_cluster *cluster)
{
	size_t count = cluster->endpoints.count;
	struct lb_host *hosts = arena_array(b->arena, count, sizeof(*hosts));

	for (size_t i = 0; i < count && hosts != NULL; i++) {
		const struct policy_endpoint *e = &cluster->endpoints.items[i];
		char *key = arena_alloc(b->arena, ENDPOINT_NAME_BYTES);

		if (key == NULL)
			return NULL;
		endpoint_name(&e->address.ip, e->address.family, e->address.port, key);
		hosts[i].key = key;
		hosts[i].weight = (uint32_t)e->weight;
	}
	return hosts;
}

static int build_maglev(struct build *b, const struct policy_cluster *cluster, struct table *table)
{
	uint32_t count = (uint32_t)cluster->endpoints.count;
	struct lb_host *hosts = hosts_of(b, cluster);
	int rc;

	if (hosts == NULL)
		return -ENOMEM;
	table->count = (uint32_t)cluster->load_balancing.table_size;
	if (table->count == 0)
		table->count = maglev_default_size(hosts, count);
	rc = reserve(b, table->count, 0);
	if (rc != 0)
		return rc;
	return maglev_build(hosts, count, table->count, b->tables->entries + table->first);
}

static int build_ring(struct build *b, const struct policy_cluster *cluster, struct table *table)
{
	const struct policy_load_balancing *lb = &cluster->load_balancing;
	uint32_t count = (uint32_t)cluster->endpoints.count;
	struct lb_host *hosts = hosts_of(b, cluster);
	struct tables *t = b->tables;
	uint64_t points;
	int rc;

	if (hosts == NULL)
		return -ENOMEM;
	points = ring_hash_count(hosts, count, lb->points);
	if (points > RING_MAX_POINTS - t->point_count) {
		yaml_error(b->d, check_at(&lb->map, "points"),
			   "points %" PRIu64 " a unit of weight makes the rings longer than %d "
			   "points in all; expected fewer points or smaller weights",
			   lb->points, RING_MAX_POINTS);
		return -EMSGSIZE;
	}
	table->count = (uint32_t)points;
	table->point_first = (uint32_t)t->point_count;
	rc = reserve(b, table->count, table->count);
	if (rc != 0)
		return rc;
	return ring_hash_build(hosts, count, lb->points, t->points + table->point_first,
			       t->entries + table->first);
}

static int build_entries(struct build *b, const struct policy_cluster *cluster, struct table *table)
{
	switch (cluster->load_balancing.algorithm) {
	case LB_MAGLEV:
		return build_maglev(b, cluster, table);
	case LB_RING_HASH:
		return build_ring(b, cluster, table);
	default:
		return build_round_robin(b, cluster, table);
	}
}

static int is_ring(const struct policy_cluster *cluster)
{
	return cluster->load_balancing.algorithm == LB_RING_HASH;
}

/* Do these clusters need one table only? A ring's equality is that of its points too. */
static int are_equal(const struct build *b, size_t one, size_t other)
{
	const struct tables *t = b->tables;
	const struct table *x = &t->of[one], *y = &t->of[other];
	const struct policy_cluster *cx = &b->policy->clusters.items[one];
	const struct policy_cluster *cy = &b->policy->clusters.items[other];

	if (x->count != y->count || cx->endpoints.count != cy->endpoints.count ||
	    is_ring(cx) != is_ring(cy) ||
	    memcmp(t->entries + x->first, t->entries + y->first, x->count * sizeof(uint16_t)) != 0)
		return 0;
	return !is_ring(cx) || memcmp(t->points + x->point_first, t->points + y->point_first,
				      x->count * sizeof(uint64_t)) == 0;
}

/* The table of an earlier cluster that serves this one too, or NULL. */
static const struct table *find_equal(const struct build *b, size_t number)
{
	for (size_t i = 0; i < number; i++) {
		if (are_equal(b, i, number))
			return &b->tables->of[i];
	}
	return NULL;
}

static int build_table(struct build *b, size_t number)
{
	const struct policy_cluster *cluster = &b->policy->clusters.items[number];
	struct table *table = &b->tables->of[number];
	const struct table *equal;
	int rc;

	if (cluster->endpoints.count == 0)
		return 0;
	table->first = (uint32_t)b->tables->count;
	rc = build_entries(b, cluster, table);
	if (rc != 0)
		return rc;
	equal = find_equal(b, number);
	if (equal != NULL) {
		*table = *equal;
		return 0;
	}
	b->tables->count += table->count;
	b->tables->point_count += is_ring(cluster) ? table->count : 0;
	return 0;
}

int tables_build(struct tables *tables, const struct policy *policy, struct arena *arena,
		 struct diagnostics *d)
{
	struct build b = {tables, policy, arena, d};
	int rc = 0;

	memset(tables, 0, sizeof(*tables));
	tables->of = arena_array(arena, policy->clusters.count, sizeof(struct table));
	if (tables->of == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < policy->clusters.count && rc == 0; i++)
		rc = build_table(&b, i);
	if (rc != 0)
		tables_free(tables);
	return rc;
}
