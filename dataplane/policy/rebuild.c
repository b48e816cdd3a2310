/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/policy/rebuild.h"

#include "dataplane/policy/source_permits.h"

static const uint64_t one_permit = UINT64_C(1) << 32;
static const uint64_t one_queued = 1;

/* The phase stays, no probe is under way. */
static void forget_probes(uint64_t *breaker)
{
	struct breaker_word b = breaker_unpack(*breaker);

	b.active = 0;
	*breaker = breaker_pack(b);
}

void rebuild_begin(const struct policy_state *s)
{
	for (uint32_t i = 0; i < s->listener_slots; i++)
		s->listeners[i].bulkhead.word = 0;
	for (uint32_t i = 0; i < s->cluster_slots; i++) {
		struct cluster_state *c = &s->clusters[i];

		c->bulkhead.word = 0;
		c->attempts_in_flight = 0;
		c->retries_in_flight = 0;
		c->ejected = 0;
		forget_probes(&c->breaker);
	}
	for (uint32_t i = 0; i < s->endpoint_slots; i++) {
		s->endpoints[i].in_flight = 0;
		forget_probes(&s->endpoints[i].breaker);
	}
	source_clear(s);
}

static void count_probe(uint64_t *breaker, uint16_t epoch)
{
	struct breaker_word b = breaker_unpack(*breaker);

	if (b.phase != BREAKER_HALF_OPEN || b.epoch != epoch || b.active == BREAKER_MAX_PROBES)
		return;
	b.active++;
	*breaker = breaker_pack(b);
}

static void count_listener(struct listener_state *l, const struct call *call)
{
	if (call->held & CALL_LISTENER_PERMIT)
		l->bulkhead.word += one_permit;
	if (call->held & CALL_LISTENER_QUEUED)
		l->bulkhead.word += one_queued;
}

static void count_cluster(struct cluster_state *c, const struct call *call)
{
	if (call->held & CALL_CLUSTER_PERMIT)
		c->bulkhead.word += one_permit;
	if (call->held & CALL_CLUSTER_QUEUED)
		c->bulkhead.word += one_queued;
	if (call->held & CALL_ATTEMPT)
		c->attempts_in_flight++;
	if (call->held & CALL_RETRY_ON_WIRE)
		c->retries_in_flight++;
	if (call->held & CALL_CLUSTER_PROBE)
		count_probe(&c->breaker, call->cluster_epoch);
}

static void count_endpoint(struct endpoint_state *e, const struct call *call)
{
	if (call->held & CALL_ENDPOINT_PERMIT)
		e->in_flight++;
	if (call->held & CALL_ENDPOINT_PROBE)
		count_probe(&e->breaker, call->endpoint_epoch);
}

void rebuild_call(const struct policy_state *s, const struct call *call)
{
	if (call->listener < s->listener_slots)
		count_listener(&s->listeners[call->listener], call);
	if (call->cluster < s->cluster_slots)
		count_cluster(&s->clusters[call->cluster], call);
	if (call->endpoint < s->endpoint_slots)
		count_endpoint(&s->endpoints[call->endpoint], call);
	if (call->held & CALL_SOURCE_PERMIT)
		source_recount(s, call->source);
}

void rebuild_source(const struct policy_state *s, struct call *call,
		    const struct image_cluster *cluster, uint64_t source)
{
	const uint64_t hash = cluster ? source_hash(cluster->key, source) : 0;

	if (!cluster || source_enter(s, hash, 0, &call->source) != SOURCE_ADMIT)
		call->held &= (uint16_t)~CALL_SOURCE_PERMIT;
	else
		source_leave(s, call->source); /* the word keeps its tag */
}

void rebuild_ejected(const struct policy_view *v, const struct policy_state *s)
{
	for (uint32_t i = 0; i < v->image->clusters.count; i++) {
		const struct image_cluster *c = &v->clusters[i];
		uint64_t ejected = 0;

		for (uint32_t k = 0; k < c->endpoint_count; k++) {
			uint16_t slot = v->endpoint_slot[c->first_endpoint + k];

			ejected +=
				breaker_unpack(s->endpoints[slot].breaker).phase != BREAKER_CLOSED;
		}
		s->clusters[v->cluster_slot[i]].ejected = ejected;
	}
}
