/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of an instance's region while it is carried over to another shape:
 *   <region>.next    being made; of no use to anybody until it is renamed to <region>
 *   <region>.before  what <region> was, until a dataplane has come up on the new one
 * The rename is the moment of the change: who is killed before it leaves the old region, who is
 * killed later the new one, and each is whole.
 */
#ifndef FENDER_CONTROLPLANE_RESHAPE_H
#define FENDER_CONTROLPLANE_RESHAPE_H

#include <stddef.h>

#include "controlplane/paths.h"
#include "shm/migrate.h"

/**
 * reshape_try_room() - see that a region for @image can be made beside the one that is there
 * @why: at least 160 bytes
 * Makes <region>.next whole and removes it. Return: 0; -ENOSPC; region_create()'s error.
 */
int reshape_try_room(const struct paths *paths, const struct image_header *image, char *why,
		     size_t why_size);

/**
 * reshape_region() - carry an instance over to a region for @image
 * @region: open, no dataplane works on it; replaced by the new one on success
 * @active: checked copy of the policy in it
 * @why: at least 160 bytes
 * Return: 0; -errno, then nothing has changed.
 */
int reshape_region(struct region *region, const struct paths *paths,
		   const struct image_header *active, const struct image_header *image,
		   struct migrated *moved, char *why, size_t why_size);

/* Put <region>.before back in its place. No region is open. Return: 0; -ENOENT none; -errno. */
int reshape_return(const struct paths *paths);

/* Remove <region>.next and <region>.before. */
void reshape_forget(const struct paths *paths);

#endif
