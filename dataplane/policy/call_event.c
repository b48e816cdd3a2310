/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/policy/breaker.h"
#include "dataplane/policy/call_parts.h"

static void write_event(const struct engine *e, struct event event)
{
	if (!e->state.events)
		return;
	event.at_ns = e->now_ns;
	event_write(e->state.events, &event);
}

/* For how long an open breaker refuses; 0 in the other phases. */
static uint64_t open_left_ms(const uint64_t *word, uint64_t now_ns)
{
	return breaker_open_left_ns(__atomic_load_n(word, __ATOMIC_RELAXED), now_ns) / CALL_NS_A_MS;
}

void event_cluster_edge(struct engine *e, const struct call *call, enum breaker_edge edge)
{
	static const uint16_t kinds[] = {[EDGE_OPENED] = EVENT_BREAKER_OPENED,
					 [EDGE_HALF_OPEN] = EVENT_BREAKER_HALF_OPEN,
					 [EDGE_CLOSED] = EVENT_BREAKER_CLOSED};
	struct cluster_state *state = call_cluster_state(e, call);
	const struct image_cluster *cluster = call_cluster(e, call);

	if (edge == EDGE_NONE || edge == EDGE_REFUSED)
		return;
	if (edge == EDGE_OPENED)
		counter_add(&call_counters(e, call)->breaker_opened, 1);
	if (edge == EDGE_CLOSED)
		__atomic_store_n(&state->ramp_ns, e->now_ns, __ATOMIC_RELAXED);
	write_event(e, (struct event){
			       .kind = kinds[edge],
			       .subject = SUBJECT_CLUSTER,
			       .slot = call->cluster,
			       .key = cluster ? cluster->key : 0,
			       .detail = open_left_ms(&state->breaker, e->now_ns),
			       .observed = cluster && cluster->breaker.mode == MODE_OBSERVE,
		       });
}

/*
 * A cluster that may eject no more refuses at every failure: one event a second and worker is
 * enough, the counter has them all. A clock that stepped back tells one more.
 */
static int may_tell_refusal(struct engine *e)
{
	enum { PERIOD_NS = 1000000000 };

	if (e->refusal_told_ns != 0 && e->now_ns - e->refusal_told_ns < PERIOD_NS)
		return 0;
	e->refusal_told_ns = e->now_ns;
	return 1;
}

void event_endpoint_edge(struct engine *e, const struct call *call, uint16_t slot,
			 enum breaker_edge edge)
{
	static const uint16_t kinds[] = {[EDGE_OPENED] = EVENT_EJECTED,
					 [EDGE_HALF_OPEN] = EVENT_PROBING,
					 [EDGE_CLOSED] = EVENT_READMITTED,
					 [EDGE_REFUSED] = EVENT_EJECTION_REFUSED};
	struct endpoint_state *state = &e->state.endpoints[slot];
	const struct image_cluster *cluster = call_cluster(e, call);
	uint16_t at = e->policy->endpoint_at[slot];

	if (edge == EDGE_NONE)
		return;
	if (edge == EDGE_OPENED)
		counter_add(&call_counters(e, call)->ejections, 1);
	if (edge == EDGE_REFUSED) {
		counter_add(&call_counters(e, call)->ejections_overflow, 1);
		if (!may_tell_refusal(e))
			return;
	}
	if (edge == EDGE_CLOSED)
		__atomic_store_n(&state->ramp_ns, e->now_ns, __ATOMIC_RELAXED);
	write_event(e, (struct event){
			       .kind = kinds[edge],
			       .subject = SUBJECT_ENDPOINT,
			       .slot = slot,
			       .key = at == VIEW_NONE ? 0 : e->policy->endpoints[at].key,
			       .detail = open_left_ms(&state->breaker, e->now_ns),
			       .observed = cluster && cluster->outlier.breaker.mode == MODE_OBSERVE,
		       });
}

void event_panic(const struct engine *e, const struct image_cluster *cluster, uint16_t slot,
		 uint32_t changed)
{
	const struct levels *levels = &e->levels[slot];

	for (uint32_t i = 0; i < levels->count; i++) {
		if (!(changed >> i & 1))
			continue;
		write_event(e, (struct event){
				       .kind = levels->level[i].panic ? EVENT_PANIC_BEGAN
								      : EVENT_PANIC_ENDED,
				       .subject = SUBJECT_CLUSTER,
				       .slot = slot,
				       .key = cluster->key,
				       .detail = i,
			       });
	}
}
