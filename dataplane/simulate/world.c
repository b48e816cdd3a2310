/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/simulate/world.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/policy/adoption.h"
#include "dataplane/policy/outlier.h"
#include "dataplane/simulate/draw.h"
#include "dataplane/simulate/view_maps.h"

/* Sources a worker's bulkheads tell apart, as a region of this size has them. */
static uint32_t source_lines(uint32_t workers, uint32_t entries)
{
	uint32_t lines = 64;

	while (lines < (uint64_t)workers * entries / 4)
		lines *= 2;
	return lines;
}

static int allocate_state(struct world *w, uint32_t entries)
{
	struct policy_state *s = &w->state;

	s->workers = w->workers;
	s->listener_slots = w->listeners.count;
	s->cluster_slots = w->clusters.count;
	s->endpoint_slots = w->endpoints.count;
	s->source_lines = source_lines(w->workers, entries);
	s->events = &w->ring;
	/* one more of each: an empty policy is no failure */
	s->listeners = calloc(s->listener_slots + 1, sizeof(*s->listeners));
	s->clusters = calloc(s->cluster_slots + 1, sizeof(*s->clusters));
	s->endpoints = calloc(s->endpoint_slots + 1, sizeof(*s->endpoints));
	s->sources = calloc(s->source_lines, sizeof(*s->sources));
	s->cluster_outcomes =
		calloc((size_t)w->workers * s->cluster_slots + 1, sizeof(struct outcomes));
	s->endpoint_outcomes =
		calloc((size_t)w->workers * s->endpoint_slots + 1, sizeof(struct outcomes));
	s->listener_counters =
		calloc((size_t)w->workers * s->listener_slots + 1, sizeof(*s->listener_counters));
	s->cluster_counters =
		calloc((size_t)w->workers * s->cluster_slots + 1, sizeof(*s->cluster_counters));
	s->endpoint_counters =
		calloc((size_t)w->workers * s->endpoint_slots + 1, sizeof(*s->endpoint_counters));
	s->policy_counters =
		calloc((size_t)w->workers * s->cluster_slots + 1, sizeof(*s->policy_counters));
	w->last_interval = calloc(s->cluster_slots + 1, sizeof(*w->last_interval));
	w->engines = calloc(w->workers, sizeof(*w->engines));
	return s->listeners != NULL && s->clusters != NULL && s->endpoints != NULL &&
			       s->sources != NULL && s->cluster_outcomes != NULL &&
			       s->endpoint_outcomes != NULL && s->listener_counters != NULL &&
			       s->cluster_counters != NULL && s->endpoint_counters != NULL &&
			       s->policy_counters != NULL && w->last_interval != NULL &&
			       w->engines != NULL
		       ? 0
		       : -ENOMEM;
}

static int engine_create(struct world *w, uint32_t worker, uint32_t entries, uint64_t seed)
{
	struct engine *e = &w->engines[worker];
	uint32_t clusters = w->state.cluster_slots;

	e->state = w->state;
	e->state.listener_counters += (size_t)worker * w->state.listener_slots;
	e->state.cluster_counters += (size_t)worker * clusters;
	e->state.endpoint_counters += (size_t)worker * w->state.endpoint_slots;
	e->state.policy_counters += (size_t)worker * clusters;
	e->worker = worker;
	e->random = draw_stream(seed, UINT64_C(1) << 32 | worker);
	e->listener_queues = &w->listener_queues;
	e->cluster_queues = &w->cluster_queues;
	e->cursors = calloc(clusters + 1, sizeof(*e->cursors));
	e->levels = calloc(clusters + 1, sizeof(*e->levels));
	e->open_calls = calloc(clusters + 1, sizeof(*e->open_calls));
	e->entries = entries;
	return e->cursors != NULL && e->levels != NULL && e->open_calls != NULL ? 0 : -ENOMEM;
}

int world_create(struct world *world, const struct image_header *const *images, size_t count,
		 uint32_t workers, uint32_t entries, uint64_t seed)
{
	int rc;

	memset(world, 0, sizeof(*world));
	world->workers = workers;
	world->random = draw_stream(seed, UINT64_C(2) << 32);
	rc = world_bind(world, images, count);
	if (rc == 0)
		rc = allocate_state(world, entries);
	if (rc == 0)
		rc = queues_create(&world->listener_queues, world->listeners.count + 1, workers);
	if (rc == 0)
		rc = queues_create(&world->cluster_queues, world->clusters.count + 1, workers);
	for (uint32_t i = 0; rc == 0 && i < workers; i++)
		rc = engine_create(world, i, entries, seed);
	if (rc == 0)
		world_adopt(world, 0, 0);
	else
		world_free(world);
	return rc;
}

static void free_engines(struct world *w)
{
	for (uint32_t i = 0; w->engines != NULL && i < w->workers; i++) {
		free(w->engines[i].cursors);
		free(w->engines[i].levels);
		free(w->engines[i].open_calls);
	}
	free(w->engines);
}

void world_free(struct world *world)
{
	struct policy_state *s = &world->state;

	free_engines(world);
	if (world->listener_queues.share != NULL)
		queues_destroy(&world->listener_queues);
	if (world->cluster_queues.share != NULL)
		queues_destroy(&world->cluster_queues);
	free(s->listeners);
	free(s->clusters);
	free(s->endpoints);
	free(s->sources);
	free(s->cluster_outcomes);
	free(s->endpoint_outcomes);
	free(s->listener_counters);
	free(s->cluster_counters);
	free(s->endpoint_counters);
	free(s->policy_counters);
	free(world->last_interval);
	world_unbind(world);
	memset(world, 0, sizeof(*world));
}

void world_adopt(struct world *world, size_t number, uint64_t now_ns)
{
	const struct policy_view *old = world->current != NULL ? &world->current->view : NULL;
	const struct policy_view *next = &world->policies[number].view;

	world->current = &world->policies[number];
	adoption_begin(next, old, &world->state, now_ns);
	for (uint32_t i = 0; i < world->workers; i++) {
		world->engines[i].policy = next;
		world->engines[i].now_ns = now_ns;
		if (old != NULL)
			engine_policy_changed(&world->engines[i]);
	}
	if (old != NULL)
		adoption_end(next, old, &world->state);
}

void world_interval(struct world *world, uint64_t now_ns)
{
	const struct policy_view *v = &world->current->view;

	for (uint32_t i = 0; i < v->image->clusters.count; i++) {
		const uint16_t slot = v->cluster_slot[i];
		struct policy_counters *counters = &world->state.policy_counters[slot];
		struct outlier_judged judged;

		if (v->clusters[i].outlier.statistics == 0)
			continue;
		judged = outlier_interval(v, &world->state, i, &world->last_interval[slot], now_ns,
					  &world->random);
		counters->ejections += judged.ejected;
		counters->ejections_overflow += judged.refused;
	}
}
