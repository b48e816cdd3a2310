/* SPDX-License-Identifier: Apache-2.0 */
/* Rules, random numbers and the bounds for tests of ebpf/limit.h. */
#ifndef FENDER_TESTS_UNIT_EBPF_LIMITS_H
#define FENDER_TESTS_UNIT_EBPF_LIMITS_H

#include "ebpf/limit_rule.h"

#include "tests/unit/dataplane/suite.h"

#include <stdint.h>
#include <stdlib.h>

#define SECOND_NS 1000000000ull
#define NOW_NS    (1000 * SECOND_NS + 123456789) /* some moment, at no window's edge */

typedef unsigned __int128 wide;

static inline uint64_t random64(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state * 0x2545f4914f6cdd1dull;
}

/* 1..@max, every order of magnitude as likely */
static inline uint64_t random_magnitude(uint64_t *state, uint64_t max)
{
	uint64_t bits = random64(state) % (64 - (uint64_t)__builtin_clzll(max)) + 1;
	uint64_t n = random64(state) >> (64 - bits);

	return n == 0 ? 1 : n > max ? max : n;
}

static inline int is_bucket(uint32_t algorithm)
{
	return algorithm == LIMIT_TOKEN_BUCKET || algorithm == LIMIT_LEAKY_BUCKET;
}

static inline struct limit_rule rule_of(const struct limit_spec *spec)
{
	struct limit_rule rule;

	if (limit_rule_make(&rule, spec) != 0) {
		CU_FAIL_FATAL("no rule of this specification");
		abort();
	}
	return rule;
}

static inline struct limit_rule bucket(uint64_t rate, uint64_t burst)
{
	return rule_of(&(struct limit_spec){
		.algorithm = LIMIT_TOKEN_BUCKET, .rate_per_second = rate, .burst = burst});
}

static inline struct limit_rule window(uint32_t algorithm, uint64_t rate)
{
	return rule_of(&(struct limit_spec){.algorithm = algorithm, .rate_per_second = rate});
}

static inline uint64_t window_ns_of(const struct limit_spec *spec)
{
	return spec->window_ns ? spec->window_ns : LIMIT_WINDOW_NS;
}

/* What passes at once under @spec when nothing is in use: burst or L. */
static inline uint64_t capacity_of(const struct limit_spec *spec)
{
	return is_bucket(spec->algorithm)
		       ? spec->burst
		       : (uint64_t)((wide)spec->rate_per_second * window_ns_of(spec) / SECOND_NS);
}

/* Is @units in an interval of @span_ns within the bound that ebpf/limit.h states? */
static inline int within_bound(const struct limit_spec *spec, uint64_t units, uint64_t span_ns)
{
	uint64_t window_ns = window_ns_of(spec), capacity = capacity_of(spec);

	switch (spec->algorithm) {
	case LIMIT_FIXED_WINDOW:
		return units <= (wide)capacity * (span_ns / window_ns + 2);
	case LIMIT_SLIDING_WINDOW:
		return (wide)units * window_ns <= (wide)capacity * (window_ns + span_ns);
	default:
		return (wide)units * 256 * SECOND_NS <=
		       ((wide)spec->burst * 256 + 1) * SECOND_NS +
			       (wide)spec->rate_per_second * span_ns * 256;
	}
}

/* How many of @offered packets of @cost pass at @now_ns. */
static inline uint64_t passes(__u64 *word, const struct limit_rule *rule, uint64_t now_ns,
			      uint32_t cost, uint64_t offered)
{
	uint64_t n = 0;

	for (uint64_t i = 0; i < offered; i++)
		n += limit_take(word, rule, now_ns, cost) == LIMIT_PASS;
	return n;
}

/* The first ns of the next window of a second: rounding puts it late by 2^-32 of the uptime. */
static inline uint64_t edge_after(uint64_t now_ns)
{
	struct limit_rule rule = window(LIMIT_FIXED_WINDOW, 1);
	uint64_t next = (limit_clock(rule.speed, now_ns) >> LIMIT_PART_SHIFT) + 1;
	uint64_t before = now_ns, after = now_ns + 2 * SECOND_NS;

	while (after - before > 1) {
		uint64_t middle = before + (after - before) / 2;

		if (limit_clock(rule.speed, middle) >> LIMIT_PART_SHIFT < next)
			before = middle;
		else
			after = middle;
	}
	return after;
}

#endif
