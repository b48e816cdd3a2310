/* SPDX-License-Identifier: Apache-2.0 */
#include "config/checks.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static void drop_left_out(struct check *c)
{
	for (size_t i = 0; i < c->policy->clusters.count; i++) {
		struct policy_cluster *cluster = &c->policy->clusters.items[i];
		size_t kept = 0;

		for (size_t k = 0; k < cluster->endpoints.count; k++) {
			if (!cluster->endpoints.items[k].left_out)
				cluster->endpoints.items[kept++] = cluster->endpoints.items[k];
		}
		cluster->endpoints.count = kept;
	}
}

struct rule {
	const char *sentence;
	void (*check)(struct check *check); /* NULL: kept to elsewhere */
};

static const struct rule rules[] = {
	{"Interfaces, listeners and clusters each have names of their own.", check_unique_names},
	{"`endpoints` is a list or has one of `file` and `dns`; `refresh` and `stale_ok` belong "
	 "to `dns`.",
	 check_sources},
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
	{"`shared` and `kernel_addresses` are of `af_xdp` devices and exclude each other, "
	 "`limiter: xdp` is of `af_xdp`; SNAT ports of a shared interface are best outside "
	 "32768-60999, from which the kernel takes its own; `on_dataplane_loss: pass` needs a "
	 "shared interface.",
	 check_sharing},
	{"No two listeners of an interface and protocol have the same `bind`; a wildcard bind "
	 "needs "
	 "an address of its family on the interface; on the interface's own addresses the port "
	 "is outside `snat.ports`; none is bound to one of `kernel_addresses`.",
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
	{"Of what DNS answers, endpoints of another family, Fender itself, those that no route "
	 "leads to and those beyond `max_endpoints` or what the algorithm takes are left out with "
	 "a warning; no name takes the room that others need.",
	 drop_left_out},
	{"`hash_on` belongs to `maglev`, `ring_hash` and `rendezvous`, `table_size` to `maglev`, "
	 "`points` to `ring_hash`; `table_size` is a prime and at least the number of endpoints; "
	 "all rings together have at most 8388608 points; with `rendezvous` or `bounded_load` a "
	 "cluster has at most 1024 endpoints.",
	 check_load_balancing},
	{"A breaker's `minimum_calls` is at most its `window` of calls, `open_for` at most "
	 "`max_open_for`, `half_open.timeout` at least `timeouts.connect`; `half_open.probes` is "
	 "at most `bulkhead.max_concurrent` of the cluster, in `outlier_detection` "
	 "`endpoint_bulkhead.max_concurrent`.",
	 check_breakers},
	{"A bulkhead has `max_concurrent` or, of a cluster, `share` alone; one of each source has "
	 "no queue, and `queue_timeout` needs one.",
	 check_bulkheads},
	{"`connect` is at most `request`; `expect_reply` needs a listener that is udp.",
	 check_timeouts},
	{"A cluster with `retry` has no udp listener; with more than one attempt `connect` is at "
	 "most half of `request`; `backoff.base` is at most `backoff.max`.",
	 check_retries_fit},
	{"A health check has a `source` of the endpoints' family that the kernel holds, which "
	 "Fender's own addresses on interfaces that are not shared are not; where shared "
	 "interfaces lead to all endpoints it may be left out; "
	 "`timeout` is at most `interval` and `unhealthy_interval`; `path` and `host` belong to "
	 "`http`.",
	 check_health_checks},
	{"A limit per connection has a rate; with both, `burst` is in seconds' worth. `burst` "
	 "belongs to buckets, `window` to windows; a bucket fills within a day, holds at least "
	 "one packet of the `mtu` (1500 where none is given) and at most 2^40, a window at least "
	 "as much and less than 2^33. On a udp listener `per_connection` needs `per_source` and "
	 "`listener`, as any packet may begin a flow, and does not `mark`. `mode: observe` goes "
	 "before `action`.",
	 check_rate_limits},
	{"`reload` has a threshold that is not 0.", check_reload},
	{"A key that is left out never contradicts one that is given: its default gives way.",
	 NULL},
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

bool check_given(const struct policy_map *map, const char *key)
{
	return map->node != NULL && map->node->kind == YAML_MAP &&
	       yaml_child(map->node, key) != NULL;
}

bool check_sound(const struct policy_map *map)
{
	return map->node != NULL && map->errors == 0;
}

void check_missing(struct check *c, const struct policy_map *map, const char *key,
		   const char *expected)
{
	const struct yaml_node *node = map->node;
	char path[YAML_PATH_BYTES];

	diagnostics_error_at(c->d, (struct position){node->file, node->line, node->column},
			     "%s.%s: found nothing, expected %s", yaml_path(node, path), key,
			     expected);
}

uint64_t check_limit(const struct policy_bulkhead *bulkhead)
{
	return check_sound(&bulkhead->map) && bulkhead->scope == SCOPE_CLUSTER
		       ? bulkhead->max_concurrent
		       : 0;
}

bool check_retries(const struct policy_cluster *cluster)
{
	return check_sound(&cluster->retry.map) && cluster->retry.max_attempts > 1;
}

const char *check_duration(uint64_t ms, char *out)
{
	return value_print_duration(ms * 1000000, out);
}

void check_endpoint_fault(struct check *c, struct policy_endpoint *e, const char *format, ...)
{
	const struct yaml_node *node = check_at(&e->map, "address");
	char text[DIAGNOSTIC_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (!e->resolved) {
		yaml_error(c->d, node, "%s", text);
		return;
	}
	e->left_out = 1;
	yaml_warning(c->d, node, "%s; left out", text);
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
	policy_settle(policy);
	if (routing_build(&check->routing, policy, check->arena) != 0)
		return -ENOMEM;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (rules[i].check != NULL)
			rules[i].check(check);
	}
	return 0;
}
