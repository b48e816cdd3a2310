/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Publish and adopt policy images through the region's three slots.
 *
 * Writer: fills a slot that is neither active nor being read, seals it, then
 * one store of active = generation << 2 | slot. Killed at any point it
 * leaves the old or the new generation valid, never a mixture.
 * Reader: sets the slot's bit in reading, re-reads active; only if the whole word
 * is unchanged does it copy. The copy is validated, never the slot.
 *
 * active and reading are accessed with seq_cst only: either the writer sees the reader's bit,
 * or the reader sees that the slot is no longer active.
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
 * publisher_begin() - become the region's writer
 *
 * Takes a new epoch; from now on publish() of every earlier writer returns -ESTALE. Writers
 * exclude each other by a lock (flock, see controlplane/); the epoch fences one that
 * outlived its lock.
 */
void publisher_begin(struct region *region);

/*
 * Return 0 when no slot holds what the region says is active: something has written over them, and
 * which generations were published is not known any more.
 */
int publisher_can_begin(const struct region *region);

/**
 * publish_prepare() - everything of publish() that can fail but the swap itself
 * @generation: receives the number that publish_commit() will give it (last + 1, from 1)
 *
 * Afterwards every name of @image has its registry slot, so that what is numbered by slots can be
 * staged before the swap. Leaving it at that is allowed: the names are retired like any other.
 * Thread, cost and errors as publish().
 */
int publish_prepare(const struct region *region, const struct image_header *image, int reader_dead,
		    uint64_t *generation);

/**
 * publish_commit() - make an image that publish_prepare() took the active generation
 *
 * At once after it, with the same arguments.
 * Return: 0; -ESTALE there is a newer writer; -EBUSY no free slot.
 */
int publish_commit(struct region *region, const struct image_header *image, int reader_dead,
		   uint64_t *generation);

/**
 * publish() - make an image the active generation: publish_prepare(), then publish_commit()
 * @image: sealed by image_seal(); its generation and checksum are set anew in the slot's copy
 * @reader_dead: the caller holds proof that no dataplane runs (its process lock is free), so
 *               that a bit left in reading by a killed reader is ignored
 * @generation: receives the new generation (last + 1, starting at 1)
 *
 * Claims registry entries for every name first; when they run short, entries that left the
 * policy and serve no connection are freed. One thread of the process that called
 * publisher_begin(). Cost: one pass over the image for each of check, copy and checksum.
 * Return: 0; -ESTALE there is a newer writer; -EMSGSIZE the image is larger than a slot;
 * -EBUSY no free slot, or registry entries are being freed: try again in 200 ms; -ENOSPC
 * registry full; -EEXIST two names have one key; what image_check() returns.
 */
int publish(struct region *region, const struct image_header *image, int reader_dead,
	    uint64_t *generation);

/*
 * Return 1 when every name of @image, checked and of the active generation, has its entry yet: else
 * something has written over them and the image is to be published again.
 */
int publish_has_names(const struct region *region, const struct image_header *image);

enum adoption { ADOPTION_PENDING, ADOPTION_DONE, ADOPTION_REFUSED };

/**
 * adoption() - what the dataplane made of @generation, as far as is known
 * @why: at least 192 bytes; says why it was refused
 */
enum adoption adoption(const struct region *region, uint64_t generation, char *why,
		       size_t why_size);

/**
 * adopt() - copy and validate the active image, if it is not @have already
 * @have: generation the caller decides by, or that it refused last; 0 for none
 * @image: receives a malloc'ed, validated private copy; the caller frees it
 * @why: at least 160 bytes
 *
 * Called by the dataplane's main thread only (single writer of reading).
 * Return: 1 new image in *image; 0 nothing new; -errno: the active image was refused, @why
 * says how and *refused is its generation (-ENOMEM: no memory for the copy).
 */
int adopt(struct region *region, uint64_t have, struct image_header **image, uint64_t *refused,
	  char *why, size_t why_size);

/**
 * adopt_peek() - a validated copy of the active image, taken without marking its slot
 *
 * For a process that is not the reader yet. A copy that a writer changed meanwhile is tried again.
 * Return: 0, *@image is the caller's; -ENOENT nothing is published; -errno with @why (160 bytes).
 */
int adopt_peek(const struct region *region, struct image_header **image, char *why,
	       size_t why_size);

/* Tell the control plane. Dataplane's main thread only. */
void adopt_ack(struct region *region, uint64_t generation);
void adopt_nack(struct region *region, uint64_t generation, enum nack_reason reason,
		const char *text);

#endif
