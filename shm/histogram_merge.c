/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/histogram_merge.h"

#include <stddef.h>

#include "shm/counters.h"

static struct histogram_pool_head *head_of(const struct histograms *h)
{
	return (struct histogram_pool_head *)h->pool;
}

/* The octave's block in @to; NULL: the pool is empty. */
static struct histogram_block *block_for(const struct histograms *to, uint16_t *number)
{
	uint64_t *dealt = &head_of(to)->dealt;

	if (*number == 0 && *dealt + 1 < to->blocks && *dealt < UINT16_MAX)
		*number = (uint16_t)++ * dealt;
	return *number != 0 && *number < to->blocks ? &to->pool[*number] : NULL;
}

/* Return how many values found no room. */
static uint64_t merge_octave(const struct histograms *to, uint16_t *number,
			     const struct histogram_block *from)
{
	const struct histogram_block counts = *from;
	struct histogram_block *block;
	uint64_t sum = 0;

	for (uint32_t i = 0; i < HISTOGRAM_OCTAVE_BUCKETS; i++)
		sum += counts.count[i];
	if (sum == 0)
		return 0;
	block = block_for(to, number);
	if (!block)
		return sum;
	for (uint32_t i = 0; i < HISTOGRAM_OCTAVE_BUCKETS; i++)
		block->count[i] += counts.count[i];
	return 0;
}

/* @target, @source: a histogram's blocks by octave. */
static uint64_t merge_octaves(const struct histograms *to, uint16_t *target,
			      const struct histograms *from, const uint16_t *source)
{
	uint64_t lost = 0;

	for (uint32_t octave = 0; octave < HISTOGRAM_OCTAVES; octave++) {
		const uint16_t at = __atomic_load_n(&source[octave], __ATOMIC_RELAXED);

		if (at != 0 && at < from->blocks)
			lost += merge_octave(to, &target[octave], &from->pool[at]);
	}
	return lost;
}

static void merge_kind(const struct histograms *to, struct latency_histogram *target,
		       const struct histograms *from, const struct latency_histogram *source)
{
	target->sum_us += counter_read(&source->sum_us);
	target->under += counter_read(&source->under);
	target->over += counter_read(&source->over);
	target->lost += counter_read(&source->lost);
	target->lost += merge_octaves(to, target->block, from, source->block);
}

void histogram_merge(const struct histograms *to, uint32_t to_slot, const struct histograms *from,
		     uint32_t from_slot)
{
	for (uint32_t kind = 0; kind < HISTOGRAM_KINDS; kind++)
		merge_kind(to, &to->clusters[to_slot].kind[kind], from,
			   &from->clusters[from_slot].kind[kind]);
}

void histogram_merge_verdicts(const struct histograms *to, const struct histograms *from)
{
	struct histogram_pool_head *target = head_of(to);
	const struct histogram_pool_head *source = head_of(from);

	target->sum_ns += counter_read(&source->sum_ns);
	target->under += counter_read(&source->under);
	target->over += counter_read(&source->over);
	target->lost += counter_read(&source->lost);
	target->lost += merge_octaves(to, target->block, from, source->block);
}
