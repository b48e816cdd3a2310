/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A private copy of the names that have state. The control plane alone writes them into the region,
 * so whatever differs from the copy was written by nobody who may; a damaged name would make
 * every later policy fail. One thread, the publisher's.
 */
#ifndef FENDER_CONTROLPLANE_REGISTRY_COPY_H
#define FENDER_CONTROLPLANE_REGISTRY_COPY_H

#include <stdint.h>

#include "shm/region.h"

struct registry_copy;

/* Copy the names of @region, which must outlive the copy; NULL: no memory. */
struct registry_copy *registry_copy_create(const struct region *region);

/* The names are as they shall be: after publish_prepare(), whatever it returned. */
void registry_copy_take(struct registry_copy *copy);

/* Return the number of entries that were not as copied and are now. */
uint32_t registry_copy_put_back(const struct registry_copy *copy);

void registry_copy_free(struct registry_copy *copy);

#endif
