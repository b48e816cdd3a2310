/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/explain/scratch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/policy/view_bind.h"

/* A copy of @bytes of words that others change; each word is whole. NULL: no memory. */
static void *copy_words(const void *from, size_t bytes)
{
	const uint64_t *word = from;
	uint64_t *copy = malloc(bytes + sizeof(*copy));

	for (size_t i = 0; copy && i < bytes / sizeof(*word); i++)
		copy[i] = __atomic_load_n(&word[i], __ATOMIC_RELAXED);
	return copy;
}

static int copy_state(struct policy_state *s, const struct region *r)
{
	const struct region_shape *shape = &r->shape;

	s->listener_slots = shape->listener_slots;
	s->cluster_slots = shape->cluster_slots;
	s->endpoint_slots = shape->endpoint_slots;
	s->source_lines = shape->source_lines;
	s->workers = 1;
	s->listeners =
		copy_words(r->listener_state, s->listener_slots * sizeof(struct listener_state));
	s->clusters = copy_words(r->cluster_state, s->cluster_slots * sizeof(struct cluster_state));
	s->endpoints =
		copy_words(r->endpoint_state, s->endpoint_slots * sizeof(struct endpoint_state));
	s->sources = copy_words(r->sources, s->source_lines * sizeof(struct source_line));
	/* Written to and never read: most of their pages are never there. */
	s->cluster_outcomes = calloc(s->cluster_slots, sizeof(*s->cluster_outcomes));
	s->endpoint_outcomes = calloc(s->endpoint_slots, sizeof(*s->endpoint_outcomes));
	s->listener_counters = calloc(s->listener_slots, sizeof(*s->listener_counters));
	s->cluster_counters = calloc(s->cluster_slots, sizeof(*s->cluster_counters));
	s->endpoint_counters = calloc(s->endpoint_slots, sizeof(*s->endpoint_counters));
	s->policy_counters = calloc(s->cluster_slots, sizeof(*s->policy_counters));
	return s->listeners && s->clusters && s->endpoints && s->sources && s->cluster_outcomes &&
			       s->endpoint_outcomes && s->listener_counters &&
			       s->cluster_counters && s->endpoint_counters && s->policy_counters
		       ? 0
		       : -ENOMEM;
}

static int create_engine(struct scratch *s, const struct region *region, uint64_t now_ns)
{
	struct engine *e = &s->engine;

	e->policy = &s->view;
	e->now_ns = now_ns;
	e->random.state = now_ns | 1;
	e->calls = (struct calls){.base = (uint8_t *)&s->call, .stride = sizeof(s->call)};
	e->listener_queues = &s->listener_queues;
	e->cluster_queues = &s->cluster_queues;
	e->entries = region->shape.connections_per_worker;
	e->cursors = calloc(e->state.cluster_slots, sizeof(*e->cursors));
	e->levels = calloc(e->state.cluster_slots, sizeof(*e->levels));
	e->open_calls = calloc(e->state.cluster_slots, sizeof(*e->open_calls));
	return e->cursors && e->levels && e->open_calls ? 0 : -ENOMEM;
}

int scratch_create(struct scratch *s, const struct image_header *image, const struct region *region,
		   uint64_t now_ns)
{
	int rc;

	memset(s, 0, sizeof(*s));
	rc = view_bind(&s->view, image, region, &s->maps);
	if (rc == 0)
		rc = copy_state(&s->engine.state, region);
	if (rc == 0)
		rc = create_engine(s, region, now_ns);
	if (rc == 0)
		rc = queues_create(&s->listener_queues, region->shape.listener_slots, 1);
	if (rc == 0)
		rc = queues_create(&s->cluster_queues, region->shape.cluster_slots, 1);
	return rc;
}

void scratch_free(struct scratch *s)
{
	struct policy_state *state = &s->engine.state;

	if (s->listener_queues.share)
		queues_destroy(&s->listener_queues);
	if (s->cluster_queues.share)
		queues_destroy(&s->cluster_queues);
	free(s->engine.cursors);
	free(s->engine.levels);
	free(s->engine.open_calls);
	free(state->listeners);
	free(state->clusters);
	free(state->endpoints);
	free(state->sources);
	free(state->cluster_outcomes);
	free(state->endpoint_outcomes);
	free(state->listener_counters);
	free(state->cluster_counters);
	free(state->endpoint_counters);
	free(state->policy_counters);
	free(s->maps);
}
