/* SPDX-License-Identifier: Apache-2.0 */
/* One bulkhead, its queue, and calls on several workers, as the engine would drive them. */
#ifndef FENDER_TESTS_UNIT_DATAPLANE_PERMIT_WORLD_H
#define FENDER_TESTS_UNIT_DATAPLANE_PERMIT_WORLD_H

#include <stdlib.h>

#include "dataplane/policy/queue.h"
#include "tests/unit/dataplane/suite.h"

enum { WORLD_WORKERS = 4, WORLD_CALLS = 64 }; /* calls a worker */

enum phase { IDLE = 0, WAITING, ACTIVE };

struct permit_world {
	struct bulkhead_state state;
	uint64_t ticket;
	struct image_bulkhead rules;
	struct queues queues;
	uint32_t workers;
	struct call calls[WORLD_WORKERS][WORLD_CALLS];
	enum phase phase[WORLD_WORKERS][WORLD_CALLS];
};

static inline struct calls world_calls(struct permit_world *w, uint32_t worker)
{
	return (struct calls){(uint8_t *)w->calls[worker], sizeof(struct call)};
}

static inline void world_init(struct permit_world *w, uint32_t workers, uint32_t max_concurrent,
			      uint32_t max_queue)
{
	memset(w, 0, sizeof(*w));
	w->workers = workers;
	w->rules.max_concurrent = max_concurrent;
	w->rules.max_queue = max_queue;
	if (queues_create(&w->queues, 1, workers))
		abort();
	for (uint32_t i = 0; i < workers; i++)
		for (uint32_t n = 0; n < WORLD_CALLS; n++)
			w->calls[i][n].number = n;
}

/* An owed permit is on its way, or back. */
static inline void world_owe(struct permit_world *w, uint32_t limit)
{
	queue_pass_on(&w->queues, 0, &w->state, limit);
}

static inline enum bulkhead_admission
world_enter(struct permit_world *w, const struct image_bulkhead *rules, uint32_t worker, uint32_t n)
{
	const struct calls calls = world_calls(w, worker);
	struct call *call = &w->calls[worker][n];
	enum bulkhead_admission a = bulkhead_enter(&w->state, rules, 0);

	if (a == BULKHEAD_FULL && rules->max_queue != 0) {
		queue_push(&w->queues, &calls, 0, worker, call, &w->ticket);
		a = bulkhead_enter(&w->state, rules, 1);
		if (a != BULKHEAD_QUEUE)
			queue_remove(&w->queues, &calls, 0, worker, call);
	}
	if (a == BULKHEAD_ADMIT)
		w->phase[worker][n] = ACTIVE;
	else if (a == BULKHEAD_QUEUE)
		w->phase[worker][n] = WAITING;
	return a;
}

static inline void world_leave(struct permit_world *w, uint32_t limit, uint32_t worker, uint32_t n)
{
	w->phase[worker][n] = IDLE;
	if (bulkhead_leave(&w->state, limit))
		world_owe(w, limit);
}

/* The client has gone. Return 0 when that leaves a permit too many on its way. */
static inline int world_cancel(struct permit_world *w, uint32_t worker, uint32_t n)
{
	const struct calls calls = world_calls(w, worker);
	int exact = bulkhead_unqueue(&w->state);

	w->phase[worker][n] = IDLE;
	queue_remove(&w->queues, &calls, 0, worker, &w->calls[worker][n]);
	return exact;
}

/* Its time is up. Return 0 when it stays: a permit is on its way. */
static inline int world_time_out(struct permit_world *w, uint32_t worker, uint32_t n)
{
	const struct calls calls = world_calls(w, worker);

	if (!bulkhead_unqueue(&w->state))
		return 0;
	w->phase[worker][n] = IDLE;
	queue_remove(&w->queues, &calls, 0, worker, &w->calls[worker][n]);
	return 1;
}

/* The worker's turn. on_admit is told of each call that got a permit. */
static inline void world_turn(struct permit_world *w, uint32_t limit, uint32_t worker,
			      void (*on_admit)(void *ctx, uint32_t worker, struct call *call),
			      void *ctx)
{
	const struct calls calls = world_calls(w, worker);
	uint32_t slot, permits;

	while ((permits = queue_take_grants(&w->queues, worker, &slot)) != 0) {
		while (permits-- != 0) {
			struct call *call = queue_due(&w->queues, &calls, slot, worker);

			if (!call) {
				world_owe(w, limit);
				continue;
			}
			if (on_admit)
				on_admit(ctx, worker, call);
			queue_remove(&w->queues, &calls, slot, worker, call);
			w->phase[worker][call->number] = ACTIVE;
		}
	}
}

/* Nothing is held, waits or is on its way. */
static inline void world_assert_quiet(const struct permit_world *w)
{
	CU_ASSERT_EQUAL(w->state.word, 0);
	CU_ASSERT_EQUAL(w->state.overshoot_max, 0);
	for (uint32_t i = 0; i < w->workers; i++) {
		CU_ASSERT_EQUAL(w->queues.share[i].head, 0);
		CU_ASSERT_EQUAL(w->queues.share[i].granted, 0);
		CU_ASSERT_EQUAL(w->queues.own[i].count, 0);
		CU_ASSERT_EQUAL(w->queues.own[i].first, CALL_NOBODY);
		CU_ASSERT_EQUAL(w->queues.own[i].last, CALL_NOBODY);
		CU_ASSERT_FALSE(queue_has_grants(&w->queues, i));
	}
}

#endif
