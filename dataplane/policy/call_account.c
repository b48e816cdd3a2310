/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/policy/call_parts.h"

static uint64_t *ending_of(struct call_counters *c, enum call_ending ending)
{
	switch (ending) {
	case ENDED_SUCCEEDED:
		return &c->succeeded;
	case ENDED_FAILED:
		return &c->failed;
	case ENDED_CANCELLED:
		return &c->cancelled;
	default:
		return &c->rejected;
	}
}

void account_start(const struct engine *e, struct call *call)
{
	call->marks |= CALL_STARTED | CALL_OPEN;
	e->open_calls[call->cluster]++;
	counter_add(&e->state.listener_counters[call->listener].calls.started, 1);
	counter_add(&e->state.cluster_counters[call->cluster].started, 1);
}

void account_end(const struct engine *e, struct call *call, enum call_ending ending,
		 enum reason reason)
{
	struct listener_counters *listener = &e->state.listener_counters[call->listener];
	struct policy_counters *policy = call_counters(e, call);

	call->marks &= (uint8_t)~CALL_STARTED;
	counter_add(ending_of(&listener->calls, ending), 1);
	counter_add(ending_of(&e->state.cluster_counters[call->cluster], ending), 1);
	if (ending == ENDED_REJECTED) {
		counter_add(&listener->rejected[reason], 1);
		counter_add(&policy->rejected[reason], 1);
	} else if (ending == ENDED_FAILED) {
		counter_add(&listener->failed[reason], 1);
		counter_add(&policy->failed[reason], 1);
	} else if (ending == ENDED_SUCCEEDED && call->attempts > 1) {
		counter_add(&policy->retry_success, 1);
	}
}

void account_wait(const struct engine *e, const struct call *call)
{
	histogram_record(&e->state.histograms, call->cluster, HISTOGRAM_QUEUE_WAIT,
			 call_ns_since(e, call->started_ns));
}

void account_attempt_start(const struct engine *e, const struct call *call)
{
	counter_add(&e->state.endpoint_counters[call->endpoint].started, 1);
	counter_add(&call_counters(e, call)->attempts, 1);
	if (call->attempts > 1)
		counter_add(&call_counters(e, call)->retries, 1);
}

void account_attempt_end(const struct engine *e, const struct call *call, enum call_ending ending)
{
	counter_add(ending_of(&e->state.endpoint_counters[call->endpoint], ending), 1);
	if (ending == ENDED_FAILED)
		counter_add(&call_counters(e, call)->attempt_failures, 1);
}
