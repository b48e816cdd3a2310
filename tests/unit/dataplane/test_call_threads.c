/* SPDX-License-Identifier: Apache-2.0 */
/* Several workers on the same words: permits, queues, breakers and budgets stay exact. */
#include <pthread.h>
#include <sched.h>

#include "dataplane/policy/bulkhead.h"
#include "tests/unit/dataplane/policy_world.h"
#include "tests/unit/dataplane/suite.h"

enum { WORKERS = 3, ROUNDS = 60000, CALLS = 12, LIMIT = 8, ENDPOINT_LIMIT = 3 };

static const struct call_request nobody = {0};
static uint64_t clock_ns;

struct thread {
	struct world *w;
	uint32_t worker;
	struct random dice;
	uint64_t wake_ns[CALLS];
	uint64_t sent;
	uint64_t above_limit;
};

static void tick(struct thread *t)
{
	t->w->engines[t->worker].now_ns = __atomic_add_fetch(&clock_ns, 10000, __ATOMIC_RELAXED);
}

static void look_at_limits(struct thread *t)
{
	const struct world_words *words = &t->w->words;
	uint64_t word = __atomic_load_n(&words->clusters[0].bulkhead.word, __ATOMIC_RELAXED);

	t->above_limit += bulkhead_in_flight(word) > LIMIT;
	for (uint32_t i = 0; i < t->w->clusters[0].endpoint_count; i++)
		t->above_limit += __atomic_load_n(&words->endpoints[i].in_flight,
						  __ATOMIC_RELAXED) > ENDPOINT_LIMIT;
}

static void take_step(struct thread *t, const struct call *call, struct call_step step)
{
	t->sent += step.next == CALL_SEND;
	t->wake_ns[call->number] =
		step.next == CALL_WAIT || step.next == CALL_BACK_OFF ? step.wake_ns : 0;
}

static void act(struct thread *t, struct engine *e, struct call *call)
{
	switch (random_below(&t->dice, 6)) {
	case 0:
		take_step(t, call, call_attempt_failed(e, call, &nobody, REASON_CONNECT_REFUSED));
		break;
	case 1:
		call_cancelled(e, call);
		break;
	case 2:
		call_not_sent(e, call, REASON_NO_PORT);
		break;
	default:
		call_succeeded(e, call);
	}
}

static void visit(struct thread *t, struct engine *e, uint32_t n)
{
	struct call *call = world_call(t->w, t->worker, n);

	if (!(call->marks & CALL_OPEN)) {
		take_step(t, call, world_start(t->w, t->worker, n));
	} else if (call->held & CALL_ATTEMPT) {
		act(t, e, call);
	} else if (t->wake_ns[n] && e->now_ns >= t->wake_ns[n]) {
		take_step(t, call, call_expired(e, call, &nobody));
	} else if (!(call->marks & CALL_STARTED) || random_below(&t->dice, 16) == 0) {
		call_end(e, call);
		t->wake_ns[n] = 0;
	}
}

static void turn(struct thread *t, struct engine *e)
{
	enum reason reason;
	struct call *call;

	while ((call = call_next_granted(e)))
		take_step(t, call, call_granted(e, call, &nobody));
	while ((call = call_next_refused(e, &reason)))
		t->wake_ns[call->number] = 0;
}

static void *run(void *arg)
{
	struct thread *t = arg;
	struct engine *e = &t->w->engines[t->worker];

	for (uint32_t i = 0; i < ROUNDS; i++) {
		tick(t);
		turn(t, e);
		visit(t, e, random_below(&t->dice, CALLS));
		look_at_limits(t);
		if (i % 64 == 0)
			engine_policy_changed(e);
		if (i % 16 == 0)
			sched_yield(); /* with few CPUs: what the others hold comes back */
	}
	for (uint32_t n = 0; n < CALLS; n++)
		call_end(e, world_call(t->w, t->worker, n));
	return NULL;
}

static struct world *contended(void)
{
	struct world *w = world_create(WORKERS, 7);
	struct image_cluster *c = world_cluster(w, 3);

	world_listener(w, 0);
	w->listeners[0].bulkhead = world_bulkhead(LIMIT + 4, 8);
	c->algorithm = LB_LEAST_REQUESTS;
	c->bulkhead = world_bulkhead(LIMIT, 16);
	c->bulkhead.queue_timeout_ms = 5;
	c->endpoint_bulkhead = world_bulkhead(ENDPOINT_LIMIT, 0);
	c->breaker = world_breaker(6);
	c->outlier = world_outlier();
	c->outlier.breaker.consecutive_failures = 3;
	c->outlier.statistics = OUTLIER_LATENCY;
	c->breaker.open_ms = c->outlier.breaker.open_ms = 3;
	c->breaker.max_open_ms = c->outlier.breaker.max_open_ms = 10;
	c->breaker.half_open_ms = c->outlier.breaker.half_open_ms = 20;
	c->retry = world_retry();
	c->retry.base_us = 100;
	return w;
}

/* Grants that were on their way when the threads stopped: nobody waits, so they come back. */
static void drain(struct world *w)
{
	for (uint32_t round = 0; round < WORKERS; round++)
		for (uint32_t i = 0; i < WORKERS; i++)
			CU_ASSERT_PTR_NULL(call_next_granted(&w->engines[i]));
}

static void workers_share_every_word_exactly(void)
{
	struct world *w = contended();
	struct thread threads[WORKERS];
	pthread_t ids[WORKERS];
	uint64_t sent = 0;

	clock_ns = w->now_ns;
	for (uint32_t i = 0; i < WORKERS; i++) {
		threads[i] = (struct thread){.w = w, .worker = i, .dice = {.state = 99 + i}};
		CU_ASSERT_EQUAL_FATAL(pthread_create(&ids[i], NULL, run, &threads[i]), 0);
	}
	for (uint32_t i = 0; i < WORKERS; i++)
		pthread_join(ids[i], NULL);
	world_at(w, clock_ns);
	drain(w);
	for (uint32_t i = 0; i < WORKERS; i++) {
		CU_ASSERT_EQUAL(threads[i].above_limit, 0);
		CU_ASSERT_TRUE(world_laws_hold(w, i));
		sent += threads[i].sent;
	}
	CU_ASSERT_TRUE(sent > WORKERS * CALLS);
	CU_ASSERT_TRUE(world_words_are_live(w));
	CU_ASSERT_EQUAL(w->words.clusters[0].bulkhead.word, 0);
	CU_ASSERT_EQUAL(w->words.listeners[0].bulkhead.word, 0);
	CU_ASSERT_EQUAL(w->words.clusters[0].bulkhead.overshoot_max, 0);
	CU_ASSERT_EQUAL(w->words.clusters[0].attempts_in_flight, 0);
	CU_ASSERT_EQUAL(w->words.clusters[0].retries_in_flight, 0);
	world_destroy(w);
}

static CU_TestInfo tests[] = {
	SUITE_TEST(workers_share_every_word_exactly),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	return suite_run("call_threads", tests);
}
