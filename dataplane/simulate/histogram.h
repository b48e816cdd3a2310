/* SPDX-License-Identifier: Apache-2.0 */
/* Log-linear histogram of times: 64 buckets an octave, so a bucket is at most 1.6 % wide. */
#ifndef FENDER_DATAPLANE_SIMULATE_HISTOGRAM_H
#define FENDER_DATAPLANE_SIMULATE_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_PER_OCTAVE = 64, HISTOGRAM_BUCKETS = HISTOGRAM_PER_OCTAVE * (64 - 5) };

struct histogram {
	uint64_t count;
	uint64_t max;
	uint64_t bucket[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *h, uint64_t value);

/* The value that @permille of the values do not exceed (the last of its bucket); 0 when empty. */
uint64_t histogram_percentile(const struct histogram *h, uint32_t permille);

#endif
