/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/policy/region_state.h"

#include "shm/region.h"

void region_state(struct policy_state *s, const struct region *region, uint32_t worker)
{
	const struct region_shape *shape = &region->shape;

	*s = (struct policy_state){
		.listeners = region->listener_state,
		.clusters = region->cluster_state,
		.endpoints = region->endpoint_state,
		.sources = region->sources,
		.source_lines = shape->source_lines,
		.listener_slots = shape->listener_slots,
		.cluster_slots = shape->cluster_slots,
		.endpoint_slots = shape->endpoint_slots,
		.workers = shape->workers,
		.events = region->events,
		.cluster_outcomes = region->cluster_outcomes,
		.endpoint_outcomes = region->endpoint_outcomes,
		.listener_counters = region_listener_counters(region, worker, 0),
		.cluster_counters = region_cluster_counters(region, worker, 0),
		.endpoint_counters = region_endpoint_counters(region, worker, 0),
		.policy_counters =
			&region->policy_counters[(uint64_t)worker * shape->cluster_slots],
		.histograms = region_histograms(region, worker),
	};
}
