/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of ebpf/limit.h from rates, for who configures them: native code only. */
#ifndef FENDER_EBPF_LIMIT_RULE_H
#define FENDER_EBPF_LIMIT_RULE_H

#include "ebpf/limit.h"

#include <errno.h>
#include <string.h>

#define LIMIT_MAX_RATE  (1ull << 35) /* a second */
#define LIMIT_MAX_BURST (1ull << 40)
#define LIMIT_MAX_FILL  86400ull           /* s a bucket takes to fill: burst / rate */
#define LIMIT_MAX_COUNT ((1ull << 33) - 1) /* units a window: 68 Gbit/s with T = 1 s */

#define LIMIT_WINDOW_NS     1000000000ull /* T where none is given */
#define LIMIT_MIN_WINDOW_NS 100000000ull  /* above LIMIT_SKEW_NS: late is one window late */
#define LIMIT_MAX_WINDOW_NS 3600000000000ull
#define LIMIT_SKEW_NS       (1ull << 26) /* 67 ms: how late a CPU's reading of the clock may be */

struct limit_spec {
	__u32 algorithm;
	__u64 rate_per_second; /* 1 .. LIMIT_MAX_RATE */
	__u64 burst;     /* buckets: units, 1 .. LIMIT_MAX_BURST and a day's worth; windows: 0 */
	__u64 window_ns; /* windows: T, 0 for LIMIT_WINDOW_NS; buckets: 0 */
};

static inline int limit_rule_bucket(struct limit_rule *rule, const struct limit_spec *spec)
{
	if (spec->window_ns)
		return -EINVAL;
	if (!spec->burst || spec->burst > LIMIT_MAX_BURST ||
	    spec->burst > spec->rate_per_second * LIMIT_MAX_FILL)
		return -ERANGE;
	rule->speed = (__u64)(((unsigned __int128)spec->rate_per_second
			       << (LIMIT_CLOCK_SHIFT + LIMIT_UNIT_SHIFT)) /
			      1000000000);
	rule->capacity = spec->burst << LIMIT_UNIT_SHIFT;
	rule->resync = 2 * rule->capacity + limit_clock(rule->speed, LIMIT_SKEW_NS);
	return 0;
}

static inline int limit_rule_window(struct limit_rule *rule, const struct limit_spec *spec)
{
	__u64 window_ns = spec->window_ns ? spec->window_ns : LIMIT_WINDOW_NS;
	unsigned __int128 count = (unsigned __int128)spec->rate_per_second * window_ns / 1000000000;

	if (spec->burst)
		return -EINVAL;
	if (window_ns < LIMIT_MIN_WINDOW_NS || window_ns > LIMIT_MAX_WINDOW_NS)
		return -ERANGE;
	if (!count || count > LIMIT_MAX_COUNT)
		return -ERANGE;
	rule->speed = (1ull << (LIMIT_CLOCK_SHIFT + LIMIT_PART_SHIFT)) / window_ns;
	rule->capacity = (__u64)count;
	rule->share = ((1ull << (LIMIT_SHARE_SHIFT + LIMIT_PART_SHIFT)) + rule->capacity - 1) /
		      rule->capacity;
	return 0;
}

/**
 * limit_rule_make() - the rule that enforces @spec
 *
 * L = floor(rate * T): where rate * T is no integer the long-run rate is lower by the fraction.
 * Return: 0; -EINVAL: unknown algorithm, or a window with burst, or a bucket with a window;
 * -ERANGE: a number out of the ranges above, or L of 0 or above LIMIT_MAX_COUNT. On error *rule is
 * no limit.
 */
static inline int limit_rule_make(struct limit_rule *rule, const struct limit_spec *spec)
{
	struct limit_rule made = {.algorithm = spec->algorithm};
	int err;

	memset(rule, 0, sizeof(*rule));
	if (spec->algorithm == LIMIT_NONE)
		return 0;
	if (spec->algorithm > LIMIT_SLIDING_WINDOW)
		return -EINVAL;
	if (!spec->rate_per_second || spec->rate_per_second > LIMIT_MAX_RATE)
		return -ERANGE;
	err = spec->algorithm < LIMIT_FIXED_WINDOW ? limit_rule_bucket(&made, spec)
						   : limit_rule_window(&made, spec);
	if (err)
		return err;
	made.ceiling = made.capacity;
	*rule = made;
	return 0;
}

/*
 * @rule with room for twice its burst, or L, on the same words: what it refuses after @rule
 * refused is beyond even that. For marking up to the one and dropping past the other.
 */
static inline struct limit_rule limit_rule_double(const struct limit_rule *rule)
{
	struct limit_rule twice = *rule;

	twice.ceiling = 2 * rule->capacity;
	return twice;
}

#endif
