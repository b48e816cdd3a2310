/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/upkeep.h"

#include "dataplane/policy/adoption.h"
#include "dataplane/policy/rebuild.h"
#include "dataplane/policy/region_state.h"

#include <errno.h>
#include <stdlib.h>

#define PERIOD_NS 1000000000ull

/* Counters have one writer, and it is not this thread: what would be counted goes nowhere. */
static int take_counters(struct upkeep *u)
{
	const size_t listeners = u->state.listener_slots * sizeof(struct listener_counters);
	const size_t clusters = u->state.cluster_slots * sizeof(struct call_counters);
	const size_t endpoints = u->state.endpoint_slots * sizeof(struct call_counters);
	const size_t policies = u->state.cluster_slots * sizeof(struct policy_counters);
	uint8_t *at = calloc(1, listeners + clusters + endpoints + policies);

	u->counters = at;
	if (!at)
		return -ENOMEM;
	u->state.listener_counters = (struct listener_counters *)at;
	u->state.cluster_counters = (struct call_counters *)(at + listeners);
	u->state.endpoint_counters = (struct call_counters *)(at + listeners + clusters);
	u->state.policy_counters =
		(struct policy_counters *)(at + listeners + clusters + endpoints);
	return 0;
}

int upkeep_start(struct upkeep *u, const struct region *region, const struct adopted *first,
		 uint64_t now_ns)
{
	*u = (struct upkeep){.random = {.state = region->header->hash_seed | 1}};
	region_state(&u->state, region, 0);
	u->last_interval = calloc(u->state.cluster_slots, sizeof(*u->last_interval));
	if (!u->last_interval || take_counters(u)) {
		upkeep_stop(u);
		return -ENOMEM;
	}
	rebuild_begin(&u->state);
	upkeep_change(u, first, NULL, now_ns);
	rebuild_ejected(&first->view, &u->state);
	return 0;
}

void upkeep_stop(struct upkeep *u)
{
	free(u->last_interval);
	free(u->counters);
	u->last_interval = NULL;
	u->counters = NULL;
}

static void tell_stale_table(const struct upkeep *u, const struct adopted *a, uint32_t cluster,
			     uint64_t now_ns)
{
	const struct event event = {
		.at_ns = now_ns,
		.kind = EVENT_STALE_TABLE,
		.subject = SUBJECT_CLUSTER,
		.slot = a->view.cluster_slot[cluster],
		.key = a->view.clusters[cluster].key,
	};

	event_write(u->state.events, &event);
}

void upkeep_change(struct upkeep *u, const struct adopted *next, const struct adopted *previous,
		   uint64_t now_ns)
{
	adoption_begin(&next->view, previous ? &previous->view : NULL, &u->state, now_ns);
	for (uint32_t i = 0; i < next->stale_count; i++)
		tell_stale_table(u, next, next->stale_tables[i], now_ns);
}

void upkeep_changed(struct upkeep *u, const struct adopted *next, const struct adopted *previous)
{
	adoption_end(&next->view, &previous->view, &u->state);
}

static int has_statistics(const struct image_cluster *c)
{
	return c->outlier.breaker.mode != MODE_OFF && c->outlier.statistics;
}

struct outlier_judged upkeep_run(struct upkeep *u, const struct adopted *a, struct judged *judged,
				 uint64_t now_ns)
{
	struct outlier_judged all = {0};

	if (now_ns < u->next_ns)
		return all;
	u->next_ns = now_ns + PERIOD_NS;
	for (uint32_t i = 0; i < a->image->clusters.count; i++) {
		uint16_t slot = a->view.cluster_slot[i];
		struct outlier_judged now;

		if (!has_statistics(&a->view.clusters[i]))
			continue;
		now = outlier_interval(&a->view, &u->state, i, &u->last_interval[slot], now_ns,
				       &u->random);
		judged_add(judged, slot, now);
		all.ejected += now.ejected;
		all.refused += now.refused;
	}
	return all;
}
