/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/stats.h"

#include <errno.h>
#include <stdlib.h>

#include "controlplane/stats_limits.h"
#include "controlplane/stats_sum.h"
#include "shm/publish.h"
#include "shm/registry.h"

/* One registry while its names are joined with the policy's. */
struct join {
	enum stats_kind kind;
	const struct registry_entry *entries;
	uint32_t slots;
	uint8_t *named; /* by slot: the policy has it */
};

static int join_start(struct join *join, enum stats_kind kind, const struct registry_entry *entries,
		      uint32_t slots)
{
	*join = (struct join){.kind = kind, .entries = entries, .slots = slots};
	join->named = calloc(slots ? slots : 1, 1);
	return join->named ? 0 : -ENOMEM;
}

/* A key that is not registered yet (published a moment ago by nobody) has no counters. */
static uint32_t join_slot(struct join *join, uint64_t key)
{
	uint32_t slot = registry_find(join->entries, join->slots, key);

	if (slot != REGISTRY_NONE)
		join->named[slot] = 1;
	return slot;
}

static void sum_slot(struct call_counters *out, const struct region *region, enum stats_kind kind,
		     uint32_t slot)
{
	struct listener_counters listener;

	switch (kind) {
	case STATS_LISTENER:
		stats_sum_listener(&listener, region, slot);
		*out = listener.calls;
		break;
	case STATS_CLUSTER:
		stats_sum_cluster(out, region, slot);
		break;
	case STATS_ENDPOINT:
		stats_sum_endpoint(out, region, slot);
		break;
	}
}

static int collect_draining(struct stats *stats, const struct region *region,
			    const struct join *join)
{
	for (uint32_t slot = 0; slot < join->slots; slot++) {
		struct stats_draining *grown;
		struct call_counters sum;

		if (join->named[slot] || registry_key(&join->entries[slot]) <= REGISTRY_REMOVED)
			continue;
		sum_slot(&sum, region, join->kind, slot);
		if (stats_calls_open(&sum) == 0)
			continue;
		grown = realloc(stats->draining, (stats->draining_count + 1) * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		stats->draining = grown;
		grown += stats->draining_count++;
		grown->kind = join->kind;
		grown->sum = sum;
		stats_copy_state(grown->name, join->entries[slot].name, sizeof(grown->name));
		grown->name[sizeof(grown->name) - 1] = '\0';
	}
	return 0;
}

static void take_listener(struct stats_listener *out, const struct region *region, uint32_t slot)
{
	stats_sum_listener(&out->sum, region, slot);
	stats_copy_state(&out->state, &region->listener_state[slot], sizeof(out->state));
}

static void take_cluster(struct stats_cluster *out, const struct region *region, uint32_t slot)
{
	stats_sum_cluster(&out->sum, region, slot);
	stats_sum_policy(&out->policy, region, slot);
	stats_copy_state(&out->state, &region->cluster_state[slot], sizeof(out->state));
}

static void take_endpoint(struct stats_endpoint *out, const struct region *region, uint32_t slot)
{
	stats_sum_endpoint(&out->sum, region, slot);
	stats_copy_state(&out->state, &region->endpoint_state[slot], sizeof(out->state));
}

static int collect_listeners(struct stats *stats, const struct region *region)
{
	const struct image_header *policy = stats->policy;
	const struct image_listener *rows = IMAGE_ARRAY(policy, struct image_listener, listeners);
	struct join join;
	int rc = join_start(&join, STATS_LISTENER, region->listener_registry,
			    region->shape.listener_slots);

	for (uint32_t i = 0; rc == 0 && i < policy->listeners.count; i++) {
		uint32_t slot = join_slot(&join, rows[i].key);

		stats->listeners[i].policy = &rows[i];
		if (slot != REGISTRY_NONE)
			take_listener(&stats->listeners[i], region, slot);
	}
	if (rc == 0)
		rc = collect_draining(stats, region, &join);
	free(join.named);
	return rc;
}

static int collect_clusters(struct stats *stats, const struct region *region)
{
	const struct image_header *policy = stats->policy;
	const struct image_cluster *rows = IMAGE_ARRAY(policy, struct image_cluster, clusters);
	struct join join;
	int rc = join_start(&join, STATS_CLUSTER, region->cluster_registry,
			    region->shape.cluster_slots);

	for (uint32_t i = 0; rc == 0 && i < policy->clusters.count; i++) {
		uint32_t slot = join_slot(&join, rows[i].key);

		stats->clusters[i].slot = slot;
		if (slot != REGISTRY_NONE)
			take_cluster(&stats->clusters[i], region, slot);
	}
	if (rc == 0)
		rc = collect_draining(stats, region, &join);
	free(join.named);
	return rc;
}

static int collect_endpoints(struct stats *stats, const struct region *region)
{
	const struct image_header *policy = stats->policy;
	const struct image_endpoint *rows = IMAGE_ARRAY(policy, struct image_endpoint, endpoints);
	struct join join;
	int rc = join_start(&join, STATS_ENDPOINT, region->endpoint_registry,
			    region->shape.endpoint_slots);

	for (uint32_t i = 0; rc == 0 && i < policy->endpoints.count; i++) {
		uint32_t slot = join_slot(&join, rows[i].key);

		if (slot != REGISTRY_NONE)
			take_endpoint(&stats->endpoints[i], region, slot);
	}
	if (rc == 0)
		rc = collect_draining(stats, region, &join);
	free(join.named);
	return rc;
}

static void add_packets(struct stats *stats, const struct packet_counters *p)
{
	struct packet_counters *sum = &stats->packets;

	sum->received += p->received;
	sum->originated += p->originated;
	sum->transmitted += p->transmitted;
	sum->consumed += p->consumed;
	sum->handed_out += p->handed_out;
	sum->handed_in += p->handed_in;
	sum->held += p->held;
	for (uint32_t i = 0; i < REASON_SLOTS; i++) {
		sum->dropped[i] += p->dropped[i];
		stats->dropped += p->dropped[i];
	}
}

static void collect_workers(struct stats *stats, const struct region *region)
{
	int settled = 1;

	stats->holds = 1;
	for (uint32_t i = 0; i < stats->workers; i++) {
		struct stats_worker *w = &stats->worker[i];

		stats_sum_worker(w, &region->workers[i], stats->now_ns);
		if (i == 0 || w->applied_generation < stats->applied_generation)
			stats->applied_generation = w->applied_generation;
		add_packets(stats, &w->packets);
		stats->in_flight += w->in_flight;
		stats->connections_open += w->connections_open;
		stats->connections_resting += w->connections_resting;
		settled &= w->settled;
		if (w->in_flight < 0 || (w->settled && w->in_flight != 0))
			stats->holds = 0;
	}
	/* Workers are read one after another: only at rest can the rings be judged. */
	stats->in_rings = (int64_t)(stats->packets.handed_out - stats->packets.handed_in);
	if (settled && stats->in_rings != 0)
		stats->holds = 0;
}

static void collect_interfaces(struct stats *stats, const struct region *region)
{
	const struct image_interface *rows =
		IMAGE_ARRAY(stats->policy, struct image_interface, interfaces);

	for (uint32_t i = 0; i < stats->policy->interfaces.count; i++) {
		stats->interface[i].policy = &rows[i];
		stats->interface[i].port = region->ports[i];
		stats_sum_interface(&stats->interface[i].sum, region, i);
	}
}

int stats_collect(struct stats *stats, const struct region *region,
		  const struct image_header *policy, uint64_t now_ns)
{
	const struct region_header *header = region->header;
	int rc = -ENOMEM;

	*stats = (struct stats){
		.policy = policy,
		.region = region,
		.instance = header->instance,
		.now_ns = now_ns,
		.region_bytes = header->total_bytes,
		.adopted_generation = counter_read(&header->adopted_generation),
		.nacked_generation = counter_read(&header->nacked_generation),
		.active_generation = active_generation(counter_read(&header->active)),
		.dataplane_starts = counter_read(&header->dataplane_starts),
		.connection_capacity =
			(uint64_t)region->shape.connections_per_worker * region->shape.workers,
		.workers = region->shape.workers,
	};
	stats->listeners = calloc(policy->listeners.count + 1, sizeof(*stats->listeners));
	stats->clusters = calloc(policy->clusters.count + 1, sizeof(*stats->clusters));
	stats->endpoints = calloc(policy->endpoints.count + 1, sizeof(*stats->endpoints));
	if (stats->listeners && stats->clusters && stats->endpoints)
		rc = collect_listeners(stats, region);
	if (rc == 0)
		rc = collect_clusters(stats, region);
	if (rc == 0)
		rc = collect_endpoints(stats, region);
	if (rc != 0) {
		stats_free(stats);
		return rc;
	}
	collect_workers(stats, region);
	collect_interfaces(stats, region);
	return 0;
}

void stats_free(struct stats *stats)
{
	free(stats->listeners);
	free(stats->clusters);
	free(stats->endpoints);
	free(stats->draining);
	if (stats->limits)
		free(stats->limits->listeners);
	free(stats->limits);
	*stats = (struct stats){0};
}
