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
 * listener and the interface, next hop and SNAT address of each endpoint. Values that did not
 * parse are passed over.
 * Return: 0, also after errors in @check->d; -ENOMEM.
 */
int policy_check(struct check *check);

/* The rules as sentences, for the reference; NULL past the last. */
const char *policy_rule(size_t number);

/* The rules by their file. */
void check_unique_names(struct check *c);
void check_references(struct check *c);
void check_sidecar(struct check *c);
void check_load_balancing(struct check *c);
void check_timeouts(struct check *c);

void check_devices(struct check *c);
void check_addresses(struct check *c);
void check_routes(struct check *c);
void check_gateways(struct check *c);
void check_neighbours(struct check *c);
void check_snat_ports(struct check *c);

void check_binds(struct check *c);
void check_families(struct check *c);
void check_endpoints(struct check *c);
void check_reachable(struct check *c);

enum { NOT_FOUND = UINT32_MAX }; /* interface_index and cluster_index of a listener */

/* The value of @key in the file, or the map it would stand in; NULL when that is not there. */
const struct yaml_node *check_at(const struct policy_map *map, const char *key);

#endif
