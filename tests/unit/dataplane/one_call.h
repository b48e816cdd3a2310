/* SPDX-License-Identifier: Apache-2.0 */
/* Steps of tests that make one call after the other on worker 0 and cluster 0. */
#ifndef FENDER_TESTS_UNIT_DATAPLANE_ONE_CALL_H
#define FENDER_TESTS_UNIT_DATAPLANE_ONE_CALL_H

#include "tests/unit/dataplane/policy_world.h"
#include "tests/unit/dataplane/suite.h"

static const struct call_request nobody = {0};

static inline struct policy_counters *counters(struct world *w)
{
	return &w->policy_counters[0][0];
}

static inline void call_is_refused(struct world *w, uint32_t number, enum reason reason)
{
	uint64_t before = counters(w)->rejected[reason];
	struct call_step step = world_start(w, 0, number);

	CU_ASSERT_EQUAL(step.next, CALL_REJECTED);
	CU_ASSERT_EQUAL(step.reason, reason);
	CU_ASSERT_EQUAL(counters(w)->rejected[reason], before + 1);
	CU_ASSERT_EQUAL(world_call(w, 0, number)->held, 0);
}

static inline uint32_t call_is_sent(struct world *w, uint32_t number)
{
	struct call_step step = world_start(w, 0, number);

	CU_ASSERT_EQUAL_FATAL(step.next, CALL_SEND);
	return step.endpoint;
}

static inline void fail(struct world *w, uint32_t number)
{
	call_is_sent(w, number);
	CU_ASSERT_EQUAL(call_attempt_failed(&w->engines[0], world_call(w, 0, number), &nobody,
					    REASON_CONNECT_REFUSED)
				.next,
			CALL_FAILED);
	call_end(&w->engines[0], world_call(w, 0, number));
}

static inline void succeed(struct world *w, uint32_t number)
{
	call_is_sent(w, number);
	call_succeeded(&w->engines[0], world_call(w, 0, number));
	call_end(&w->engines[0], world_call(w, 0, number));
}

static inline void nothing_is_left(struct world *w)
{
	CU_ASSERT_TRUE(world_laws_hold(w, 0));
	CU_ASSERT_TRUE(world_words_are_live(w));
	CU_ASSERT_EQUAL(w->words.clusters[0].bulkhead.word, 0);
	CU_ASSERT_EQUAL(w->words.listeners[0].bulkhead.word, 0);
	CU_ASSERT_EQUAL(w->words.clusters[0].attempts_in_flight, 0);
	CU_ASSERT_EQUAL(w->open_calls[0][0], 0);
	world_destroy(w);
}

#endif
