/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/histogram_merge.h"
#include "shm/migrate_private.h"

/* All members of what counts are 64-bit words. */
static void add(void *to, const void *from, size_t bytes)
{
	const uint64_t *source = from;
	uint64_t *target = to;

	for (size_t i = 0; i < bytes / sizeof(*target); i++)
		target[i] += counter_read(&source[i]);
}

static void add_block(struct worker_block *to, const struct worker_block *from)
{
	to->loops += counter_read(&from->loops);
	to->sleeps += counter_read(&from->sleeps);
	to->busy_loops += counter_read(&from->busy_loops);
	to->resting_recycled += counter_read(&from->resting_recycled);
	to->challenges_answered += counter_read(&from->challenges_answered);
	to->syn_repeated += counter_read(&from->syn_repeated);
	to->wheel_fired += counter_read(&from->wheel_fired);
	to->damaged_entries += counter_read(&from->damaged_entries);
	add(&to->packets, &from->packets, sizeof(to->packets));
	to->packets.held = 0;
}

/* Interfaces that left: what they carried stays in the sums over all rows. */
static void add_interfaces(const struct move *m, uint32_t worker)
{
	for (uint32_t i = 0; i < MAX_INTERFACES; i++) {
		uint32_t row =
			m->interface[i] == MOVE_NOWHERE ? MAX_INTERFACES - 1 : m->interface[i];

		add(region_interface_counters(m->to, move_worker(m, worker), row),
		    region_interface_counters(m->from, worker, i),
		    sizeof(struct interface_counters));
	}
}

static void add_listeners(const struct move *m, uint32_t worker)
{
	const uint32_t heir = move_worker(m, worker);

	for (uint32_t slot = 0; slot < m->slots[STATE_LISTENER]; slot++) {
		const uint32_t to = m->slot[STATE_LISTENER][slot];

		if (to == REGISTRY_NONE)
			continue;
		add(region_listener_counters(m->to, heir, to),
		    region_listener_counters(m->from, worker, slot),
		    sizeof(struct listener_counters));
		add(region_limit_counters(m->to, heir, to),
		    region_limit_counters(m->from, worker, slot),
		    sizeof(struct worker_limit_counters));
	}
}

static void add_clusters(const struct move *m, uint32_t worker)
{
	const uint32_t heir = move_worker(m, worker);
	const struct histograms histograms_to = region_histograms(m->to, heir);
	const struct histograms histograms_from = region_histograms(m->from, worker);

	histogram_merge_verdicts(&histograms_to, &histograms_from);
	for (uint32_t slot = 0; slot < m->slots[STATE_CLUSTER]; slot++) {
		const uint32_t to = m->slot[STATE_CLUSTER][slot];

		if (to == REGISTRY_NONE)
			continue;
		add(region_cluster_counters(m->to, heir, to),
		    region_cluster_counters(m->from, worker, slot), sizeof(struct call_counters));
		add(region_policy_counters(m->to, heir, to),
		    region_policy_counters(m->from, worker, slot), sizeof(struct policy_counters));
		histogram_merge(&histograms_to, to, &histograms_from, slot);
	}
}

static void add_endpoints(const struct move *m, uint32_t worker)
{
	const uint32_t heir = move_worker(m, worker);

	for (uint32_t slot = 0; slot < m->slots[STATE_ENDPOINT]; slot++) {
		const uint32_t to = m->slot[STATE_ENDPOINT][slot];

		if (to != REGISTRY_NONE)
			add(region_endpoint_counters(m->to, heir, to),
			    region_endpoint_counters(m->from, worker, slot),
			    sizeof(struct call_counters));
	}
}

void migrate_counters(const struct move *m)
{
	for (uint32_t worker = 0; worker < m->from->shape.workers; worker++) {
		add_block(&m->to->workers[move_worker(m, worker)], &m->from->workers[worker]);
		add_interfaces(m, worker);
		add_listeners(m, worker);
		add_clusters(m, worker);
		add_endpoints(m, worker);
	}
}
