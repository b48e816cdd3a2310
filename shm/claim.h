/* SPDX-License-Identifier: Apache-2.0 */
/* Registry entries for every name of an image; private to shm/. */
#ifndef FENDER_SHM_CLAIM_H
#define FENDER_SHM_CLAIM_H

#include "shm/image.h"
#include "shm/region.h"

/**
 * claim_names() - find or insert every listener, cluster and endpoint
 * @image: accepted by image_check()
 *
 * Return: 0; -ENOSPC full; -EBUSY full, but entries are on their way out; -EEXIST two names
 * have one key. After a failure the names claimed so far stay; they are retired like any other.
 */
int claim_names(const struct region *region, const struct image_header *image, uint64_t generation,
		int reader_dead);

/* Return 1 when every name of @image, accepted by image_check(), has its entry. */
int names_are_claimed(const struct region *region, const struct image_header *image);

#endif
