/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The buckets of all histograms of times: one text for the processes (shm/histogram.h) and for the
 * XDP program. Octaves of 16 buckets whose bounds grow by 2^(1/16), upper bounds included, as the
 * native histograms of Prometheus have them (schema 4).
 */
#ifndef FENDER_SHM_HISTOGRAM_BUCKET_H
#define FENDER_SHM_HISTOGRAM_BUCKET_H

#include <linux/types.h>

/* Where the first octave begins: values are counted in a fraction of a ns that makes it this. */
#define HISTOGRAM_ONE 1000000000ull

/* HISTOGRAM_ONE * 2^(i/16) for i of 1 to 15, rounded down. */
/* clang-format off */
#define HISTOGRAM_STEPS(X) \
	X(1044273782) X(1090507732) X(1138788634) X(1189207115) X(1241857812) \
	X(1296839554) X(1354255546) X(1414213562) X(1476826145) X(1542210825) \
	X(1610490331) X(1681792830) X(1756252160) X(1834008086) X(1915206561)
/* clang-format on */

enum { HISTOGRAM_OCTAVE_BUCKETS = 16 };

/* Number of the highest bit of @value, not 0, that is set. */
static inline __attribute__((always_inline)) __u32 histogram_log2(__u64 value)
{
#ifdef __bpf__ /* clang 14 cannot count zeros there */
	__u32 log = 0;

	/* Without a branch, of which the verifier would walk both sides. */
	for (__u32 step = 32; step; step /= 2) {
		__u32 shift = (__u32)((0 - (value >> step)) >> 63) * step;

		value >>= shift;
		log += shift;
	}
	return log;
#else
	return 63 - (__u32)__builtin_clzll(value);
#endif
}

/* @value > HISTOGRAM_ONE. A few comparisons, without a loop. */
static inline __attribute__((always_inline)) __u32 histogram_bucket_of(__u64 value)
{
	__u32 octave = histogram_log2((value - 1) / HISTOGRAM_ONE);
	__u32 rest = (__u32)((value - 1) >> octave);
	__u32 step = 0;

#define X(bound) step += (__u32)((bound - 1ull - rest) >> 63);
	HISTOGRAM_STEPS(X)
#undef X
	return octave * HISTOGRAM_OCTAVE_BUCKETS + step;
}

#endif
