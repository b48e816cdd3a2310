/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/worker_engine.h"

#include "dataplane/conn/lent.h"
#include "dataplane/policy/outlier.h"
#include "dataplane/policy/region_state.h"
#include "dataplane/worker_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int worker_shared_create(struct worker_shared *shared)
{
	const struct region_shape *shape = &shared->region->shape;
	int rc = queues_create(&shared->listener_queues, shape->listener_slots, shared->workers);

	if (rc)
		return rc;
	rc = queues_create(&shared->cluster_queues, shape->cluster_slots, shared->workers);
	if (rc)
		goto listener_queues;
	rc = judged_create(&shared->judged, shape->cluster_slots);
	if (!rc)
		return 0;
	queues_destroy(&shared->cluster_queues);
listener_queues:
	queues_destroy(&shared->listener_queues);
	return rc;
}

void worker_shared_destroy(struct worker_shared *shared)
{
	queues_destroy(&shared->listener_queues);
	queues_destroy(&shared->cluster_queues);
	judged_destroy(&shared->judged);
	if (shared->lent)
		lent_ports_free(shared->lent);
	free(shared->lent);
	shared->lent = NULL;
}

static void wake_other(void *ctx, uint32_t worker)
{
	const struct worker_shared *shared = ctx;

	idle_wake(&shared->worker[worker]->idle);
}

/* Never 0: an odd number times one of another worker, of this region. */
static uint64_t seed_of(const struct worker *w)
{
	return (w->shared->region->header->hash_seed | 1) * (2 * w->number + 1);
}

int worker_engine_create(struct worker *w)
{
	const struct region *region = w->shared->region;
	const uint32_t clusters = region->shape.cluster_slots;
	struct engine *e = &w->engine;
	const size_t bytes = (size_t)w->table.capacity * sizeof(struct call);

	w->calls = aligned_alloc(sizeof(struct call), bytes);
	if (!w->calls)
		return -ENOMEM;
	memset(w->calls, 0, bytes); /* touched now, so that no page is taken while packets flow */
	*e = (struct engine){
		.policy = &w->policy->view,
		.worker = w->number,
		.random = {.state = seed_of(w)},
		.calls = {.base = (uint8_t *)w->calls, .stride = sizeof(struct call)},
		.listener_queues = &w->shared->listener_queues,
		.cluster_queues = &w->shared->cluster_queues,
		.entries = w->table.capacity,
		.wake = wake_other,
		.wake_ctx = w->shared,
	};
	region_state(&e->state, region, w->number);
	e->cursors = calloc(clusters, sizeof(*e->cursors));
	e->levels = calloc(clusters, sizeof(*e->levels));
	e->open_calls = calloc(clusters, sizeof(*e->open_calls));
	if (!e->cursors || !e->levels || !e->open_calls)
		return -ENOMEM;
	/* Workers start at different endpoints, so that together they do not favour the first. */
	for (uint32_t i = 0; i < clusters; i++)
		e->cursors[i] = w->number;
	return 0;
}

void worker_engine_free(struct worker *w)
{
	free(w->calls);
	free(w->engine.cursors);
	free(w->engine.levels);
	free(w->engine.open_calls);
}

/* One worker counts what concerns all. */
static void count_stale_tables(struct worker *w)
{
	const struct adopted *a = w->policy;

	for (uint32_t i = 0; w->number == 0 && i < a->stale_count; i++) {
		uint16_t slot = a->view.cluster_slot[a->stale_tables[i]];

		counter_add(&w->engine.state.policy_counters[slot].stale_tables, 1);
	}
}

void worker_engine_policy(struct worker *w)
{
	w->engine.policy = &w->policy->view;
	engine_policy_changed(&w->engine);
	count_stale_tables(w);
}
