/* SPDX-License-Identifier: Apache-2.0 */
/* The load-balancing tables of all clusters of a policy, identical ones stored once. */
#ifndef FENDER_CONFIG_TABLES_H
#define FENDER_CONFIG_TABLES_H

#include "config/policy.h"

struct table {
	uint32_t first;       /* of its entries */
	uint32_t count;       /* 0: a cluster without endpoints */
	uint32_t point_first; /* ring hash: of its count points; else 0 */
};

struct tables {
	uint16_t *entries; /* numbers of endpoints within their cluster */
	size_t count;
	size_t capacity;
	uint64_t *points; /* of the rings */
	size_t point_count;
	size_t point_capacity;
	struct table *of; /* [cluster], in the arena */
};

/**
 * tables_build() - Maglev tables, rings, and for all other algorithms round-robin cycles
 * @policy: checked without an error
 *
 * No more entries and points than the policy's slot has room for are ever built; a policy that
 * needs more, or more than RING_MAX_POINTS, is an error in @d.
 * Return: 0, -EMSGSIZE (reported), -ENOMEM. The caller frees with tables_free().
 */
int tables_build(struct tables *tables, const struct policy *policy, struct arena *arena,
		 struct diagnostics *d);
void tables_free(struct tables *tables);

#endif
