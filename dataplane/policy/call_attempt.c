/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/lb/bounded.h"
#include "dataplane/lb/ewma.h"
#include "dataplane/policy/budget.h"
#include "dataplane/policy/call_parts.h"

struct call_step attempt_send(struct engine *e, struct call *call, uint32_t at)
{
	call->tried[call->attempts % CALL_TRIED] = call->endpoint;
	call->attempts++;
	call->attempt_ns = e->now_ns;
	call->connect_ns = 0;
	call->marks &= (uint8_t)~CALL_REQUESTED;
	call->held |= CALL_ATTEMPT;
	__atomic_fetch_add(&call_cluster_state(e, call)->attempts_in_flight, 1, __ATOMIC_RELAXED);
	account_attempt_start(e, call);
	return (struct call_step){.next = CALL_SEND, .endpoint = at};
}

/* First attempts really sent are what the budget counts. */
void call_sent(struct engine *e, struct call *call)
{
	const struct image_cluster *cluster = call_cluster(e, call);

	if (!cluster || cluster->retry.mode == MODE_OFF || (call->marks & CALL_BUDGETED))
		return;
	call->marks |= CALL_BUDGETED;
	budget_call(&call_cluster_state(e, call)->budget, &cluster->retry, e->now_ns);
}

void attempt_end(struct engine *e, struct call *call, enum call_ending ending)
{
	struct cluster_state *state = call_cluster_state(e, call);

	if (!(call->held & CALL_ATTEMPT))
		return;
	if (call->held & CALL_RETRY_ON_WIRE)
		budget_leave_wire(&state->retries_in_flight);
	call->held &= (uint16_t) ~(CALL_ATTEMPT | CALL_RETRY_ON_WIRE);
	__atomic_fetch_sub(&state->attempts_in_flight, 1, __ATOMIC_RELAXED);
	account_attempt_end(e, call, ending);
	if (ending != ENDED_REJECTED)
		call_sent(e, call);
	if (ending == ENDED_SUCCEEDED || ending == ENDED_FAILED)
		endpoint_verdict(e, call, ending == ENDED_FAILED);
	else
		endpoint_cancel(e, call);
}

void attempt_release(struct engine *e, struct call *call)
{
	if (!(call->held & CALL_ENDPOINT_PERMIT))
		return;
	endpoint_cancel(e, call);
	call->held &= (uint16_t)~CALL_ENDPOINT_PERMIT;
	endpoint_leave(&e->state.endpoints[call->endpoint].in_flight);
}

void call_connected(struct engine *e, struct call *call, uint64_t latency_ns)
{
	if (!(call->held & CALL_ATTEMPT) || call->connect_ns != 0)
		return;
	call->connect_ns = latency_ns != 0 ? latency_ns : 1;
	ewma_sample(&e->state.endpoints[call->endpoint].ewma, latency_ns, 0, e->now_ns);
	histogram_record(&e->state.histograms, call->cluster, HISTOGRAM_CONNECT, latency_ns);
}

void call_requested(struct engine *e, struct call *call)
{
	const int verdict_taken = !(call->marks & CALL_STARTED);

	if (!(verdict_taken || (call->held & CALL_ATTEMPT)) || call->connect_ns == 0 ||
	    (call->marks & CALL_REQUESTED))
		return;
	call->requested_ns = e->now_ns;
	call->marks |= CALL_REQUESTED;
}

void call_first_byte(const struct engine *e, const struct call *call)
{
	const uint64_t latency_ns =
		call->marks & CALL_REQUESTED
			? call->connect_ns + call_ns_since(e, call->requested_ns)
			: call_ns_since(e, call->attempt_ns);

	histogram_record(&e->state.histograms, call->cluster, HISTOGRAM_FIRST_BYTE, latency_ns);
}

struct call_step call_attempt_failed(struct engine *e, struct call *call,
				     const struct call_request *r, enum reason reason)
{
	uint64_t wake_ns;

	if (!(call->held & CALL_ATTEMPT))
		return call_fail(e, call, reason);
	attempt_end(e, call, ENDED_FAILED);
	attempt_release(e, call);
	queue_endpoint_freed(e, call);
	call->reason = (uint16_t)reason;
	if (!retry_is_due(e, call, r, &wake_ns))
		return call_fail(e, call, reason);
	return (struct call_step){.next = CALL_BACK_OFF, .wake_ns = wake_ns};
}
