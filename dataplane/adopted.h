/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy as the workers use it: the private, validated image and what binds it to
 * this process and region. Immutable once handed out; freed by the main thread when
 * every worker has passed a loop since its successor was handed out, or is parked.
 */
#ifndef FENDER_DATAPLANE_ADOPTED_H
#define FENDER_DATAPLANE_ADOPTED_H

#include "dataplane/policy/view.h"
#include "shm/region.h"

struct adopted {
	struct image_header *image;
	uint64_t generation;
	struct policy_view view; /* of image; its maps are slots of the state registry */
	uint16_t *maps;          /* what they lie in */
	/* position of an endpoint's SNAT address among the image's addresses */
	uint8_t *endpoint_address;
	/* positions of clusters whose table was not built from their endpoints: an alarm */
	uint16_t *stale_tables;
	uint32_t stale_count;
	/* slot -> when connections of a name that left the policy end, 0 for every other */
	uint64_t *listener_ends_ns;
	uint64_t *endpoint_ends_ns;
	uint32_t listener_slots;
	uint32_t endpoint_slots;
	/* Our address on each interface by family, to send errors from; all zero without one. */
	uint8_t own4[MAX_INTERFACES][16];
	uint8_t own6[MAX_INTERFACES][16];
};

/**
 * adopted_create() - bind a validated image (taken over, freed with it)
 * Return: 0; -ENOENT a name has no registry entry; -ENOMEM. On failure the image is freed.
 */
int adopted_create(struct adopted **out, struct image_header *image, const struct region *region);

/*
 * What @previous names, or still drains, and @a does not, ends its cluster's `drain` after @now_ns
 * at the latest. Before @a is handed out.
 */
void adopted_drain(struct adopted *a, const struct adopted *previous, uint64_t now_ns);

/* The next end after @after_ns, UINT64_MAX when there is none. One pass over the slots. */
uint64_t adopted_next_end(const struct adopted *a, uint64_t after_ns);

void adopted_free(struct adopted *a);

#endif
