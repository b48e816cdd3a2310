/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/lb/levels.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "dataplane/policy/usable.h"
#include "shm/lookup.h"

enum {
	WHOLE = 10000,
	OVERPROVISION = 14000, /* availability of a level all of which is usable, before the cut */
	ENDPOINTS_PER_REFRESH = 1024,
};

/* Hundredths of a percent of the calls that @level could take. */
static uint32_t availability(const struct level *level)
{
	uint64_t part = (uint64_t)level->usable * OVERPROVISION;

	if (part >= (uint64_t)level->weight * WHOLE)
		return level->weight != 0 ? WHOLE : 0;
	return (uint32_t)(part / level->weight);
}

/* Nothing is usable: all calls to the first level there is. */
static void give_to_first(struct levels *l)
{
	uint32_t i = 0;

	while (i + 1 < l->count && l->level[i].weight == 0)
		i++;
	l->level[i].share = WHOLE;
}

uint32_t levels_shares(struct levels *l)
{
	uint32_t sum = 0, given = 0, last = 0, left = WHOLE;

	for (uint32_t i = 0; i < l->count; i++) {
		struct level *level = &l->level[i];
		uint32_t available = availability(level);

		level->share = available < left ? available : left;
		left -= level->share;
		sum += available;
	}
	if (left == WHOLE)
		give_to_first(l);
	else if (left != 0) {
		for (uint32_t i = 0; i < l->count; i++) {
			l->level[i].share = l->level[i].share * WHOLE / (WHOLE - left);
			given += l->level[i].share;
			last = l->level[i].share != 0 ? i : last;
		}
		l->level[last].share += WHOLE - given; /* what rounding down left */
	}
	return sum;
}

static void sum_up(struct levels *l, const struct policy_view *v, const struct policy_state *s,
		   const struct image_cluster *c, uint64_t now_ns)
{
	l->count = 1;
	l->usable_endpoints = 0;
	for (uint32_t i = 0; i < MAX_PRIORITIES; i++)
		l->level[i].weight = l->level[i].usable = l->level[i].local_usable = 0;
	for (uint32_t i = c->first_endpoint; i < c->first_endpoint + c->endpoint_count; i++) {
		const struct image_endpoint *e = &v->endpoints[i];
		struct level *level = &l->level[e->priority];

		if (e->priority >= l->count)
			l->count = e->priority + 1u;
		level->weight += e->weight;
		if (endpoint_usability(&s->endpoints[v->endpoint_slot[i]], c, now_ns) != USABLE)
			continue;
		l->usable_endpoints++;
		level->usable += e->weight;
		if (e->local)
			level->local_usable += e->weight;
	}
}

static int panics(const struct level *level, uint32_t available, uint32_t threshold)
{
	return available < WHOLE &&
	       (uint64_t)level->usable * WHOLE < (uint64_t)level->weight * threshold;
}

static int is_due(const struct levels *l, const struct policy_view *v,
		  const struct image_cluster *c, uint64_t now_ns)
{
	uint64_t interval =
		LEVELS_REFRESH_NS * (1 + (uint64_t)c->endpoint_count / ENDPOINTS_PER_REFRESH);

	return l->count == 0 || l->generation != v->image->generation ||
	       now_ns - l->refreshed_ns >= interval; /* or the clock went back */
}

uint32_t levels_refresh(struct levels *l, const struct policy_view *v, const struct policy_state *s,
			uint32_t cluster, uint64_t now_ns)
{
	const struct image_cluster *c = &v->clusters[cluster];
	uint32_t available, changed = 0;

	if (!is_due(l, v, c, now_ns))
		return 0;
	sum_up(l, v, s, c, now_ns);
	available = levels_shares(l);
	for (uint32_t i = 0; i < MAX_PRIORITIES; i++) {
		uint8_t panic =
			i < l->count && panics(&l->level[i], available, c->balance.panic_threshold);

		changed |= (uint32_t)(panic != l->level[i].panic) << i;
		l->level[i].panic = panic;
	}
	l->refreshed_ns = now_ns;
	l->generation = v->image->generation;
	return changed;
}

uint32_t levels_choose(const struct levels *l, uint64_t number)
{
	uint32_t i = 0, at;

	if (l->count <= 1)
		return 0;
	/* Tables are looked up by the same number's high bits: these must not depend on them. */
	at = lookup_place(XXH64(&number, sizeof(number), MAX_PRIORITIES), WHOLE);
	while (i + 1 < l->count && at >= l->level[i].share) {
		at -= l->level[i].share;
		i++;
	}
	return i;
}
