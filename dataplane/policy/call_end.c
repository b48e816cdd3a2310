/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/policy/call_parts.h"
#include "dataplane/policy/source_permits.h"

/* Everything that is held, once; the endpoint first, so that who gets the permit finds it free. */
static void release(struct engine *e, struct call *call)
{
	const int alone =
		(call->held & CALL_ENDPOINT_PERMIT) && !(call->held & CALL_CLUSTER_PERMIT);

	if (!(call->marks & CALL_OPEN))
		return;
	if (call->attempts == 0 && e->now_ns > call->started_ns)
		account_wait(e, call);
	queue_leave(e, call);
	cluster_cancel(e, call);
	attempt_release(e, call);
	if (alone)
		queue_endpoint_freed(e, call);
	if (call->held & CALL_SOURCE_PERMIT)
		source_leave(&e->state, call->source);
	call->held &= (uint16_t)~CALL_SOURCE_PERMIT;
	gate_leave(e, call, GATE_CLUSTER);
	gate_leave(e, call, GATE_LISTENER);
	call->marks &= (uint8_t)~CALL_OPEN;
	e->open_calls[call->cluster]--;
}

struct call_step call_reject(struct engine *e, struct call *call, enum reason reason)
{
	attempt_end(e, call, ENDED_REJECTED);
	if (call->marks & CALL_STARTED)
		account_end(e, call, ENDED_REJECTED, reason);
	release(e, call);
	return (struct call_step){.next = CALL_REJECTED, .reason = reason};
}

struct call_step call_fail(struct engine *e, struct call *call, enum reason reason)
{
	call_failed(e, call, reason);
	return (struct call_step){.next = CALL_FAILED, .reason = reason};
}

void call_not_sent(struct engine *e, struct call *call, enum reason reason)
{
	call_reject(e, call, reason);
}

/* The one verdict. 0: it was taken before. */
static int end(struct engine *e, struct call *call, enum call_ending ending, enum reason reason)
{
	if (!(call->marks & CALL_STARTED))
		return 0;
	queue_leave(e, call);
	attempt_end(e, call, ending);
	account_end(e, call, ending, reason);
	return 1;
}

void call_succeeded(struct engine *e, struct call *call)
{
	if (end(e, call, ENDED_SUCCEEDED, REASON_NONE))
		cluster_verdict(e, call, 0);
}

void call_failed(struct engine *e, struct call *call, enum reason reason)
{
	if (end(e, call, ENDED_FAILED, reason))
		cluster_verdict(e, call, 1);
}

void call_cancelled(struct engine *e, struct call *call)
{
	if (call->held & CALL_CLUSTER_QUEUED)
		counter_add(&call_counters(e, call)->queue_left, 1);
	if (end(e, call, ENDED_CANCELLED, REASON_NONE))
		cluster_cancel(e, call);
}

void call_end(struct engine *e, struct call *call)
{
	call_cancelled(e, call);
	release(e, call);
}
