/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting: who waits where, until when, who goes next, and who is sent away. */
#include "tests/unit/dataplane/queue_world.h"

static const struct call_request datagram = {.no_queue = 1};

static void five_and_ten_accept_fifteen(void)
{
	struct world *w = limited(1, 5, 10);
	enum reason sixteenth;

	for (uint32_t n = 0; n < 15; n++)
		CU_ASSERT_EQUAL(world_start(w, 0, n).next, n < 5 ? CALL_SEND : CALL_WAIT);
	sixteenth = world_start(w, 0, 15).reason;
	CU_ASSERT_EQUAL(sixteenth, REASON_QUEUE_FULL);
	CU_ASSERT_EQUAL(counters(w)->queued, 10);
	CU_ASSERT_TRUE(world_words_are_live(w));
	done(w);
}

/* 15 calls of 500 ms against 3/5, 1 s: 8 succeed, the last at 1,500 ms, 7 are rejected. */
static void oracle_of_three_and_five(void)
{
	struct world *w = limited(1, 3, 5);
	uint64_t began = w->now_ns, last = 0;

	for (uint32_t n = 0; n < 15; n++)
		world_start(w, 0, n);
	for (uint32_t ms = 0; ms <= 2000; ms += 500) {
		uint32_t n;

		world_at(w, began + (uint64_t)ms * WORLD_MS);
		for (n = 0; n < 15; n++) {
			struct call *call = world_call(w, 0, n);

			if ((call->held & CALL_ATTEMPT) &&
			    w->now_ns - call->attempt_ns >= UINT64_C(500) * WORLD_MS) {
				call_succeeded(&w->engines[0], call);
				call_end(&w->engines[0], call);
				last = w->now_ns;
			}
		}
		while (next_sent(w, 0) != -1)
			;
		for (n = 0; n < 15; n++) {
			struct call *call = world_call(w, 0, n);

			if ((call->held & CALL_CLUSTER_QUEUED) &&
			    w->now_ns - began >= UINT64_C(1000) * WORLD_MS)
				call_expired(&w->engines[0], call, &nobody);
		}
	}
	CU_ASSERT_EQUAL(w->cluster_counters[0][0].succeeded, 8);
	CU_ASSERT_EQUAL(w->cluster_counters[0][0].rejected, 7);
	CU_ASSERT_EQUAL(last - began, UINT64_C(1500) * WORLD_MS);
	done(w);
}

static void order_is_kept_over_workers(void)
{
	struct world *w = limited(3, 1, 10);

	world_start(w, 0, 0);
	for (uint32_t n = 1; n < 7; n++)
		CU_ASSERT_EQUAL(world_start(w, n % 3, n).next, CALL_WAIT);
	end(w, 0, 0);
	CU_ASSERT_EQUAL(w->woken[1], 1);
	for (uint32_t n = 1; n < 7; n++) {
		for (uint32_t other = 0; other < 3; other++)
			if (other != n % 3)
				CU_ASSERT_EQUAL(next_sent(w, other), -1);
		CU_ASSERT_EQUAL(next_sent(w, n % 3), (int)n);
		end(w, n % 3, n);
	}
	CU_ASSERT_EQUAL(counters(w)->queue_granted, 2);
	done(w);
}

static void newcomer_waits_behind_the_queue(void)
{
	struct world *w = limited(1, 1, 10);

	world_start(w, 0, 0);
	world_start(w, 0, 1);
	end(w, 0, 0); /* the permit is on its way to call 1 */
	CU_ASSERT_EQUAL(world_start(w, 0, 2).next, CALL_WAIT);
	CU_ASSERT_EQUAL(next_sent(w, 0), 1);
	done(w);
}

static void waiter_that_left_passes_its_permit_on(void)
{
	struct world *w = limited(2, 1, 10);

	world_start(w, 0, 0);
	world_start(w, 0, 1);
	world_start(w, 1, 2);
	end(w, 0, 0); /* granted to worker 0 for call 1 */
	end(w, 0, 1);
	CU_ASSERT_EQUAL(counters(w)->queue_left, 1);
	CU_ASSERT_EQUAL(next_sent(w, 1), -1);
	CU_ASSERT_EQUAL(next_sent(w, 0), -1); /* passed on here */
	CU_ASSERT_EQUAL(next_sent(w, 1), 2);
	end(w, 1, 2);
	CU_ASSERT_EQUAL(w->words.clusters[0].bulkhead.word, 0);
	done(w);
}

static void wait_ends_at_queue_timeout_or_deadline(void)
{
	static const struct {
		uint32_t queue_timeout_ms, request_ms;
		uint64_t waits_ms;
		enum reason reason;
	} rows[] = {
		{1000, 15000, 1000, REASON_QUEUE_TIMEOUT},
		{1000, 0, 1000, REASON_QUEUE_TIMEOUT},
		{1000, 400, 400, REASON_REQUEST_TIMEOUT},
		{1000, 1000, 1000, REASON_REQUEST_TIMEOUT},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world *w = limited(1, 1, 1);
		struct call_step step;

		w->clusters[0].breaker = world_breaker(1);
		w->clusters[0].bulkhead.queue_timeout_ms = rows[i].queue_timeout_ms;
		w->clusters[0].timeouts.request_ms = rows[i].request_ms;
		world_start(w, 0, 0);
		step = world_start(w, 0, 1);
		CU_ASSERT_EQUAL(step.wake_ns, w->now_ns + rows[i].waits_ms * WORLD_MS);
		world_at(w, step.wake_ns);
		step = call_expired(&w->engines[0], world_call(w, 0, 1), &nobody);
		CU_ASSERT_EQUAL(step.next, CALL_REJECTED);
		CU_ASSERT_EQUAL(step.reason, rows[i].reason);
		CU_ASSERT_EQUAL(w->words.clusters[0].recorded, 0); /* neutral */
		CU_ASSERT_TRUE(world_words_are_live(w));
		done(w);
	}
}

static void permit_beats_a_timeout_at_the_same_instant(void)
{
	struct world *w = limited(1, 1, 1);
	struct call_step step;

	world_start(w, 0, 0);
	step = world_start(w, 0, 1);
	world_at(w, step.wake_ns);
	end(w, 0, 0);
	step = call_expired(&w->engines[0], world_call(w, 0, 1), &nobody);
	CU_ASSERT_EQUAL(step.next, CALL_SEND);
	CU_ASSERT_EQUAL(next_sent(w, 0), -1);
	CU_ASSERT_TRUE(world_words_are_live(w));
	done(w);
}

static void waiter_whose_permit_is_on_its_way_stays(void)
{
	struct world *w = limited(2, 2, 4);
	struct call_step step;

	world_start(w, 0, 0);
	world_start(w, 0, 1);
	world_start(w, 0, 2);
	step = world_start(w, 1, 3);
	end(w, 0, 0);
	end(w, 0, 1); /* both permits go by worker 0, which shows the oldest waiter */
	world_at(w, step.wake_ns);
	step = call_expired(&w->engines[1], world_call(w, 1, 3), &nobody);
	CU_ASSERT_EQUAL(step.next, CALL_WAIT);
	CU_ASSERT_TRUE(step.wake_ns > w->now_ns);
	CU_ASSERT_EQUAL(next_sent(w, 0), 2);
	CU_ASSERT_EQUAL(next_sent(w, 0), -1);
	CU_ASSERT_EQUAL(next_sent(w, 1), 3);
	CU_ASSERT_EQUAL(bulkhead_queued(w->words.clusters[0].bulkhead.word), 0);
	done(w);
}

static void permit_after_the_deadline_is_of_no_use(void)
{
	struct world *w = limited(1, 1, 1);
	struct call *call;

	w->clusters[0].timeouts.request_ms = 500;
	world_start(w, 0, 0);
	world_start(w, 0, 1);
	world_later(w, 500);
	end(w, 0, 0);
	call = call_next_granted(&w->engines[0]);
	CU_ASSERT_PTR_EQUAL_FATAL(call, world_call(w, 0, 1));
	CU_ASSERT_EQUAL(call_granted(&w->engines[0], call, &nobody).reason, REASON_REQUEST_TIMEOUT);
	CU_ASSERT_EQUAL(w->words.clusters[0].bulkhead.word, 0);
	done(w);
}

static void listener_queue_comes_first_then_the_clusters(void)
{
	struct world *w = limited(1, 1, 4);
	struct call *call;

	w->listeners[0].bulkhead = world_bulkhead(2, 4);
	world_start(w, 0, 0);
	CU_ASSERT_EQUAL(world_start(w, 0, 1).next, CALL_WAIT);
	CU_ASSERT_EQUAL(world_call(w, 0, 1)->held, CALL_LISTENER_PERMIT | CALL_CLUSTER_QUEUED);
	CU_ASSERT_EQUAL(world_start(w, 0, 2).next, CALL_WAIT);
	CU_ASSERT_EQUAL(world_call(w, 0, 2)->held, CALL_LISTENER_QUEUED);
	CU_ASSERT_TRUE(world_words_are_live(w));
	end(w, 0, 0);
	call = call_next_granted(&w->engines[0]); /* the listener's permit, to call 2 */
	CU_ASSERT_PTR_EQUAL_FATAL(call, world_call(w, 0, 2));
	CU_ASSERT_EQUAL(call_granted(&w->engines[0], call, &nobody).next, CALL_WAIT);
	CU_ASSERT_EQUAL(next_sent(w, 0), 1);
	end(w, 0, 1);
	CU_ASSERT_EQUAL(next_sent(w, 0), 2);
	done(w);
}

static void datagram_is_refused_instead_of_queued(void)
{
	struct world *w = limited(1, 1, 4);

	CU_ASSERT_EQUAL(world_start_as(w, 0, 0, &datagram).next, CALL_SEND);
	CU_ASSERT_EQUAL(world_start_as(w, 0, 1, &datagram).reason, REASON_QUEUE_FULL);
	w->listeners[0].bulkhead = world_bulkhead(1, 4);
	CU_ASSERT_EQUAL(world_start_as(w, 0, 2, &datagram).reason, REASON_QUEUE_FULL);
	done(w);
}

static void probe_never_queues(void)
{
	struct world *w = limited(1, 1, 4);

	w->clusters[0].breaker = world_breaker(1);
	world_start(w, 0, 0);
	world_start(w, 0, 1);
	end(w, 0, 1);
	w->words.clusters[0].breaker = breaker_pack((struct breaker_word){
		.phase = BREAKER_HALF_OPEN, .epoch = 9, .until_ms = state_ms(w->now_ns) + 9000});
	CU_ASSERT_EQUAL(world_start(w, 0, 1).reason, REASON_BULKHEAD_FULL);
	CU_ASSERT_EQUAL(breaker_unpack(w->words.clusters[0].breaker).active, 0);
	CU_ASSERT_TRUE(world_words_are_live(w));
	done(w);
}

static void waiter_is_admitted_anew_when_its_turn_comes(void)
{
	struct world *w = limited(1, 1, 4);
	struct call *call;

	w->clusters[0].breaker = world_breaker(1);
	world_start(w, 0, 0);
	world_start(w, 0, 1);
	end(w, 0, 0);
	call = call_next_granted(&w->engines[0]);
	w->words.clusters[0].breaker = breaker_pack((struct breaker_word){
		.phase = BREAKER_OPEN, .epoch = 9, .until_ms = state_ms(w->now_ns) + 5000});
	CU_ASSERT_EQUAL(call_granted(&w->engines[0], call, &nobody).reason, REASON_CIRCUIT_OPEN);
	CU_ASSERT_EQUAL(w->words.clusters[0].bulkhead.word, 0);
	done(w);
}

static void waiters_are_refused_when_the_breaker_opens(void)
{
	struct world *w = limited(2, 1, 10);
	enum reason reason = REASON_NONE;

	w->clusters[0].breaker = world_breaker(1);
	world_start(w, 0, 0);
	for (uint32_t n = 1; n < 4; n++) {
		world_start(w, 0, n);
		world_start(w, 1, n);
	}
	CU_ASSERT_PTR_NULL(call_next_refused(&w->engines[0], &reason));
	call_failed(&w->engines[0], world_call(w, 0, 0), REASON_UPSTREAM_RESET);
	CU_ASSERT_EQUAL(w->woken[1], 1);
	for (uint32_t worker = 0; worker < 2; worker++) {
		for (uint32_t n = 1; n < 4; n++) {
			CU_ASSERT_PTR_EQUAL(call_next_refused(&w->engines[worker], &reason),
					    world_call(w, worker, n));
			CU_ASSERT_EQUAL(reason, REASON_CIRCUIT_OPEN);
		}
		CU_ASSERT_PTR_NULL(call_next_refused(&w->engines[worker], &reason));
		CU_ASSERT_EQUAL(w->engines[worker].waiting_words, 0);
	}
	CU_ASSERT_EQUAL(bulkhead_in_flight(w->words.clusters[0].bulkhead.word), 1);
	CU_ASSERT_EQUAL(bulkhead_queued(w->words.clusters[0].bulkhead.word), 0);
	CU_ASSERT_TRUE(world_words_are_live(w));
	done(w);
}

static void admission_that_reopens_the_breaker_wakes_all_waiters(void)
{
	struct world *w = limited(3, 1, 4);
	struct call *call;

	w->clusters[0].breaker = world_breaker(1);
	for (uint32_t n = 0; n < 4; n++)
		world_start(w, n ? n - 1 : 0, n);
	w->words.clusters[0].breaker =
		breaker_pack((struct breaker_word){.phase = BREAKER_HALF_OPEN,
						   .epoch = 9,
						   .until_ms = state_ms(w->now_ns) - 1,
						   .active = 1});
	end(w, 0, 0);
	call = call_next_granted(&w->engines[0]);
	CU_ASSERT_EQUAL(w->woken[2], 0);
	CU_ASSERT_EQUAL(call_granted(&w->engines[0], call, &nobody).reason, REASON_CIRCUIT_OPEN);
	CU_ASSERT_EQUAL(w->woken[2], 1);
	done(w);
}

/* Its permit comes before the engine has looked at the word, with and without a breaker. */
static void waiter_is_refused_when_an_operator_forces_open(void)
{
	static const uint8_t modes[] = {MODE_OFF, MODE_ENFORCE, MODE_OBSERVE};

	for (uint32_t i = 0; i < 3; i++) {
		struct world *w = limited(1, 1, 1);
		struct call *call;

		w->clusters[0].breaker = world_breaker(1);
		w->clusters[0].breaker.mode = modes[i];
		world_start(w, 0, 0);
		CU_ASSERT_EQUAL(world_start(w, 0, 1).next, CALL_WAIT);
		w->words.clusters[0].admin =
			admin_pack((struct admin_word){.override = OVERRIDE_OPEN});
		end(w, 0, 0);
		call = call_next_granted(&w->engines[0]);
		CU_ASSERT_PTR_EQUAL_FATAL(call, world_call(w, 0, 1));
		CU_ASSERT_EQUAL(call_granted(&w->engines[0], call, &nobody).reason,
				REASON_CIRCUIT_OPEN);
		CU_ASSERT_EQUAL(call->held, 0);
		done(w);
	}
}

static void raised_limit_lets_waiters_in(void)
{
	struct world *w = limited(2, 1, 10);

	world_start(w, 0, 0);
	for (uint32_t n = 1; n < 4; n++)
		world_start(w, 1, n);
	w->clusters[0].bulkhead.max_concurrent = 3;
	world_changed(w);
	CU_ASSERT_EQUAL(next_sent(w, 1), 1);
	CU_ASSERT_EQUAL(next_sent(w, 1), 2);
	CU_ASSERT_EQUAL(next_sent(w, 1), -1);
	w->clusters[0].bulkhead.mode = MODE_OFF;
	world_changed(w);
	CU_ASSERT_EQUAL(next_sent(w, 1), 3);
	done(w);
}

static void lowered_limit_admits_nobody_until_below(void)
{
	struct world *w = limited(1, 3, 10);

	for (uint32_t n = 0; n < 5; n++)
		world_start(w, 0, n);
	w->clusters[0].bulkhead.max_concurrent = 1;
	world_changed(w);
	end(w, 0, 0);
	end(w, 0, 1);
	CU_ASSERT_EQUAL(next_sent(w, 0), -1);
	end(w, 0, 2);
	CU_ASSERT_EQUAL(next_sent(w, 0), 3);
	CU_ASSERT_EQUAL(next_sent(w, 0), -1);
	done(w);
}

static void waiters_of_what_left_the_policy_are_drained(void)
{
	struct world *w = limited(1, 1, 10);
	struct call *call;

	world_start(w, 0, 0);
	world_start(w, 0, 1);
	w->cluster_at[0] = VIEW_NONE;
	world_changed(w);
	call = call_next_granted(&w->engines[0]);
	CU_ASSERT_PTR_EQUAL_FATAL(call, world_call(w, 0, 1));
	CU_ASSERT_EQUAL(call_granted(&w->engines[0], call, &nobody).reason, REASON_DRAINING);
	done(w);
}

static void waiter_that_cannot_be_kept_is_rejected(void)
{
	struct world *w = limited(1, 1, 10);

	world_start(w, 0, 0);
	world_start(w, 0, 1);
	call_not_sent(&w->engines[0], world_call(w, 0, 1), REASON_TABLE_FULL);
	CU_ASSERT_EQUAL(counters(w)->rejected[REASON_TABLE_FULL], 1);
	CU_ASSERT_EQUAL(bulkhead_in_flight(w->words.clusters[0].bulkhead.word), 1);
	CU_ASSERT_EQUAL(bulkhead_queued(w->words.clusters[0].bulkhead.word), 0);
	done(w);
}

static CU_TestInfo tests[] = {
	SUITE_TEST(five_and_ten_accept_fifteen),
	SUITE_TEST(oracle_of_three_and_five),
	SUITE_TEST(order_is_kept_over_workers),
	SUITE_TEST(newcomer_waits_behind_the_queue),
	SUITE_TEST(waiter_that_left_passes_its_permit_on),
	SUITE_TEST(wait_ends_at_queue_timeout_or_deadline),
	SUITE_TEST(permit_beats_a_timeout_at_the_same_instant),
	SUITE_TEST(waiter_whose_permit_is_on_its_way_stays),
	SUITE_TEST(permit_after_the_deadline_is_of_no_use),
	SUITE_TEST(listener_queue_comes_first_then_the_clusters),
	SUITE_TEST(datagram_is_refused_instead_of_queued),
	SUITE_TEST(probe_never_queues),
	SUITE_TEST(waiter_is_admitted_anew_when_its_turn_comes),
	SUITE_TEST(waiters_are_refused_when_the_breaker_opens),
	SUITE_TEST(admission_that_reopens_the_breaker_wakes_all_waiters),
	SUITE_TEST(waiter_is_refused_when_an_operator_forces_open),
	SUITE_TEST(raised_limit_lets_waiters_in),
	SUITE_TEST(lowered_limit_admits_nobody_until_below),
	SUITE_TEST(waiters_of_what_left_the_policy_are_drained),
	SUITE_TEST(waiter_that_cannot_be_kept_is_rejected),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	return suite_run("call_queue", tests);
}
