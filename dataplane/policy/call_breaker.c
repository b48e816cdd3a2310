/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/policy/breaker.h"
#include "dataplane/policy/call_parts.h"

static enum breaker_override override_of(const uint64_t *admin)
{
	return (enum breaker_override)admin_unpack(__atomic_load_n(admin, __ATOMIC_RELAXED))
		.override;
}

/* In place: a copy of words that were just stored in halves stalls. */
static void cluster_breaker(struct breaker *b, const struct engine *e, uint16_t slot,
			    const struct image_cluster *cluster)
{
	struct cluster_state *state = &e->state.clusters[slot];

	b->word = &state->breaker;
	b->rules = &cluster->breaker;
	b->window.recorded = &state->recorded;
	b->window.count = &state->window;
	b->window.outcomes = &e->state.cluster_outcomes[slot];
	b->window.stride = e->state.cluster_slots;
	b->window.workers = e->state.workers;
	b->override = override_of(&state->admin);
	b->guard = (struct breaker_guard){0};
}

/* Of a block that is off or gone: its words are only given back to. */
static const struct image_breaker no_rules;

/* Admitted against it or without it: what the call does feeds nothing. */
static enum reason pass_unfed(struct call *call)
{
	call->marks |= CALL_NO_CLUSTER_EPOCH;
	return REASON_NONE;
}

static enum reason pass_observed(struct engine *e, struct call *call)
{
	counter_add(&call_counters(e, call)->would_circuit_open, 1);
	return pass_unfed(call);
}

enum reason cluster_look(struct engine *e, struct call *call, const struct image_cluster *cluster,
			 int *probe)
{
	const struct cluster_state *state = call_cluster_state(e, call);
	const struct image_breaker *rules = &cluster->breaker;
	const enum breaker_override override = override_of(&state->admin);
	/* Only a hint: breaker_admit() decides. */
	const uint64_t word = __atomic_load_n(&state->breaker, __ATOMIC_RELAXED);
	const enum breaker_phase phase = (enum breaker_phase)breaker_unpack(word).phase;

	*probe = 0;
	if (override == OVERRIDE_OPEN)
		return REASON_CIRCUIT_OPEN;
	if (rules->mode == MODE_OFF)
		return pass_unfed(call);
	if (breaker_looks_admitting(word, rules, override, e->now_ns)) {
		*probe = rules->mode == MODE_ENFORCE && override == OVERRIDE_NONE &&
			 phase != BREAKER_CLOSED && !(call->marks & CALL_NO_VERDICT);
		return REASON_NONE;
	}
	if (rules->mode == MODE_OBSERVE)
		return pass_observed(e, call);
	return phase == BREAKER_HALF_OPEN ? REASON_HALF_OPEN_FULL : REASON_CIRCUIT_OPEN;
}

/* Workers with waiters of this cluster are to refuse them at once. */
static void wake_waiters(const struct engine *e, uint16_t slot)
{
	const struct queues *q = e->cluster_queues;

	for (uint32_t i = 0; e->wake && i < q->workers; i++) {
		const struct queue_share *share = &q->share[(size_t)slot * q->workers + i];

		if (i != e->worker && __atomic_load_n(&share->head, __ATOMIC_RELAXED) != 0)
			e->wake(e->wake_ctx, i);
	}
}

static void tell_edge(struct engine *e, const struct call *call, enum breaker_edge edge)
{
	event_cluster_edge(e, call, edge);
	if (edge == EDGE_OPENED)
		wake_waiters(e, call->cluster);
}

static enum reason admit(struct engine *e, struct call *call, const struct image_cluster *cluster)
{
	enum breaker_admission admission;
	enum breaker_edge edge = EDGE_NONE;
	struct breaker b;

	cluster_breaker(&b, e, call->cluster, cluster);
	if (b.override == OVERRIDE_OPEN)
		return REASON_CIRCUIT_OPEN;
	if (b.rules->mode == MODE_OFF)
		return pass_unfed(call);
	if (b.rules->mode == MODE_OBSERVE && (call->marks & CALL_NO_CLUSTER_EPOCH))
		return REASON_NONE; /* counted when it was looked at */
	call->marks &= (uint8_t)~CALL_NO_CLUSTER_EPOCH;
	admission = call->marks & CALL_NO_VERDICT
			    ? breaker_admit_unfed(&b, e->now_ns)
			    : breaker_admit(&b, e->now_ns, &call->cluster_epoch, &edge);
	tell_edge(e, call, edge);
	switch (admission) {
	case BREAKER_ADMIT:
		return REASON_NONE;
	case BREAKER_ADMIT_UNFED:
		return pass_unfed(call);
	case BREAKER_ADMIT_PROBE:
		call->held |= CALL_CLUSTER_PROBE;
		call->marks |= CALL_WAS_PROBE;
		counter_add(&call_counters(e, call)->probes, 1);
		return REASON_NONE;
	default:
		break;
	}
	if (b.rules->mode == MODE_OBSERVE)
		return pass_observed(e, call);
	return admission == BREAKER_REFUSE_PROBES ? REASON_HALF_OPEN_FULL : REASON_CIRCUIT_OPEN;
}

/* Nearly always; spares making a struct breaker. */
static int admit_closed(const struct engine *e, struct call *call,
			const struct image_cluster *cluster)
{
	const struct cluster_state *state = call_cluster_state(e, call);
	/* As in breaker_admit(). */
	const uint64_t word = __atomic_load_n(&state->breaker, __ATOMIC_ACQUIRE);

	if (cluster->breaker.mode != MODE_ENFORCE || (call->marks & CALL_NO_VERDICT) ||
	    override_of(&state->admin) != OVERRIDE_NONE ||
	    breaker_unpack(word).phase != BREAKER_CLOSED)
		return 0;
	call->cluster_epoch = breaker_unpack(word).epoch;
	call->marks &= (uint8_t)~CALL_NO_CLUSTER_EPOCH;
	return 1;
}

enum reason cluster_admit(struct engine *e, struct call *call, const struct image_cluster *cluster)
{
	return admit_closed(e, call, cluster) ? REASON_NONE : admit(e, call, cluster);
}

int cluster_is_open(const struct engine *e, uint16_t slot, const struct image_cluster *cluster)
{
	const struct cluster_state *state = &e->state.clusters[slot];
	const enum breaker_override override = override_of(&state->admin);
	const uint64_t word = __atomic_load_n(&state->breaker, __ATOMIC_RELAXED);

	if (override != OVERRIDE_NONE)
		return override == OVERRIDE_OPEN;
	return cluster->breaker.mode == MODE_ENFORCE &&
	       breaker_unpack(word).phase == BREAKER_OPEN &&
	       !breaker_looks_admitting(word, &cluster->breaker, override, e->now_ns);
}

int cluster_forbids_retry(const struct engine *e, const struct call *call,
			  const struct image_cluster *cluster)
{
	const struct cluster_state *state = call_cluster_state(e, call);
	const enum breaker_override override = override_of(&state->admin);
	const uint64_t word = __atomic_load_n(&state->breaker, __ATOMIC_RELAXED);

	if (override != OVERRIDE_NONE)
		return override == OVERRIDE_OPEN;
	return cluster->breaker.mode == MODE_ENFORCE &&
	       (breaker_unpack(word).phase != BREAKER_CLOSED || (call->marks & CALL_WAS_PROBE));
}

void cluster_verdict(struct engine *e, struct call *call, int failed)
{
	const struct image_cluster *cluster = call_cluster(e, call);
	struct breaker_outcome o;
	struct verdict v;
	struct breaker b;
	enum breaker_edge edge;
	int stale;

	if (!cluster || cluster->breaker.mode == MODE_OFF ||
	    (call->marks & CALL_NO_CLUSTER_EPOCH)) {
		cluster_cancel(e, call);
		return;
	}
	v = verdict_of(e, call, cluster, failed);
	o = (struct breaker_outcome){
		.epoch = call->cluster_epoch,
		.probe = (call->held & CALL_CLUSTER_PROBE) != 0,
		.failed = v.failed,
		.slow = verdict_is_slow(&v, &cluster->breaker),
		.worker = e->worker,
		.random = random_next(&e->random),
	};
	call->held &= (uint16_t)~CALL_CLUSTER_PROBE;
	cluster_breaker(&b, e, call->cluster, cluster);
	edge = breaker_record(&b, &o, e->now_ns, &stale);
	counter_add(&call_counters(e, call)->stale_verdicts, stale != 0);
	tell_edge(e, call, edge);
}

void cluster_cancel(struct engine *e, struct call *call)
{
	const struct breaker b = {.word = &call_cluster_state(e, call)->breaker,
				  .rules = &no_rules};

	if (!(call->held & CALL_CLUSTER_PROBE))
		return;
	call->held &= (uint16_t)~CALL_CLUSTER_PROBE;
	breaker_cancel(&b, call->cluster_epoch, 1);
}
