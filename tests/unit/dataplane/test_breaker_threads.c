/* SPDX-License-Identifier: Apache-2.0 */
/* Breakers and windows shared by several threads. Built with ThreadSanitizer too. */
#include "dataplane/policy/outlier.h"
#include "tests/unit/dataplane/outlier_world.h"
#include "tests/unit/dataplane/suite.h"

#include <pthread.h>
#include <sched.h>

enum { THREADS = WORLD_WORKERS, ROUNDS = 20000, WINDOW_ROUNDS = 3000, IN_HAND = 8 };

static struct bench n;
static struct outlier_world w;
static uint64_t clock_ns;
/* Calls between admission and end, by the epoch of their half-open phase and endpoint. */
static uint32_t probing[WORLD_ENDPOINTS][UINT16_MAX + 1];
static uint32_t most_probing;
static uint32_t breaches;
static uint32_t edges[EDGE_REFUSED + 1];

static void breach_if(int breach)
{
	if (breach)
		__atomic_add_fetch(&breaches, 1, __ATOMIC_RELAXED);
}

static void run(void *(*body)(void *))
{
	static uint32_t number[THREADS];
	pthread_t threads[THREADS];

	for (uint32_t i = 0; i < THREADS; i++) {
		number[i] = i;
		CU_ASSERT_FATAL(pthread_create(&threads[i], NULL, body, &number[i]) == 0);
	}
	for (uint32_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

static void start(void)
{
	memset(probing, 0, sizeof(probing));
	memset(edges, 0, sizeof(edges));
	most_probing = breaches = 0;
	clock_ns = 100 * SECOND;
}

struct in_hand {
	uint32_t endpoint;
	struct breaker_outcome o;
	uint8_t live;
};

static void count_edge(enum breaker_edge edge)
{
	__atomic_add_fetch(&edges[edge], 1, __ATOMIC_RELAXED);
	if (edge == EDGE_CLOSED)
		outlier_give_back(&w.cluster_state.ejected);
}

static void begin(struct in_hand *c, struct random *r, uint64_t now_ns)
{
	uint32_t endpoint = random_below(r, w.cluster.endpoint_count), now_probing, seen;
	struct ejection e = world_ejection(&w, endpoint, now_ns);
	struct breaker b = outlier_breaker(&e);
	enum breaker_admission a;
	enum breaker_edge edge;

	*c = (struct in_hand){.endpoint = endpoint};
	a = breaker_admit(&b, now_ns, &c->o.epoch, &edge);
	count_edge(edge);
	c->live = a == BREAKER_ADMIT || a == BREAKER_ADMIT_PROBE;
	c->o.probe = a == BREAKER_ADMIT_PROBE;
	if (!c->o.probe)
		return;
	now_probing = __atomic_add_fetch(&probing[endpoint][c->o.epoch], 1, __ATOMIC_RELAXED);
	breach_if(now_probing > b.rules->probes);
	seen = __atomic_load_n(&most_probing, __ATOMIC_RELAXED);
	while (now_probing > seen &&
	       !__atomic_compare_exchange_n(&most_probing, &seen, now_probing, 0, __ATOMIC_RELAXED,
					    __ATOMIC_RELAXED))
		;
}

static void end(struct in_hand *c, uint32_t worker, struct random *r, uint64_t now_ns)
{
	struct ejection e = world_ejection(&w, c->endpoint, now_ns);
	struct breaker b = outlier_breaker(&e);
	int stale;

	c->live = 0;
	c->o.worker = worker;
	c->o.failed = random_below(r, 4) == 0;
	c->o.random = random_next(r);
	if (c->o.probe)
		__atomic_sub_fetch(&probing[c->endpoint][c->o.epoch], 1, __ATOMIC_RELAXED);
	if (random_below(r, 8) == 0)
		breaker_cancel(&b, c->o.epoch, c->o.probe);
	else
		count_edge(breaker_record(&b, &c->o, now_ns, &stale));
}

static void *call_endpoints(void *arg)
{
	uint32_t worker = *(uint32_t *)arg;
	struct random r = {.state = worker + 1};
	struct in_hand hand[IN_HAND] = {0};

	for (int i = 0; i < ROUNDS; i++) {
		struct in_hand *c = &hand[random_below(&r, IN_HAND)];
		uint64_t now_ns = __atomic_add_fetch(&clock_ns, MS / 10, __ATOMIC_RELAXED);

		if (c->live)
			end(c, worker, &r, now_ns);
		else
			begin(c, &r, now_ns);
		breach_if(__atomic_load_n(&w.cluster_state.ejected, __ATOMIC_RELAXED) >
			  w.cluster.endpoint_count / 2);
		if (i % 64 == 0)
			sched_yield();
	}
	for (int i = 0; i < IN_HAND; i++)
		if (hand[i].live)
			end(&hand[i], worker, &r,
			    __atomic_add_fetch(&clock_ns, MS / 10, __ATOMIC_RELAXED));
	return NULL;
}

static void probes_and_ejections_keep_their_bounds(void)
{
	static const uint8_t kinds[] = {WINDOW_CALLS, WINDOW_DURATION};

	for (int i = 0; i < 2; i++) {
		start();
		world_start(&w, 6);
		w.cluster.outlier.breaker.window_kind = kinds[i];
		w.cluster.outlier.breaker.window = kinds[i] == WINDOW_CALLS ? 20 : 1000;
		w.cluster.outlier.breaker.consecutive_failures = 3;
		w.cluster.outlier.breaker.open_ms = 2;
		w.cluster.outlier.breaker.max_open_ms = 8;
		w.cluster.outlier.breaker.half_open_ms = 100;
		run(call_endpoints);
		CU_ASSERT_EQUAL(breaches, 0);
		CU_ASSERT(most_probing > 1);
		for (int k = EDGE_OPENED; k <= EDGE_REFUSED; k++)
			CU_ASSERT(edges[k] > 0);
		CU_ASSERT_EQUAL(w.cluster_state.ejected, world_ejected(&w));
		for (uint32_t k = 0; k < w.cluster.endpoint_count; k++)
			CU_ASSERT_EQUAL(world_word(&w, k).active, 0);
	}
}

static uint32_t usable_endpoints(uint64_t now_ns)
{
	uint32_t usable = 0;

	for (uint32_t i = 0; i < w.cluster.endpoint_count; i++)
		usable += endpoint_usability(world_state(&w, i), &w.cluster, now_ns) == USABLE;
	return usable;
}

static void *eject_all(void *arg)
{
	uint32_t worker = *(uint32_t *)arg;

	for (uint32_t i = 0; i < w.cluster.endpoint_count; i++) {
		uint32_t endpoint = (i + worker) % w.cluster.endpoint_count;
		struct ejection e = world_ejection(&w, endpoint, clock_ns);
		struct breaker b = outlier_breaker(&e);

		breaker_eject(&b, clock_ns, 0);
	}
	return NULL;
}

static void the_last_usable_endpoint_is_never_ejected(void)
{
	for (int i = 0; i < 300; i++) {
		start();
		world_start(&w, 2 + (uint32_t)i % 3);
		w.cluster.outlier.max_ejected = 10000;
		run(eject_all);
		CU_ASSERT(usable_endpoints(clock_ns) >= 1);
		CU_ASSERT_EQUAL(w.cluster_state.ejected, world_ejected(&w));
	}
}

static void *record_calls(void *arg)
{
	uint32_t worker = *(uint32_t *)arg;
	struct window_call call = {.word = &n.word, .worker = worker};

	for (int i = 0; i < WINDOW_ROUNDS; i++) {
		struct window_sum sum;

		call.failed = i % 2;
		call.slow = i % 3 == 0;
		window_record(&n.b.window, &n.rules, &call, SECOND);
		window_sum(&n.b.window, &n.rules, 0, SECOND, &sum);
		breach_if(sum.failed > sum.calls || sum.slow > sum.calls ||
			  sum.calls > n.rules.window);
	}
	return NULL;
}

static void every_call_is_counted_once(void)
{
	static const struct {
		uint8_t kind;
		uint32_t window;
	} rows[] = {{WINDOW_CALLS, 40000}, {WINDOW_DURATION, 60000}};

	for (int i = 0; i < 2; i++) {
		struct image_breaker rules = bench_rules();
		struct window_sum sum;

		start();
		rules.window_kind = rows[i].kind;
		rules.window = rows[i].window;
		bench_start(&n, rules);
		run(record_calls);
		sum = bench_sum(&n, SECOND);
		CU_ASSERT_EQUAL(breaches, 0);
		CU_ASSERT_EQUAL(sum.calls, THREADS * WINDOW_ROUNDS);
		CU_ASSERT_EQUAL(sum.failed, THREADS * WINDOW_ROUNDS / 2);
		CU_ASSERT_EQUAL(sum.slow, THREADS * WINDOW_ROUNDS / 3);
	}
}

static void laps_of_a_small_window_lose_nothing_at_rest(void)
{
	struct image_breaker rules = bench_rules();
	struct window_call call = {.word = &n.word, .failed = 1};
	struct window_sum sum;

	start();
	rules.window = 10;
	bench_start(&n, rules);
	n.recorded = (1ull << 48) - THREADS * WINDOW_ROUNDS / 2; /* across the wrap too */
	run(record_calls);
	CU_ASSERT_EQUAL(breaches, 0);
	for (int i = 0; i < 10; i++)
		window_record(&n.b.window, &n.rules, &call, SECOND);
	sum = bench_sum(&n, SECOND);
	CU_ASSERT_EQUAL(sum.calls, 10);
	CU_ASSERT_EQUAL(sum.failed, 10);
}

static void *change_epochs(void *arg)
{
	uint32_t worker = *(uint32_t *)arg;

	for (int i = 0; i < ROUNDS; i++) {
		struct bench_call c = bench_admit(&n, SECOND);
		int stale;

		if (worker == 0 && i % 5 == 0)
			breaker_reset(&n.word);
		else
			bench_end(&n, c, 0, SECOND, &stale);
	}
	return NULL;
}

/* However late its calls are, an epoch that is over takes nothing from the one after it. */
static void window_belongs_to_the_epoch_in_force(void)
{
	start();
	bench_start(&n, bench_rules());
	run(change_epochs);
	breaker_reset(&n.word);
	CU_ASSERT_EQUAL(bench_sum(&n, SECOND).calls, 0);
	for (uint32_t i = 1; i <= 100; i++) {
		bench_call(&n, 0, SECOND);
		CU_ASSERT_EQUAL(bench_sum(&n, SECOND).calls, i);
	}
}

static void *note_or_judge(void *arg)
{
	uint32_t worker = *(uint32_t *)arg, last = 0;
	struct random r = {.state = worker + 1};

	for (uint64_t t = 100 * SECOND; t < 160 * SECOND; t += 5 * MS) {
		struct outcomes *o = w.outcomes[worker];

		if (worker == 0)
			outlier_interval(&w.view, &w.state, 0, &last, t, &r);
		else
			for (uint32_t i = 0; i < w.cluster.endpoint_count; i++)
				outlier_note(&o[w.endpoint_slot[WORLD_FIRST + i]],
					     &w.cluster.outlier, 0, MS + random_below(&r, 100000),
					     t);
	}
	return NULL;
}

static void statistics_are_judged_while_workers_note(void)
{
	start();
	world_start(&w, 6);
	w.cluster.outlier.statistics = OUTLIER_LATENCY | OUTLIER_SUCCESS_RATE;
	run(note_or_judge);
	CU_ASSERT_EQUAL(world_ejected(&w), 0);
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(probes_and_ejections_keep_their_bounds),
		SUITE_TEST(the_last_usable_endpoint_is_never_ejected),
		SUITE_TEST(every_call_is_counted_once),
		SUITE_TEST(laps_of_a_small_window_lose_nothing_at_rest),
		SUITE_TEST(window_belongs_to_the_epoch_in_force),
		SUITE_TEST(statistics_are_judged_while_workers_note),
		CU_TEST_INFO_NULL,
	};

	return suite_run("breaker_threads", tests);
}
