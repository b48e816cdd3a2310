/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Publish and adopt policy images through the region's three slots.
 *
 * Writer: fills a slot that is neither active nor being read, seals it, then
 * one release-store of active = generation << 2 | slot. Killed at any point it
 * leaves the old or the new generation valid, never a mixture.
 * Reader: sets the slot's bit in reading, seq_cst fence, re-reads active; only if
 * the whole word is unchanged does it copy. The copy is validated, never the slot.
 */
#ifndef FENDER_SHM_PUBLISH_H
#define FENDER_SHM_PUBLISH_H

#include <stddef.h>
#include <stdint.h>

#include "shm/image.h"
#include "shm/region.h"

static inline uint64_t active_generation(uint64_t active)
{
	return active >> 2;
}

static inline unsigned int active_slot(uint64_t active)
{
	return active & 3;
}

/**
 * publish() - make an image the active generation
 * @image: compiled image; its generation and checksum are set in the copy in the slot
 * @reader_dead: the caller holds proof that no dataplane runs (its process lock is free), so
 *               that a bit left in reading by a killed reader is ignored
 * @generation: receives the new generation (last + 1, starting at 1)
 *
 * Claims registry entries for every name first. Callers exclude each other (flock, see
 * controlplane/); one caller at a time.
 * Return: 0, -EMSGSIZE (image larger than a slot), -EBUSY (no free slot: the reader is
 * copying; try again), -ENOSPC (registry full).
 */
int publish(struct region *region, const struct image_header *image, int reader_dead,
	    uint64_t *generation);

/**
 * adopt() - copy and validate the active image, if it is not @have already
 * @have: generation the caller decides by; 0 for none
 * @image: receives a malloc'ed, validated private copy; the caller frees it
 * @why: at least 160 bytes
 *
 * Called by the dataplane's main thread only (single writer of reading).
 * Return: 1 new image in *image; 0 nothing new; -errno: the active image was refused, @why
 * says how and *refused is its generation.
 */
int adopt(struct region *region, uint64_t have, struct image_header **image, uint64_t *refused,
	  char *why, size_t why_size);

#endif
