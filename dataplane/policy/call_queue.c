/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/policy/bulkhead.h"
#include "dataplane/policy/call_parts.h"

void queue_mark(struct engine *e, struct call *call, const struct gate *g)
{
	call->held |= g->queued;
	if (g->kind == GATE_CLUSTER) {
		e->waiting[g->slot / 64] |= UINT64_C(1) << g->slot % 64;
		e->waiting_words |= UINT64_C(1) << g->slot / 64;
		counter_add(&call_counters(e, call)->queued, 1);
	}
}

/* One permit becomes one place in the queue, by one swap; 0 when the queue is full. */
static int permit_to_queued(const struct gate *g)
{
	uint64_t word = __atomic_load_n(&g->state->word, __ATOMIC_RELAXED);
	uint64_t next;

	do {
		if (bulkhead_queued(word) >= g->rules.max_queue)
			return 0;
		next = word - (UINT64_C(1) << 32) + 1;
		/* Release publishes the ticket, as in bulkhead_enter(). */
	} while (!__atomic_compare_exchange_n(&g->state->word, &word, next, 0, __ATOMIC_ACQ_REL,
					      __ATOMIC_RELAXED));
	return 1;
}

/*
 * Such waiters stand beside free permits; newcomers queue behind them. Each end of a call of the
 * cluster grants one, each endpoint permit that comes free alone too (queue_endpoint_freed). Who
 * queues looks once more afterwards, who frees looks for waiters afterwards, a full fence between
 * in both: one of them sees the other. An endpoint that becomes usable frees nothing: newcomers
 * look for that (queue_serve).
 *
 * Accepted race: once the last waiter has its grant, a newcomer may take the endpoint before the
 * waiter's worker has had its turn; the waiter queues again, behind others.
 */
enum reason queue_for_endpoint(struct engine *e, struct call *call)
{
	const struct gate g = gate_of(e, call, GATE_CLUSTER);

	if (g.rules.mode != MODE_ENFORCE || g.rules.max_queue == 0 ||
	    !(call->held & CALL_CLUSTER_PERMIT))
		return REASON_BULKHEAD_FULL;
	queue_push(g.queues, &e->calls, g.slot, e->worker, call, g.ticket);
	if (!permit_to_queued(&g)) {
		queue_remove(g.queues, &e->calls, g.slot, e->worker, call);
		return REASON_QUEUE_FULL;
	}
	call->held &= (uint16_t)~CALL_CLUSTER_PERMIT;
	queue_mark(e, call, &g);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	queue_serve(e, call);
	return REASON_NONE;
}

void queue_serve(struct engine *e, struct call *call)
{
	const struct gate g = gate_of(e, call, GATE_CLUSTER);
	const uint64_t word = __atomic_load_n(&g.state->word, __ATOMIC_RELAXED);

	if (g.rules.mode != MODE_ENFORCE || bulkhead_queued(word) == 0 ||
	    bulkhead_in_flight(word) >= g.rules.max_concurrent)
		return;
	if (pick_has_room(e, call) && bulkhead_refill(g.state, gate_limit(&g)))
		gate_pass_on(e, &g);
}

void queue_endpoint_freed(struct engine *e, const struct call *call)
{
	const struct gate g = gate_of(e, call, GATE_CLUSTER);

	if (g.rules.max_queue == 0)
		return;
	/* See queue_for_endpoint(). */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (bulkhead_refill(g.state, gate_limit(&g)))
		gate_pass_on(e, &g);
}

static enum gate_kind waits_at(const struct call *call)
{
	return call->held & CALL_LISTENER_QUEUED ? GATE_LISTENER : GATE_CLUSTER;
}

static void count_granted(const struct engine *e, const struct call *call, const struct gate *g)
{
	if (g->kind == GATE_CLUSTER)
		counter_add(&call_counters(e, call)->queue_granted, 1);
}

/* One of this worker's grants of that queue, if it has any. */
static int take_own_grant(struct engine *e, const struct gate *g)
{
	uint64_t *granted =
		&g->queues->share[(size_t)g->slot * g->queues->workers + e->worker].granted;

	if (g->grants->left != 0 && g->grants->slot == g->slot) {
		g->grants->left--;
		return 1;
	}
	/* Others only add. Acquire pairs with the release in queue_grant(). */
	return __atomic_load_n(granted, __ATOMIC_ACQUIRE) != 0 &&
	       __atomic_fetch_sub(granted, 1, __ATOMIC_ACQUIRE) != 0;
}

static void give_permit(struct engine *e, struct call *call, const struct gate *g)
{
	queue_remove(g->queues, &e->calls, g->slot, e->worker, call);
	call->held = (uint16_t)((call->held & ~g->queued) | g->permit);
}

static void remove_waiter(struct engine *e, struct call *call, const struct gate *g)
{
	queue_remove(g->queues, &e->calls, g->slot, e->worker, call);
	call->held &= (uint16_t)~g->queued;
}

void queue_leave(struct engine *e, struct call *call)
{
	const struct gate g = gate_of(e, call, waits_at(call));

	if (!(call->held & g.queued))
		return;
	/* The ticket last: there are never fewer than places and permits on their way. */
	if (bulkhead_unqueue(g.state) || !take_own_grant(e, &g))
		remove_waiter(e, call, &g);
	else
		give_permit(e, call, &g);
}

enum queue_expiry queue_expire(struct engine *e, struct call *call)
{
	const struct gate g = gate_of(e, call, waits_at(call));
	const int is_due = queue_due(g.queues, &e->calls, g.slot, e->worker) == call;

	if (!is_due || !take_own_grant(e, &g)) {
		if (bulkhead_unqueue(g.state)) {
			remove_waiter(e, call, &g);
			return QUEUE_EXPIRED;
		}
		/* Every waiter has a permit on its way. */
		if (!take_own_grant(e, &g))
			return QUEUE_OWED;
	}
	give_permit(e, call, &g);
	count_granted(e, call, &g);
	return QUEUE_GRANTED;
}

static struct call *next_granted(struct engine *e, enum gate_kind kind)
{
	struct queues *queues = kind == GATE_LISTENER ? e->listener_queues : e->cluster_queues;
	struct grants *grants = kind == GATE_LISTENER ? &e->listener_grants : &e->cluster_grants;

	for (;;) {
		struct gate g;
		struct call *call;

		if (grants->left == 0)
			grants->left = queue_take_grants(queues, e->worker, &grants->slot);
		if (grants->left == 0)
			return NULL;
		grants->left--;
		g = gate_at(e, kind, grants->slot);
		call = queue_due(queues, &e->calls, grants->slot, e->worker);
		if (call) {
			give_permit(e, call, &g);
			count_granted(e, call, &g);
			return call;
		}
		gate_pass_on(e, &g);
	}
}

struct call *call_next_granted(struct engine *e)
{
	struct call *call = next_granted(e, GATE_LISTENER);

	return call ? call : next_granted(e, GATE_CLUSTER);
}

/* The worker's oldest waiter of a cluster whose breaker is open, of 64 cluster slots. */
static struct call *next_refused(struct engine *e, uint32_t word)
{
	for (uint64_t bits = e->waiting[word]; bits != 0; bits &= bits - 1) {
		uint16_t slot = (uint16_t)(word * 64 + (uint32_t)__builtin_ctzll(bits));
		uint16_t at = e->policy->cluster_at[slot];
		struct call *call = queue_first(e->cluster_queues, &e->calls, slot, e->worker);

		if (!call)
			e->waiting[word] &= ~(bits & -bits);
		else if (at != VIEW_NONE && cluster_is_open(e, slot, &e->policy->clusters[at]))
			return call;
	}
	return NULL;
}

struct call *call_next_refused(struct engine *e, enum reason *reason)
{
	for (uint64_t words = e->waiting_words; words != 0; words &= words - 1) {
		struct call *call = next_refused(e, (uint32_t)__builtin_ctzll(words));

		if (e->waiting[__builtin_ctzll(words)] == 0)
			e->waiting_words &= ~(words & -words);
		if (!call)
			continue;
		*reason = REASON_CIRCUIT_OPEN;
		call_reject(e, call, *reason);
		return call;
	}
	return NULL;
}

static void refill(struct engine *e, enum gate_kind kind, uint32_t slots)
{
	for (uint32_t slot = 0; slot < slots; slot++) {
		const struct gate g = gate_at(e, kind, slot);

		while (bulkhead_refill(g.state, gate_limit(&g)))
			gate_pass_on(e, &g);
	}
}

void engine_policy_changed(struct engine *e)
{
	refill(e, GATE_LISTENER, e->state.listener_slots);
	refill(e, GATE_CLUSTER, e->state.cluster_slots);
}
