/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's parts, one subject a file; for dataplane/policy/call_*.c alone. */
#ifndef FENDER_DATAPLANE_POLICY_CALL_PARTS_H
#define FENDER_DATAPLANE_POLICY_CALL_PARTS_H

#include "dataplane/policy/breaker.h"
#include "dataplane/policy/call.h"

enum { CALL_NS_A_MS = 1000000 };

static inline struct cluster_state *call_cluster_state(const struct engine *e,
						       const struct call *call)
{
	return &e->state.clusters[call->cluster];
}

static inline struct policy_counters *call_counters(const struct engine *e, const struct call *call)
{
	return &e->state.policy_counters[call->cluster];
}

/* What the policy in force says of the call's cluster and listener: NULL when it left. */
static inline const struct image_cluster *call_cluster(const struct engine *e,
						       const struct call *call)
{
	uint16_t at = e->policy->cluster_at[call->cluster];

	return at == VIEW_NONE ? NULL : &e->policy->clusters[at];
}

static inline const struct image_listener *call_listener(const struct engine *e,
							 const struct call *call)
{
	uint16_t at = e->policy->listener_at[call->listener];

	return at == VIEW_NONE ? NULL : &e->policy->listeners[at];
}

static inline uint64_t call_deadline_ns(const struct call *call,
					const struct image_cluster *cluster)
{
	if (cluster->timeouts.request_ms == 0)
		return UINT64_MAX;
	return call->started_ns + (uint64_t)cluster->timeouts.request_ms * CALL_NS_A_MS;
}

/* How an attempt ended, and how long the endpoint took. */
struct verdict {
	uint8_t failed;
	uint8_t silent; /* verdict_after went by since the endpoint accepted: of its speed the
			   connect time says all there is, which is the latency then */
	uint64_t latency_ns;
};

/* Another worker's clock never stamped it, but this one's may step back. */
static inline uint64_t call_ns_since(const struct engine *e, uint64_t then_ns)
{
	return e->now_ns > then_ns ? e->now_ns - then_ns : 0;
}

static inline struct verdict verdict_of(const struct engine *e, const struct call *call,
					const struct image_cluster *cluster, int failed)
{
	uint64_t silent_ns = (uint64_t)cluster->timeouts.verdict_after_ms * CALL_NS_A_MS;
	struct verdict v = {
		.failed = failed != 0,
		.latency_ns = call_ns_since(e, call->attempt_ns),
	};

	if (call->connect_ns != 0 && silent_ns != 0 &&
	    v.latency_ns >= call->connect_ns + silent_ns) {
		v.silent = 1;
		v.latency_ns = call->connect_ns;
	} else if (call->marks & CALL_REQUESTED) {
		v.latency_ns = call->connect_ns + call_ns_since(e, call->requested_ns);
	}
	return v;
}

static inline uint8_t verdict_is_slow(const struct verdict *v, const struct image_breaker *rules)
{
	return rules->mode != MODE_OFF && rules->slow_us != 0 &&
	       v->latency_ns >= (uint64_t)rules->slow_us * 1000;
}

/* call_account.c: each call's start and its one end, on every level that counted it. */
enum call_ending { ENDED_SUCCEEDED, ENDED_FAILED, ENDED_CANCELLED, ENDED_REJECTED };

void account_start(const struct engine *e, struct call *call);
/* Clears CALL_STARTED. */
void account_end(const struct engine *e, struct call *call, enum call_ending ending,
		 enum reason reason);
/* A call that had to wait in a queue is sent, or has left without. */
void account_wait(const struct engine *e, const struct call *call);
void account_attempt_start(const struct engine *e, const struct call *call);
void account_attempt_end(const struct engine *e, const struct call *call, enum call_ending ending);

/* call_event.c: what changed, for the event ring and the counters. */
void event_cluster_edge(struct engine *e, const struct call *call, enum breaker_edge edge);
void event_endpoint_edge(struct engine *e, const struct call *call, uint16_t slot,
			 enum breaker_edge edge);
void event_panic(const struct engine *e, const struct image_cluster *cluster, uint16_t slot,
		 uint32_t changed);

/* call_breaker.c: both breakers of a call; the reason is REASON_NONE when they let it pass. */
enum reason cluster_look(struct engine *e, struct call *call, const struct image_cluster *cluster,
			 int *probe);
enum reason cluster_admit(struct engine *e, struct call *call, const struct image_cluster *cluster);
/* Is it open or forced open, so that waiters are to be refused? Enforced ones only. */
int cluster_is_open(const struct engine *e, uint16_t slot, const struct image_cluster *cluster);
/* Neither closed nor forced closed: no retry. Enforced ones only. */
int cluster_forbids_retry(const struct engine *e, const struct call *call,
			  const struct image_cluster *cluster);
/* The call's verdict, once; its probe slot returns. */
void cluster_verdict(struct engine *e, struct call *call, int failed);
void cluster_cancel(struct engine *e, struct call *call);

/* call_outlier.c: admission of an attempt at endpoint @slot: 0 when its breaker refused. */
int endpoint_admit(struct engine *e, struct call *call, uint16_t slot, int panic);
void endpoint_verdict(struct engine *e, struct call *call, int failed);
void endpoint_cancel(struct engine *e, struct call *call);

/*
 * call_gate.c: a bulkhead and its queue, a listener's or a cluster's, by the policy in force.
 */
enum gate_kind { GATE_LISTENER, GATE_CLUSTER };

struct gate {
	enum gate_kind kind;
	uint32_t slot;
	struct queues *queues;
	struct grants *grants;
	struct bulkhead_state *state;
	uint64_t *ticket;
	/* max_concurrent 0: counted, no bound: no block, one by source, or the policy left */
	struct image_bulkhead rules;
	uint16_t permit; /* enum call_held */
	uint16_t queued;
};

struct gate gate_at(struct engine *e, enum gate_kind kind, uint32_t slot);
struct gate gate_of(struct engine *e, const struct call *call, enum gate_kind kind);
/* What releases and refills go by: an observed bulkhead lets everybody through. */
uint32_t gate_limit(const struct gate *g);
/* A permit is owed to the oldest ticket of any worker. */
void gate_pass_on(struct engine *e, const struct gate *g);

/*
 * Take a permit, or wait for one (then the kind's QUEUED bit is held). @instead: the reason to
 * refuse with where it would wait; REASON_NONE: it may wait. Return: REASON_NONE or the refusal.
 */
enum reason gate_enter(struct engine *e, struct call *call, enum gate_kind kind,
		       enum reason instead);
/* Give the permit back if one is held, passed on if somebody waits. */
void gate_leave(struct engine *e, struct call *call, enum gate_kind kind);
enum reason gate_enter_source(struct engine *e, struct call *call,
			      const struct image_cluster *cluster, uint64_t source);

/* call_queue.c: waiters. With a cluster permit, but every endpoint full: */
enum reason queue_for_endpoint(struct engine *e, struct call *call);
/* An endpoint's permit came free and the cluster's is kept: somebody may wait for just that. */
void queue_endpoint_freed(struct engine *e, const struct call *call);
/* If there are waiters beside free permits and an endpoint with room: the oldest gets one. */
void queue_serve(struct engine *e, struct call *call);
/* Count it in a queue it was pushed to. */
void queue_mark(struct engine *e, struct call *call, const struct gate *g);
/* The waiter's time is over. */
enum queue_expiry {
	QUEUE_EXPIRED, /* it has left the queue */
	QUEUE_GRANTED, /* it holds the permit that had come for it */
	QUEUE_OWED,    /* its permit is on its way from another worker: it stays */
};
enum queue_expiry queue_expire(struct engine *e, struct call *call);
/* Leave the queue, if in one. May hold a permit then that had come: gate_leave(). */
void queue_leave(struct engine *e, struct call *call);

/* call_pick.c */
enum pick { PICK_TAKEN, PICK_FULL, PICK_NONE };

/*
 * Choose an endpoint and take its permit and breaker slot. Sets call->endpoint and *@at, its
 * position. PICK_FULL: usable ones there are, but all are full.
 */
enum pick pick_endpoint(struct engine *e, struct call *call, const struct call_request *r,
			uint32_t *at);
/* Would pick_endpoint() find room at a usable endpoint? A pure read. */
int pick_has_room(struct engine *e, struct call *call);

/* call_attempt.c */
struct call_step attempt_send(struct engine *e, struct call *call, uint32_t at);
/* Its one end; the endpoint's permit stays. Nothing when none is under way. */
void attempt_end(struct engine *e, struct call *call, enum call_ending ending);
/* Give the endpoint's permit and an unused breaker slot back. */
void attempt_release(struct engine *e, struct call *call);

/*
 * call_retry.c. After a failed attempt, its reason in call->reason: is another one due, and when?
 * Refusals are counted.
 */
int retry_is_due(struct engine *e, struct call *call, const struct call_request *r,
		 uint64_t *wake_ns);
/* The back-off is over: CALL_SEND or CALL_FAILED. */
struct call_step retry_start(struct engine *e, struct call *call, const struct call_request *r);

/* call_end.c */
struct call_step call_reject(struct engine *e, struct call *call, enum reason reason);
struct call_step call_fail(struct engine *e, struct call *call, enum reason reason);

#endif
