/* SPDX-License-Identifier: Apache-2.0 */
#include "config/endpoint_source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint64_t within(uint64_t value, uint64_t least, uint64_t most)
{
	return value < least ? least : value > most ? most : value;
}

/* The bytes an answer holds are judged by what a policy may say; family 0: not an endpoint. */
static struct address endpoint_address(const struct address *in)
{
	struct address out;
	char text[ADDRESS_TEXT_BYTES];

	if ((in->family != FAMILY_V4 && in->family != FAMILY_V6) ||
	    (in->family == FAMILY_V4) != (image_ip_is_v4(in->ip.b) != 0) ||
	    address_endpoint(address_print_port(in, text), &out) != NULL)
		memset(&out, 0, sizeof(out));
	return out;
}

/* Whole, so that the order of the answers changes nothing: address, port, then what else it has. */
static int resolved_order(const void *left, const void *right)
{
	const struct policy_endpoint *a = left, *b = right;
	int order = memcmp(&a->address.ip, &b->address.ip, sizeof(a->address.ip));

	if (order == 0)
		order = memcmp(&a->address.port, &b->address.port, sizeof(a->address.port));
	if (order == 0 && a->priority != b->priority)
		order = a->priority < b->priority ? -1 : 1;
	if (order == 0 && a->weight != b->weight)
		order = a->weight > b->weight ? -1 : 1;
	return order;
}

static bool same_place(const struct policy_endpoint *a, const struct policy_endpoint *b)
{
	return a->address.port == b->address.port && address_same_ip(&a->address, &b->address);
}

/* Of equal addresses the one used first, with the largest weight. */
static size_t keep_distinct(struct policy_endpoint *items, size_t count)
{
	size_t kept = 0;

	qsort(items, count, sizeof(*items), resolved_order);
	for (size_t i = 0; i < count; i++) {
		if (kept == 0 || !same_place(&items[i], &items[kept - 1]))
			items[kept++] = items[i];
	}
	return kept;
}

static int apply(struct policy_cluster *cluster, const struct endpoint_set *set,
		 struct arena *arena)
{
	size_t most = set->count < MAX_ENDPOINTS ? set->count : MAX_ENDPOINTS, count = 0;
	struct policy_endpoint *items = arena_array(arena, most, sizeof(*items));

	if (items == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < most; i++) {
		struct policy_endpoint *e = &items[count];

		e->address = endpoint_address(&set->endpoints[i].address);
		if (e->address.family == 0)
			continue;
		e->map.node = check_at(&cluster->source.map, "dns");
		e->weight = within(set->endpoints[i].weight, 1, MAX_WEIGHT);
		e->priority = within(set->endpoints[i].priority, 0, MAX_PRIORITIES - 1);
		e->resolved = 1;
		count++;
	}
	cluster->endpoints.items = items;
	cluster->endpoints.count = count > 1 ? keep_distinct(items, count) : count;
	return 0;
}

static bool is_resolved(const struct policy_cluster *cluster)
{
	return cluster->source.dns.name[0] != '\0' && cluster->name != NULL;
}

/* What its algorithm can do with. */
static size_t most_of(const struct policy_cluster *cluster)
{
	const struct policy_load_balancing *lb = &cluster->load_balancing;
	size_t most = MAX_ENDPOINTS;

	if (lb->algorithm == LB_RENDEZVOUS)
		most = RENDEZVOUS_MAX_ENDPOINTS;
	else if (lb->algorithm == LB_MAGLEV && lb->table_size != 0)
		most = within(lb->table_size, 0, most);
	return lb->bounded_load != 0 ? within(most, 0, BOUNDED_MAX_ENDPOINTS) : most;
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Whether all endpoints find room when no name has more than @share. */
static bool fits(const struct policy *policy, size_t share)
{
	size_t count = 0;

	for (size_t i = 0; i < policy->clusters.count; i++) {
		const struct policy_cluster *cluster = &policy->clusters.items[i];
		size_t own = cluster->endpoints.count;

		count +=
			is_resolved(cluster) ? smaller(smaller(own, most_of(cluster)), share) : own;
	}
	return count <= policy->sidecar.max_endpoints;
}

/* The largest share that fits, so that no name takes the room of another. */
static size_t fair_share(const struct policy *policy)
{
	size_t least = 0, most = MAX_ENDPOINTS;

	while (least < most) {
		size_t middle = (least + most + 1) / 2;

		if (fits(policy, middle))
			least = middle;
		else
			most = middle - 1;
	}
	return least;
}

static int used_order(const void *left, const void *right)
{
	const struct policy_endpoint *a = left, *b = right;

	if (a->priority != b->priority)
		return a->priority < b->priority ? -1 : 1;
	return resolved_order(a, b);
}

/* An answer never makes a policy invalid: what is too much of it is left out. */
static void leave_out(struct policy *policy, struct diagnostics *d)
{
	size_t share = fair_share(policy);

	for (size_t i = 0; i < policy->clusters.count; i++) {
		struct policy_cluster *cluster = &policy->clusters.items[i];
		size_t count = cluster->endpoints.count, most = smaller(most_of(cluster), share);

		if (!is_resolved(cluster) || count <= most)
			continue;
		qsort(cluster->endpoints.items, count, sizeof(struct policy_endpoint), used_order);
		cluster->endpoints.count = most;
		yaml_warning(d, check_at(&cluster->source.map, "dns"),
			     "found %zu endpoints, room for %zu: %s; the others are left out",
			     count, most,
			     most == share ? "sidecar.max_endpoints is for all clusters together"
					   : "load_balancing takes no more");
	}
}

int endpoint_sets_apply(struct policy *policy, const struct endpoint_sets *sets,
			struct arena *arena, struct diagnostics *d)
{
	int rc = 0;

	for (size_t i = 0; i < policy->clusters.count && rc == 0; i++) {
		struct policy_cluster *cluster = &policy->clusters.items[i];

		if (!is_resolved(cluster))
			continue;
		for (size_t k = 0; sets != NULL && k < sets->count; k++) {
			if (strcmp(sets->sets[k].cluster, cluster->name) != 0)
				continue;
			rc = apply(cluster, &sets->sets[k], arena);
			break;
		}
	}
	if (rc == 0)
		leave_out(policy, d);
	return rc;
}
