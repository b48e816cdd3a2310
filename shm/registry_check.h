/* SPDX-License-Identifier: Apache-2.0 */
/* Whether names that have state lie in the region as the control plane left them. Any thread. */
#ifndef FENDER_SHM_REGISTRY_CHECK_H
#define FENDER_SHM_REGISTRY_CHECK_H

#include "shm/region.h"
#include "shm/registry.h"

/* Return 1 for a live entry whose text has its key: no other is a name. */
int registry_is_name(const struct registry_entry *entry);

/* Return 1 when each live entry is a name that is found where it lies, and there is room left. */
int registry_is_sound(const struct registry *registry);

/*
 * registry_is_sound() of listeners, clusters and endpoints. Return NULL, or what something
 * has written over. Cost: a hash of each name.
 */
const char *region_damaged_names(const struct region *region);

#endif
