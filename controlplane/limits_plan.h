/* SPDX-License-Identifier: Apache-2.0 */
/* A policy as the limiter's maps will hold it: checked and computed before any map changes. */
#ifndef FENDER_CONTROLPLANE_LIMITS_PLAN_H
#define FENDER_CONTROLPLANE_LIMITS_PLAN_H

#include "controlplane/limits.h"
#include "shm/why.h"

/* A row of "listeners". */
struct limits_bind {
	struct limit_listener_key key;
	uint32_t listener;
};

/* A row of "addresses". */
struct limits_place {
	struct limit_address_key key;
	struct limit_address address;
};

struct limits_plan {
	const struct limits_sizes *sizes; /* set by the caller, as is entries */
	uint32_t entries;                 /* of the maps of connections */

	struct limit_rules *rules; /* sizes->listeners, by number */
	struct limits_bind *binds; /* of two alike the later one counts */
	size_t bind_count;
	struct limits_place *places;
	size_t place_count;
	struct limit_interface interfaces[LIMIT_INTERFACES];
};

/*
 * Return: 0; -EINVAL, -ERANGE, -ENOSPC, -ENOMEM with a sentence in @why. plan_free() in any case.
 */
int plan_make(struct limits_plan *p, const struct limits_policy *policy, const struct why *why);
void plan_free(struct limits_plan *p);

/* Rows of "listeners", and of "addresses"; half of them for one policy, since two meet. */
uint32_t limits_listener_entries(const struct limits_sizes *sizes);

#endif
