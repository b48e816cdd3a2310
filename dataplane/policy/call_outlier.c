/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/lb/ewma.h"
#include "dataplane/policy/call_parts.h"
#include "dataplane/policy/outlier.h"
#include "dataplane/policy/usable.h"

static struct ejection ejection_of(const struct engine *e, const struct call *call, uint16_t slot)
{
	return (struct ejection){
		.v = e->policy,
		.s = &e->state,
		.cluster = e->policy->cluster_at[call->cluster],
		.endpoint = e->policy->endpoint_at[slot],
		.now_ns = e->now_ns,
	};
}

static int admit(struct engine *e, struct call *call, uint16_t slot)
{
	struct ejection ejection = ejection_of(e, call, slot);
	const struct breaker b = outlier_breaker(&ejection);
	enum breaker_edge edge = EDGE_NONE;

	switch (call->marks & CALL_NO_VERDICT
			? breaker_admit_unfed(&b, e->now_ns)
			: breaker_admit(&b, e->now_ns, &call->endpoint_epoch, &edge)) {
	case BREAKER_ADMIT:
		call->marks &= (uint8_t)~CALL_NO_ENDPOINT_EPOCH;
		break;
	case BREAKER_ADMIT_PROBE:
		call->marks &= (uint8_t)~CALL_NO_ENDPOINT_EPOCH;
		call->held |= CALL_ENDPOINT_PROBE;
		counter_add(&call_counters(e, call)->endpoint_probes, 1);
		break;
	case BREAKER_ADMIT_UNFED:
		break;
	default:
		event_endpoint_edge(e, call, slot, edge);
		if (b.rules->mode == MODE_ENFORCE)
			return 0;
		counter_add(&call_counters(e, call)->would_eject, 1);
		return 1;
	}
	event_endpoint_edge(e, call, slot, edge);
	return 1;
}

/* Nearly always; spares making a struct breaker. */
static int admit_closed(const struct engine *e, struct call *call, uint16_t slot)
{
	const struct endpoint_state *s = &e->state.endpoints[slot];
	uint64_t admin = __atomic_load_n(&s->admin, __ATOMIC_RELAXED);
	/* As in breaker_admit(). */
	uint64_t word = __atomic_load_n(&s->breaker, __ATOMIC_ACQUIRE);

	if ((call->marks & CALL_NO_VERDICT) || admin_unpack(admin).override != OVERRIDE_NONE ||
	    breaker_unpack(word).phase != BREAKER_CLOSED)
		return 0;
	call->endpoint_epoch = breaker_unpack(word).epoch;
	call->marks &= (uint8_t)~CALL_NO_ENDPOINT_EPOCH;
	return 1;
}

int endpoint_admit(struct engine *e, struct call *call, uint16_t slot, int panic)
{
	call->marks |= CALL_NO_ENDPOINT_EPOCH;
	if (call_cluster(e, call)->outlier.breaker.mode == MODE_OFF || panic)
		return 1;
	return admit_closed(e, call, slot) || admit(e, call, slot);
}

static void record(struct engine *e, struct call *call, const struct verdict *v)
{
	struct ejection ejection = ejection_of(e, call, call->endpoint);
	const struct breaker b = outlier_breaker(&ejection);
	struct breaker_outcome o = {
		.epoch = call->endpoint_epoch,
		.probe = (call->held & CALL_ENDPOINT_PROBE) != 0,
		.failed = v->failed,
		.slow = verdict_is_slow(v, b.rules),
		.worker = e->worker,
		.random = random_next(&e->random),
	};
	enum breaker_edge edge;
	int stale;

	call->held &= (uint16_t)~CALL_ENDPOINT_PROBE;
	edge = breaker_record(&b, &o, e->now_ns, &stale);
	if (edge == EDGE_CLOSED)
		outlier_give_back(&call_cluster_state(e, call)->ejected);
	counter_add(&call_counters(e, call)->stale_verdicts, stale != 0);
	event_endpoint_edge(e, call, call->endpoint, edge);
}

/* Anything new beside the connect time, which call_connected() sampled. */
static int is_sample(const struct call *call, const struct verdict *v)
{
	return v->failed || call->connect_ns == 0 || ((call->marks & CALL_REQUESTED) && !v->silent);
}

/* Estimates and statistics, which panic and overrides do not keep out. */
static void note(struct engine *e, const struct call *call, const struct image_cluster *cluster,
		 const struct verdict *v)
{
	const size_t at = (size_t)e->worker * e->state.endpoint_slots + call->endpoint;

	if (is_sample(call, v))
		ewma_sample(&e->state.endpoints[call->endpoint].ewma, v->latency_ns, v->failed,
			    e->now_ns);
	if (cluster->outlier.breaker.mode != MODE_OFF && cluster->outlier.statistics != 0)
		outlier_note(&e->state.endpoint_outcomes[at], &cluster->outlier, v->failed,
			     v->latency_ns, e->now_ns);
	counter_add(&call_counters(e, call)->slow_calls,
		    verdict_is_slow(v, &cluster->breaker) ||
			    verdict_is_slow(v, &cluster->outlier.breaker));
}

void endpoint_verdict(struct engine *e, struct call *call, int failed)
{
	const struct image_cluster *cluster = call_cluster(e, call);
	struct verdict v;

	if (!cluster || e->policy->endpoint_at[call->endpoint] == VIEW_NONE ||
	    (call->marks & CALL_NO_VERDICT)) {
		endpoint_cancel(e, call);
		return;
	}
	v = verdict_of(e, call, cluster, failed);
	note(e, call, cluster, &v);
	if (cluster->outlier.breaker.mode == MODE_OFF || (call->marks & CALL_NO_ENDPOINT_EPOCH))
		endpoint_cancel(e, call);
	else
		record(e, call, &v);
}

void endpoint_cancel(struct engine *e, struct call *call)
{
	static const struct image_breaker no_rules;
	const struct breaker b = {.word = &e->state.endpoints[call->endpoint].breaker,
				  .rules = &no_rules};

	if (!(call->held & CALL_ENDPOINT_PROBE))
		return;
	call->held &= (uint16_t)~CALL_ENDPOINT_PROBE;
	breaker_cancel(&b, call->endpoint_epoch, 1);
}
