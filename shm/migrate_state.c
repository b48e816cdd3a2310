/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "shm/migrate_private.h"

static uint16_t add16(uint16_t a, uint16_t b)
{
	return a + b > UINT16_MAX ? UINT16_MAX : (uint16_t)(a + b);
}

static uint32_t add32(uint32_t a, uint32_t b)
{
	return a > UINT32_MAX - b ? UINT32_MAX : a + b;
}

static int is_newer(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0;
}

static void merge_bucket(struct outcome_bucket *to, const struct outcome_bucket *from)
{
	if (to->calls == 0 || is_newer(from->tick, to->tick)) {
		*to = *from;
	} else if (from->tick == to->tick && from->epoch == to->epoch) {
		to->calls = add16(to->calls, from->calls);
		to->failed = add16(to->failed, from->failed);
		to->slow = add16(to->slow, from->slow);
	}
}

static void merge_interval(struct outcomes *to, const struct outcomes *from)
{
	if (to->calls == 0 || is_newer(from->interval, to->interval)) {
		to->interval = from->interval;
		to->calls = from->calls;
		to->failed = from->failed;
		to->latencies = from->latencies;
		memcpy(to->latency, from->latency, sizeof(to->latency));
	} else if (from->interval == to->interval) {
		to->calls = add32(to->calls, from->calls);
		to->failed = add32(to->failed, from->failed);
		to->latencies = add32(to->latencies, from->latencies);
		for (int i = 0; i < LATENCY_BUCKETS; i++)
			to->latency[i] = add16(to->latency[i], from->latency[i]);
	}
}

static void merge_outcomes(struct outcomes *to, const struct outcomes *source)
{
	const struct outcomes from = *source;

	for (int i = 0; i < WINDOW_BUCKETS; i++)
		if (from.window[i].calls)
			merge_bucket(&to->window[i], &from.window[i]);
	if (from.calls)
		merge_interval(to, &from);
}

static void move_listeners(const struct move *m)
{
	for (uint32_t slot = 0; slot < m->slots[STATE_LISTENER]; slot++) {
		const uint32_t to = m->slot[STATE_LISTENER][slot];

		if (to != REGISTRY_NONE)
			m->to->listener_state[to] = m->from->listener_state[slot];
	}
}

static void move_clusters(const struct move *m)
{
	for (uint32_t slot = 0; slot < m->slots[STATE_CLUSTER]; slot++) {
		const uint32_t to = m->slot[STATE_CLUSTER][slot];

		if (to == REGISTRY_NONE)
			continue;
		m->to->cluster_state[to] = m->from->cluster_state[slot];
		for (uint32_t w = 0; w < m->from->shape.workers; w++)
			merge_outcomes(region_cluster_outcomes(m->to, move_worker(m, w), to),
				       region_cluster_outcomes(m->from, w, slot));
	}
}

static void move_endpoints(const struct move *m)
{
	for (uint32_t slot = 0; slot < m->slots[STATE_ENDPOINT]; slot++) {
		const uint32_t to = m->slot[STATE_ENDPOINT][slot];

		if (to == REGISTRY_NONE)
			continue;
		m->to->endpoint_state[to] = m->from->endpoint_state[slot];
		for (uint32_t w = 0; w < m->from->shape.workers; w++)
			merge_outcomes(region_endpoint_outcomes(m->to, move_worker(m, w), to),
				       region_endpoint_outcomes(m->from, w, slot));
	}
}

/* The lowest bits of a key are the listener's slot. */
static int move_key(const struct move *m, uint64_t *key)
{
	const uint32_t slot = move_slot(m, STATE_LISTENER, (uint16_t)*key);

	if (*key == 0 || slot > UINT16_MAX)
		return 0;
	*key = *key >> 16 << 16 | slot;
	return 1;
}

static void put_limit(struct source_limit_line *line, uint64_t key, uint64_t word)
{
	for (int i = 0; i < SOURCE_LIMITS_PER_LINE; i++) {
		if (line->entry[i].key != 0)
			continue;
		line->entry[i] = (struct source_limit){key, word};
		return;
	}
}

/*
 * A line is named by the lowest bits of a hash. Of more lines each source's may be one of several,
 * where it is put into all: only the right one is ever asked for it. Of fewer lines some sources
 * may find no room; they begin anew.
 */
static void move_source_limits(const struct move *m)
{
	const uint32_t before = m->from->shape.source_lines, now = m->to->shape.source_lines;

	for (uint32_t n = 0; n < before; n++) {
		for (int i = 0; i < SOURCE_LIMITS_PER_LINE; i++) {
			struct source_limit e = m->from->limit_sources[n].entry[i];

			if (!move_key(m, &e.key))
				continue;
			for (uint32_t to = n & (now - 1); to < now; to += before)
				put_limit(&m->to->limit_sources[to], e.key, e.word);
		}
	}
}

void migrate_state(const struct move *m)
{
	move_listeners(m);
	move_clusters(m);
	move_endpoints(m);
	move_source_limits(m);
	/* Else whoever holds a permit is counted by its address again: inherit.c. */
	if (m->from->shape.source_lines == m->to->shape.source_lines)
		memcpy(m->to->sources, m->from->sources,
		       m->to->shape.source_lines * sizeof(*m->to->sources));
}
