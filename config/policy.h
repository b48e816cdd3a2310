/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy as checked C structures. Filled by config/parse.c through the schema table, which
 * names every field's place; units are in the names. What a value of the wrong form leaves
 * behind is its default, or zero: a family of 0, a NULL name.
 */
#ifndef FENDER_CONFIG_POLICY_H
#define FENDER_CONFIG_POLICY_H

#include <stddef.h>
#include <stdint.h>

#include "config/address.h"
#include "config/values.h"
#include "config/yaml_tree.h"

/* What every map of the file leaves in its structure, always the first member. */
struct policy_map {
	const struct yaml_node *node; /* NULL: not in the file, all defaults */
	uint32_t errors;              /* found inside while parsing */
};

/* How interfaces, listeners and clusters all begin. */
struct policy_named {
	struct policy_map map;
	const char *name;
};

/* Every list: the schema's generic view of it has the same two members. */
#define POLICY_LIST(type)     \
	struct {              \
		type *items;  \
		size_t count; \
	}

/* A scalar of a list that is reported on its own. */
struct policy_address {
	struct address address;
	const struct yaml_node *node;
};

struct policy_sidecar {
	struct policy_map map;
	const char *name;
	uint64_t workers;
	uint64_t cpus; /* bit i: CPU i */
	uint64_t idle; /* enum image_idle */
	uint64_t spin_us;
	uint64_t hugepages; /* enum image_hugepages */
	uint64_t connections;
	uint64_t max_listeners;
	uint64_t max_clusters;
	uint64_t max_endpoints;
	uint64_t policy_slot_bytes;
	uint64_t verify_checksums;
	uint64_t buffers;
};

struct policy_route {
	struct policy_map map;
	struct address to;
	struct address via; /* family 0: on-link */
};

struct policy_neighbour {
	struct policy_map map;
	struct address address;
	uint8_t mac[6];
};

struct policy_snat {
	struct policy_map map;
	struct value_port_range ports;
};

struct policy_interface {
	struct policy_map map;
	const char *name;
	struct value_device device;
	POLICY_LIST(struct policy_address) addresses;
	POLICY_LIST(struct policy_address) gateways;
	POLICY_LIST(struct policy_route) routes;
	POLICY_LIST(struct policy_neighbour) neighbours;
	uint64_t vlan;
	uint64_t mtu;
	struct policy_snat snat;
};

struct policy_listener {
	struct policy_map map;
	const char *name;
	struct address bind;
	const char *interface;
	uint64_t protocol; /* enum image_proto */
	const char *cluster;
	/* found by the checks */
	uint32_t interface_index;
	uint32_t cluster_index;
};

struct policy_endpoint {
	struct policy_map map;
	struct address address;
	uint64_t weight;
	/* found by the checks */
	uint32_t interface_index;
	struct image_ip next_hop;
	struct image_ip snat;
};

struct policy_load_balancing {
	struct policy_map map;
	uint64_t algorithm;  /* enum image_algorithm */
	uint64_t hash_on;    /* bits of enum image_hash_on */
	uint64_t table_size; /* 0: from the weights */
};

struct policy_timeouts {
	struct policy_map map;
	uint64_t connect_ms;
	uint64_t request_ms;
	uint64_t idle_ms; /* 0: by protocol */
	uint64_t half_closed_ms;
	uint64_t max_duration_ms;
	uint64_t verdict_after_ms;
	uint64_t drain_ms;
};

struct policy_cluster {
	struct policy_map map;
	const char *name;
	POLICY_LIST(struct policy_endpoint) endpoints; /* sorted by address, port once parsed */
	struct policy_load_balancing load_balancing;
	struct policy_timeouts timeouts;
};

struct policy {
	struct policy_map map;
	uint64_t version;
	struct policy_sidecar sidecar;
	POLICY_LIST(struct policy_interface) interfaces;
	POLICY_LIST(struct policy_listener) listeners;
	POLICY_LIST(struct policy_cluster) clusters;
};

_Static_assert(offsetof(struct policy_interface, name) == offsetof(struct policy_named, name) &&
		       offsetof(struct policy_listener, name) ==
			       offsetof(struct policy_named, name) &&
		       offsetof(struct policy_cluster, name) == offsetof(struct policy_named, name),
	       "named things begin alike");

enum policy_defaults {
	POLICY_IDLE_TCP_MS = 3600 * 1000,
	POLICY_IDLE_UDP_MS = 30 * 1000,
};

#endif
