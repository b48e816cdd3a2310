/* SPDX-License-Identifier: Apache-2.0 */
/* The region a run works on: what the run before has left, or a new one. */
#ifndef FENDER_CONTROLPLANE_ACTIVE_H
#define FENDER_CONTROLPLANE_ACTIVE_H

#include <stddef.h>

#include "controlplane/paths.h"
#include "shm/image.h"
#include "shm/region.h"

/* A checked private copy of the active policy, freed by the caller; NULL when there is none. */
struct image_header *active_policy(const struct region *region);

/**
 * active_open() - open the instance's region and read the policy in it
 * @active: receives active_policy(), or NULL
 * Return: 1, or 0 when there is none that can be used (ABI, boot, damage: logged).
 */
int active_open(struct region *region, const struct paths *paths, struct image_header **active);

/*
 * What of @image cannot be put in force on an opened region where @active (or NULL: nothing) is;
 * NULL when all can. @key: at least 64 bytes, in use as long as the answer.
 */
const char *active_misfit(const struct region *region, const struct image_header *active,
			  const struct image_header *image, char *key, size_t key_size);

/* What a region for @image is sized by; its name is @image's. */
struct region_spec active_spec(const struct image_header *image);

/* 1 when a live dataplane works on an opened region. Blocks up to 2 s, if it does not move. */
int active_is_served(const struct region *region, const struct paths *paths);

/**
 * active_create() - a fresh region for @image in the place of what is there
 * @why: at least 160 bytes
 * Return: 0; -EBUSY a dataplane goes on holding the lock, after 2 s; region_create()'s error.
 */
int active_create(struct region *region, const struct paths *paths,
		  const struct image_header *image, char *why, size_t why_size);

#endif
