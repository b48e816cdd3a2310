/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's neighbours on shared interfaces, from the region (shm/kernel_neighbours.h) into the
 * neighbour table. The main thread's.
 */
#ifndef FENDER_DATAPLANE_KERNEL_NEIGHBOURS_H
#define FENDER_DATAPLANE_KERNEL_NEIGHBOURS_H

#include "shm/image.h"
#include "shm/kernel_neighbours.h"

struct neighbour_table;

/* What has been taken. All zero: nothing yet. */
struct kernel_neighbours_view {
	uint64_t changes;
	uint32_t version[KERNEL_NEIGHBOURS];
};

/**
 * kernel_neighbours_take() - take over what has changed since
 * Rows that name no shared interface of @image are passed over. Return: how many were taken.
 */
uint32_t kernel_neighbours_take(struct kernel_neighbours_view *view,
				const struct kernel_neighbours *from,
				const struct image_header *image, struct neighbour_table *to,
				uint64_t now_ns);

#endif
