/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of a call through the policies, in one place and one order, for every protocol:
 *
 *   listener permit -> cluster breaker: look -> cluster bulkhead (admit | queue | reject) ->
 * cluster breaker: admit -> attempt loop { candidates: usable -> balance -> bounded load ->
 * endpoint permit and breaker slot } -> verdict -> endpoint breaker (once an attempt) -> retry?
 *   (conditions, budget, deadline, other endpoint, back-off) -> cluster breaker (once a call) ->
 *   release everything exactly once -> account
 *
 * A protocol says when a call starts, how its attempts end, and acts on the step it is told. A
 * refusal gives back what was taken before; local rejections feed no breaker and are not
 * retried. Pure: time in engine.now_ns, randomness in engine.random; state in shared words. One
 * engine a worker; a call is its worker's alone.
 */
#ifndef FENDER_DATAPLANE_POLICY_CALL_H
#define FENDER_DATAPLANE_POLICY_CALL_H

#include "dataplane/lb/levels.h"
#include "dataplane/policy/queue.h"
#include "dataplane/policy/view.h"
#include "shm/call.h"

/* Permits of one queue that were taken and not yet handed to a waiter. */
struct grants {
	uint32_t slot;
	uint32_t left;
};

struct engine {
	const struct policy_view *policy;
	struct policy_state state;
	uint32_t worker;
	uint64_t now_ns; /* set by the caller before every use */
	struct random random;
	struct calls calls;
	struct queues *listener_queues; /* shared by all workers */
	struct queues *cluster_queues;
	/* by cluster slot, this worker's own */
	uint32_t *cursors;
	struct levels *levels;
	uint32_t *open_calls; /* calls that hold an entry, for bulkhead.share */
	uint32_t entries;     /* of this worker: what a share is a part of */
	uint8_t draining;     /* 1: call_start() rejects (REASON_DRAINING) */
	/* Another worker has something to do for one of its waiters: wake it. May be NULL. */
	void (*wake)(void *ctx, uint32_t worker);
	void *wake_ctx;
	/* private, zero at the start */
	struct grants listener_grants;
	struct grants cluster_grants;
	uint64_t refusal_told_ns;               /* the last event of a refused ejection */
	uint64_t waiting_words;                 /* of the next: which are not 0 */
	uint64_t waiting[QUEUE_MAX_SLOTS / 64]; /* cluster slots this worker may have waiters of */
};

/* What a call's client is, the same at every step. */
struct call_request {
	uint32_t listener;  /* position in the image; used by call_start() alone */
	uint64_t hash;      /* lb_hash() of the client */
	uint64_t source;    /* a hash of the client's address, for scope: source */
	uint8_t no_queue;   /* its first packet cannot wait (UDP): queue_full instead of CALL_WAIT,
			       and no CALL_BACK_OFF */
	uint8_t no_retry;   /* a failed attempt is final: no room for another one */
	uint8_t no_verdict; /* how it ends is counted and feeds nothing (UDP that expects no reply):
			       goes where a probe could go, but takes no slot */
};

enum call_next {
	CALL_SEND,     /* an attempt goes to .endpoint */
	CALL_WAIT,     /* queued; call_expired() at .wake_ns, call_granted() before that */
	CALL_BACK_OFF, /* call_expired() at .wake_ns */
	CALL_REJECTED, /* .reason; counted; nothing is held */
	CALL_FAILED,   /* .reason; counted; permits but the listener's and cluster's are returned:
			  call_end() when the connection is over */
};

struct call_step {
	enum call_next next;
	enum reason reason;
	uint32_t endpoint; /* position in the image */
	uint64_t wake_ns;
};

/*
 * A client's first packet. @call is zero but for .number, which is CALL_NOBODY or of e->calls; with
 * CALL_NOBODY the request must say no_queue.
 */
struct call_step call_start(struct engine *e, struct call *call, const struct call_request *r);

/*
 * Grants for this worker's waiters. Take the next: a call that now goes on by call_granted(), or
 * NULL when there is none left. Permits whose waiter has left are passed on. Ask in every turn,
 * before the turn's timers, so that a permit beats a timeout at the same instant.
 */
struct call *call_next_granted(struct engine *e);
/* CALL_WAIT again: every endpoint was full, or it is the cluster's turn after the listener's. */
struct call_step call_granted(struct engine *e, struct call *call, const struct call_request *r);

/*
 * A waiting call's wake_ns has come: queue timeout, deadline, or the back-off is over. CALL_WAIT
 * once more with another wake_ns: its permit is on its way from another worker.
 */
struct call_step call_expired(struct engine *e, struct call *call, const struct call_request *r);

/*
 * The attempt ended before the client's connection was set up: its one verdict is a failure.
 * @reason connect_refused, upstream_unreachable (connect_failure in retry_on) or connect_timeout
 * may be retried; all others (request_timeout) are final. CALL_BACK_OFF or CALL_FAILED.
 */
struct call_step call_attempt_failed(struct engine *e, struct call *call,
				     const struct call_request *r, enum reason reason);

/*
 * What the last step said cannot be done (no port, no route, table full): no verdict, rejected,
 * nothing is held any more. Also for a call that waits.
 */
void call_not_sent(struct engine *e, struct call *call, enum reason reason);

/*
 * What the last step said was done: from now on the retry budget counts the call. Without it the
 * call is counted when its first attempt ends, so late.
 */
void call_sent(struct engine *e, struct call *call);

/* The endpoint accepted: connect time @latency_ns. No verdict yet. */
void call_connected(struct engine *e, struct call *call, uint64_t latency_ns);

/*
 * The client's first payload byte went to the endpoint that accepted: the verdict's latency will
 * be the connect time and the time from here, without the client's own delay. Only the first one
 * counts. Where the endpoint speaks first there is none, and the latency is that from the SYN.
 * After a verdict that came without a byte it is for call_first_byte().
 */
void call_requested(struct engine *e, struct call *call);

/*
 * The endpoint's first payload byte, whether the verdict was taken before or not; once a call.
 * Counted for the statistics: the connect time and the time from the client's first byte to now,
 * or from the attempt's start where the client had sent none.
 */
void call_first_byte(const struct engine *e, const struct call *call);

/*
 * The verdict, once: breakers, estimates, counters; a second one does nothing. Permits stay until
 * call_end(). A call that waits leaves its queue.
 */
void call_succeeded(struct engine *e, struct call *call);
void call_failed(struct engine *e, struct call *call, enum reason reason);
void call_cancelled(struct engine *e, struct call *call);

/*
 * The call is over: everything it still holds returns, permits are passed on. Without a verdict so
 * far it counts as cancelled. Does nothing the second time.
 */
void call_end(struct engine *e, struct call *call);

/*
 * The next waiter of this worker whose cluster's breaker has opened since it was queued: out of
 * the queue, rejected and counted with *@reason. NULL: none. One load when nobody waits.
 */
struct call *call_next_refused(struct engine *e, enum reason *reason);

/*
 * e->policy is another one: limits may have risen, clusters and listeners gone. Their waiters
 * come by call_next_granted(), and call_granted() decides by the new policy.
 */
void engine_policy_changed(struct engine *e);

#endif
