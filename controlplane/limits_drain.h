/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listeners that left the policy, or their address, while connections go on: they keep address and
 * limits until those are over. Pure but for malloc().
 */
#ifndef FENDER_CONTROLPLANE_LIMITS_DRAIN_H
#define FENDER_CONTROLPLANE_LIMITS_DRAIN_H

#include "controlplane/limits_policy.h"

struct limits_leaver {
	struct limits_listener listener;
	uint64_t until_ns; /* its connections are reset by then; UINT64_MAX: it moved, they go on */
};

struct limits_drain {
	struct limits_leaver *rows;
	size_t count;
};

/**
 * limits_drain_change() - from @before, that was in force, to @next
 * @out: receives the leavers of @d and of @before that @next has no place for; those whose address
 *       another listener has now are left out. Of a listener that moved the limits are @next's.
 *       For limits_drain_free().
 * Return: 0, -ENOMEM.
 */
int limits_drain_change(struct limits_drain *out, const struct limits_drain *d,
			const struct limits_wish *before, const struct limits_wish *next,
			uint64_t now_ns);

/* Whether the connections of listener @number are all closed. */
typedef int limits_idle(void *ctx, uint32_t number);

/* Forget who is over. Return: how many were. */
size_t limits_drain_expire(struct limits_drain *d, uint64_t now_ns, limits_idle *idle, void *ctx);

/*
 * @next's listeners behind those of @d, so that theirs win. For free(); NULL: no memory.
 */
struct limits_listener *limits_drain_join(const struct limits_drain *d,
					  const struct limits_wish *next);

void limits_drain_free(struct limits_drain *d);

#endif
