/* SPDX-License-Identifier: Apache-2.0 */
#include "config/tables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/checks.h"
#include "config/maglev.h"
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
	memset(tables, 0, sizeof(*tables));
}

/* Room for @count entries behind those there are. */
static int reserve(struct build *b, uint32_t count)
{
	struct tables *t = b->tables;
	const struct policy_sidecar *sidecar = &b->policy->sidecar;
	size_t most = sidecar->policy_slot_bytes / sizeof(uint16_t);
	size_t capacity = t->capacity != 0 ? t->capacity : 4096;
	char slot[VALUE_TEXT_BYTES];
	uint16_t *entries;

	if (count > most || t->count > most - count) {
		yaml_error(b->d, check_at(&sidecar->map, "policy_slot"),
			   "policy_slot is %s, less than the load-balancing tables alone take; "
			   "expected a larger policy_slot, smaller table_size or fewer different "
			   "weights",
			   value_print_size(sidecar->policy_slot_bytes, slot));
		return -EMSGSIZE;
	}
	if (t->entries != NULL && t->capacity - t->count >= count)
		return 0;
	while (capacity - t->count < count)
		capacity *= 2;
	entries = realloc(t->entries, capacity * sizeof(*entries));
	if (entries == NULL)
		return -ENOMEM;
	t->entries = entries;
	t->capacity = capacity;
	return 0;
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
	rc = reserve(b, table->count);
	if (rc != 0)
		return rc;
	return round_robin_build(weights, count, table->count, b->tables->entries + table->first);
}

static struct maglev_host *maglev_hosts(struct build *b, const struct policy_cluster *cluster)
{
	size_t count = cluster->endpoints.count;
	struct maglev_host *hosts = arena_array(b->arena, count, sizeof(*hosts));

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
	struct maglev_host *hosts = maglev_hosts(b, cluster);
	int rc;

	if (hosts == NULL)
		return -ENOMEM;
	table->count = (uint32_t)cluster->load_balancing.table_size;
	if (table->count == 0)
		table->count = maglev_default_size(hosts, count);
	rc = reserve(b, table->count);
	if (rc != 0)
		return rc;
	return maglev_build(hosts, count, table->count, b->tables->entries + table->first);
}

/* The table of an earlier cluster with as many endpoints and the same entries, or NULL. */
static const struct table *find_equal(const struct build *b, size_t number)
{
	const struct tables *t = b->tables;
	const struct table *table = &t->of[number];
	const struct policy_cluster *clusters = b->policy->clusters.items;

	for (size_t i = 0; i < number; i++) {
		const struct table *other = &t->of[i];

		if (other->count == table->count &&
		    clusters[i].endpoints.count == clusters[number].endpoints.count &&
		    memcmp(t->entries + other->first, t->entries + table->first,
			   table->count * sizeof(uint16_t)) == 0)
			return other;
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
	rc = cluster->load_balancing.algorithm == LB_MAGLEV ? build_maglev(b, cluster, table)
							    : build_round_robin(b, cluster, table);
	if (rc != 0)
		return rc;
	equal = find_equal(b, number);
	if (equal != NULL)
		*table = *equal;
	else
		b->tables->count += table->count;
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
