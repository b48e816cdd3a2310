/* SPDX-License-Identifier: Apache-2.0 */
/* One breaker with its window in plain memory, and shorthands, for the tests of the machine. */
#ifndef FENDER_TESTS_UNIT_DATAPLANE_BREAKER_BENCH_H
#define FENDER_TESTS_UNIT_DATAPLANE_BREAKER_BENCH_H

#include "dataplane/policy/breaker.h"

#include <string.h>

#define MS     1000000ull
#define SECOND 1000000000ull

enum { BENCH_WORKERS = 4 };

struct bench {
	uint64_t word;
	uint64_t recorded;
	struct count_window count;
	struct outcomes outcomes[BENCH_WORKERS];
	struct image_breaker rules;
	struct breaker b;
};

/* The defaults of circuit_breaker. */
static inline struct image_breaker bench_rules(void)
{
	return (struct image_breaker){
		.mode = MODE_ENFORCE,
		.window_kind = WINDOW_CALLS,
		.probes = 3,
		.successes = 3,
		.failure_rate = 5000,
		.slow_rate = 10000,
		.window = 100,
		.minimum_calls = 20,
		.open_ms = 5000,
		.max_open_ms = 60000,
		.half_open_ms = 10000,
	};
}

static inline void bench_start(struct bench *n, struct image_breaker rules)
{
	memset(n, 0, sizeof(*n));
	n->rules = rules;
	n->b = (struct breaker){
		.word = &n->word,
		.rules = &n->rules,
		.window = {.recorded = &n->recorded,
			   .count = &n->count,
			   .outcomes = n->outcomes,
			   .stride = 1,
			   .workers = BENCH_WORKERS},
	};
}

static inline struct breaker_word bench_word(const struct bench *n)
{
	return breaker_unpack(n->word);
}

static inline struct window_sum bench_sum(const struct bench *n, uint64_t now_ns)
{
	struct window_sum sum;

	window_sum(&n->b.window, &n->rules, bench_word(n).epoch, now_ns, &sum);
	return sum;
}

/* The shared state of both, byte by byte. */
static inline int bench_same(const struct bench *a, const struct bench *b)
{
	return a->word == b->word && a->recorded == b->recorded &&
	       memcmp(&a->count, &b->count, sizeof(a->count)) == 0 &&
	       memcmp(a->outcomes, b->outcomes, sizeof(a->outcomes)) == 0;
}

struct bench_call {
	enum breaker_admission admission;
	enum breaker_edge edge;
	uint16_t epoch;
};

static inline struct bench_call bench_admit(const struct bench *n, uint64_t now_ns)
{
	struct bench_call c = {0};

	c.admission = breaker_admit(&n->b, now_ns, &c.epoch, &c.edge);
	return c;
}

static inline enum breaker_edge bench_end(const struct bench *n, struct bench_call c, int failed,
					  uint64_t now_ns, int *stale)
{
	struct breaker_outcome o = {.epoch = c.epoch,
				    .probe = c.admission == BREAKER_ADMIT_PROBE,
				    .failed = (uint8_t)failed};

	return breaker_record(&n->b, &o, now_ns, stale);
}

/* A call that begins and ends now. */
static inline enum breaker_edge bench_call(const struct bench *n, int failed, uint64_t now_ns)
{
	int stale;

	return bench_end(n, bench_admit(n, now_ns), failed, now_ns, &stale);
}

/* One that succeeds, slowly. */
static inline enum breaker_edge bench_slow_call(const struct bench *n, uint64_t now_ns)
{
	struct bench_call c = bench_admit(n, now_ns);
	struct breaker_outcome o = {
		.epoch = c.epoch, .probe = c.admission == BREAKER_ADMIT_PROBE, .slow = 1};
	int stale;

	return breaker_record(&n->b, &o, now_ns, &stale);
}

static inline void bench_calls(const struct bench *n, uint32_t calls, int failed, uint64_t now_ns)
{
	for (uint32_t i = 0; i < calls; i++)
		bench_call(n, failed, now_ns);
}

#endif
