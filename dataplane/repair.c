/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/repair.h"

#include "dataplane/log.h"
#include "dataplane/policy/rebuild.h"
#include "dataplane/policy/repair.h"
#include "dataplane/worker_state.h"

#include <stdlib.h>

#define PERIOD_NS 1000000000ull

/* The state as if nothing but the calls of now had ever been. */
static int scratch_create(struct policy_state *to, const struct policy_state *like)
{
	*to = (struct policy_state){
		.listener_slots = like->listener_slots,
		.cluster_slots = like->cluster_slots,
		.endpoint_slots = like->endpoint_slots,
	};
	to->listeners = calloc(to->listener_slots, sizeof(*to->listeners));
	to->clusters = calloc(to->cluster_slots, sizeof(*to->clusters));
	to->endpoints = calloc(to->endpoint_slots, sizeof(*to->endpoints));
	return to->listeners && to->clusters && to->endpoints;
}

static void scratch_free(struct policy_state *s)
{
	free(s->listeners);
	free(s->clusters);
	free(s->endpoints);
}

/* Accepted race: calls go on meanwhile; policy/repair.h says what that costs. */
static void count_calls(const struct worker_shared *shared, const struct policy_state *to)
{
	for (uint32_t i = 0; i < shared->workers; i++) {
		const struct worker *w = shared->worker[i];

		for (uint32_t k = 0; k < w->table.capacity; k++) {
			struct call call = {
				.held = __atomic_load_n(&w->calls[k].held, __ATOMIC_RELAXED)};

			if (call.held == 0)
				continue;
			call.held &= (uint16_t)~CALL_SOURCE_PERMIT;
			call.listener = __atomic_load_n(&w->calls[k].listener, __ATOMIC_RELAXED);
			call.cluster = __atomic_load_n(&w->calls[k].cluster, __ATOMIC_RELAXED);
			call.endpoint = __atomic_load_n(&w->calls[k].endpoint, __ATOMIC_RELAXED);
			rebuild_call(to, &call);
		}
	}
}

static void repair_state(const struct worker_shared *shared, const struct policy_state *state,
			 uint64_t now_ns)
{
	const struct adopted *policy = shared->adopted;
	struct policy_state counted;
	struct repair r = {
		.view = &policy->view,
		.state = state,
		.now_ns = now_ns,
	};
	unsigned int n;

	/* Two for each entry: a call that has none yet, and one between two hands. */
	for (uint32_t i = 0; i < shared->workers; i++)
		r.most += 2ull * shared->worker[i]->table.capacity;
	if (repair_words(&r) == 0)
		return;
	if (scratch_create(&counted, state)) {
		count_calls(shared, &counted);
		r.counted = &counted;
		n = repair_words(&r);
		log_line(LOG_LEVEL_ERROR,
			 "event=state_repaired words=%u why=\"they said what cannot be: something "
			 "has written over the shared region\"",
			 n);
	}
	scratch_free(&counted);
}

static void tell_entries(struct repairs *r, const struct worker_shared *shared)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < shared->workers; i++)
		n += __atomic_load_n(&shared->worker[i]->damaged, __ATOMIC_RELAXED);
	if (n == r->damaged_entries)
		return;
	log_line(LOG_LEVEL_ERROR,
		 "event=connections_damaged ended=%llu why=\"something has written over their "
		 "entries in the shared region\"",
		 (unsigned long long)(n - r->damaged_entries));
	r->damaged_entries = n;
}

void repairs_run(struct repairs *r, const struct worker_shared *shared,
		 const struct policy_state *state, uint64_t now_ns)
{
	if (now_ns < r->next_ns)
		return;
	r->next_ns = now_ns + PERIOD_NS;
	repair_state(shared, state, now_ns);
	tell_entries(r, shared);
}
