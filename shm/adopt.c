/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/publish.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/why.h"

enum { PEEK_TRIES = 16 };

static void set_reading(struct region *region, uint64_t bits)
{
	__atomic_store_n(&region->header->reading, bits, __ATOMIC_SEQ_CST);
}

/* Copy a slot that no writer touches. The length is judged before it is believed. */
static int copy_slot(const struct region *region, unsigned int slot, struct image_header **image,
		     const struct why *why)
{
	struct image_header header;
	struct image_header *copy;

	memcpy(&header, region->slots[slot], sizeof(header));
	if (header.length < sizeof(header) || header.length > region->shape.slot_bytes)
		return why_fail(why, -EMSGSIZE, "policy image claims %u bytes in a slot of %u",
				header.length, region->shape.slot_bytes);
	copy = malloc(header.length);
	if (!copy)
		return why_fail(why, -ENOMEM, "no memory for a policy image of %u bytes",
				header.length);
	memcpy(copy, region->slots[slot], header.length);
	copy->length = header.length; /* another one by now: fails the checksum */
	*image = copy;
	return 0;
}

/*
 * Copy the active image while its slot is marked. Tried again only when the writer has published
 * in between, so it ends when the writer pauses.
 */
static int copy_active(struct region *region, uint64_t active, uint64_t *copied,
		       struct image_header **image, const struct why *why)
{
	for (;;) {
		unsigned int slot = active_slot(active);
		uint64_t now;
		int error;

		if (slot >= POLICY_SLOTS) {
			*copied = active;
			return why_fail(why, -EINVAL, "the active policy slot is %u of %u", slot,
					POLICY_SLOTS);
		}
		set_reading(region, UINT64_C(1) << slot);
		/* Pairs with free_slot(): see the top of publish.h. */
		now = __atomic_load_n(&region->header->active, __ATOMIC_SEQ_CST);
		if (now == active) {
			error = copy_slot(region, slot, image, why);
			set_reading(region, 0);
			*copied = active;
			return error;
		}
		set_reading(region, 0);
		active = now;
	}
}

int adopt(struct region *region, uint64_t have, struct image_header **image, uint64_t *refused,
	  char *why_text, size_t why_size)
{
	const struct why why = {why_text, why_size};
	uint64_t active = __atomic_load_n(&region->header->active, __ATOMIC_SEQ_CST);
	uint64_t generation = active_generation(active);
	struct image_header *copy = NULL;
	int error;

	if (active == 0 || generation == have)
		return 0;
	error = copy_active(region, active, &active, &copy, &why);
	generation = active_generation(active);
	if (!error)
		error = image_check(copy, copy->length, why_text, why_size);
	if (!error && copy->generation != generation)
		error = why_fail(
			&why, -EINVAL, "policy image has generation %llu, the active one is %llu",
			(unsigned long long)copy->generation, (unsigned long long)generation);
	if (error) {
		free(copy);
		*refused = generation;
		return error;
	}
	*image = copy;
	return 1;
}

int adopt_peek(const struct region *region, struct image_header **image, char *why_text,
	       size_t why_size)
{
	const struct why why = {why_text, why_size};
	struct image_header *copy = NULL;
	int error = -ENOENT;

	for (int tries = 0; error && tries < PEEK_TRIES; tries++) {
		uint64_t active = __atomic_load_n(&region->header->active, __ATOMIC_ACQUIRE);

		if (active == 0 || active_slot(active) >= POLICY_SLOTS)
			return why_fail(&why, -ENOENT, "no policy is published");
		copy = NULL;
		error = copy_slot(region, active_slot(active), &copy, &why);
		if (!copy)
			continue;
		error = image_check(copy, copy->length, why_text, why_size);
		if (error)
			free(copy);
	}
	if (!error)
		*image = copy;
	return error;
}

void adopt_ack(struct region *region, uint64_t generation)
{
	__atomic_store_n(&region->header->adopted_generation, generation, __ATOMIC_RELEASE);
}

void adopt_nack(struct region *region, uint64_t generation, enum nack_reason reason,
		const char *text)
{
	struct region_header *header = region->header;

	snprintf(header->nack_text, sizeof(header->nack_text), "%s", text);
	header->nack = reason;
	/* Pairs with adoption(). */
	__atomic_store_n(&header->nacked_generation, generation, __ATOMIC_RELEASE);
}
