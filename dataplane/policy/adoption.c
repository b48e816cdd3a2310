/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/policy/adoption.h"

#include "dataplane/policy/outlier.h"

/* Bytes of cluster_state.modes. */
enum { MODES_BREAKER = 0, MODES_OUTLIER = 8, MODES_BULKHEAD = 16, MODES_RETRY = 24 };

static uint64_t modes_of(const struct image_cluster *c)
{
	return (uint64_t)c->breaker.mode << MODES_BREAKER |
	       (uint64_t)c->outlier.breaker.mode << MODES_OUTLIER |
	       (uint64_t)c->bulkhead.mode << MODES_BULKHEAD |
	       (uint64_t)c->retry.mode << MODES_RETRY;
}

static int starts_clean(uint64_t before, uint64_t after, int block)
{
	uint8_t from = (uint8_t)(before >> block), to = (uint8_t)(after >> block);

	return from != to && !(from == MODE_ENFORCE && to == MODE_OBSERVE);
}

/*
 * Close an endpoint's breaker in another epoch. Whoever takes it away from another phase lowers
 * the cluster's count (NULL: it is not counted), once: hence not breaker_reset(), which does not
 * say what it replaced.
 */
static void readmit(uint64_t *word, uint64_t *ejected)
{
	uint64_t before = __atomic_load_n(word, __ATOMIC_RELAXED);
	struct breaker_word b;
	uint64_t after;

	do {
		b = breaker_unpack(before);
		after = breaker_pack((struct breaker_word){
			.phase = BREAKER_CLOSED,
			.epoch = b.epoch == UINT16_MAX ? 1 : (uint16_t)(b.epoch + 1),
		});
	} while (!__atomic_compare_exchange_n(word, &before, after, 0, __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
	if (ejected && b.phase != BREAKER_CLOSED)
		outlier_give_back(ejected);
}

static int is_closed(const uint64_t *word)
{
	return breaker_unpack(__atomic_load_n(word, __ATOMIC_RELAXED)).phase == BREAKER_CLOSED;
}

static void switch_modes(const struct policy_view *v, const struct policy_state *s, uint32_t i)
{
	const struct image_cluster *c = &v->clusters[i];
	struct cluster_state *state = &s->clusters[v->cluster_slot[i]];
	uint64_t before = __atomic_load_n(&state->modes, __ATOMIC_RELAXED);
	uint64_t after = modes_of(c);

	if (starts_clean(before, after, MODES_BREAKER))
		breaker_reset(&state->breaker);
	/* A tick long ago: the next begins a new history (budget.h). */
	if (starts_clean(before, after, MODES_RETRY))
		__atomic_store_n(&state->budget.newest_tick, 0, __ATOMIC_RELAXED);
	for (uint32_t k = 0; k < c->endpoint_count && starts_clean(before, after, MODES_OUTLIER);
	     k++)
		readmit(&s->endpoints[v->endpoint_slot[c->first_endpoint + k]].breaker,
			&state->ejected);
	__atomic_store_n(&state->modes, after, __ATOMIC_RELAXED);
}

static void join(const struct policy_view *next, const struct policy_view *previous,
		 const struct policy_state *s, uint32_t i, uint64_t now_ns)
{
	const struct image_cluster *c = &next->clusters[i];
	int is_new = previous->cluster_at[next->cluster_slot[i]] == VIEW_NONE;

	for (uint32_t k = 0; k < c->endpoint_count; k++) {
		uint16_t slot = next->endpoint_slot[c->first_endpoint + k];
		struct endpoint_state *e = &s->endpoints[slot];

		if (previous->endpoint_at[slot] != VIEW_NONE)
			continue;
		/* It left while no dataplane ran. */
		if (!is_closed(&e->breaker))
			readmit(&e->breaker, NULL);
		if (!is_new)
			__atomic_store_n(&e->ramp_ns, now_ns, __ATOMIC_RELAXED);
	}
}

void adoption_begin(const struct policy_view *next, const struct policy_view *previous,
		    const struct policy_state *s, uint64_t now_ns)
{
	for (uint32_t i = 0; i < next->image->clusters.count; i++) {
		if (previous)
			join(next, previous, s, i, now_ns);
		switch_modes(next, s, i);
	}
}

void adoption_end(const struct policy_view *next, const struct policy_view *previous,
		  const struct policy_state *s)
{
	for (uint32_t i = 0; i < previous->image->clusters.count; i++) {
		const struct image_cluster *c = &previous->clusters[i];
		uint64_t *ejected = &s->clusters[previous->cluster_slot[i]].ejected;

		for (uint32_t k = 0; k < c->endpoint_count; k++) {
			uint16_t slot = previous->endpoint_slot[c->first_endpoint + k];

			if (next->endpoint_at[slot] == VIEW_NONE &&
			    !is_closed(&s->endpoints[slot].breaker))
				readmit(&s->endpoints[slot].breaker, ejected);
		}
	}
}

int adoption_table_is_stale(const struct policy_view *v, uint32_t cluster)
{
	const struct image_cluster *c = &v->clusters[cluster];

	return image_members_hash(&v->endpoints[c->first_endpoint], c->endpoint_count) !=
	       c->members_hash;
}
