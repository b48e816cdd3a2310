/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Laws that every run keeps: random policies on random traffic and faults, with reloads and
 * operators' words. A failure names its seed; `test_simulate_random SEED` repeats it alone.
 */
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "dataplane/policy/view.h"
#include "dataplane/simulate/draw.h"
#include "dataplane/simulate/simulate.h"
#include "shm/state.h"
#include "tests/unit/dataplane/suite.h"

#define MS     UINT64_C(1000000)
#define SECOND (1000 * MS)

enum { RUNS = 250, POLICIES = 3 };

static uint64_t only;

struct text {
	char bytes[8192];
	size_t used;
};

static void add(struct text *t, const char *more)
{
	t->used += (size_t)snprintf(t->bytes + t->used, sizeof(t->bytes) - t->used, "%s", more);
}

static void pick(struct text *t, struct random *random, const char *const *lines, uint32_t count)
{
	add(t, lines[random_below(random, count)]);
}

#define PICK(t, random, lines) pick(t, random, lines, sizeof(lines) / sizeof((lines)[0]))

static void add_cluster(struct text *t, struct random *random, int number)
{
	static const char *const balances[] = {
		"",
		"    load_balancing: {algorithm: maglev}\n",
		"    load_balancing: {algorithm: least_requests, bounded_load: 125%}\n",
		"    load_balancing: {algorithm: peak_ewma, slow_start: 2s}\n",
		"    load_balancing: {algorithm: ring_hash, points: 20}\n",
		"    load_balancing: {algorithm: rendezvous, panic_threshold: 0%}\n",
		"    load_balancing: {algorithm: random}\n"};
	static const char *const breakers[] = {
		"", "    circuit_breaker: {}\n", "    circuit_breaker: {mode: observe}\n",
		"    circuit_breaker: {window: 1s, minimum_calls: 5, open_for: 300ms, half_open: "
		"{probes: 1, successes: 2, timeout: 1s}}\n"};
	static const char *const outliers[] = {
		"", "    outlier_detection: {}\n", "    outlier_detection: {mode: observe}\n",
		"    outlier_detection: {open_for: 200ms, max_ejected: 100%, statistics: {modes: "
		"[success_rate, latency], interval: 4s, minimum_hosts: 3, minimum_calls: 10}}\n"};
	static const char *const bulkheads[] = {
		"",
		"    bulkhead: {max_concurrent: 4, max_queue: 6, queue_timeout: 50ms}\n",
		"    bulkhead: {max_concurrent: 3}\n",
		"    bulkhead: {mode: observe, max_concurrent: 3}\n",
		"    bulkhead: {scope: source, max_concurrent: 2}\n",
		"    bulkhead: {max_concurrent: 20, max_queue: 100, share: 20%}\n"};
	static const char *const endpoint_bulkheads[] = {
		"", "", "    endpoint_bulkhead: {max_concurrent: 2}\n"};
	static const char *const retries[] = {
		"", "    retry: {}\n", "    retry: {mode: observe}\n",
		"    retry: {max_attempts: 6, backoff: {jitter: none, base: 5ms}, budget: {ratio: "
		"50%, minimum_per_second: 3, window: 1s}}\n"};
	static const char *const timeouts[] = {
		"",
		"    timeouts: {connect: 100ms, request: 500ms, verdict_after: 50ms, idle: 1s}\n"};
	uint32_t endpoints = 1 + random_below(random, 6);
	char line[128];

	snprintf(line, sizeof(line), "  - name: c%d\n    endpoints:\n", number);
	add(t, line);
	for (uint32_t i = 0; i < endpoints; i++) {
		snprintf(line, sizeof(line),
			 "      - {address: 10.2.%d.%u:80, weight: %u, priority: %u}\n", number,
			 11 + i, 1 + random_below(random, 3), random_below(random, 2));
		add(t, line);
	}
	PICK(t, random, balances);
	PICK(t, random, breakers);
	PICK(t, random, outliers);
	PICK(t, random, bulkheads);
	PICK(t, random, endpoint_bulkheads);
	PICK(t, random, retries);
	PICK(t, random, timeouts);
}

static struct image_header *random_policy(struct random *random)
{
	static const char *const bulkheads[] = {
		"", "", ", bulkhead: {max_concurrent: 5, max_queue: 4, queue_timeout: 80ms}"};
	struct diagnostics *d = diagnostics_create("random");
	struct text *t = calloc(1, sizeof(*t));
	struct image_header *image;
	char line[128];

	if (d == NULL || t == NULL)
		abort();
	add(t, "version: 1\nsidecar: {name: t, connections: 256}\ninterfaces:\n"
	       "  - {name: app, device: af_xdp:a, addresses: [10.1.0.1/16]}\n"
	       "  - {name: net, device: af_xdp:b, addresses: [10.2.0.1/16]}\nlisteners:\n");
	for (int i = 0; i < 2; i++) {
		snprintf(line, sizeof(line),
			 "  - {name: l%d, bind: 10.1.0.1:%d, interface: app, protocol: tcp, "
			 "cluster: c%d",
			 i, 80 + i, i);
		add(t, line);
		PICK(t, random, bulkheads);
		add(t, "}\n");
	}
	add(t, "clusters:\n");
	add_cluster(t, random, 0);
	add_cluster(t, random, 1);
	image = config_compile(t->bytes, t->used, d);
	if (image == NULL) {
		fputs(t->bytes, stderr);
		diagnostics_print(d, stderr);
		abort();
	}
	diagnostics_free(d);
	free(t);
	return image;
}

/* What a run is made of. */
struct setup {
	struct image_header *policies[POLICIES];
	struct sim_load loads[3];
	struct sim_endpoint endpoints[3];
	struct sim_outage outages[2];
	struct sim_change changes[4];
	struct sim_scenario scenario;
};

static void random_load(struct sim_load *l, struct random *random, int number)
{
	*l = (struct sim_load){.listener = number == 1 ? "l1" : "l0",
			       .to_ns = 9 * SECOND,
			       .clients = 1 + random_below(random, 20),
			       .hold = {SIM_EXPONENTIAL, random_below(random, 20) * MS, 0},
			       .patience_ns = random_below(random, 3) * 200 * MS,
			       .think_ns = 10 * MS};
	if (random_below(random, 2))
		l->rate = 1 + random_below(random, 100);
	else
		l->concurrency = 1 + random_below(random, 20);
}

static void random_changes(struct setup *s, struct random *random)
{
	static const char *const names[] = {"10.2.0.11:80", "10.2.1.12:80", "c0"};

	for (int i = 0; i < 4; i++) {
		struct sim_change *c = &s->changes[i];

		c->at_ns = random_below(random, 9000) * MS;
		c->kind = (enum sim_change_kind)random_below(random, 4);
		if (c->kind == SIM_BREAKER)
			c->name = names[random_below(random, 3)];
		else
			c->name = names[random_below(random, 2)];
		c->value = random_below(random, c->kind == SIM_DRAIN ? 2 : 3);
		c->image = s->policies[random_below(random, POLICIES)];
	}
}

static void random_setup(struct setup *s, uint64_t seed)
{
	struct random random = draw_stream(seed, 99);

	for (int i = 0; i < POLICIES; i++)
		s->policies[i] = random_policy(&random);
	for (int i = 0; i < 3; i++) {
		random_load(&s->loads[i], &random, i);
		s->endpoints[i] = (struct sim_endpoint){
			.connect = {SIM_UNIFORM, 0, random_below(&random, 60) * MS},
			.latency = {SIM_LOGNORMAL, random_below(&random, 30) * MS, 200 * MS},
			.failure_rate = random_below(&random, 3) * random_below(&random, 5000),
			.failure = (enum sim_fault)random_below(&random, SIM_SLOW)};
	}
	s->endpoints[1].name = "10.2.0.11:80";
	s->endpoints[2].name = "10.2.1.11:80";
	for (int i = 0; i < 2; i++)
		s->outages[i] = (struct sim_outage){
			.from_ns = random_below(&random, 6000) * MS,
			.to_ns = 7000 * MS,
			.fault = (enum sim_fault)random_below(&random, SIM_FAULTS),
			.factor = 20};
	s->endpoints[0].outages = s->outages;
	s->endpoints[0].outage_count = random_below(&random, 3);
	random_changes(s, &random);
	s->scenario = (struct sim_scenario){.duration_ns = 40 * SECOND,
					    .seed = seed,
					    .workers = 1 + random_below(&random, 4),
					    .loads = s->loads,
					    .load_count = 1 + random_below(&random, 3),
					    .endpoints = s->endpoints,
					    .endpoint_count = 3,
					    .changes = s->changes,
					    .change_count = random_below(&random, 5)};
}

static int law(const struct sim_calls *c)
{
	return c->started == c->succeeded + c->failed + c->cancelled + c->rejected + c->active &&
	       c->active <= c->started;
}

/* The rule that @r breaks, or NULL. Limits change with reloads: only the exact word tells. */
static const char *broken_rule(const struct sim_result *r)
{
	struct sim_calls sum = {0};

	for (size_t i = 0; i < r->listener_count; i++) {
		if (!law(&r->listeners[i].calls))
			return "every call of a listener has one outcome";
		if (r->listeners[i].permits.overshoot_max != 0)
			return "listener permits keep to the limit";
	}
	for (size_t i = 0; i < r->cluster_count; i++) {
		const struct sim_cluster_result *c = &r->clusters[i];

		if (!law(&c->calls))
			return "every call of a cluster has one outcome";
		if (c->permits.overshoot_max != 0)
			return "cluster permits keep to the limit";
		if (c->policy.retries > c->policy.attempts)
			return "a retry is an attempt";
		sum.active += c->calls.active;
	}
	if (sum.active > r->calls.active)
		return "a cluster's call is its listener's";
	return NULL;
}

/* Long after the load everything is over but connections that hang till their idle time. */
static const char *left_over(const struct setup *s, const struct sim_result *r)
{
	for (size_t i = 0; i < s->scenario.load_count; i++) {
		if (s->loads[i].patience_ns == 0)
			return NULL;
	}
	for (size_t i = 0; i < r->cluster_count; i++) {
		const struct sim_cluster_result *c = &r->clusters[i];

		if (c->permits.in_flight + c->permits.queued != 0)
			return "a cluster's permits come back";
		if (c->attempts_in_flight + c->retries_in_flight != 0)
			return "attempts end";
	}
	for (size_t i = 0; i < r->listener_count; i++) {
		if (r->listeners[i].permits.in_flight + r->listeners[i].permits.queued != 0)
			return "a listener's permits come back";
	}
	for (size_t i = 0; i < r->endpoint_count; i++) {
		if (r->endpoints[i].in_flight != 0)
			return "an endpoint's permits come back";
	}
	return r->calls.active != 0 ? "calls end" : NULL;
}

static void every_run_keeps_the_laws(void)
{
	for (uint64_t seed = only ? only : 1; seed <= (only ? only : RUNS); seed++) {
		struct setup *s = calloc(1, sizeof(*s));
		struct sim_result *r;
		const char *broken;

		CU_ASSERT_PTR_NOT_NULL_FATAL(s);
		random_setup(s, seed);
		r = sim_run(s->policies[0], &s->scenario);
		CU_ASSERT_PTR_NOT_NULL_FATAL(r);
		broken = broken_rule(r);
		if (broken == NULL)
			broken = left_over(s, r);
		if (broken != NULL)
			fprintf(stderr, "\nseed %llu: not so: %s\n", (unsigned long long)seed,
				broken);
		CU_ASSERT_PTR_NULL(broken);
		sim_result_free(r);
		for (int i = 0; i < POLICIES; i++)
			free(s->policies[i]);
		free(s);
	}
}

int main(int argc, char **argv)
{
	static CU_TestInfo tests[] = {
		SUITE_TEST(every_run_keeps_the_laws),
		CU_TEST_INFO_NULL,
	};

	if (argc > 1)
		only = strtoull(argv[1], NULL, 10);
	return suite_run("simulate_random", tests);
}
