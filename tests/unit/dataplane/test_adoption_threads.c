/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies change under working workers, in the dataplane's own order: adoption_begin(), hand the
 * policy out, wait until every worker has it, adoption_end(). What endpoints are ejected stays
 * exactly what the cluster's word counts.
 */
#include "dataplane/policy/adoption.h"

#include <pthread.h>
#include <sched.h>

#include "dataplane/policy/outlier.h"
#include "tests/unit/dataplane/policy_world.h"
#include "tests/unit/dataplane/suite.h"

enum { WORKERS = 2, EDITIONS = 4, CHANGES = 4000, CALLS = 8, ENDPOINTS = 4 };

static const struct call_request nobody = {0};

/* One policy, never written once it is made. */
struct edition {
	struct image_header image;
	struct image_cluster cluster;
	uint16_t cluster_at[WORLD_CLUSTERS];
	uint16_t endpoint_at[WORLD_ENDPOINTS];
	struct policy_view view;
};

struct storm {
	struct world *w;
	struct edition editions[EDITIONS];
	const struct edition *in_force; /* main thread: release; workers: acquire */
	uint32_t stop;
	struct worker {
		struct storm *storm;
		uint32_t number;
		struct random dice;
		const struct edition *has; /* worker: release; main thread: acquire */
		uint64_t sent;
		uint64_t above;
	} workers[WORKERS];
};

/* With @endpoints of the four: one more or less has left. */
static void make(struct storm *s, uint32_t n, uint32_t endpoints, uint8_t mode)
{
	struct edition *e = &s->editions[n];

	e->image = s->w->image;
	e->image.generation = n + 1;
	e->cluster = s->w->clusters[0];
	e->cluster.endpoint_count = e->cluster.weight_sum = endpoints;
	e->cluster.table_first = n * WORLD_CYCLE;
	e->cluster.outlier.breaker.mode = mode;
	e->cluster.breaker.mode = mode;
	world_table(s->w, &e->cluster);
	memset(e->cluster_at, 0xff, sizeof(e->cluster_at));
	e->cluster_at[0] = 0;
	memset(e->endpoint_at, 0xff, sizeof(e->endpoint_at));
	for (uint32_t i = 0; i < endpoints; i++)
		e->endpoint_at[i] = (uint16_t)i;
	e->view = s->w->view;
	e->view.image = &e->image;
	e->view.clusters = &e->cluster;
	e->view.cluster_at = e->cluster_at;
	e->view.endpoint_at = e->endpoint_at;
}

static void take_policy(struct worker *me, struct engine *e)
{
	/* Acquire: pairs with the release in change(). */
	const struct edition *now = __atomic_load_n(&me->storm->in_force, __ATOMIC_ACQUIRE);

	if (now == me->has)
		return;
	e->policy = &now->view;
	engine_policy_changed(e);
	/* Release: pairs with the acquire in change(). */
	__atomic_store_n(&me->has, now, __ATOMIC_RELEASE);
}

static void visit(struct worker *me, struct engine *e, uint32_t n)
{
	struct world *w = me->storm->w;
	struct call *call = world_call(w, me->number, n);

	if (!(call->marks & CALL_OPEN)) {
		me->sent += world_start(w, me->number, n).next == CALL_SEND;
		return;
	}
	if ((call->held & CALL_ATTEMPT) && random_below(&me->dice, 3) == 0)
		call_succeeded(e, call);
	else if (call->held & CALL_ATTEMPT)
		call_attempt_failed(e, call, &nobody, REASON_CONNECT_REFUSED);
	call_end(e, call);
}

static void *work(void *arg)
{
	struct worker *me = arg;
	struct engine *e = &me->storm->w->engines[me->number];
	const uint64_t *ejected = &me->storm->w->words.clusters[0].ejected;

	while (!__atomic_load_n(&me->storm->stop, __ATOMIC_RELAXED)) {
		e->now_ns += 100000;
		take_policy(me, e);
		for (uint32_t i = 0; i < CALLS; i++)
			visit(me, e, random_below(&me->dice, CALLS));
		me->above += __atomic_load_n(ejected, __ATOMIC_RELAXED) > ENDPOINTS;
		sched_yield();
	}
	take_policy(me, e);
	for (uint32_t n = 0; n < CALLS; n++)
		call_end(e, world_call(me->storm->w, me->number, n));
	return NULL;
}

static void change(struct storm *s, const struct edition *next, uint64_t now_ns)
{
	const struct policy_state state = world_state(s->w, &s->w->words, 0);
	const struct edition *previous = s->in_force;

	adoption_begin(&next->view, &previous->view, &state, now_ns);
	__atomic_store_n(&s->in_force, next, __ATOMIC_RELEASE);
	for (uint32_t i = 0; i < WORKERS; i++)
		while (__atomic_load_n(&s->workers[i].has, __ATOMIC_ACQUIRE) != next)
			sched_yield();
	adoption_end(&next->view, &previous->view, &state);
}

static void begin(struct storm *s)
{
	struct world *w = world_create(WORKERS, 5);
	struct image_cluster *c = world_cluster(w, ENDPOINTS);

	world_listener(w, 0);
	c->algorithm = LB_LEAST_REQUESTS;
	c->outlier = world_outlier();
	c->outlier.max_ejected = 10000;
	c->outlier.breaker.consecutive_failures = 2;
	c->outlier.breaker.open_ms = c->outlier.breaker.max_open_ms = 1;
	c->breaker = world_breaker(0);
	c->breaker.open_ms = c->breaker.max_open_ms = 1;
	*s = (struct storm){.w = w};
	make(s, 0, ENDPOINTS, MODE_ENFORCE);
	make(s, 1, ENDPOINTS - 1, MODE_ENFORCE);
	make(s, 2, ENDPOINTS, MODE_OBSERVE);
	make(s, 3, ENDPOINTS - 2, MODE_OFF);
	s->in_force = &s->editions[0];
}

static uint64_t ejected(const struct world *w)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < ENDPOINTS; i++)
		n += breaker_unpack(w->words.endpoints[i].breaker).phase != BREAKER_CLOSED;
	return n;
}

static void ejections_are_counted_exactly_over_changes_of_policy(void)
{
	struct storm s;
	struct random dice = {.state = 3};
	pthread_t ids[WORKERS];
	uint64_t sent = 0, above = 0;

	begin(&s);
	for (uint32_t i = 0; i < WORKERS; i++) {
		s.workers[i] = (struct worker){
			.storm = &s, .number = i, .dice = {.state = 11 + i}, .has = NULL};
		CU_ASSERT_EQUAL_FATAL(pthread_create(&ids[i], NULL, work, &s.workers[i]), 0);
	}
	for (uint32_t i = 0; i < CHANGES; i++)
		change(&s, &s.editions[random_below(&dice, EDITIONS)], s.w->now_ns + i);
	__atomic_store_n(&s.stop, 1, __ATOMIC_RELAXED);
	for (uint32_t i = 0; i < WORKERS; i++) {
		pthread_join(ids[i], NULL);
		sent += s.workers[i].sent;
		above += s.workers[i].above;
	}
	CU_ASSERT_TRUE(sent > CHANGES);
	CU_ASSERT_EQUAL(above, 0);
	CU_ASSERT_EQUAL(s.w->words.clusters[0].ejected, ejected(s.w));
	s.w->view = s.in_force->view;
	CU_ASSERT_TRUE(world_words_are_live(s.w));
	/* Without outlier detection and with two endpoints: none. */
	for (uint32_t i = 0; i < WORKERS; i++)
		s.workers[i].has = &s.editions[3];
	change(&s, &s.editions[3], s.w->now_ns);
	CU_ASSERT_EQUAL(s.w->words.clusters[0].ejected, 0);
	CU_ASSERT_EQUAL(ejected(s.w), 0);
	world_destroy(s.w);
}

static CU_TestInfo tests[] = {
	SUITE_TEST(ejections_are_counted_exactly_over_changes_of_policy),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	return suite_run("adoption_threads", tests);
}
