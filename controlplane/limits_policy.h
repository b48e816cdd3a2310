/* SPDX-License-Identifier: Apache-2.0 */
/* A policy image as limits_apply() takes it. Pure but for malloc(). */
#ifndef FENDER_CONTROLPLANE_LIMITS_POLICY_H
#define FENDER_CONTROLPLANE_LIMITS_POLICY_H

#include "controlplane/limits.h"
#include "shm/image.h"
#include "shm/region.h"

/*
 * @policy points into the rest. Interfaces without our program, and their addresses, are not in it;
 * listeners all are: on the way to the client their packets come in by another interface.
 */
struct limits_wish {
	struct limits_policy policy;
	struct limits_interface interfaces[MAX_INTERFACES];
	struct limits_address addresses[MAX_ADDRESSES];
	struct limits_listener *listeners; /* in the image's order */
	uint32_t *drain_ms;                /* of each, of its cluster */
};

/**
 * limits_wish_create() - what @image wants of the maps
 * @control: [MAX_INTERFACES], what the dataplane runs by
 * @region: listeners' numbers are their slots there; NULL: leave listeners out
 * Return: for limits_wish_free(). NULL: errno is ENOMEM, or ENOENT when a listener's name has no
 * slot.
 */
struct limits_wish *limits_wish_create(const struct image_header *image,
				       const struct interface_control *control,
				       const struct region *region);
void limits_wish_free(struct limits_wish *wish);

/* One listener's limits. */
struct limits_rules limits_rules_of(const struct image_rate_limit *from);

#endif
