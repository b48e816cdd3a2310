/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/policy/bulkhead.h"
#include "dataplane/policy/call_parts.h"
#include "dataplane/policy/source_permits.h"

static struct gate listener_gate(struct engine *e, uint32_t slot)
{
	uint16_t at = e->policy->listener_at[slot];
	struct gate g = {
		.kind = GATE_LISTENER,
		.slot = slot,
		.queues = e->listener_queues,
		.grants = &e->listener_grants,
		.state = &e->state.listeners[slot].bulkhead,
		.ticket = &e->state.listeners[slot].ticket,
		.permit = CALL_LISTENER_PERMIT,
		.queued = CALL_LISTENER_QUEUED,
	};

	if (at != VIEW_NONE && e->policy->listeners[at].bulkhead.mode != MODE_OFF)
		g.rules = e->policy->listeners[at].bulkhead;
	return g;
}

static struct gate cluster_gate(struct engine *e, uint32_t slot)
{
	uint16_t at = e->policy->cluster_at[slot];
	struct gate g = {
		.kind = GATE_CLUSTER,
		.slot = slot,
		.queues = e->cluster_queues,
		.grants = &e->cluster_grants,
		.state = &e->state.clusters[slot].bulkhead,
		.ticket = &e->state.clusters[slot].ticket,
		.permit = CALL_CLUSTER_PERMIT,
		.queued = CALL_CLUSTER_QUEUED,
	};

	if (at != VIEW_NONE && e->policy->clusters[at].bulkhead.mode != MODE_OFF &&
	    e->policy->clusters[at].bulkhead.scope == SCOPE_CLUSTER)
		g.rules = e->policy->clusters[at].bulkhead;
	return g;
}

struct gate gate_at(struct engine *e, enum gate_kind kind, uint32_t slot)
{
	return kind == GATE_LISTENER ? listener_gate(e, slot) : cluster_gate(e, slot);
}

struct gate gate_of(struct engine *e, const struct call *call, enum gate_kind kind)
{
	return gate_at(e, kind, kind == GATE_LISTENER ? call->listener : call->cluster);
}

uint32_t gate_limit(const struct gate *g)
{
	return g->rules.mode == MODE_ENFORCE ? g->rules.max_concurrent : 0;
}

void gate_pass_on(struct engine *e, const struct gate *g)
{
	uint32_t worker = queue_pass_on(g->queues, g->slot, g->state, gate_limit(g));

	if (worker != UINT32_MAX && worker != e->worker && e->wake)
		e->wake(e->wake_ctx, worker);
}

static enum reason queue_up(struct engine *e, struct call *call, const struct gate *g)
{
	enum bulkhead_admission admission;

	/* The ticket first: who counts this waiter must find it. */
	queue_push(g->queues, &e->calls, g->slot, e->worker, call, g->ticket);
	admission = bulkhead_enter(g->state, &g->rules, 1);
	if (admission == BULKHEAD_QUEUE) {
		queue_mark(e, call, g);
		if (g->kind == GATE_CLUSTER)
			queue_serve(e, call);
		return REASON_NONE;
	}
	queue_remove(g->queues, &e->calls, g->slot, e->worker, call);
	if (admission == BULKHEAD_ADMIT) {
		call->held |= g->permit;
		return REASON_NONE;
	}
	return admission == BULKHEAD_QUEUE_FULL ? REASON_QUEUE_FULL : REASON_BULKHEAD_FULL;
}

enum reason gate_enter(struct engine *e, struct call *call, enum gate_kind kind,
		       enum reason instead)
{
	const struct gate g = gate_of(e, call, kind);

	if (bulkhead_enter(g.state, &g.rules, 0) == BULKHEAD_ADMIT) {
		call->held |= g.permit;
		return REASON_NONE;
	}
	if (g.rules.mode == MODE_OBSERVE) {
		counter_add(&call_counters(e, call)->would_bulkhead, 1);
		return REASON_NONE;
	}
	if (g.rules.max_queue == 0)
		return REASON_BULKHEAD_FULL;
	return instead != REASON_NONE ? instead : queue_up(e, call, &g);
}

/*
 * XXX: a line all of whose words other sources hold refuses too: with 8 words a line and 4
 * connections a line at most in the mean, one in some thousand sources when the table is full.
 */
enum reason gate_enter_source(struct engine *e, struct call *call,
			      const struct image_cluster *cluster, uint64_t source)
{
	const struct image_bulkhead *rules = &cluster->bulkhead;

	if (rules->mode == MODE_OFF || rules->scope != SCOPE_SOURCE || rules->max_concurrent == 0)
		return REASON_NONE;
	if (source_enter(&e->state, source_hash(cluster->key, source), rules->max_concurrent,
			 &call->source) == SOURCE_ADMIT) {
		call->held |= CALL_SOURCE_PERMIT;
		return REASON_NONE;
	}
	if (rules->mode == MODE_ENFORCE)
		return REASON_BULKHEAD_FULL;
	counter_add(&call_counters(e, call)->would_bulkhead, 1);
	return REASON_NONE;
}

void gate_leave(struct engine *e, struct call *call, enum gate_kind kind)
{
	const struct gate g = gate_of(e, call, kind);

	if (!(call->held & g.permit))
		return;
	call->held &= (uint16_t)~g.permit;
	if (bulkhead_leave(g.state, gate_limit(&g)))
		gate_pass_on(e, &g);
}
