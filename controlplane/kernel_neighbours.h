/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Neighbours of shared interfaces: mirrors the kernel's table into the region
 * (shm/kernel_neighbours.h) and has the kernel resolve what the workers miss. The next hops of the
 * policy's endpoints are managed by the kernel (NTF_EXT_MANAGED): kept resolved and not aged.
 * The loop's thread.
 */
#ifndef FENDER_CONTROLPLANE_KERNEL_NEIGHBOURS_H
#define FENDER_CONTROLPLANE_KERNEL_NEIGHBOURS_H

#include <uv.h>

#include "shm/image.h"
#include "shm/region.h"

struct neighbour_mirror;

/* @wake_path: the dataplane's FIFO; stays valid. Nothing is opened yet. Return: 0, -ENOMEM. */
int neighbour_mirror_create(struct neighbour_mirror **out, uv_loop_t *loop,
			    const struct region *region, const char *wake_path);

/**
 * neighbour_mirror_sync() - follow the shared interfaces and next hops of @policy (checked)
 * Opens a netlink socket with the first shared interface. Return: 0, -errno: as before.
 */
int neighbour_mirror_sync(struct neighbour_mirror *m, const struct image_header *policy);

/* The kernel manages the next hops no longer. */
void neighbour_mirror_stop(struct neighbour_mirror *m);
/* When its loop has closed all handles. NULL is fine. */
void neighbour_mirror_free(struct neighbour_mirror *m);

#endif
