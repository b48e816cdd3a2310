/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the simulator's workers decide on: policies bound to slots, and state in private memory.
 * Slots are dealt in the order in which the images name things, so that of the first image slot
 * and position are one. A name of several images has one slot.
 */
#ifndef FENDER_DATAPLANE_SIMULATE_WORLD_H
#define FENDER_DATAPLANE_SIMULATE_WORLD_H

#include <stddef.h>

#include "dataplane/policy/call.h"

struct world_name {
	uint64_t key;
	const char *name;
	uint32_t cluster; /* of an endpoint: its cluster's slot */
};

struct world_names {
	struct world_name *items;
	uint32_t count;
};

struct world_policy {
	struct policy_view view;
	struct image_header *image; /* a copy, with the generation of a published one */
	uint16_t *maps;             /* the memory of view's six */
};

struct world {
	struct world_names listeners;
	struct world_names clusters;
	struct world_names endpoints;
	struct world_policy *policies;
	size_t policy_count;
	const struct world_policy *current;
	uint32_t workers;
	struct policy_state state; /* what is shared, and worker 0's */
	struct event_ring ring;
	struct queues listener_queues;
	struct queues cluster_queues;
	struct engine *engines;  /* one a worker */
	uint32_t *last_interval; /* by cluster slot */
	struct random random;    /* of what is no worker's */
};

/**
 * world_create() - fresh state for all names of @images, the first one adopted
 * @entries: of each worker
 * Return: 0, or -ENOMEM or -E2BIG with nothing to free. The engines' calls are the caller's to set.
 */
int world_create(struct world *world, const struct image_header *const *images, size_t count,
		 uint32_t workers, uint32_t entries, uint64_t seed);
void world_free(struct world *world);

/* Adopt policy @number, as the dataplane's main thread and workers do. */
void world_adopt(struct world *world, size_t number, uint64_t now_ns);

/* What the main thread does now and then: statistical ejection. */
void world_interval(struct world *world, uint64_t now_ns);

#endif
