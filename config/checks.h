/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules across keys. Each is one row of the table in checks.c: a sentence for the reference and
 * a function that reports every breach where it stands, with what would do.
 */
#ifndef FENDER_CONFIG_CHECKS_H
#define FENDER_CONFIG_CHECKS_H

#include "config/policy.h"
#include "config/routing.h"

struct check {
	struct policy *policy;
	struct routing routing;
	struct arena *arena;
	struct diagnostics *d;
};

/**
 * policy_check() - apply every rule
 * @check: all but the routing filled in by the caller
 *
 * Sorts each cluster's endpoints by address and port, finds the interface and cluster of each
 * listener and the interface, next hop and SNAT address of each endpoint, drops resolved endpoints
 * that cannot serve and settles defaults. Values that did not parse are passed over.
 * Return: 0, also after errors in @check->d; -ENOMEM.
 */
int policy_check(struct check *check);

struct config_input;

/**
 * config_read() - parse and check the text of a policy
 * @check: arena and diagnostics filled in by the caller; receives the policy
 * Return: 0: every rule is kept; -EINVAL with an error in the diagnostics; -ENOMEM (reported).
 */
int config_read(struct check *check, const struct config_input *in);

/* The rules as sentences, for the reference; NULL past the last. */
const char *policy_rule(size_t number);

/* The rules by their file. */
void check_unique_names(struct check *c);
void check_references(struct check *c);
void check_sidecar(struct check *c);
void check_sources(struct check *c);

void check_load_balancing(struct check *c);

void check_breakers(struct check *c);
void check_bulkheads(struct check *c);

void check_timeouts(struct check *c);
void check_retries_fit(struct check *c);
void check_health_checks(struct check *c);

void check_devices(struct check *c);
void check_addresses(struct check *c);
void check_routes(struct check *c);
void check_gateways(struct check *c);
void check_neighbours(struct check *c);
void check_snat_ports(struct check *c);
void check_sharing(struct check *c);

void check_rate_limits(struct check *c);
void check_reload(struct check *c);

void check_binds(struct check *c);
void check_families(struct check *c);
void check_endpoints(struct check *c);
void check_reachable(struct check *c);

enum { NOT_FOUND = UINT32_MAX }; /* interface_index and cluster_index of a listener */

/*
 * Defaults that depend on other keys. Called by policy_check() before the rules.
 */
void policy_settle(struct policy *policy);

/* Does the limit count in windows? They have no burst, buckets no window. */
bool check_is_window(const struct policy_limit *limit);

/* Does the file give this key? */
bool check_given(const struct policy_map *map, const char *key);

/* Is the block in the file and without an error of its own? */
bool check_sound(const struct policy_map *map);

/* "path.key: found nothing, expected @expected" for a key that another one makes necessary. */
void check_missing(struct check *c, const struct policy_map *map, const char *key,
		   const char *expected);

/* Permits of a bulkhead that all callers share; 0: no such bound. */
uint64_t check_limit(const struct policy_bulkhead *bulkhead);

/* May a connection to the cluster be attempted twice? */
bool check_retries(const struct policy_cluster *cluster);

/* value_print_duration() of milliseconds. */
const char *check_duration(uint64_t ms, char *out);

/*
 * What makes an endpoint useless: an error where it is written; where DNS gave it a warning, and
 * the endpoint is left out.
 */
void check_endpoint_fault(struct check *c, struct policy_endpoint *e, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The value of @key in the file, or the map it would stand in; NULL when that is not there. */
const struct yaml_node *check_at(const struct policy_map *map, const char *key);

#endif
