/* SPDX-License-Identifier: Apache-2.0 */
/* What lies in a region, as JSON: for one whose instance is dead, or a copy of a file. */
#ifndef FENDER_CONTROLPLANE_SHM_DUMP_H
#define FENDER_CONTROLPLANE_SHM_DUMP_H

#include <jansson.h>

#include "shm/region.h"

/*
 * @region: of region_load(); any bytes in it are safe. @now_ns: what ages count from.
 * Return: a new object; NULL: out of memory.
 */
json_t *shm_dump(const struct region *region, uint64_t now_ns);

#endif
