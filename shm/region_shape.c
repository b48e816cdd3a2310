/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/region_shape.h"

#include <errno.h>

enum { MIN_SOURCE_LINES = 64 };

static int in(uint32_t value, uint32_t low, uint32_t high)
{
	return value >= low && value <= high;
}

static uint64_t page_up(uint64_t bytes)
{
	return (bytes + REGION_PAGE_BYTES - 1) & ~(uint64_t)(REGION_PAGE_BYTES - 1);
}

/* A registry is never more than half full, so that probing stays short. */
static uint32_t registry_slots(uint32_t capacity)
{
	uint32_t slots = 2;

	while (slots < 2 * capacity)
		slots *= 2;
	return slots;
}

/* A line has SOURCES_PER_LINE words: two for each connection. */
static uint32_t source_lines(uint64_t workers, uint64_t connections_per_worker)
{
	uint32_t lines = MIN_SOURCE_LINES;

	while (lines < workers * connections_per_worker / 4)
		lines *= 2;
	return lines;
}

int region_shape_from_spec(const struct region_spec *spec, struct region_shape *shape)
{
	if (!in(spec->workers, 1, MAX_WORKERS) ||
	    !in(spec->connections, MIN_CONNECTIONS, MAX_CONNECTIONS) ||
	    !in(spec->listeners, 1, MAX_LISTENERS) || !in(spec->clusters, 1, MAX_CLUSTERS) ||
	    !in(spec->endpoints, 1, MAX_ENDPOINTS) ||
	    !in(spec->slot_bytes, MIN_SLOT_BYTES, MAX_SLOT_BYTES))
		return -EINVAL;
	*shape = (struct region_shape){
		.workers = spec->workers,
		.connections_per_worker = (spec->connections + spec->workers - 1) / spec->workers,
		.listener_slots = registry_slots(spec->listeners),
		.cluster_slots = registry_slots(spec->clusters),
		.endpoint_slots = registry_slots(spec->endpoints),
		.slot_bytes = (uint32_t)page_up(spec->slot_bytes),
	};
	shape->source_lines = source_lines(shape->workers, shape->connections_per_worker);
	return 0;
}

static int slots_valid(uint32_t slots, uint32_t max_capacity)
{
	return in(slots, 2, registry_slots(max_capacity)) && (slots & (slots - 1)) == 0;
}

int region_shape_valid(const struct region_shape *shape)
{
	return in(shape->workers, 1, MAX_WORKERS) &&
	       in(shape->connections_per_worker, MIN_CONNECTIONS / MAX_WORKERS, MAX_CONNECTIONS) &&
	       slots_valid(shape->listener_slots, MAX_LISTENERS) &&
	       slots_valid(shape->cluster_slots, MAX_CLUSTERS) &&
	       slots_valid(shape->endpoint_slots, MAX_ENDPOINTS) &&
	       in(shape->slot_bytes, MIN_SLOT_BYTES, MAX_SLOT_BYTES) &&
	       shape->slot_bytes % REGION_PAGE_BYTES == 0 &&
	       shape->source_lines == source_lines(shape->workers, shape->connections_per_worker);
}

uint64_t region_shape_sections(const struct region_shape *shape,
			       struct section sections[REGION_SECTIONS])
{
	const uint64_t workers = shape->workers;
	const struct {
		uint32_t kind;
		uint32_t element_bytes;
		uint64_t count;
	} rows[REGION_SECTIONS] = {
		{SECTION_SLOTS, shape->slot_bytes, POLICY_SLOTS},
		{SECTION_REGISTRY_LISTENERS, sizeof(struct registry_entry), shape->listener_slots},
		{SECTION_REGISTRY_CLUSTERS, sizeof(struct registry_entry), shape->cluster_slots},
		{SECTION_REGISTRY_ENDPOINTS, sizeof(struct registry_entry), shape->endpoint_slots},
		{SECTION_WORKERS, sizeof(struct worker_block), workers},
		{SECTION_INTERFACE_COUNTERS, sizeof(struct interface_counters),
		 workers * MAX_INTERFACES},
		{SECTION_LISTENER_COUNTERS, sizeof(struct listener_counters),
		 workers * shape->listener_slots},
		{SECTION_CLUSTER_COUNTERS, sizeof(struct call_counters),
		 workers * shape->cluster_slots},
		{SECTION_ENDPOINT_COUNTERS, sizeof(struct call_counters),
		 workers * shape->endpoint_slots},
		{SECTION_PORTS, sizeof(struct port_status), MAX_INTERFACES},
		{SECTION_CONNECTIONS, sizeof(struct conn), workers * shape->connections_per_worker},
		{SECTION_POLICY_COUNTERS, sizeof(struct policy_counters),
		 workers * shape->cluster_slots},
		{SECTION_LISTENER_STATE, sizeof(struct listener_state), shape->listener_slots},
		{SECTION_CLUSTER_STATE, sizeof(struct cluster_state), shape->cluster_slots},
		{SECTION_ENDPOINT_STATE, sizeof(struct endpoint_state), shape->endpoint_slots},
		{SECTION_SOURCES, sizeof(struct source_line), shape->source_lines},
		{SECTION_CLUSTER_OUTCOMES, sizeof(struct outcomes), workers * shape->cluster_slots},
		{SECTION_ENDPOINT_OUTCOMES, sizeof(struct outcomes),
		 workers * shape->endpoint_slots},
		{SECTION_EVENTS, sizeof(struct event_ring), 1},
		{SECTION_INTERFACES, sizeof(struct interface_control), MAX_INTERFACES},
		{SECTION_LIMIT_COUNTERS, sizeof(struct worker_limit_counters),
		 workers * shape->listener_slots},
		{SECTION_FLOW_LIMITS, sizeof(struct flow_limit),
		 workers * shape->connections_per_worker},
		{SECTION_LIMIT_SOURCES, sizeof(struct source_limit_line), shape->source_lines},
		{SECTION_HISTOGRAMS, sizeof(struct cluster_histograms),
		 workers * shape->cluster_slots},
		{SECTION_HISTOGRAM_BLOCKS, sizeof(struct histogram_block),
		 workers * shape->cluster_slots * HISTOGRAM_SLOT_BLOCKS},
		{SECTION_KERNEL_NEIGHBOURS, sizeof(struct kernel_neighbours), 1},
		{SECTION_CAPTURE_CONTROL, sizeof(struct capture_control), 1},
		{SECTION_CAPTURE_RINGS, sizeof(struct capture_ring), workers},
	};
	uint64_t off = page_up(sizeof(struct region_header));

	for (unsigned int i = 0; i < REGION_SECTIONS; i++) {
		uint64_t bytes = page_up(rows[i].element_bytes * rows[i].count);

		sections[i] = (struct section){
			.kind = rows[i].kind,
			.element_bytes = rows[i].element_bytes,
			.off = off,
			.bytes = bytes,
			.count = rows[i].count,
		};
		off += bytes;
	}
	return off;
}
