/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Latency histograms of clusters: one of each kind a cluster and worker, written by that worker.
 *
 * HISTOGRAM_OCTAVES octaves of 16 buckets from 2^-20 s (0.95 us) to 2^12 s (68 min); within an
 * octave a bucket's bounds grow by 2^(1/16), upper bounds included: these are the buckets of a
 * Prometheus native histogram of schema 4. A value taken from its bucket is off by 2.2 % at most.
 *
 * Few octaves of a histogram are ever used: an octave gets its block of counts, from a pool of
 * the worker's, with the first value in it, and keeps it. A cluster uses HISTOGRAM_KINDS *
 * HISTOGRAM_OCTAVES blocks at the very most, mostly about 30; when the pool is empty, values of
 * new octaves are in `lost` and nowhere else.
 */
#ifndef FENDER_SHM_HISTOGRAM_H
#define FENDER_SHM_HISTOGRAM_H

#include <stdint.h>

#include "shm/histogram_bucket.h"

enum histogram_kind {
	HISTOGRAM_CONNECT,    /* an attempt's SYN to the endpoint's SYN-ACK */
	HISTOGRAM_FIRST_BYTE, /* to the endpoint's first payload byte, see call_first_byte() */
	HISTOGRAM_DURATION,   /* the client's first packet to the end of its connection or flow */
	HISTOGRAM_QUEUE_WAIT, /* in the queues of the bulkheads, for calls that waited */
	HISTOGRAM_KINDS,
};

enum {
	HISTOGRAM_OCTAVES = 32,
	HISTOGRAM_ALL_BUCKETS = HISTOGRAM_OCTAVES * HISTOGRAM_OCTAVE_BUCKETS,
	HISTOGRAM_SCHEMA = 4,        /* of Prometheus: 2^4 buckets an octave */
	HISTOGRAM_FIRST_POWER = -20, /* the first bucket begins at 2^-20 s */
	HISTOGRAM_SLOT_BLOCKS = 16,  /* in the pool, for each cluster slot */
	HISTOGRAM_FINER = 10,        /* octaves that verdicts begin below the others: 2^-30 s */
};

struct latency_histogram {
	uint64_t sum_us; /* of all values, each rounded to a microsecond */
	uint64_t under;  /* values up to 2^-20 s */
	uint64_t over;   /* beyond 2^12 s */
	uint64_t lost;
	uint16_t block[HISTOGRAM_OCTAVES]; /* numbers in the worker's pool; 0: none yet */
	uint64_t pad[4];
};
_Static_assert(sizeof(struct latency_histogram) == 128, "ABI");

struct cluster_histograms {
	struct latency_histogram kind[HISTOGRAM_KINDS];
};
_Static_assert(sizeof(struct cluster_histograms) == 512, "ABI");

struct histogram_block {
	uint64_t count[HISTOGRAM_OCTAVE_BUCKETS];
};
_Static_assert(sizeof(struct histogram_block) == 128, "ABI");

/*
 * Block 0 of a pool, which is never dealt; and how long the worker's limiter took for its
 * verdicts, a histogram whose octaves begin at 2^-30 s.
 */
struct histogram_pool_head {
	uint64_t dealt; /* of the other blocks */
	uint64_t sum_ns;
	uint64_t under; /* 0 ns */
	uint64_t over;  /* beyond 2^2 s */
	uint64_t lost;
	uint16_t block[HISTOGRAM_OCTAVES];
	uint64_t pad[3];
};
_Static_assert(sizeof(struct histogram_pool_head) == sizeof(struct histogram_block), "ABI");

/* One worker's. */
struct histograms {
	struct cluster_histograms *clusters; /* by slot; NULL: nothing is recorded */
	struct histogram_block *pool;
	uint32_t blocks; /* in the pool */
};

/*
 * Count one value. The worker alone; a few loads and stores, nothing it reads from shared memory is
 * believed.
 */
void histogram_record(const struct histograms *h, uint32_t slot, enum histogram_kind kind,
		      uint64_t value_ns);

/* Likewise the time of one verdict of the worker's limiter. */
void histogram_record_verdict(const struct histograms *h, uint64_t value_ns);

/* Zero the histograms of a slot that nobody writes any more; it keeps its blocks. */
void histogram_clear(const struct histograms *h, uint32_t slot);

/* A histogram as a reader has it, summed over workers. Bucket 0 begins at 2^(-20 - finer) s. */
struct histogram_sum {
	uint32_t finer; /* 0; verdicts: HISTOGRAM_FINER */
	uint32_t pad;
	uint64_t count; /* under, over and all buckets */
	uint64_t sum_us;
	uint64_t under;
	uint64_t over;
	uint64_t lost;
	uint64_t bucket[HISTOGRAM_ALL_BUCKETS];
};

/* Add a worker's histogram to @sum. Any thread of any process. */
void histogram_add_to(struct histogram_sum *sum, const struct histograms *h, uint32_t slot,
		      enum histogram_kind kind);

struct region;
struct histograms region_histograms(const struct region *region, uint32_t worker);
/* @sum: set to what all workers counted. */
void histogram_collect(struct histogram_sum *sum, const struct region *region, uint32_t slot,
		       enum histogram_kind kind);

/* Of the limiters of all workers. */
void histogram_collect_verdicts(struct histogram_sum *sum, const struct region *region);

/* What came since @then, an earlier reading of the same histogram. */
void histogram_subtract(struct histogram_sum *now, const struct histogram_sum *then);

/*
 * Largest value in ns that bucket @bucket (0 .. HISTOGRAM_ALL_BUCKETS - 1) of a histogram counts
 * that begins at 2^-20 s.
 */
uint64_t histogram_upper_ns(uint32_t bucket);

/**
 * histogram_quantile_ns() - the value that @per_10000 of the values do not exceed
 * @per_10000: 0 .. 10000; 9900 is p99
 * Within 2.2 % of the true one between 2^-20 s and 2^12 s (finer: both by so many octaves less),
 * whose bounds stand for what is beyond.
 * Return: 0 when the histogram is empty.
 */
uint64_t histogram_quantile_ns(const struct histogram_sum *sum, uint32_t per_10000);

/* "connect", or "unknown". */
const char *histogram_name(unsigned int kind);

#endif
