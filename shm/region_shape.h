/* SPDX-License-Identifier: Apache-2.0 */
/* The arithmetic of a region's layout; private to shm/. */
#ifndef FENDER_SHM_REGION_SHAPE_H
#define FENDER_SHM_REGION_SHAPE_H

#include <stdint.h>

#include "shm/region.h"

enum { REGION_SECTIONS = SECTION_KIND_END - 1 };

/* Return 0, or -EINVAL when @spec is out of bounds (shm/limits.h). */
int region_shape_from_spec(const struct region_spec *spec, struct region_shape *shape);

/* True when every dimension is one that region_shape_from_spec() could have chosen. */
int region_shape_valid(const struct region_shape *shape);

/* Place the sections of a valid shape; returns the region's size in bytes. */
uint64_t region_shape_sections(const struct region_shape *shape,
			       struct section sections[REGION_SECTIONS]);

#endif
