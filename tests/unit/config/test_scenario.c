/* SPDX-License-Identifier: Apache-2.0 */
#include "config/scenario.h"

#include "config/arena.h"
#include "tests/unit/config/policy_text.h"

static const char good_scenario[] =
	"duration: 60s\n"                                                             /* 1 */
	"seed: 42\n"                                                                  /* 2 */
	"workers: 2\n"                                                                /* 3 */
	"load:\n"                                                                     /* 4 */
	"  - listener: web\n"                                                         /* 5 */
	"    rate: 10k\n"                                                             /* 6 */
	"    arrivals: even\n"                                                        /* 7 */
	"    from: 1s\n"                                                              /* 8 */
	"    to: 30s\n"                                                               /* 9 */
	"    hold: {distribution: exponential, mean: 50ms}\n"                         /* 10 */
	"    patience: 5s\n"                                                          /* 11 */
	"  - {listener: web, concurrency: 20, think: 10ms}\n"                         /* 12 */
	"endpoints:\n"                                                                /* 13 */
	"  - latency: {value: 5ms}\n"                                                 /* 14 */
	"  - address: 10.2.0.11:8080\n"                                               /* 15 */
	"    connect: {distribution: uniform, min: 1ms, max: 2ms}\n"                  /* 16 */
	"    latency: {distribution: lognormal, median: 5ms, p99: 40ms}\n"            /* 17 */
	"    failure_rate: 2.5%\n"                                                    /* 18 */
	"    failure: reset\n"                                                        /* 19 */
	"    outages: [{from: 10s, to: 20s, kind: slow, factor: 50}, {kind: hang}]\n" /* 20 */
	"    flap: {period: 10s, down: 3s, kind: blackhole}\n"                        /* 21 */
	"events:\n"                                                                   /* 22 */
	"  - {at: 10s, reload: other.yaml}\n"                                         /* 23 */
	"  - {at: 20s, endpoint: \"10.2.0.12:8080\", health: unhealthy}\n"            /* 24 */
	"  - {at: 21s, endpoint: \"10.2.0.12:8080\", drained: true}\n"                /* 25 */
	"  - {at: 22s, cluster: web, breaker: open}\n";                               /* 26 */

struct parsed {
	struct arena *arena;
	struct diagnostics *d;
	struct scenario *s;
};

static struct parsed parse(const char *text)
{
	struct parsed p = {arena_create(), diagnostics_create("s"), NULL};

	require(p.arena != NULL && p.d != NULL);
	p.s = scenario_parse(text, strlen(text), p.arena, p.d);
	CU_ASSERT_EQUAL(p.s == NULL, diagnostics_errors(p.d) != 0);
	return p;
}

static void forget(struct parsed *p)
{
	diagnostics_free(p->d);
	arena_free(p->arena);
}

static void every_key_is_read(void)
{
	struct parsed p = parse(good_scenario);
	const struct scenario_endpoint *e;
	const struct scenario_load *l;

	diagnostics_print(p.d, stderr);
	require(p.s != NULL && p.s->load.count == 2 && p.s->endpoints.count == 2 &&
		p.s->events.count == 4);
	CU_ASSERT_EQUAL(p.s->duration_us, 60000000);
	CU_ASSERT_EQUAL(p.s->seed, 42);
	CU_ASSERT_EQUAL(p.s->workers, 2);
	l = &p.s->load.items[0];
	CU_ASSERT_STRING_EQUAL(l->listener, "web");
	CU_ASSERT_EQUAL(l->rate, 10000);
	CU_ASSERT_EQUAL(l->evenly, 1);
	CU_ASSERT_EQUAL(l->from_us, 1000000);
	CU_ASSERT_EQUAL(l->to_us, 30000000);
	CU_ASSERT_EQUAL(l->clients, 1000);
	CU_ASSERT_EQUAL(l->hold.distribution, SCENARIO_EXPONENTIAL);
	CU_ASSERT_EQUAL(l->hold.mean_us, 50000);
	CU_ASSERT_EQUAL(l->patience_us, 5000000);
	l = &p.s->load.items[1];
	CU_ASSERT_EQUAL(l->rate, 0);
	CU_ASSERT_EQUAL(l->concurrency, 20);
	CU_ASSERT_EQUAL(l->think_us, 10000);
	CU_ASSERT_EQUAL(l->to_us, 60000000);
	e = &p.s->endpoints.items[0];
	CU_ASSERT_EQUAL(e->address.family, 0);
	CU_ASSERT_EQUAL(e->connect.value_us, 500);
	CU_ASSERT_EQUAL(e->latency.value_us, 5000);
	e = &p.s->endpoints.items[1];
	CU_ASSERT_EQUAL(e->address.family, FAMILY_V4);
	CU_ASSERT_EQUAL(e->connect.max_us, 2000);
	CU_ASSERT_EQUAL(e->latency.median_us, 5000);
	CU_ASSERT_EQUAL(e->latency.p99_us, 40000);
	CU_ASSERT_EQUAL(e->failure_rate, 250);
	CU_ASSERT_EQUAL(e->failure, SCENARIO_RESET);
	require(e->outages.count == 2);
	CU_ASSERT_EQUAL(e->outages.items[0].factor, 50);
	CU_ASSERT_EQUAL(e->outages.items[1].kind, SCENARIO_HANG);
	CU_ASSERT_EQUAL(e->outages.items[1].to_us, 60000000);
	CU_ASSERT_EQUAL(e->flap.period_us, 10000000);
	CU_ASSERT_EQUAL(e->flap.down_us, 3000000);
	CU_ASSERT_EQUAL(e->flap.kind, SCENARIO_BLACKHOLE);
	CU_ASSERT_STRING_EQUAL(p.s->events.items[0].reload, "other.yaml");
	CU_ASSERT_EQUAL(p.s->events.items[1].health, SCENARIO_UNHEALTHY);
	CU_ASSERT_EQUAL(p.s->events.items[2].drained, SCENARIO_DRAINED);
	CU_ASSERT_EQUAL(p.s->events.items[3].breaker, SCENARIO_OPEN);
	forget(&p);
}

static void little_is_needed(void)
{
	struct parsed p = parse("duration: 1s\nload: [{listener: l, rate: 1}]\n");

	diagnostics_print(p.d, stderr);
	require(p.s != NULL);
	CU_ASSERT_EQUAL(p.s->seed, 1);
	CU_ASSERT_EQUAL(p.s->workers, 0);
	CU_ASSERT_EQUAL(p.s->endpoints.count, 0);
	CU_ASSERT_EQUAL(p.s->load.items[0].hold.value_us, 0);
	CU_ASSERT_EQUAL(p.s->load.items[0].hold.distribution, SCENARIO_FIXED);
	forget(&p);
}

static void errors_say_where_and_what_would_do(void)
{
	static const struct {
		const char *find;
		const char *replace;
		const char *message;
	} rows[] = {
		{"duration: 60s\n", "", "s:1:1: error: duration: found nothing"},
		{"rate: 10k", "rate: 0", "s:6:11: error: load[0].rate: found 0, expected 1 to"},
		{"rate: 10k", "rat: 10k",
		 "s:6:5: error: load[0].rat: unknown key; did you mean "
		 "\"rate\"?"},
		{"    rate: 10k\n", "",
		 "s:5:5: error: load[0]: expected either a rate or a "
		 "concurrency"},
		{"concurrency: 20", "concurrency: 20, rate: 5",
		 "s:12:5: error: load[1]: expected either a rate or a concurrency"},
		{"think: 10ms", "arrivals: even",
		 "s:12:48: error: load[1].arrivals: does nothing here, expected rate"},
		{"patience: 5s", "think: 5s",
		 "s:11:12: error: load[0].think: does nothing here, expected concurrency"},
		{"from: 1s", "from: 31s", "s:8:11: error: load[0].from: expected a time before"},
		{"mean: 50ms", "median: 50ms", "s:10:11: error: load[0].hold: found no mean"},
		{"mean: 50ms", "median: 50ms",
		 "error: load[0].hold.median: does nothing here, expected distribution: "
		 "lognormal"},
		{"max: 2ms", "max: 1us", "connect.max: expected at least min"},
		{"p99: 40ms", "p99: 1ms", "latency.p99: expected at least median"},
		{"{kind: hang}", "{kind: hang, factor: 3}",
		 "outages[1].factor: does nothing here, expected kind: slow"},
		{"down: 3s", "down: 10s", "flap.down: expected less than period"},
		{"failure: reset", "failure: slow",
		 "failure: found slow, expected one of: refuse, blackhole, hang, reset"},
		{"address: 10.2.0.11:8080\n    connect", "connect",
		 "endpoints[1]: expected one entry without an address at most"},
		{"at: 10s", "at: 61s", "events[0].at: expected a time within the duration"},
		{"{at: 10s, reload: other.yaml}", "{at: 10s}",
		 "events[0]: expected one of reload, health, drained and breaker"},
		{"health: unhealthy", "health: unhealthy, drained: true",
		 "events[1]: expected one of reload, health, drained and breaker"},
		{"cluster: web, breaker: open", "breaker: open",
		 "events[3]: expected either an endpoint or a cluster"},
		{"cluster: web, breaker: open", "cluster: web, drained: true",
		 "events[3].cluster: expected an endpoint: only breaker is a cluster's"},
		{"reload: other.yaml", "reload: other.yaml, cluster: web",
		 "events[0].cluster: does nothing here, expected a reload alone"},
		{"duration: 60s", "duration: 2d", NULL},
		{"to: 30s", "to: 40m", NULL},
		{"rate: 10k", "rate: 10M", NULL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text = changed_policy(good_scenario, rows[i].find, rows[i].replace);
		struct parsed p = parse(text);
		char *said = diagnostics_text(p.d);
		int as_expected = rows[i].message == NULL
					  ? p.s != NULL
					  : p.s == NULL && strstr(said, rows[i].message) != NULL;

		if (!as_expected)
			fprintf(stderr, "\n--- row %zu: expected %s, got\n%s", i, rows[i].message,
				said);
		CU_ASSERT(as_expected);
		free(said);
		free(text);
		forget(&p);
	}
}

static void too_many_calls_are_refused(void)
{
	struct parsed p = parse("duration: 101s\nload: [{listener: l, rate: 10M}]\n");
	char *said = diagnostics_text(p.d);

	CU_ASSERT_PTR_NULL(p.s);
	CU_ASSERT_PTR_NOT_NULL(strstr(said, "s:2:7: error: load: found 1010000000 calls in all"));
	free(said);
	forget(&p);
}

static void names_must_be_the_policys(void)
{
	static const struct {
		const char *find;
		const char *replace;
		const char *messages;
	} rows[] = {
		{"seed: 42", "seed: 43", ""},
		{"listener: web\n", "listener: wbe\n",
		 "s:5:15: error: load[0].listener: found wbe, expected a listener of the policy\n"},
		{"cluster: web", "cluster: net",
		 "s:26:24: error: events[3].cluster: found net, expected a cluster of the "
		 "policy\n"},
		{"address: 10.2.0.11:8080", "address: 10.2.0.11:80",
		 "s:15:14: error: endpoints[1].address: found 10.2.0.11:80, expected an endpoint "
		 "of the policy\n"},
	};
	const struct image_header *image = compile_good(good_policy);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text = changed_policy(good_scenario, rows[i].find, rows[i].replace);
		struct parsed p = parse(text);
		char *said;

		require(p.s != NULL);
		scenario_check_names(p.s, &image, 1, p.d);
		said = diagnostics_text(p.d);
		if (strcmp(said, rows[i].messages) != 0)
			fprintf(stderr, "\n--- row %zu: got\n%s", i, said);
		CU_ASSERT_STRING_EQUAL(said, rows[i].messages);
		free(said);
		free(text);
		forget(&p);
	}
	free((void *)(uintptr_t)image);
}

static void files_that_cannot_be_read_are_errors(void)
{
	static const char *const paths[] = {"/nonexistent/scenario.yaml", "/proc/self",
					    "/dev/zero"};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct arena *arena = arena_create();
		struct diagnostics *d = diagnostics_create(paths[i]);

		CU_ASSERT_PTR_NULL(scenario_parse_file(paths[i], arena, d));
		CU_ASSERT_EQUAL(diagnostics_errors(d), 1);
		diagnostics_free(d);
		arena_free(arena);
	}
}

int main(void)
{
	static CU_TestInfo tests[] = {
		{"every_key_is_read", every_key_is_read},
		{"little_is_needed", little_is_needed},
		{"errors_say_where_and_what_would_do", errors_say_where_and_what_would_do},
		{"too_many_calls_are_refused", too_many_calls_are_refused},
		{"names_must_be_the_policys", names_must_be_the_policys},
		{"files_that_cannot_be_read_are_errors", files_that_cannot_be_read_are_errors},
		CU_TEST_INFO_NULL,
	};

	return run_suite("scenario", tests);
}
