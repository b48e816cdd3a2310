/* SPDX-License-Identifier: Apache-2.0 */
/* Make and judge the static part of a region's header; private to shm/. */
#ifndef FENDER_SHM_REGION_HEADER_H
#define FENDER_SHM_REGION_HEADER_H

#include "shm/region.h"
#include "shm/why.h"

/* Fill a zeroed private header for @shape, ready = 1. Return 0 or -errno. */
int region_header_fill(struct region_header *header, const char *instance,
		       const struct region_shape *shape);

/* Judge a private copy against the file's size; errors as region_open(). */
int region_header_check(const struct region_header *header, uint64_t file_bytes,
			const struct why *why);

/* @to goes on as the instance's region in the place of @from: the same id and seed. */
void region_header_continue(struct region_header *to, const struct region_header *from);

struct region_shape region_header_shape(const struct region_header *header);

#endif
