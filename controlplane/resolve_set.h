/* SPDX-License-Identifier: Apache-2.0 */
/* What a name was resolved to: sorted, no two alike, in the terms of a policy. Pure. */
#ifndef FENDER_CONTROLPLANE_RESOLVE_SET_H
#define FENDER_CONTROLPLANE_RESOLVE_SET_H

#include <stddef.h>
#include <stdint.h>

#include "config/config.h"

struct resolve_set {
	struct resolved_endpoint *endpoints; /* malloc'ed */
	size_t count;
	size_t capacity;
};

/* A service of an SRV answer. */
struct resolve_service {
	char *target;
	uint16_t port; /* host order */
	/* As the record has them, after resolve_services_rank() as a policy has them. */
	uint16_t priority;
	uint16_t weight;
};

/*
 * Priorities become 0, 1, ... in their order, at most MAX_PRIORITIES - 1; weights 1 to MAX_WEIGHT
 * in their proportions. The services change places.
 */
void resolve_services_rank(struct resolve_service *services, size_t count);

/* Add an endpoint; from MAX_ENDPOINTS on nothing happens. Return: 0, -ENOMEM. */
int resolve_set_add(struct resolve_set *set, const struct resolved_endpoint *endpoint);

/* Sort; of equal addresses keep the one used first, with the largest weight. */
void resolve_set_finish(struct resolve_set *set);

/* Both finished. */
int resolve_set_equal(const struct resolve_set *a, const struct resolve_set *b);

/* The endpoints of cluster number @cluster of a checked image. Return: 0, -ENOMEM. */
int resolve_set_of_image(struct resolve_set *set, const struct image_header *image,
			 uint32_t cluster);

void resolve_set_free(struct resolve_set *set);

/*
 * Of all clusters with `dns` in @image that have endpoints, for a compilation that goes on from
 * it; names point into the image. resolve_sets_free() frees them. Return: 0, -ENOMEM.
 */
int resolve_sets_of_image(struct endpoint_sets *sets, const struct image_header *image);
void resolve_sets_free(struct endpoint_sets *sets);

#endif
