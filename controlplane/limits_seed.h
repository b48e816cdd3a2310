/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FENDER_CONTROLPLANE_LIMITS_SEED_H
#define FENDER_CONTROLPLANE_LIMITS_SEED_H

#include "controlplane/limits.h"
#include "shm/image.h"
#include "shm/region.h"

/**
 * limits_seed() - tell new maps whose the SNAT ports of the connections in @region are
 * @policy: in force in @l, made of @image
 * No dataplane runs; the one that starts corrects what is wrong. Return: 0 or -errno.
 */
int limits_seed(const struct limits *l, const struct limits_policy *policy,
		const struct image_header *image, const struct region *region);

#endif
