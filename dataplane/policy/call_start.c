/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/policy/call_parts.h"

static void begin(struct engine *e, struct call *call, const struct call_request *r)
{
	const uint16_t cluster = e->policy->listeners[r->listener].cluster;

	call->started_ns = e->now_ns;
	call->listener = e->policy->listener_slot[r->listener];
	call->cluster = e->policy->cluster_slot[cluster];
	call->endpoint = CALL_NO_SLOT;
	for (uint32_t i = 0; i < CALL_TRIED; i++)
		call->tried[i] = CALL_NO_SLOT;
	account_start(e, call);
	if (r->no_verdict)
		call->marks |= CALL_NO_VERDICT;
}

static struct call_step wait_step(const struct engine *e, struct call *call,
				  const struct image_bulkhead *rules,
				  const struct image_cluster *cluster)
{
	uint64_t deadline_ns = call_deadline_ns(call, cluster);

	if (call->queue_until_ns == 0)
		call->queue_until_ns = e->now_ns + (uint64_t)rules->queue_timeout_ms * CALL_NS_A_MS;
	return (struct call_step){
		.next = CALL_WAIT,
		.wake_ns = call->queue_until_ns < deadline_ns ? call->queue_until_ns : deadline_ns,
	};
}

/* The cluster has its share of this worker's entries, this call's included. */
static int has_its_share(struct engine *e, const struct call *call,
			 const struct image_bulkhead *rules)
{
	enum { WHOLE = 10000 };
	uint64_t most = (uint64_t)e->entries * rules->share / WHOLE;

	if (rules->mode == MODE_OFF || rules->share == 0 || e->open_calls[call->cluster] <= most)
		return 0;
	if (rules->mode == MODE_ENFORCE)
		return 1;
	counter_add(&call_counters(e, call)->would_bulkhead, 1);
	return 0;
}

static struct call_step first_attempt(struct engine *e, struct call *call,
				      const struct call_request *r)
{
	const struct image_cluster *cluster = call_cluster(e, call);
	enum reason reason;
	uint32_t at;

	switch (pick_endpoint(e, call, r, &at)) {
	case PICK_TAKEN:
		return attempt_send(e, call, at);
	case PICK_NONE:
		return call_reject(e, call, REASON_NO_ENDPOINT);
	default:
		break;
	}
	/* A probe never queues. */
	if (r->no_queue || (call->held & CALL_CLUSTER_PROBE))
		return call_reject(e, call, REASON_BULKHEAD_FULL);
	reason = queue_for_endpoint(e, call);
	if (reason != REASON_NONE)
		return call_reject(e, call, reason);
	return wait_step(e, call, &cluster->bulkhead, cluster);
}

/* It has the cluster's permit, or needs none. */
static struct call_step go(struct engine *e, struct call *call, const struct call_request *r)
{
	enum reason reason = cluster_admit(e, call, call_cluster(e, call));

	return reason == REASON_NONE ? first_attempt(e, call, r) : call_reject(e, call, reason);
}

/* It has the listener's permit, or needs none. */
static struct call_step enter_cluster(struct engine *e, struct call *call,
				      const struct call_request *r)
{
	const struct image_cluster *cluster = call_cluster(e, call);
	enum reason instead = r->no_queue ? REASON_QUEUE_FULL : REASON_NONE;
	int probe;
	enum reason reason = cluster_look(e, call, cluster, &probe);

	call->queue_until_ns = 0; /* the listener's queue had its own */
	if (reason == REASON_NONE)
		reason = gate_enter_source(e, call, cluster, r->source);
	if (reason == REASON_NONE)
		reason = gate_enter(e, call, GATE_CLUSTER, probe ? REASON_BULKHEAD_FULL : instead);
	if (reason != REASON_NONE)
		return call_reject(e, call, reason);
	if (call->held & CALL_CLUSTER_QUEUED)
		return wait_step(e, call, &cluster->bulkhead, cluster);
	return go(e, call, r);
}

struct call_step call_start(struct engine *e, struct call *call, const struct call_request *r)
{
	const struct image_listener *listener = &e->policy->listeners[r->listener];
	const struct image_cluster *cluster = &e->policy->clusters[listener->cluster];
	enum reason reason = REASON_OVERLOAD;

	begin(e, call, r);
	if (e->draining)
		return call_reject(e, call, REASON_DRAINING);
	if (!has_its_share(e, call, &cluster->bulkhead))
		reason = gate_enter(e, call, GATE_LISTENER,
				    r->no_queue ? REASON_QUEUE_FULL : REASON_NONE);
	if (reason != REASON_NONE)
		return call_reject(e, call, reason);
	if (call->held & CALL_LISTENER_QUEUED)
		return wait_step(e, call, &listener->bulkhead, cluster);
	return enter_cluster(e, call, r);
}

struct call_step call_granted(struct engine *e, struct call *call, const struct call_request *r)
{
	const struct image_cluster *cluster = call_cluster(e, call);
	struct call_step step;

	if (!cluster || !call_listener(e, call))
		return call_reject(e, call, REASON_DRAINING);
	/* No time is left to send in, and an attempt would be blamed for it. */
	if (e->now_ns >= call_deadline_ns(call, cluster))
		return call_reject(e, call, REASON_REQUEST_TIMEOUT);
	step = call->held & CALL_CLUSTER_PERMIT ? go(e, call, r) : enter_cluster(e, call, r);
	if (step.next == CALL_SEND) {
		account_wait(e, call);
		queue_serve(e, call);
	}
	return step;
}

static enum reason why_expired(const struct engine *e, const struct call *call)
{
	const struct image_cluster *cluster = call_cluster(e, call);

	if (!cluster || !call_listener(e, call))
		return REASON_DRAINING;
	return e->now_ns >= call_deadline_ns(call, cluster) ? REASON_REQUEST_TIMEOUT
							    : REASON_QUEUE_TIMEOUT;
}

struct call_step call_expired(struct engine *e, struct call *call, const struct call_request *r)
{
	if (!(call->held & (CALL_LISTENER_QUEUED | CALL_CLUSTER_QUEUED)))
		return retry_start(e, call, r);
	switch (queue_expire(e, call)) {
	case QUEUE_GRANTED:
		return call_granted(e, call, r);
	case QUEUE_OWED:
		return (struct call_step){.next = CALL_WAIT, .wake_ns = e->now_ns + CALL_NS_A_MS};
	default:
		return call_reject(e, call, why_expired(e, call));
	}
}
