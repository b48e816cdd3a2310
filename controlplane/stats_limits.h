/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The limiter's counters beside the others: of the XDP programs and of the workers, added. The
 * names of verdicts are limits_verdict_name()'s.
 */
#ifndef FENDER_CONTROLPLANE_STATS_LIMITS_H
#define FENDER_CONTROLPLANE_STATS_LIMITS_H

#include "controlplane/stats.h"
#include "ebpf/maps.h"
#include "shm/histogram.h"

struct limits;

struct stats_limit_interface {
	uint32_t limiter;               /* enum image_limiter in force */
	const char *fallback;           /* why it is not what auto means; NULL: it is */
	struct limit_counters counters; /* frames of no listener */
};

enum stats_limit_hook { LIMIT_HOOK_XDP, LIMIT_HOOK_WORKER, LIMIT_HOOKS };

struct stats_limits {
	struct stats_limit_interface interface[MAX_INTERFACES];
	struct limit_counters *listeners;        /* as in the policy */
	struct histogram_sum times[LIMIT_HOOKS]; /* of a part of the verdicts: docs/limiter.md */
	int readable; /* 0: the maps could not be read; the workers' alone */
};

/**
 * stats_limits_collect() - fill @stats->limits
 * @maps: NULL: there are none
 * @fallback: why auto became dpdk on AF_XDP, or NULL; must outlive @stats
 * Return: 0 (stats_free() frees it too) or -ENOMEM. A map that cannot be read counts as zero.
 */
int stats_limits_collect(struct stats *stats, const struct region *region,
			 const struct limits *maps, const char *fallback);

/*
 * How long verdicts took. @times: set, by enum stats_limit_hook. @maps: as above. Any thread.
 * Return: 0; -errno: the maps could not be read.
 */
int stats_limits_times(struct histogram_sum times[LIMIT_HOOKS], const struct region *region,
		       const struct limits *maps);

/* "xdp", "worker". */
const char *stats_limits_hook_name(unsigned int hook);

#endif
