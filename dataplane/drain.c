/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/drain.h"

#include "dataplane/timers.h"
#include "dataplane/worker_state.h"

void drain_policy(struct worker *w)
{
	w->drain_at = 0;
	w->drain_due_ns = adopted_next_end(w->policy, 0);
}

static int is_over(const struct worker *w, const struct conn *c)
{
	uint64_t listener_ns, endpoint_ns;

	if (c->state == CONN_FREE || c->state == CONN_RESTING || c->state == CONN_TOMBSTONE)
		return 0;
	listener_ns = w->policy->listener_ends_ns[c->listener];
	/* A waiting call is not of any endpoint yet. */
	endpoint_ns = c->state == CONN_WAITING ? 0 : w->policy->endpoint_ends_ns[c->endpoint];
	return (listener_ns && listener_ns <= w->drain_until_ns) ||
	       (endpoint_ns && endpoint_ns <= w->drain_until_ns);
}

unsigned int drain_run(struct worker *w)
{
	uint32_t left = w->table.capacity - w->drain_at;
	uint32_t n = left < DRAIN_BURST ? left : DRAIN_BURST;

	if (likely(w->now_ns < w->drain_due_ns))
		return 0;
	if (w->drain_at == 0)
		w->drain_until_ns = w->now_ns;
	for (uint32_t i = 0; i < n; i++) {
		struct conn *c = &w->table.entries[w->drain_at + i];

		if (is_over(w, c))
			timers_end(w, c);
	}
	w->drain_at += n;
	if (w->drain_at == w->table.capacity) {
		w->drain_at = 0;
		w->drain_due_ns = adopted_next_end(w->policy, w->drain_until_ns);
	}
	return n;
}
