/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/histogram.h"

#include <string.h>

#include "shm/region.h"

/*
 * Values are compared in 2^-20 ns: there the first octave begins at exactly ONE, and the last
 * ends at ONE << 32.
 */
enum { FRACTION_BITS = 20, FINE_BITS = FRACTION_BITS + HISTOGRAM_FINER };
#define ONE HISTOGRAM_ONE

static const uint32_t bounds[HISTOGRAM_OCTAVE_BUCKETS + 1] = {
	1000000000,
#define X(bound) bound,
	HISTOGRAM_STEPS(X)
#undef X
		2000000000,
};

/* NULL: the pool is empty. */
static struct histogram_block *block_for(const struct histograms *h, uint16_t *number)
{
	struct histogram_pool_head *head = (struct histogram_pool_head *)h->pool;
	uint64_t dealt;
	uint16_t at = *number;

	if (at == 0) {
		dealt = head->dealt;
		if (dealt + 1 >= h->blocks || dealt >= UINT16_MAX)
			return NULL;
		at = (uint16_t)(dealt + 1);
		/* Dealt before it is used: a worker killed in between wastes one, and no two share
		 * one. */
		__atomic_store_n(&head->dealt, dealt + 1, __ATOMIC_RELAXED);
		__atomic_store_n(number, at, __ATOMIC_RELEASE);
	}
	return at < h->blocks ? &h->pool[at] : NULL;
}

/* @block: of the histogram, by octave. */
static void count_in_octave(const struct histograms *h, uint16_t *block, uint64_t *lost,
			    uint64_t value)
{
	const uint32_t bucket = histogram_bucket_of(value);
	struct histogram_block *to = block_for(h, &block[bucket / HISTOGRAM_OCTAVE_BUCKETS]);

	if (to)
		counter_add(&to->count[bucket % HISTOGRAM_OCTAVE_BUCKETS], 1);
	else
		counter_add(lost, 1);
}

void histogram_record(const struct histograms *h, uint32_t slot, enum histogram_kind kind,
		      uint64_t value_ns)
{
	struct latency_histogram *histogram;

	if (!h->clusters)
		return;
	histogram = &h->clusters[slot].kind[kind];
	if (value_ns <= ONE >> FRACTION_BITS)
		counter_add(&histogram->under, 1);
	else if (value_ns > (ONE << HISTOGRAM_OCTAVES) >> FRACTION_BITS)
		counter_add(&histogram->over, 1);
	else
		count_in_octave(h, histogram->block, &histogram->lost, value_ns << FRACTION_BITS);
	counter_add(&histogram->sum_us, (value_ns + 500) / 1000);
}

void histogram_record_verdict(const struct histograms *h, uint64_t value_ns)
{
	struct histogram_pool_head *head = (struct histogram_pool_head *)h->pool;

	if (!head)
		return;
	if (value_ns == 0)
		counter_add(&head->under, 1);
	else if (value_ns > (ONE << HISTOGRAM_OCTAVES) >> FINE_BITS)
		counter_add(&head->over, 1);
	else
		count_in_octave(h, head->block, &head->lost, value_ns << FINE_BITS);
	counter_add(&head->sum_ns, value_ns);
}

static void zero(uint64_t *word)
{
	__atomic_store_n(word, 0, __ATOMIC_RELAXED);
}

static void clear_kind(const struct histograms *h, struct latency_histogram *histogram)
{
	zero(&histogram->sum_us);
	zero(&histogram->under);
	zero(&histogram->over);
	zero(&histogram->lost);
	for (uint32_t octave = 0; octave < HISTOGRAM_OCTAVES; octave++) {
		uint16_t at = __atomic_load_n(&histogram->block[octave], __ATOMIC_ACQUIRE);

		for (uint32_t i = 0; at != 0 && at < h->blocks && i < HISTOGRAM_OCTAVE_BUCKETS; i++)
			zero(&h->pool[at].count[i]);
	}
}

void histogram_clear(const struct histograms *h, uint32_t slot)
{
	for (uint32_t kind = 0; kind < HISTOGRAM_KINDS; kind++)
		clear_kind(h, &h->clusters[slot].kind[kind]);
}

static void add_octave(struct histogram_sum *sum, const struct histogram_block *block,
		       uint32_t octave)
{
	for (uint32_t i = 0; i < HISTOGRAM_OCTAVE_BUCKETS; i++) {
		uint64_t n = counter_read(&block->count[i]);

		sum->bucket[octave * HISTOGRAM_OCTAVE_BUCKETS + i] += n;
		sum->count += n;
	}
}

static void add_octaves(struct histogram_sum *sum, const struct histograms *h,
			const uint16_t *block)
{
	for (uint32_t octave = 0; octave < HISTOGRAM_OCTAVES; octave++) {
		/* Pairs with the release in block_for(). */
		uint16_t at = __atomic_load_n(&block[octave], __ATOMIC_ACQUIRE);

		if (at != 0 && at < h->blocks)
			add_octave(sum, &h->pool[at], octave);
	}
}

void histogram_add_to(struct histogram_sum *sum, const struct histograms *h, uint32_t slot,
		      enum histogram_kind kind)
{
	const struct latency_histogram *histogram = &h->clusters[slot].kind[kind];
	const uint64_t under = counter_read(&histogram->under);
	const uint64_t over = counter_read(&histogram->over);

	sum->sum_us += counter_read(&histogram->sum_us);
	sum->lost += counter_read(&histogram->lost);
	sum->under += under;
	sum->over += over;
	sum->count += under + over;
	add_octaves(sum, h, histogram->block);
}

struct histograms region_histograms(const struct region *region, uint32_t worker)
{
	const uint64_t slots = region->shape.cluster_slots;

	return (struct histograms){
		.clusters = &region->histograms[worker * slots],
		.pool = &region->histogram_blocks[worker * slots * HISTOGRAM_SLOT_BLOCKS],
		.blocks = (uint32_t)slots * HISTOGRAM_SLOT_BLOCKS,
	};
}

void histogram_collect(struct histogram_sum *sum, const struct region *region, uint32_t slot,
		       enum histogram_kind kind)
{
	memset(sum, 0, sizeof(*sum));
	for (uint32_t worker = 0; worker < region->shape.workers; worker++) {
		const struct histograms h = region_histograms(region, worker);

		histogram_add_to(sum, &h, slot, kind);
	}
}

void histogram_collect_verdicts(struct histogram_sum *sum, const struct region *region)
{
	uint64_t sum_ns = 0;

	*sum = (struct histogram_sum){.finer = HISTOGRAM_FINER};
	for (uint32_t worker = 0; worker < region->shape.workers; worker++) {
		const struct histograms h = region_histograms(region, worker);
		const struct histogram_pool_head *head = (const struct histogram_pool_head *)h.pool;

		sum_ns += counter_read(&head->sum_ns);
		sum->lost += counter_read(&head->lost);
		sum->under += counter_read(&head->under);
		sum->over += counter_read(&head->over);
		add_octaves(sum, &h, head->block);
	}
	sum->count += sum->under + sum->over;
	sum->sum_us = sum_ns / 1000;
}

void histogram_subtract(struct histogram_sum *now, const struct histogram_sum *then)
{
	now->count -= then->count;
	now->sum_us -= then->sum_us;
	now->under -= then->under;
	now->over -= then->over;
	now->lost -= then->lost;
	for (uint32_t i = 0; i < HISTOGRAM_ALL_BUCKETS; i++)
		now->bucket[i] -= then->bucket[i];
}

uint64_t histogram_upper_ns(uint32_t bucket)
{
	const uint32_t octave = bucket / HISTOGRAM_OCTAVE_BUCKETS;
	const uint64_t bound = bounds[bucket % HISTOGRAM_OCTAVE_BUCKETS + 1];

	return (bound << octave) >> FRACTION_BITS;
}

/* The value whose relative distance to both ends of the bucket is the same. */
static uint64_t middle_ns(uint32_t bucket, uint32_t finer)
{
	const uint32_t octave = bucket / HISTOGRAM_OCTAVE_BUCKETS;
	const uint32_t step = bucket % HISTOGRAM_OCTAVE_BUCKETS;
	const uint64_t low = bounds[step], high = bounds[step + 1];
	const uint32_t bits = FRACTION_BITS + finer;

	return ((2 * low * high / (low + high) << octave) + (1ull << (bits - 1))) >> bits;
}

uint64_t histogram_quantile_ns(const struct histogram_sum *sum, uint32_t per_10000)
{
	/* Split, so that no count overflows it. */
	uint64_t rank =
		sum->count / 10000 * per_10000 + (sum->count % 10000 * per_10000 + 9999) / 10000;
	uint64_t seen = sum->under;
	const uint32_t finer = sum->finer <= HISTOGRAM_FINER ? sum->finer : HISTOGRAM_FINER;

	if (sum->count == 0)
		return 0;
	rank = rank != 0 ? rank : 1;
	if (seen >= rank)
		return ONE >> (FRACTION_BITS + finer);
	for (uint32_t i = 0; i < HISTOGRAM_ALL_BUCKETS; i++) {
		seen += sum->bucket[i];
		if (seen >= rank)
			return middle_ns(i, finer);
	}
	return (ONE << HISTOGRAM_OCTAVES) >> (FRACTION_BITS + finer);
}

const char *histogram_name(unsigned int kind)
{
	static const char *const names[HISTOGRAM_KINDS] = {
		[HISTOGRAM_CONNECT] = "connect",
		[HISTOGRAM_FIRST_BYTE] = "first_byte",
		[HISTOGRAM_DURATION] = "duration",
		[HISTOGRAM_QUEUE_WAIT] = "queue_wait",
	};

	return kind < HISTOGRAM_KINDS ? names[kind] : "unknown";
}
