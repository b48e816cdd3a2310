/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Properties of the endpoints' breakers of one cluster over random schedules of several virtual
 * threads in virtual time. A failing seed is printed; run the binary with it as the only argument
 * to replay it alone.
 */
#include "dataplane/policy/outlier.h"
#include "tests/unit/dataplane/outlier_world.h"
#include "tests/unit/dataplane/suite.h"

#include <stdio.h>
#include <stdlib.h>

enum { SCHEDULES = 4000, STEPS = 250, CALLS = 48, HISTORY = 512 };

static uint64_t only_seed;
static struct random dice;
static struct outlier_world w;
static uint64_t now_ns;
static uint64_t judged;    /* verdicts compared with the reference */
static const char *broken; /* the first property that did not hold */

/* A call under way, and what it was told. */
struct call {
	uint32_t endpoint;
	uint16_t epoch;
	uint8_t live;
	uint8_t probe;
	uint8_t unfed;
};
static struct call calls[CALLS];

/* What an endpoint's window should know: verdicts of its current closed epoch, and their times. */
static struct {
	uint32_t n;
	uint32_t row; /* failures in a row */
	uint8_t failed[HISTORY];
	uint8_t slow[HISTORY];
	uint64_t at_ns[HISTORY];
} history[WORLD_ENDPOINTS];

static uint32_t below(uint32_t n)
{
	return random_below(&dice, n);
}

static void must(int holds, const char *what)
{
	if (!holds && !broken)
		broken = what;
}

static struct image_breaker random_rules(void)
{
	static const uint32_t windows[] = {10, 20, 50, 100}, open_ms[] = {1, 100, 5000};
	static const uint32_t half_open_ms[] = {1, 1000, 10000};
	struct image_breaker r = bench_rules();

	r.window = windows[below(4)];
	r.minimum_calls = 1 + below(r.window);
	r.failure_rate = (uint16_t)(below(4) ? 1 + below(10000) : 0);
	r.slow_us = below(2);
	r.slow_rate = (uint16_t)below(10001);
	r.consecutive_failures = below(8);
	r.probes = (uint8_t)(1 + below(below(4) ? 4 : BREAKER_MAX_PROBES));
	r.successes = (uint8_t)(1 + below(below(4) ? 4 : BREAKER_MAX_PROBES));
	r.open_ms = open_ms[below(3)];
	r.max_open_ms = r.open_ms * (1 + below(8));
	r.half_open_ms = half_open_ms[below(3)];
	if (below(3) == 0) {
		r.window_kind = WINDOW_DURATION;
		r.window = 1000;
	}
	return r;
}

static void start(void)
{
	static const uint64_t numbers[] = {0, (1ull << 32) - 30, (1ull << 48) - 30};

	memset(calls, 0, sizeof(calls));
	memset(history, 0, sizeof(history));
	broken = NULL;
	now_ns = below(2) ? SECOND + below(1000) * MS : ((1ull << 32) - below(20000)) * MS;
	world_start(&w, 1 + below(8));
	w.cluster.outlier.breaker = random_rules();
	w.cluster.outlier.max_ejected = (uint16_t)(below(3) ? below(10001) : 10000);
	for (uint32_t i = 0; i < w.cluster.endpoint_count; i++) {
		uint16_t epoch = (uint16_t)(below(2) ? 65535 - below(6) : below(3));
		struct endpoint_state *s = world_state(&w, i);

		s->breaker = breaker_pack((struct breaker_word){.epoch = epoch});
		s->recorded = (uint64_t)epoch << 48 | numbers[below(3)];
	}
}

static uint32_t probes_of(uint32_t endpoint, uint16_t epoch)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < CALLS; i++)
		n += calls[i].live && calls[i].probe && calls[i].endpoint == endpoint &&
		     calls[i].epoch == epoch;
	return n;
}

static uint32_t most_ejected(void)
{
	uint32_t endpoints = w.cluster.endpoint_count, max = w.cluster.outlier.max_ejected;

	return max && endpoints >= 2 && max * endpoints < 10000 ? 1 : max * endpoints / 10000;
}

static void check_all(void)
{
	for (uint32_t i = 0; i < w.cluster.endpoint_count; i++) {
		struct breaker_word b = world_word(&w, i);

		must(b.phase <= BREAKER_HALF_OPEN, "a phase it has");
		if (b.phase != BREAKER_HALF_OPEN)
			continue;
		must(b.active <= w.cluster.outlier.breaker.probes, "active <= probes");
		must(b.active == probes_of(i, b.epoch), "active counts the epoch's probes");
		must(b.ok < w.cluster.outlier.breaker.successes, "enough successes close it");
	}
	must(w.cluster_state.ejected == world_ejected(&w), "the word counts what is not closed");
	must(w.cluster_state.ejected <= most_ejected(), "max_ejected");
}

static int another_usable(uint32_t endpoint)
{
	for (uint32_t i = 0; i < w.cluster.endpoint_count; i++)
		if (i != endpoint &&
		    endpoint_usability(world_state(&w, i), &w.cluster, now_ns) == USABLE)
			return 1;
	return 0;
}

/* An operation took an endpoint's breaker from @was to what it is now and said @edge. */
static void check_edge(uint32_t endpoint, struct breaker_word was, enum breaker_edge edge)
{
	struct breaker_word is = world_word(&w, endpoint);
	uint16_t next = was.epoch == UINT16_MAX ? 1 : (uint16_t)(was.epoch + 1);

	must((is.phase != was.phase) == (is.epoch != was.epoch), "a phase is an epoch");
	if (is.phase == was.phase) {
		must(edge == EDGE_NONE || edge == EDGE_REFUSED, "no edge without a change");
		return;
	}
	must(is.epoch == next, "the next epoch, never 0");
	memset(&history[endpoint], 0, sizeof(history[endpoint]));
	switch (is.phase) {
	case BREAKER_OPEN:
		must(edge == EDGE_OPENED, "opened");
		must(was.phase == BREAKER_CLOSED
			     ? is.trips == 0
			     : is.trips == was.trips + (was.trips < BREAKER_MAX_TRIPS),
		     "trips count failed recoveries");
		must(was.phase == BREAKER_HALF_OPEN || another_usable(endpoint),
		     "another usable endpoint remains");
		break;
	case BREAKER_HALF_OPEN:
		must(edge == EDGE_HALF_OPEN && was.phase == BREAKER_OPEN, "half-open after open");
		must((int32_t)(state_ms(now_ns) - was.until_ms) >= 0, "never before its time");
		must(is.active == 1 && is.ok == 0, "one probe");
		break;
	default:
		must(edge == EDGE_CLOSED && was.phase == BREAKER_HALF_OPEN, "closed by probes");
		must(is.trips == 0 && is.consecutive == 0, "clean");
		must(was.ok + 1 >= w.cluster.outlier.breaker.successes, "enough successes");
	}
}

static enum breaker_override random_override(uint32_t endpoint)
{
	if (below(40) == 0)
		world_admin(&w, endpoint, (struct admin_word){.override = (uint8_t)below(3)});
	else if (below(8) == 0)
		world_admin(&w, endpoint, (struct admin_word){0});
	return admin_unpack(world_state(&w, endpoint)->admin).override;
}

static void begin(struct call *c)
{
	uint32_t endpoint = below(w.cluster.endpoint_count);
	enum breaker_override override = random_override(endpoint);
	struct endpoint_state *s = world_state(&w, endpoint), before = *s;
	struct breaker_word was = world_word(&w, endpoint);
	struct ejection e = world_ejection(&w, endpoint, now_ns);
	struct breaker b = outlier_breaker(&e);
	int looked = breaker_looks_admitting(s->breaker, b.rules, override, now_ns);
	enum breaker_admission a;
	enum breaker_edge edge;

	*c = (struct call){.endpoint = endpoint};
	a = breaker_admit(&b, now_ns, &c->epoch, &edge);
	c->live = a == BREAKER_ADMIT || a == BREAKER_ADMIT_PROBE || a == BREAKER_ADMIT_UNFED;
	c->probe = a == BREAKER_ADMIT_PROBE;
	c->unfed = a == BREAKER_ADMIT_UNFED;
	must(looked == c->live || (edge == EDGE_OPENED && was.phase == BREAKER_HALF_OPEN),
	     "it is as it looked");
	must(memcmp(&s->window, &before.window, sizeof(s->window)) == 0 &&
		     s->recorded == before.recorded,
	     "an admission feeds no window");
	must((c->live && !c->unfed) == (c->epoch == world_word(&w, endpoint).epoch),
	     "who feeds has the epoch in force");
	check_edge(endpoint, was, edge);
}

/* Note a verdict; is the row of failures long enough? */
static int note(uint32_t endpoint, int failed, int slow)
{
	uint32_t limit = w.cluster.outlier.breaker.consecutive_failures;
	uint32_t at = history[endpoint].n++ % HISTORY;

	history[endpoint].failed[at] = (uint8_t)failed;
	history[endpoint].slow[at] = (uint8_t)slow;
	history[endpoint].at_ns[at] = now_ns;
	history[endpoint].row = failed ? history[endpoint].row + 1 : 0;
	return failed && limit && history[endpoint].row >= limit;
}

/* Is the rate of the last @calls verdicts at its threshold? */
static int rates_trip(uint32_t endpoint, uint32_t recorded, uint32_t calls_in)
{
	const struct image_breaker *r = &w.cluster.outlier.breaker;
	uint32_t failed = 0, slow = 0, minimum = r->minimum_calls;
	uint32_t full = r->window - r->window / WINDOW_BUCKETS + 1;

	minimum = minimum < full ? minimum : full;
	if (recorded < r->minimum_calls || calls_in < minimum)
		return 0;
	for (uint32_t i = 1; i <= calls_in; i++) {
		failed += history[endpoint].failed[(recorded - i) % HISTORY];
		slow += history[endpoint].slow[(recorded - i) % HISTORY];
	}
	return (r->failure_rate && failed * 10000 >= r->failure_rate * calls_in) ||
	       (r->slow_us && r->slow_rate && slow * 10000 >= r->slow_rate * calls_in);
}

/*
 * The reference for count windows: all calls of the epoch up to a full window, less what the
 * part being replaced held. Only while the epoch is young, so nothing is too old, and its number
 * is not preset.
 */
static int should_trip(uint32_t endpoint, int row, int bad)
{
	const struct image_breaker *r = &w.cluster.outlier.breaker;
	uint32_t n = history[endpoint].n, part = r->window / WINDOW_BUCKETS, in = n;

	if (n > r->window)
		in = r->window - part + 1 + (n - 1) % part;
	return row || (bad && rates_trip(endpoint, n, in));
}

static int reference_knows(uint32_t endpoint, uint16_t epoch)
{
	uint64_t recorded = world_state(&w, endpoint)->recorded;
	uint64_t from_ns = history[endpoint].at_ns[0];

	return w.cluster.outlier.breaker.window_kind == WINDOW_CALLS &&
	       history[endpoint].n <= HISTORY && recorded >> 48 == epoch &&
	       (recorded & 0xffffffffffff) == history[endpoint].n && now_ns < from_ns + 59 * SECOND;
}

static void end(struct call *c)
{
	uint32_t endpoint = c->endpoint;
	struct endpoint_state *s = world_state(&w, endpoint), before = *s;
	struct breaker_word was = world_word(&w, endpoint);
	struct ejection e = world_ejection(&w, endpoint, now_ns);
	struct breaker b = outlier_breaker(&e);
	struct breaker_outcome o = {.epoch = c->epoch,
				    .probe = c->probe,
				    .failed = below(2) == 0,
				    .slow = below(3) == 0,
				    .worker = below(WORLD_WORKERS),
				    .random = random_next(&dice)};
	struct outcomes outcomes = w.outcomes[o.worker][w.endpoint_slot[WORLD_FIRST + endpoint]];
	int fresh = c->epoch == was.epoch && b.override == OVERRIDE_NONE, stale = 0;
	int row = 0, bad = o.failed || (o.slow && b.rules->slow_us);
	enum breaker_edge edge = EDGE_NONE;

	c->live = 0;
	if (below(5) == 0) {
		breaker_cancel(&b, c->epoch, c->probe);
	} else {
		edge = breaker_record(&b, &o, now_ns, &stale);
		must(stale == !fresh, "stale is what is of another epoch");
		if (fresh && was.phase == BREAKER_CLOSED) {
			row = note(endpoint, o.failed, bad && o.slow);
			must(!row || edge != EDGE_NONE, "a row of failures trips");
			must(bad || edge == EDGE_NONE, "trips on failures and slow calls only");
			if (reference_knows(endpoint, was.epoch)) {
				judged++;
				must(should_trip(endpoint, row, bad) == (edge != EDGE_NONE),
				     "trips when the reference does");
			}
		}
		if (edge == EDGE_REFUSED) {
			history[endpoint].row = 0;
			must(world_word(&w, endpoint).consecutive == 0, "refused: starts over");
		}
	}
	if (c->epoch != was.epoch)
		must(memcmp(s, &before, sizeof(before)) == 0, "a stale call changes nothing");
	if (stale || was.phase != BREAKER_CLOSED)
		must(memcmp(&s->window, &before.window, sizeof(before.window)) == 0 &&
			     s->recorded == before.recorded &&
			     memcmp(&outcomes,
				    &w.outcomes[o.worker][w.endpoint_slot[WORLD_FIRST + endpoint]],
				    sizeof(outcomes)) == 0,
		     "only closed epochs feed their window");
	if (edge == EDGE_CLOSED)
		outlier_give_back(&w.cluster_state.ejected);
	check_edge(endpoint, was, edge);
}

static void operate(void)
{
	uint32_t endpoint = below(w.cluster.endpoint_count);
	struct breaker_word was = world_word(&w, endpoint);
	struct ejection e = world_ejection(&w, endpoint, now_ns);
	struct breaker b = outlier_breaker(&e);
	enum breaker_edge edge;

	if (below(3)) {
		edge = breaker_eject(&b, now_ns, random_next(&dice));
		must(edge == EDGE_NONE || was.phase == BREAKER_CLOSED, "closed ones are ejected");
		if (edge == EDGE_REFUSED)
			history[endpoint].row = 0;
		check_edge(endpoint, was, edge);
		return;
	}
	if (breaker_reset(b.word))
		outlier_give_back(&w.cluster_state.ejected);
	memset(&history[endpoint], 0, sizeof(history[endpoint]));
	must(world_word(&w, endpoint).epoch != was.epoch, "a reset is another epoch");
}

/* Mostly on, by little or much; at times it stands, or steps back as clocks of workers differ. */
static void tick(void)
{
	switch (below(8)) {
	case 0:
		return;
	case 1:
		now_ns -= below(200) * MS;
		return;
	case 2:
		now_ns += below(100000) * MS;
		return;
	default:
		now_ns += below(2000) * MS / 4;
	}
}

static void step(void)
{
	struct call *c = &calls[below(CALLS)];

	if (below(3) == 0)
		tick();
	if (below(40) == 0)
		operate();
	else if (c->live)
		end(c);
	else
		begin(c);
	check_all();
}

static const char *run_seed(uint64_t seed)
{
	dice.state = seed * 0x9e3779b97f4a7c15ull | 1;
	random_next(&dice);
	start();
	for (int i = 0; i < STEPS && !broken; i++)
		step();
	for (uint32_t i = 0; i < CALLS && !broken; i++) {
		if (calls[i].live)
			end(&calls[i]);
		check_all();
	}
	for (uint32_t i = 0; i < w.cluster.endpoint_count; i++)
		must(world_word(&w, i).active == 0, "no probe is left when all calls ended");
	return broken;
}

static void properties_hold_over_random_schedules(void)
{
	for (uint64_t seed = 1; seed <= SCHEDULES; seed++) {
		const char *what;

		if (only_seed && seed != only_seed)
			continue;
		what = run_seed(seed);
		if (what)
			printf("\nseed %llu: %s\n", (unsigned long long)seed, what);
		CU_ASSERT_PTR_NULL_FATAL(what);
	}
	CU_ASSERT(only_seed || judged > 50 * SCHEDULES / 10);
}

int main(int argc, char **argv)
{
	CU_TestInfo tests[] = {SUITE_TEST(properties_hold_over_random_schedules),
			       CU_TEST_INFO_NULL};

	if (argc == 2)
		only_seed = strtoull(argv[1], NULL, 10);
	return suite_run("breaker_random", tests);
}
