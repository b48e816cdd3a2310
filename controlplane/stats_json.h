/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics as JSON, the body of GET /stats (docs/admin-api.md). */
#ifndef FENDER_CONTROLPLANE_STATS_JSON_H
#define FENDER_CONTROLPLANE_STATS_JSON_H

#include <jansson.h>
#include <stdint.h>

#include "controlplane/stats.h"

/* What the region does not know: the supervisor's view of the process. */
struct stats_process {
	const char *state;
	int64_t pid; /* 0: none */
	uint64_t restarts;
	uint64_t uptime_ms;
	int ready;
};

/* All but listeners, clusters and endpoints, which may be many. New; NULL: out of memory. */
json_t *stats_json_head(const struct stats *stats, const struct stats_process *process);

/* All of it, one tree. */
json_t *stats_json(const struct stats *stats, const struct stats_process *process);

#endif
