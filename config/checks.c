/* SPDX-License-Identifier: Apache-2.0 */
#include "config/checks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct rule {
	const char *sentence;
	void (*check)(struct check *check);
};

static const struct rule rules[] = {
	{"Interfaces, listeners and clusters each have names of their own.", check_unique_names},
	{"A listener's `interface` and `cluster` exist.", check_references},
	{"`cpus`, when given, has at least as many CPUs as `workers`, and the policy has no more "
	 "listeners, clusters and endpoints than `max_listeners`, `max_clusters` and "
	 "`max_endpoints`.",
	 check_sidecar},
	{"No two interfaces share a device.", check_devices},
	{"No address is given twice, on any interface; an interface with IPv6 has an `mtu` of at "
	 "least 1280.",
	 check_addresses},
	{"An interface has one route to a network; its `via` is of the same family and on the "
	 "link.",
	 check_routes},
	{"An interface has one gateway for each family; it is on the link (or IPv6 link-local) and "
	 "not Fender itself.",
	 check_gateways},
	{"A neighbour is on the link, is not Fender itself, and is given once.", check_neighbours},
	{"Every worker owns a SNAT port: worker `(port modulo 64) modulo workers` does.",
	 check_snat_ports},
	{"No two listeners of an interface and protocol have the same `bind`; a wildcard bind "
	 "needs "
	 "an address of its family on the interface; on the interface's own addresses the port "
	 "is outside `snat.ports`.",
	 check_binds},
	{"A cluster's endpoints and the listeners that use it are all IPv4 or all IPv6.",
	 check_families},
	{"An endpoint is given once in its cluster and is not Fender itself: neither one of its "
	 "addresses nor a listener's on the interface that leads to the endpoint.",
	 check_endpoints},
	{"An endpoint is reached by a route: the longest prefix over all interfaces, among equals "
	 "the first interface. Fender sends from its address whose network holds the next hop, "
	 "else from the interface's first of the family.",
	 check_reachable},
	{"`hash_on` and `table_size` belong to `maglev`; `table_size` is a prime and at least the "
	 "number of endpoints.",
	 check_load_balancing},
	{"`connect` is at most `request`.", check_timeouts},
};

const char *policy_rule(size_t number)
{
	return number < sizeof(rules) / sizeof(rules[0]) ? rules[number].sentence : NULL;
}

const struct yaml_node *check_at(const struct policy_map *map, const char *key)
{
	const struct yaml_node *node = map->node;

	if (node != NULL && node->kind == YAML_MAP && yaml_child(node, key) != NULL)
		node = yaml_child(node, key);
	return node;
}

static int endpoint_order(const void *left, const void *right)
{
	const struct policy_endpoint *a = left, *b = right;
	int order = memcmp(&a->address.ip, &b->address.ip, sizeof(a->address.ip));

	if (order == 0)
		order = memcmp(&a->address.port, &b->address.port, sizeof(a->address.port));
	if (order == 0)
		order = a->map.node->index < b->map.node->index ? -1 : 1;
	return order;
}

int policy_check(struct check *check)
{
	struct policy *policy = check->policy;

	for (size_t i = 0; i < policy->clusters.count; i++) {
		struct policy_cluster *cluster = &policy->clusters.items[i];

		if (cluster->endpoints.count > 1)
			qsort(cluster->endpoints.items, cluster->endpoints.count,
			      sizeof(struct policy_endpoint), endpoint_order);
	}
	if (routing_build(&check->routing, policy, check->arena) != 0)
		return -ENOMEM;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		rules[i].check(check);
	return 0;
}
