/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/drain.h"

#include "dataplane/timers.h"
#include "dataplane/worker_state.h"

void drain_policy(struct worker *w)
{
	w->drain_at = 0;
	w->drain_due_ns = w->drain_whole ? 0 : adopted_next_look(w->policy, 0);
}

void drain_all(struct worker *w)
{
	w->drain_whole = 1;
	w->drain_at = 0;
	w->drain_due_ns = 0;
}

static int is_over(const struct worker *w, uint32_t number)
{
	const struct conn *c = &w->table.entries[number];

	if (!conn_is_live(&w->table, number) || c->state == CONN_FREE || c->state == CONN_RESTING ||
	    c->state == CONN_TOMBSTONE)
		return 0;
	if (w->drain_whole)
		return 1;
	if (drain_end_ns(&w->policy->listener_drain[listener_slot_of(w, c)], number) <=
	    w->drain_until_ns)
		return 1;
	/* A waiting call is not of any endpoint yet. */
	return c->state != CONN_WAITING &&
	       drain_end_ns(&w->policy->endpoint_drain[endpoint_slot_of(w, c)], number) <=
		       w->drain_until_ns;
}

unsigned int drain_run(struct worker *w)
{
	uint32_t left = w->table.capacity - w->drain_at;
	uint32_t n = left < DRAIN_BURST ? left : DRAIN_BURST;

	if (likely(w->now_ns < w->drain_due_ns))
		return 0;
	if (w->drain_at == 0)
		w->drain_until_ns = w->now_ns;
	for (uint32_t i = w->drain_at; i < w->drain_at + n; i++)
		if (is_over(w, i))
			timers_end(w, &w->table.entries[i]);
	w->drain_at += n;
	if (w->drain_at == w->table.capacity) {
		w->drain_at = 0;
		w->drain_whole = 0;
		w->drain_due_ns = adopted_next_look(w->policy, w->drain_until_ns);
	}
	return n;
}
