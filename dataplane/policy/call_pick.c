/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/lb/bounded.h"
#include "dataplane/lb/candidates.h"
#include "dataplane/policy/call_parts.h"
#include "dataplane/policy/usable.h"

/*
 * What speaks against a candidate, the lesser objections in the lower bits. Candidates are walked
 * once for each sum of objections that occurs, the least first, so each is tried once.
 */
enum objection {
	OTHER_ZONE = 1 << 0,
	STARTS_SLOWLY = 1 << 1,
	OTHER_LEVEL = 1 << 2,
	TRIED_BEFORE = 1 << 3,
	OBJECTIONS = 1 << 4, /* sums */
};

struct picking {
	struct engine *e;
	struct call *call;
	const struct image_cluster *cluster;
	const struct levels *levels;
	uint32_t level;
	uint8_t prefer_local;
	uint8_t found_full;
	uint8_t has_totals; /* bit: level */
	uint64_t number;    /* the client's hash, or drawn for this pick */
	uint64_t total[MAX_PRIORITIES];
	uint64_t weights[MAX_PRIORITIES];
};

static int was_tried(const struct call *call, uint16_t slot)
{
	for (uint32_t i = 0; i < CALL_TRIED && i < call->attempts; i++)
		if (call->tried[i] == slot)
			return 1;
	return 0;
}

static uint32_t objections(const struct picking *p, uint32_t at)
{
	const struct image_endpoint *endpoint = &p->e->policy->endpoints[at];
	const uint16_t slot = p->e->policy->endpoint_slot[at];
	uint32_t sum = 0;

	if (p->prefer_local && !endpoint->local)
		sum |= OTHER_ZONE;
	if (p->levels->count > 1 && endpoint->priority != p->level)
		sum |= OTHER_LEVEL;
	if (p->cluster->balance.slow_start_ms != 0 &&
	    !slow_start_takes(slow_start_factor(&p->e->state.endpoints[slot], &p->cluster->balance,
						p->e->now_ns),
			      endpoint->key, p->number))
		sum |= STARTS_SLOWLY;
	if (was_tried(p->call, slot))
		sum |= TRIED_BEFORE;
	return sum;
}

/* Bounded load: the cap of an endpoint now; the sums of its level are made once a pick. */
static uint64_t cap_of(struct picking *p, const struct image_endpoint *endpoint)
{
	const uint32_t level = endpoint->priority;
	const uint32_t cluster = p->e->policy->cluster_at[p->call->cluster];

	if (!(p->has_totals >> level & 1)) {
		bounded_totals(p->e->policy, &p->e->state, cluster, level,
			       p->levels->level[level].panic, p->e->now_ns, &p->total[level],
			       &p->weights[level]);
		p->has_totals |= (uint8_t)(1u << level);
	}
	return bounded_cap(p->cluster->balance.bounded_load, p->total[level], endpoint->weight,
			   p->weights[level]);
}

static uint64_t limit_of(struct picking *p, uint32_t at)
{
	const struct image_bulkhead *bulkhead = &p->cluster->endpoint_bulkhead;
	const uint64_t most = bulkhead->mode == MODE_ENFORCE ? bulkhead->max_concurrent : 0;
	uint64_t cap;

	if (p->cluster->balance.bounded_load == 0)
		return most;
	cap = cap_of(p, &p->e->policy->endpoints[at]);
	return most != 0 && most < cap ? most : cap;
}

static int enter(struct picking *p, uint32_t at, struct endpoint_state *state)
{
	const struct image_bulkhead *bulkhead = &p->cluster->endpoint_bulkhead;
	struct policy_counters *counters = call_counters(p->e, p->call);
	uint64_t limit;

	/* Every cap is 1 at least: an idle endpoint needs no sums, which are O(endpoints). */
	if (p->cluster->balance.bounded_load != 0 && endpoint_enter(&state->in_flight, 1))
		return 1;
	limit = limit_of(p, at);
	if (endpoint_enter(&state->in_flight, limit)) {
		/* An observed bulkhead's permits are this very word: it alone counts on. */
		if (bulkhead->mode == MODE_OBSERVE && bulkhead->max_concurrent != 0 &&
		    __atomic_load_n(&state->in_flight, __ATOMIC_RELAXED) > bulkhead->max_concurrent)
			counter_add(&counters->would_bulkhead, 1);
		return 1;
	}
	p->found_full = 1;
	if (bulkhead->mode == MODE_ENFORCE && limit == bulkhead->max_concurrent)
		counter_add(&counters->endpoint_full, 1);
	else
		counter_add(&counters->bounded, 1);
	return 0;
}

static int in_panic(const struct picking *p, uint32_t at)
{
	return p->levels->level[p->e->policy->endpoints[at].priority].panic;
}

static int may_try(const struct picking *p, uint32_t at)
{
	const uint16_t slot = p->e->policy->endpoint_slot[at];
	const enum usability usability =
		endpoint_usability(&p->e->state.endpoints[slot], p->cluster, p->e->now_ns);

	return usability == USABLE || (usability == UNUSABLE && in_panic(p, at));
}

static int try_candidate(struct picking *p, uint32_t at)
{
	const uint16_t slot = p->e->policy->endpoint_slot[at];
	struct endpoint_state *state = &p->e->state.endpoints[slot];

	if (!enter(p, at, state))
		return 0;
	if (!endpoint_admit(p->e, p->call, slot, in_panic(p, at))) {
		endpoint_leave(&state->in_flight);
		return 0;
	}
	p->call->held |= CALL_ENDPOINT_PERMIT;
	p->call->endpoint = slot;
	return 1;
}

static void count_pick(const struct picking *p, uint32_t at)
{
	const struct image_endpoint *endpoint = &p->e->policy->endpoints[at];
	struct policy_counters *counters = call_counters(p->e, p->call);

	if (in_panic(p, at))
		counter_add(&counters->panic, 1);
	if (endpoint->priority > 0)
		counter_add(&counters->spilled, 1);
	if (p->cluster->balance.has_zones && !endpoint->local)
		counter_add(&counters->other_zone, 1);
}

/*
 * One walk for the candidates with these objections; *@seen: which sums occur among those that may
 * be tried, so that where none may be, one walk is all.
 */
static int walk(struct picking *p, struct candidates *c, uint32_t wanted, uint32_t *seen,
		uint32_t *at)
{
	uint32_t number;

	candidates_begin(c);
	while ((number = candidates_next(c)) != CANDIDATE_NONE) {
		uint32_t sum;

		*at = p->cluster->first_endpoint + number;
		if (!may_try(p, *at))
			continue;
		sum = objections(p, *at);
		*seen |= 1u << sum;
		if (sum == wanted && try_candidate(p, *at)) {
			count_pick(p, *at);
			return 1;
		}
	}
	return 0;
}

static int hashes(const struct image_cluster *cluster)
{
	return cluster->algorithm == LB_MAGLEV || cluster->algorithm == LB_RING_HASH ||
	       cluster->algorithm == LB_RENDEZVOUS;
}

static void look_at_levels(struct picking *p, uint64_t hash)
{
	struct levels *levels = &p->e->levels[p->call->cluster];
	uint32_t changed = levels_refresh(levels, p->e->policy, &p->e->state,
					  p->e->policy->cluster_at[p->call->cluster], p->e->now_ns);

	if (changed)
		event_panic(p->e, p->cluster, p->call->cluster, changed);
	p->levels = levels;
	p->number = hashes(p->cluster) ? hash : random_next(&p->e->random);
	p->level = levels_choose(levels, p->number);
	p->prefer_local =
		p->cluster->balance.has_zones && levels->level[p->level].local_usable != 0;
}

/* None was usable when the levels were looked at last: a look at each is cheaper than a walk. */
static int may_try_any(const struct picking *p)
{
	if (p->levels->usable_endpoints != 0)
		return 1;
	for (uint32_t i = 0; i < p->cluster->endpoint_count; i++)
		if (may_try(p, p->cluster->first_endpoint + i))
			return 1;
	return 0;
}

enum pick pick_endpoint(struct engine *e, struct call *call, const struct call_request *r,
			uint32_t *at)
{
	struct picking p; /* sums are made when asked for: not zeroed (10 ns a call) */
	struct candidates c;
	uint32_t seen = 1;

	p.e = e;
	p.call = call;
	p.cluster = call_cluster(e, call);
	p.found_full = 0;
	p.has_totals = 0;
	if (p.cluster->endpoint_count == 0)
		return PICK_NONE;
	look_at_levels(&p, r->hash);
	if (!may_try_any(&p))
		return PICK_NONE;
	c.view = e->policy;
	c.state = &e->state;
	c.cluster = p.cluster;
	c.hash = r->hash;
	c.now_ns = e->now_ns;
	c.random = &e->random;
	c.cursor = &e->cursors[call->cluster];
	for (uint32_t wanted = 0; wanted < OBJECTIONS; wanted++)
		if ((seen >> wanted & 1) && walk(&p, &c, wanted, &seen, at))
			return PICK_TAKEN;
	return p.found_full ? PICK_FULL : PICK_NONE;
}

int pick_has_room(struct engine *e, struct call *call)
{
	struct picking p = {.e = e, .call = call, .cluster = call_cluster(e, call)};

	p.levels = &e->levels[call->cluster];
	for (uint32_t i = 0; i < p.cluster->endpoint_count; i++) {
		uint32_t at = p.cluster->first_endpoint + i;
		const struct endpoint_state *state =
			&e->state.endpoints[e->policy->endpoint_slot[at]];
		uint64_t in_flight, limit;

		if (endpoint_usability(state, p.cluster, e->now_ns) != USABLE)
			continue;
		in_flight = __atomic_load_n(&state->in_flight, __ATOMIC_RELAXED);
		limit = in_flight != 0 ? limit_of(&p, at) : 0;
		if (limit == 0 || in_flight < limit)
			return 1;
	}
	return 0;
}
