/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/policy/budget.h"
#include "dataplane/policy/call_parts.h"

static int is_retried(const struct image_retry *rules, uint16_t reason)
{
	switch (reason) {
	case REASON_CONNECT_REFUSED:
	case REASON_UPSTREAM_UNREACHABLE:
		return rules->on & RETRY_ON_CONNECT_FAILURE;
	case REASON_CONNECT_TIMEOUT:
		return rules->on & RETRY_ON_CONNECT_TIMEOUT;
	default:
		return 0;
	}
}

static int budget_is_empty(const struct engine *e, const struct call *call,
			   const struct image_retry *rules)
{
	struct budget_view view;

	budget_look(&call_cluster_state(e, call)->budget, rules, e->now_ns, &view);
	return view.retries >= view.allowed;
}

/* What refuses a retry to begin at @then_ns, as the counter of it; NULL: nothing. */
static uint64_t *refusal(const struct engine *e, const struct call *call,
			 const struct image_cluster *cluster, uint64_t then_ns)
{
	struct policy_counters *counters = call_counters(e, call);

	if (cluster_forbids_retry(e, call, cluster))
		return &counters->retry_breaker;
	if (then_ns >= call_deadline_ns(call, cluster))
		return &counters->retry_no_deadline;
	return NULL;
}

/* An observed policy goes as far as taking from the budget. */
static int observe(struct engine *e, const struct call *call, const struct image_retry *rules)
{
	if (budget_retry(&call_cluster_state(e, call)->budget, rules, e->now_ns))
		counter_add(&call_counters(e, call)->would_retry, 1);
	return 0;
}

int retry_is_due(struct engine *e, struct call *call, const struct call_request *r,
		 uint64_t *wake_ns)
{
	const struct image_cluster *cluster = call_cluster(e, call);
	struct policy_counters *counters = call_counters(e, call);
	const struct image_retry *rules;
	uint64_t *refused;

	if (!cluster || cluster->retry.mode == MODE_OFF)
		return 0;
	rules = &cluster->retry;
	if (!is_retried(rules, call->reason))
		return 0;
	if (call->attempts >= rules->max_attempts) {
		counter_add(&counters->retry_limit, rules->mode == MODE_ENFORCE);
		return 0;
	}
	if (r->no_retry || r->no_queue)
		return 0;
	*wake_ns = e->now_ns + backoff_ns(rules, call->attempts, random_next(&e->random));
	refused = refusal(e, call, cluster, *wake_ns);
	/* Only a look: the budget counts retries that start, and decides then. */
	if (!refused && budget_is_empty(e, call, rules))
		refused = &counters->retry_no_budget;
	if (rules->mode == MODE_OBSERVE)
		return refused ? 0 : observe(e, call, rules);
	if (refused)
		counter_add(refused, 1);
	return refused == NULL;
}

static void leave_wire(struct engine *e, struct call *call)
{
	call->held &= (uint16_t)~CALL_RETRY_ON_WIRE;
	budget_leave_wire(&call_cluster_state(e, call)->retries_in_flight);
}

static int take_wire(struct engine *e, struct call *call, const struct image_retry *rules)
{
	struct cluster_state *state = call_cluster_state(e, call);
	uint64_t in_flight = __atomic_load_n(&state->attempts_in_flight, __ATOMIC_RELAXED);

	if (!budget_take_wire(&state->retries_in_flight, rules, in_flight))
		return 0;
	call->held |= CALL_RETRY_ON_WIRE;
	return 1;
}

/* Place on the wire, endpoint, budget: the budget last, so that it pays for what is sent alone. */
static uint64_t *start(struct engine *e, struct call *call, const struct call_request *r,
		       uint32_t *at)
{
	const struct image_cluster *cluster = call_cluster(e, call);
	struct policy_counters *counters = call_counters(e, call);
	uint64_t *refused = refusal(e, call, cluster, e->now_ns);

	if (refused)
		return refused;
	if (!take_wire(e, call, &cluster->retry))
		return &counters->retry_no_budget;
	if (pick_endpoint(e, call, r, at) != PICK_TAKEN) {
		leave_wire(e, call);
		return &counters->retry_no_endpoint;
	}
	if (!budget_retry(&call_cluster_state(e, call)->budget, &cluster->retry, e->now_ns)) {
		attempt_release(e, call);
		leave_wire(e, call);
		return &counters->retry_no_budget;
	}
	return NULL;
}

struct call_step retry_start(struct engine *e, struct call *call, const struct call_request *r)
{
	const struct image_cluster *cluster = call_cluster(e, call);
	uint64_t *refused;
	uint32_t at;

	if (!cluster || !call_listener(e, call))
		return call_fail(e, call, REASON_DRAINING);
	/* A reload may have taken it back. */
	if (cluster->retry.mode != MODE_ENFORCE || call->attempts >= cluster->retry.max_attempts)
		return call_fail(e, call, (enum reason)call->reason);
	refused = start(e, call, r, &at);
	if (refused) {
		counter_add(refused, 1);
		return call_fail(e, call, (enum reason)call->reason);
	}
	return attempt_send(e, call, at);
}
