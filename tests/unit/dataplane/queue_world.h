/* SPDX-License-Identifier: Apache-2.0 */
/* One cluster of two endpoints behind a bulkhead: what tests of its queue begin and end with. */
#ifndef FENDER_TESTS_QUEUE_WORLD_H
#define FENDER_TESTS_QUEUE_WORLD_H

#include "dataplane/policy/bulkhead.h"
#include "tests/unit/dataplane/policy_world.h"
#include "tests/unit/dataplane/suite.h"

static const struct call_request nobody; /* any client */

static inline struct policy_counters *counters(struct world *w)
{
	return &w->policy_counters[0][0];
}

static inline struct world *limited(uint32_t workers, uint32_t max_concurrent, uint32_t max_queue)
{
	struct world *w = world_create(workers, 1);

	world_cluster(w, 2);
	world_listener(w, 0);
	w->clusters[0].bulkhead = world_bulkhead(max_concurrent, max_queue);
	return w;
}

static inline void end(struct world *w, uint32_t worker, uint32_t number)
{
	call_end(&w->engines[worker], world_call(w, worker, number));
}

/* The number of the worker's next granted call once it was sent; -1: none, -2: not sent. */
static inline int next_sent(struct world *w, uint32_t worker)
{
	struct call *call = call_next_granted(&w->engines[worker]);

	if (!call)
		return -1;
	return call_granted(&w->engines[worker], call, &nobody).next == CALL_SEND
		       ? (int)call->number
		       : -2;
}

static inline void done(struct world *w)
{
	for (uint32_t i = 0; i < w->workers; i++) {
		for (uint32_t n = 0; n < WORLD_CALLS; n++)
			end(w, i, n);
	}
	for (uint32_t i = 0; i < w->workers; i++)
		CU_ASSERT_EQUAL(next_sent(w, i), -1);
	for (uint32_t i = 0; i < w->workers; i++)
		CU_ASSERT_TRUE(world_laws_hold(w, i));
	CU_ASSERT_TRUE(world_words_are_live(w));
	CU_ASSERT_EQUAL(w->words.clusters[0].bulkhead.word, 0);
	CU_ASSERT_EQUAL(w->words.clusters[0].bulkhead.overshoot_max, 0);
	CU_ASSERT_EQUAL(w->words.listeners[0].bulkhead.word, 0);
	world_destroy(w);
}

#endif
