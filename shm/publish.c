/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/publish.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shm/claim.h"

static uint64_t generation_in(const struct region *region, unsigned int slot)
{
	const struct image_header *image = (const struct image_header *)region->slots[slot];

	return __atomic_load_n(&image->generation, __ATOMIC_RELAXED);
}

static int is_possible(const struct region *region, uint64_t active)
{
	return active == 0 ||
	       (active_slot(active) < POLICY_SLOTS &&
		generation_in(region, active_slot(active)) == active_generation(active));
}

/*
 * The word as a writer left it: its slot holds its generation. One that something has written over
 * is put right by the generation that the reader says it has, if a slot still holds that.
 */
static uint64_t true_active(const struct region *region)
{
	const uint64_t active = __atomic_load_n(&region->header->active, __ATOMIC_SEQ_CST);
	const uint64_t adopted =
		__atomic_load_n(&region->header->adopted_generation, __ATOMIC_ACQUIRE);

	if (is_possible(region, active))
		return active;
	for (unsigned int slot = 0; slot < POLICY_SLOTS; slot++)
		if (adopted != 0 && generation_in(region, slot) == adopted)
			return adopted << 2 | slot;
	return active;
}

int publisher_can_begin(const struct region *region)
{
	return is_possible(region, true_active(region));
}

void publisher_begin(struct region *region)
{
	region->epoch = __atomic_add_fetch(&region->header->writer_epoch, 1, __ATOMIC_SEQ_CST);
	if (region->epoch == 0) /* no writer has this one */
		region->epoch =
			__atomic_add_fetch(&region->header->writer_epoch, 1, __ATOMIC_SEQ_CST);
	region->active = true_active(region);
	__atomic_store_n(&region->header->active, region->active, __ATOMIC_SEQ_CST);
}

static int is_stale(const struct region *region)
{
	return region->epoch == 0 ||
	       region->epoch != __atomic_load_n(&region->header->writer_epoch, __ATOMIC_SEQ_CST);
}

/* A slot that is neither active nor being read, or POLICY_SLOTS. */
static unsigned int free_slot(const struct region *region, uint64_t active, int reader_dead)
{
	uint64_t taken = 0;
	unsigned int slot = 0;

	/* After the last store to active: see the top of publish.h. Pairs with adopt(). */
	if (!reader_dead)
		taken = __atomic_load_n(&region->header->reading, __ATOMIC_SEQ_CST);
	if (active)
		taken |= UINT64_C(1) << active_slot(active);
	while (slot < POLICY_SLOTS && (taken >> slot & 1))
		slot++;
	return slot;
}

int publish_prepare(const struct region *region, const struct image_header *image, int reader_dead,
		    uint64_t *generation)
{
	uint64_t active = __atomic_load_n(&region->header->active, __ATOMIC_SEQ_CST);
	const uint64_t next = active_generation(active) + 1;
	char why[160];
	int error;

	if (is_stale(region))
		return -ESTALE;
	if (image->length > region->shape.slot_bytes)
		return -EMSGSIZE;
	error = image_check(image, image->length, why, sizeof(why));
	if (error)
		return error;
	if (free_slot(region, active, reader_dead) == POLICY_SLOTS)
		return -EBUSY;
	error = claim_names(region, image, next, reader_dead);
	if (!error)
		*generation = next;
	return error;
}

int publish_commit(struct region *region, const struct image_header *image, int reader_dead,
		   uint64_t *generation)
{
	uint64_t active = __atomic_load_n(&region->header->active, __ATOMIC_SEQ_CST);
	const uint64_t next = active_generation(active) + 1;
	unsigned int slot = free_slot(region, active, reader_dead);

	if (is_stale(region))
		return -ESTALE;
	if (slot == POLICY_SLOTS)
		return -EBUSY;
	memcpy(region->slots[slot], image, image->length);
	image_seal((struct image_header *)region->slots[slot], next);
	/*
	 * A writer that was stopped here while another took over fails at the epoch or at the
	 * exchange; whatever it wrote into a slot since then the checksum refuses.
	 */
	if (is_stale(region) ||
	    !__atomic_compare_exchange_n(&region->header->active, &active, next << 2 | slot, 0,
					 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return -ESTALE;
	region->active = next << 2 | slot;
	*generation = next;
	return 0;
}

int publish(struct region *region, const struct image_header *image, int reader_dead,
	    uint64_t *generation)
{
	int error = publish_prepare(region, image, reader_dead, generation);

	return error ? error : publish_commit(region, image, reader_dead, generation);
}

int publish_has_names(const struct region *region, const struct image_header *image)
{
	return names_are_claimed(region, image);
}

enum adoption adoption(const struct region *region, uint64_t generation, char *why, size_t why_size)
{
	const struct region_header *header = region->header;

	if (__atomic_load_n(&header->adopted_generation, __ATOMIC_ACQUIRE) >= generation)
		return ADOPTION_DONE;
	/*
	 * Pairs with adopt_nack(). A later refusal may overwrite the text while it is copied:
	 * the sentence is then a mixture, the verdict is not.
	 */
	if (__atomic_load_n(&header->nacked_generation, __ATOMIC_ACQUIRE) != generation)
		return ADOPTION_PENDING;
	snprintf(why, why_size, "%.*s", (int)sizeof(header->nack_text) - 1, header->nack_text);
	return ADOPTION_REFUSED;
}
