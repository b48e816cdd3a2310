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
#include "config/value_words.h"
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
	const char *zone;           /* NULL: none */
	uint64_t on_dataplane_loss; /* enum image_on_loss */
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
	uint64_t shared;
	POLICY_LIST(struct policy_address) kernel_addresses;
	uint64_t limiter; /* enum image_limiter */
	struct policy_snat snat;
};

/* Percentages are in hundredths of a percent. A block that is not in the file is off. */

struct policy_bulkhead {
	struct policy_map map;
	uint64_t mode;           /* enum image_mode, as in every block that has one */
	uint64_t scope;          /* enum image_scope */
	uint64_t max_concurrent; /* 0: not given */
	uint64_t max_queue;
	uint64_t queue_timeout_ms;
	uint64_t share; /* 0: not given */
};

struct policy_rate {
	uint64_t per_second; /* 0: not given */
	uint64_t burst;      /* of a bucket, in units; found by the checks */
};

/* Of a connection (packets, bytes), of a source or a listener (connections). */
struct policy_limit {
	struct policy_map map;
	uint64_t mode;
	uint64_t algorithm; /* enum image_limit_algorithm */
	struct policy_rate packets;
	struct policy_rate bytes;
	struct policy_rate connections;
	struct value_burst burst;
	uint64_t window_ms;
	uint64_t action;     /* enum image_limit_action */
	uint64_t directions; /* bits of enum image_limit_direction */
};

struct policy_rate_limit {
	struct policy_map map;
	struct policy_limit per_connection;
	struct policy_limit per_source;
	struct policy_limit listener;
};

struct policy_listener {
	struct policy_map map;
	const char *name;
	struct address bind;
	const char *interface;
	uint64_t protocol; /* enum image_proto */
	const char *cluster;
	struct policy_rate_limit rate_limit;
	struct policy_bulkhead bulkhead;
	/* found by the checks */
	uint32_t interface_index;
	uint32_t cluster_index;
};

struct policy_endpoint {
	struct policy_map map;
	struct address address;
	uint64_t weight;
	uint64_t priority;
	const char *zone;  /* NULL: none */
	uint32_t resolved; /* by DNS, not written: what is wrong with it is a warning */
	/* found by the checks */
	uint32_t left_out; /* a resolved one that cannot serve */
	uint32_t interface_index;
	struct image_ip next_hop;
	struct image_ip snat;
};

struct policy_load_balancing {
	struct policy_map map;
	uint64_t algorithm;    /* enum image_algorithm */
	uint64_t hash_on;      /* bits of enum image_hash_on */
	uint64_t table_size;   /* 0: from the weights */
	uint64_t points;       /* of ring_hash, a unit of weight */
	uint64_t bounded_load; /* 0: unbounded */
	uint64_t slow_start_ms;
	uint64_t panic_threshold;
};

/* In place of the list of endpoints. */
struct policy_endpoint_source {
	struct policy_map map;
	const char *file;     /* NULL: dns */
	struct value_dns dns; /* empty name: file */
	uint64_t refresh_ms;
	uint64_t stale_ok;
};

struct policy_slow_call {
	struct policy_map map;
	uint64_t threshold_us;
	uint64_t rate;
};

struct policy_half_open {
	struct policy_map map;
	uint64_t probes;
	uint64_t successes;
	uint64_t timeout_ms;
};

struct policy_breaker {
	struct policy_map map;
	uint64_t mode;
	uint64_t failure_rate;
	uint64_t minimum_calls;
	struct value_window window;
	uint64_t consecutive_failures;
	struct policy_slow_call slow_call;
	uint64_t open_ms;
	uint64_t max_open_ms;
	struct policy_half_open half_open;
};

struct policy_statistics {
	struct policy_map map;
	uint64_t modes; /* bits of enum image_outlier_statistics */
	uint64_t interval_ms;
	uint64_t minimum_hosts;
	uint64_t minimum_calls;
};

struct policy_outlier {
	struct policy_breaker breaker; /* first: its keys are those of a breaker */
	uint64_t max_ejected;
	struct policy_statistics statistics;
};

struct policy_backoff {
	struct policy_map map;
	uint64_t base_us;
	uint64_t max_us;
	uint64_t factor; /* in hundredths */
	uint64_t jitter; /* enum image_jitter */
};

struct policy_budget {
	struct policy_map map;
	uint64_t ratio;
	uint64_t minimum_per_second;
	uint64_t window_ms;
	uint64_t max_concurrent; /* 0: from the attempts in flight */
};

struct policy_retry {
	struct policy_map map;
	uint64_t mode;
	uint64_t max_attempts;
	uint64_t retry_on; /* bits of enum image_retry_on */
	struct policy_backoff backoff;
	struct policy_budget budget;
};

struct policy_health_check {
	struct policy_map map;
	uint64_t mode;
	uint64_t type;    /* enum image_health_type */
	const char *path; /* NULL: POLICY_HEALTH_PATH */
	const char *host; /* NULL: the endpoint's address */
	uint64_t interval_ms;
	uint64_t timeout_ms;
	uint64_t unhealthy_interval_ms; /* 0: interval_ms */
	uint64_t healthy_threshold;
	uint64_t unhealthy_threshold;
	uint64_t initial_unhealthy;
	uint64_t port; /* 0: the endpoint's */
	struct address source;
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
	uint64_t expect_reply_ms;
};

struct policy_cluster {
	struct policy_map map;
	const char *name;
	POLICY_LIST(struct policy_endpoint) endpoints; /* sorted by address, port once parsed */
	struct policy_endpoint_source source;          /* of the list, where it is not written */
	struct policy_load_balancing load_balancing;
	struct policy_health_check health_check;
	struct policy_breaker circuit_breaker;
	struct policy_outlier outlier_detection;
	struct policy_bulkhead bulkhead;
	struct policy_bulkhead endpoint_bulkhead;
	struct policy_retry retry;
	struct policy_timeouts timeouts;
};

struct policy_rollback_if {
	struct policy_map map;
	uint64_t error_rate; /* 0: not looked at */
	uint64_t p99_us;     /* likewise */
};

struct policy_reload {
	struct policy_map map;
	uint64_t watch_ms;
	uint64_t minimum_calls;
	struct policy_rollback_if rollback_if;
};

struct policy {
	struct policy_map map;
	uint64_t version;
	struct policy_sidecar sidecar;
	struct policy_reload reload;
	POLICY_LIST(struct policy_interface) interfaces;
	POLICY_LIST(struct policy_listener) listeners;
	POLICY_LIST(struct policy_cluster) clusters;
};

_Static_assert(offsetof(struct policy_interface, name) == offsetof(struct policy_named, name) &&
		       offsetof(struct policy_listener, name) ==
			       offsetof(struct policy_named, name) &&
		       offsetof(struct policy_cluster, name) == offsetof(struct policy_named, name),
	       "named things begin alike");

#define POLICY_HEALTH_PATH "/health"

enum policy_defaults {
	POLICY_IDLE_TCP_MS = 3600 * 1000,
	POLICY_IDLE_UDP_MS = 30 * 1000,
	POLICY_RING_POINTS = 160,
	/* Of a shared interface: beside the kernel's ephemeral ports, 32768-60999 by default. */
	POLICY_KERNEL_PORT_LOW = 32768,
	POLICY_KERNEL_PORT_HIGH = 60999,
	POLICY_SHARED_PORT_LOW = 61000,
	POLICY_SHARED_PORT_HIGH = 64999,
};

#endif
