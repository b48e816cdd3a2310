/* SPDX-License-Identifier: Apache-2.0 */
/* The region a run works on: made, or taken over from the run before. */
#ifndef FENDER_CONTROLPLANE_ACTIVE_H
#define FENDER_CONTROLPLANE_ACTIVE_H

#include <stddef.h>

#include "controlplane/paths.h"
#include "shm/image.h"
#include "shm/region.h"

/* A checked private copy of the active policy, freed by the caller; NULL when there is none. */
struct image_header *active_policy(const struct region *region);

/**
 * active_region() - open the instance's region if @image can continue on it, else create one
 * @image: the policy to run
 * @active: receives what the opened region's active slot holds (the caller frees it), or NULL
 * @why: at least 160 bytes
 *
 * A region that does not fit (shape, ABI, boot, interfaces) is replaced. A dataplane that still
 * runs on it is stopped first. Blocks; before the loop runs. Return 0 or -errno.
 */
int active_region(struct region *region, const struct paths *paths,
		  const struct image_header *image, struct image_header **active, char *why,
		  size_t why_size);

#endif
