/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/simulate/histogram.h"

/* Values below 64 have a bucket each; above, the six bits below the leading one choose it. */
static uint32_t bucket_of(uint64_t value)
{
	uint32_t shift;

	if (value < HISTOGRAM_PER_OCTAVE)
		return (uint32_t)value;
	shift = 57 - (uint32_t)__builtin_clzll(value);
	return (shift + 1) * HISTOGRAM_PER_OCTAVE + (uint32_t)(value >> shift & 63);
}

static uint64_t last_of(uint32_t bucket)
{
	uint32_t shift;

	if (bucket < HISTOGRAM_PER_OCTAVE)
		return bucket;
	shift = bucket / HISTOGRAM_PER_OCTAVE - 1;
	return ((uint64_t)(bucket % HISTOGRAM_PER_OCTAVE + 64) << shift) +
	       ((UINT64_C(1) << shift) - 1);
}

void histogram_add(struct histogram *h, uint64_t value)
{
	h->count++;
	h->max = value > h->max ? value : h->max;
	h->bucket[bucket_of(value)]++;
}

uint64_t histogram_percentile(const struct histogram *h, uint32_t permille)
{
	uint64_t rank = (h->count * permille + 999) / 1000, seen = 0;
	uint32_t bucket = 0;

	if (h->count == 0)
		return 0;
	for (rank = rank != 0 ? rank : 1; seen + h->bucket[bucket] < rank; bucket++)
		seen += h->bucket[bucket];
	return last_of(bucket) < h->max ? last_of(bucket) : h->max;
}
