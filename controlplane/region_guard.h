/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What may happen to the region's file while it is in use: it loses its name, is replaced, is cut
 * or its header is written over. The mapping lives on; the name is for the next process that
 * starts.
 */
#ifndef FENDER_CONTROLPLANE_REGION_GUARD_H
#define FENDER_CONTROLPLANE_REGION_GUARD_H

#include <stddef.h>

#include "shm/region.h"

struct region_guard {
	struct region *region;
	const char *path;
	struct region_header good; /* as it was at the last look */
};

enum region_state {
	REGION_FINE,
	REGION_RELINKED, /* another file had the name, or none: it is the live one's again */
	REGION_REPAIRED, /* the header was written over and is what it was */
	REGION_NAMELESS, /* the live file has no name any more and cannot get one:
			    region_guard_move() */
	REGION_STUCK,    /* the same, and its file system has no room for another: what runs
			    goes on, what starts cannot */
	REGION_CUT,      /* the file is shorter than the region: what was there is gone */
};

/* From now on @region, just opened, is watched. One at a time: SIGBUS within it is survived. */
void region_guard_start(struct region_guard *guard, struct region *region, const char *path);
void region_guard_stop(void);

/**
 * region_guard_look() - is everything as it was? Else make it so where that is possible
 * @why: at least 160 bytes; says what was found but for REGION_FINE
 *
 * The writer's thread. A few system calls.
 */
enum region_state region_guard_look(struct region_guard *guard, char *why, size_t why_size);

/**
 * region_guard_move() - a nameless region gets a new file, with all it holds, at the same address
 *
 * Only while no dataplane has the old file mapped. Return 0, or -errno with @why (160 bytes).
 */
int region_guard_move(struct region_guard *guard, char *why, size_t why_size);

#endif
