/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statistics: the region's counters summed over the workers and joined with the names of the
 * policy. Reads lock-free words; no reader can delay a packet, and a region whose dataplane is
 * dead is as readable as any.
 */
#ifndef FENDER_CONTROLPLANE_STATS_H
#define FENDER_CONTROLPLANE_STATS_H

#include <stdint.h>

#include "config/table_report.h"
#include "shm/image.h"
#include "shm/region.h"

struct stats_worker {
	uint32_t state; /* enum worker_state */
	uint32_t cpu;
	uint64_t heartbeat_age_ms;
	uint64_t applied_generation;
	uint64_t loops;
	uint64_t busy_loops;
	uint64_t sleeps;
	uint64_t neighbours_pending;
	uint64_t connections_open;
	uint64_t connections_resting;
	uint64_t resting_recycled;
	uint64_t challenges_answered;
	uint64_t syn_repeated;
	struct packet_counters packets;
	/*
	 * What went in and has not come out: received + handed_in + originated - transmitted -
	 * consumed - handed_out - dropped - held. Ways out are read before ways in, so a packet
	 * on its way counts here and never as a negative.
	 */
	int64_t in_flight;
	int settled; /* the worker did not loop while it was read: in_flight must be 0 */
};

struct stats_interface {
	const struct image_interface *policy;
	struct interface_counters sum;
	struct port_status port;
};

struct stats_listener {
	const struct image_listener *policy;
	struct listener_counters sum;
	struct listener_state state;
};

struct stats_cluster {
	uint32_t slot; /* in the region: its histograms are read from there; REGISTRY_NONE */
	struct call_counters sum;
	struct policy_counters policy; /* sum */
	struct cluster_state state;
};

struct stats_endpoint {
	struct call_counters sum;
	struct endpoint_state state;
};

enum stats_kind { STATS_LISTENER, STATS_CLUSTER, STATS_ENDPOINT };

struct stats_limits; /* controlplane/stats_limits.h */

/* A name that left the policy and still has connections. */
struct stats_draining {
	enum stats_kind kind;
	struct call_counters sum;
	/* A copy: the region's may change at any time. */
	char name[sizeof(((struct registry_entry *)0)->name)];
};

struct stats {
	const struct image_header *policy;
	const struct region *region;
	const char *instance; /* in the region */
	uint64_t now_ns;
	uint64_t region_bytes;
	uint64_t active_generation;
	uint64_t adopted_generation;
	uint64_t applied_generation; /* lowest over the workers */
	uint64_t nacked_generation;
	uint64_t dataplane_starts;
	uint64_t connection_capacity;
	uint32_t workers;
	struct stats_worker worker[MAX_WORKERS];
	struct packet_counters packets; /* sum */
	uint64_t dropped;               /* sum over reasons */
	int64_t in_flight;              /* sum */
	int64_t in_rings;               /* handed out and not yet handed in */
	int holds;                      /* the conservation law, every worker and the rings */
	uint64_t connections_open;
	uint64_t connections_resting;
	struct stats_interface interface[MAX_INTERFACES];
	struct stats_listener *listeners; /* as in the policy */
	struct stats_cluster *clusters;
	/* Of the last change of a cluster's table; by position. The caller's, may be NULL. */
	const struct table_report *(*table_report)(void *ctx, uint32_t cluster);
	void *table_ctx;
	uint64_t build_us; /* compiling the policy took; 0: not known */
	struct stats_endpoint *endpoints;
	struct stats_draining *draining;
	uint32_t draining_count;
	struct stats_limits *limits; /* stats_limits_collect(); NULL before */
};

/**
 * stats_collect() - read everything once
 * @policy: checked image whose names are reported; must outlive @stats, as must @region
 * @now_ns: CLOCK_MONOTONIC
 * Return: 0 (then stats_free()) or -ENOMEM.
 */
int stats_collect(struct stats *stats, const struct region *region,
		  const struct image_header *policy, uint64_t now_ns);
void stats_free(struct stats *stats);

/* Calls that have begun and have no end yet; connections now open. */
static inline uint64_t stats_calls_in_flight(const struct call_counters *c)
{
	return c->started - c->succeeded - c->failed - c->cancelled - c->rejected;
}

static inline uint64_t stats_calls_open(const struct call_counters *c)
{
	return c->opened - c->closed;
}

#endif
