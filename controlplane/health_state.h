/* SPDX-License-Identifier: Apache-2.0 */
/* What the prober holds: health.c runs the probes, health_sync.c makes them from a policy. */
#ifndef FENDER_CONTROLPLANE_HEALTH_STATE_H
#define FENDER_CONTROLPLANE_HEALTH_STATE_H

#include "controlplane/due_heap.h"
#include "controlplane/health.h"
#include "controlplane/health_schedule.h"
#include "controlplane/health_target.h"

/* The check of a cluster, shared by the probes of its endpoints. */
struct check {
	struct image_health_check rules;
	char *cluster;
	char *path;
	char *host;
	int no_source;      /* told already */
	uint32_t under_way; /* its probes */
};

struct probe {
	struct due start; /* the next one; none while one is under way */
	struct due end;   /* of the one under way: its time is over */
	uint64_t started_ms;
	uint64_t key;
	struct health *health;
	struct check *check;
	struct health_target target;
	struct health_track track;
	int kept; /* by the sync under way */
	/* At most one of them. */
	struct health_tcp *tcp;
	struct health_http *http;
};

struct checks {
	struct check *all;
	uint32_t count;
	uint32_t share; /* of HEALTH_MAX_PROBES, for each: hanging ones do not hold up the rest */
};

struct probes {
	struct probe **by_key; /* ascending */
	uint32_t count;
};

struct health {
	uv_loop_t *loop;
	const struct region *region;
	uv_timer_t timer;
	struct health_http_pool *pool; /* made when first wanted */
	struct due_heap starts;
	struct due_heap ends; /* its count: probes under way */
	struct checks checks;
	struct probes probes;
	uint64_t random;
	int paused;
};

/* splitmix64: spreads the probes, no secret. */
uint64_t health_random(struct health *h);

/* The admin word of an endpoint, NULL while the region has no such name. */
uint64_t *health_admin_of(const struct region *region, uint64_t key, uint32_t *slot);

/* End the probe under way without a result; it is not scheduled. */
void health_cancel(struct probe *p);

/* Start what is due, wait for the rest. */
void health_run(struct health *h);

void health_free_probe(struct health *h, struct probe *p);
void health_free_checks(struct checks *checks);

#endif
