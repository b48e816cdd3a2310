/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Properties of the engine over random schedules: several workers in virtual time, random policies,
 * outcomes, timeouts, clients that leave, reloads and kills. A failing seed is printed; run the
 * binary with it as the only argument to see it alone.
 */
#include "dataplane/policy/adoption.h"
#include "dataplane/policy/breaker.h"
#include "dataplane/policy/bulkhead.h"
#include "tests/unit/dataplane/call_schedule.h"
#include "tests/unit/dataplane/suite.h"

#include <stdio.h>

enum { SCHEDULES = 2500 };

static uint64_t only_seed;

static uint32_t count_since(const uint64_t *at, uint32_t n, uint64_t since_ns)
{
	uint32_t count = 0;

	while (n > 0 && at[n - 1] > since_ns) {
		count++;
		n--;
	}
	return count;
}

static void note_sent(struct schedule *s, const struct call *call)
{
	struct sent *sent = &s->sent[call->cluster];
	const struct image_retry *rules = &s->w->clusters[call->cluster].retry;
	uint64_t since_ns = s->w->now_ns - (uint64_t)rules->window_ms * WORLD_MS;
	uint64_t calls, most;

	if (call->attempts == 1) {
		if (sent->firsts < SENT)
			sent->first[sent->firsts++] = s->w->now_ns;
		return;
	}
	must(s, rules->mode == MODE_ENFORCE, "an observed policy retries nothing");
	must(s, call->attempts <= rules->max_attempts, "attempts are bounded");
	must(s,
	     !(call->marks & CALL_WAS_PROBE) ||
		     s->w->clusters[call->cluster].breaker.mode != MODE_ENFORCE,
	     "a cluster's probe is not retried");
	if (sent->retries < SENT)
		sent->retry[sent->retries++] = s->w->now_ns;
	calls = count_since(sent->first, sent->firsts, since_ns);
	most = calls * rules->ratio / 10000;
	if (most < (uint64_t)rules->minimum_per_second * rules->window_ms / 1000)
		most = (uint64_t)rules->minimum_per_second * rules->window_ms / 1000;
	must(s, s->stepped_back || count_since(sent->retry, sent->retries, since_ns) <= most,
	     "retries keep to the budget");
}

static int is_ours(enum reason reason)
{
	return reason == REASON_NO_ENDPOINT || reason == REASON_DRAINING ||
	       reason == REASON_REQUEST_TIMEOUT || reason == REASON_NO_PORT ||
	       reason == REASON_CIRCUIT_OPEN; /* an operator's */
}

/* The words of all breakers' windows: only verdicts change them. */
static uint64_t recorded(const struct world *w)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < WORLD_CLUSTERS; i++)
		sum += w->words.clusters[i].recorded * (i + 1);
	for (uint32_t i = 0; i < WORLD_ENDPOINTS; i++)
		sum += w->words.endpoints[i].recorded * (i + 7);
	return sum;
}

static void take_step(struct schedule *s, uint32_t worker, struct call *call, struct call_step step)
{
	s->wake_ns[worker][call->number] = 0;
	switch (step.next) {
	case CALL_SEND:
		must(s, s->w->identity[step.endpoint] == call->endpoint, "the step names it");
		must(s, (call->held & CALL_ATTEMPT) && (call->held & CALL_ENDPOINT_PERMIT),
		     "an attempt holds its permit");
		call_sent(&s->w->engines[worker], call);
		note_sent(s, call);
		break;
	case CALL_WAIT:
		must(s, !s->observed, "observed policies queue nobody");
		must(s, call->held & (CALL_LISTENER_QUEUED | CALL_CLUSTER_QUEUED), "it waits");
		must(s, !(call->held & CALL_CLUSTER_PROBE), "probes never queue");
		s->wake_ns[worker][call->number] = step.wake_ns ? step.wake_ns : 1;
		break;
	case CALL_BACK_OFF:
		must(s, !(call->held & (CALL_ATTEMPT | CALL_ENDPOINT_PERMIT | CALL_ENDPOINT_PROBE)),
		     "a back-off holds no endpoint");
		s->wake_ns[worker][call->number] = step.wake_ns;
		break;
	case CALL_REJECTED:
		must(s, call->held == 0 && !(call->marks & (CALL_OPEN | CALL_STARTED)),
		     "a refusal holds nothing");
		must(s, !s->observed || is_ours(step.reason), "observed policies refuse nobody");
		break;
	case CALL_FAILED:
		must(s,
		     !(call->held &
		       ~(CALL_LISTENER_PERMIT | CALL_CLUSTER_PERMIT | CALL_SOURCE_PERMIT)),
		     "a failed call holds its first permits alone");
		must(s, !(call->marks & CALL_STARTED), "it has its outcome");
		break;
	}
}

static void start(struct schedule *s, uint32_t worker)
{
	struct world *w = s->w;
	uint32_t listener = dice(s, LISTENERS);
	uint32_t n = dice(s, CALLS);
	uint64_t before = recorded(w);

	if ((world_call(w, worker, n)->marks & CALL_OPEN) ||
	    w->listener_at[listener] == VIEW_NONE ||
	    w->cluster_at[w->listeners[listener].cluster] == VIEW_NONE)
		return;
	s->requests[worker][n] = (struct call_request){
		.listener = listener,
		.hash = random_next(&s->dice),
		.source = dice(s, 4),
		.no_queue = dice(s, 8) == 0,
		.no_retry = dice(s, 8) == 0,
		.no_verdict = dice(s, 8) == 0,
	};
	take_step(s, worker, world_call(w, worker, n),
		  world_start_as(w, worker, n, &s->requests[worker][n]));
	must(s, before == recorded(w), "no admission and no refusal feeds a breaker");
	must(s,
	     !s->requests[worker][n].no_verdict ||
		     !(world_call(w, worker, n)->held & (CALL_CLUSTER_PROBE | CALL_ENDPOINT_PROBE)),
	     "a call without verdict is no probe");
}

static void finish_attempt(struct schedule *s, uint32_t worker, struct call *call)
{
	static const enum reason reasons[] = {REASON_CONNECT_REFUSED, REASON_CONNECT_TIMEOUT,
					      REASON_UPSTREAM_UNREACHABLE, REASON_REQUEST_TIMEOUT};
	struct engine *e = &s->w->engines[worker];
	const int unheard = call->marks & CALL_NO_VERDICT;
	uint64_t before = recorded(s->w);

	switch (dice(s, 10)) {
	case 0:
		call_connected(e, call, random_next(&s->dice) % (100 * WORLD_MS));
		break;
	case 1:
		call_failed(e, call, REASON_UPSTREAM_RESET);
		break;
	case 2:
		call_cancelled(e, call);
		must(s, before == recorded(s->w), "a client that leaves is neutral");
		break;
	case 3:
		call_not_sent(e, call, REASON_NO_PORT);
		must(s, before == recorded(s->w), "what was not sent is neutral");
		must(s, call->held == 0, "what was not sent holds nothing");
		break;
	case 4:
	case 5:
		call_succeeded(e, call);
		break;
	default:
		take_step(s, worker, call,
			  call_attempt_failed(e, call, &s->requests[worker][call->number],
					      reasons[dice(s, 4)]));
	}
	must(s, !unheard || before == recorded(s->w), "a call without verdict feeds nothing");
}

static void act_on_a_call(struct schedule *s, uint32_t worker)
{
	struct call *call = world_call(s->w, worker, dice(s, CALLS));

	if (!(call->marks & CALL_OPEN))
		return;
	if (call->held & CALL_ATTEMPT) {
		finish_attempt(s, worker, call);
	} else if (!(call->marks & CALL_STARTED) || dice(s, 4) == 0) {
		call_end(&s->w->engines[worker], call);
		must(s, call->held == 0, "a call that is over holds nothing");
		s->wake_ns[worker][call->number] = 0;
	}
}

static void expire(struct schedule *s, uint32_t worker)
{
	for (uint32_t n = 0; n < CALLS; n++) {
		if (s->wake_ns[worker][n] && s->wake_ns[worker][n] <= s->w->now_ns)
			take_step(s, worker, world_call(s->w, worker, n),
				  call_expired(&s->w->engines[worker], world_call(s->w, worker, n),
					       &s->requests[worker][n]));
	}
}

/* One worker's turn: its grants and refusals. Return: how many. */
static uint32_t turn(struct schedule *s, uint32_t worker)
{
	struct engine *e = &s->w->engines[worker];
	enum reason reason = REASON_NONE;
	uint32_t done = 0;
	struct call *call;

	if (s->unadopted[worker])
		engine_policy_changed(e);
	s->unadopted[worker] = 0;
	while (done < TURNS && (call = call_next_granted(e))) {
		take_step(s, worker, call,
			  call_granted(e, call, &s->requests[worker][call->number]));
		done++;
	}
	while (done < TURNS && (call = call_next_refused(e, &reason))) {
		must(s, reason == REASON_CIRCUIT_OPEN, "waiters leave because it opened");
		must(s, call->held == 0, "a refused waiter holds nothing");
		s->wake_ns[worker][call->number] = 0;
		done++;
	}
	must(s, done < TURNS, "a turn ends");
	return done;
}

static void drain(struct schedule *s)
{
	uint32_t rounds = 0, done;

	do {
		done = 0;
		for (uint32_t i = 0; i < s->w->workers; i++)
			done += turn(s, i);
	} while (done && ++rounds < TURNS && !s->broken);
	/* A permit passed on to a worker that has had its turn already. */
	for (uint32_t i = 0; i < s->w->workers; i++)
		turn(s, i);
}

/* As at an adoption: endpoints that left are ejected no longer. */
static void random_endpoints(struct schedule *s, uint32_t cluster)
{
	struct world *w = s->w;
	struct image_cluster *c = &w->clusters[cluster];

	if (s->full_count[cluster] < 2)
		return;
	c->endpoint_count = 1 + dice(s, s->full_count[cluster]);
	world_table(w, c);
	for (uint32_t k = 0; k < s->full_count[cluster]; k++) {
		uint16_t slot = (uint16_t)(c->first_endpoint + k);

		w->endpoint_at[slot] = k < c->endpoint_count ? slot : (uint16_t)VIEW_NONE;
		if (k >= c->endpoint_count && breaker_word_reset(&w->words.endpoints[slot].breaker))
			w->words.clusters[cluster].ejected--;
	}
}

static void adopt(struct schedule *s)
{
	const struct policy_state state = world_state(s->w, &s->w->words, 0);

	adoption_begin(&s->w->view, &s->w->view, &state, s->w->now_ns);
}

static void random_rules(struct schedule *s, struct image_cluster *c)
{
	c->breaker = random_breaker(s);
	c->outlier.breaker = random_breaker(s);
}

static void reload(struct schedule *s)
{
	struct world *w = s->w;

	if (dice(s, 2))
		random_limits(s);
	if (dice(s, 2))
		random_rules(s, &w->clusters[dice(s, CLUSTERS)]);
	adopt(s);
	random_endpoints(s, dice(s, CLUSTERS));
	for (uint32_t i = 0; i < CLUSTERS; i++)
		w->cluster_at[i] = (uint16_t)(dice(s, 6) ? i : VIEW_NONE);
	for (uint32_t i = 0; i < LISTENERS; i++) {
		const int stays = dice(s, 6) && w->cluster_at[i % CLUSTERS] != VIEW_NONE;

		w->listener_at[i] = (uint16_t)(stays ? i : VIEW_NONE);
	}
	w->image.generation++;
	for (uint32_t i = 0; i < w->workers; i++)
		s->unadopted[i] = 1;
}

static void operate(struct schedule *s)
{
	const struct admin_word endpoint = {.health = (uint8_t)dice(s, 3),
					    .drained = dice(s, 4) == 0,
					    .override = (uint8_t)(dice(s, 4) ? 0 : dice(s, 3))};
	const struct admin_word cluster = {.override = (uint8_t)(dice(s, 2) ? 0 : dice(s, 3))};

	s->w->words.endpoints[dice(s, WORLD_ENDPOINTS)].admin = admin_pack(endpoint);
	s->w->words.clusters[dice(s, CLUSTERS)].admin = admin_pack(cluster);
}

/* The process dies; the successor counts anew whatever the derived words said. */
static void rebuild(struct schedule *s)
{
	struct world_words before = s->w->words;
	struct world_words *words = &s->w->words;

	for (uint32_t i = 0; i < WORLD_CLUSTERS; i++) {
		words->clusters[i].bulkhead.word = random_next(&s->dice);
		words->clusters[i].attempts_in_flight = words->clusters[i].ejected = 77;
		words->clusters[i].retries_in_flight = 78;
	}
	for (uint32_t i = 0; i < WORLD_LISTENERS; i++)
		words->listeners[i].bulkhead.word = random_next(&s->dice);
	for (uint32_t i = 0; i < WORLD_ENDPOINTS; i++)
		words->endpoints[i].in_flight = 79;
	world_rebuild(s->w, words);
	must(s, world_same_words(s->w, &before, words),
	     "a successor counts what the live calls hold");
	/* This process lives on. */
	for (uint32_t i = 0; i < WORLD_CLUSTERS; i++)
		words->clusters[i].bulkhead.word = before.clusters[i].bulkhead.word;
	for (uint32_t i = 0; i < WORLD_LISTENERS; i++)
		words->listeners[i].bulkhead.word = before.listeners[i].bulkhead.word;
}

/* Those of older rules may be under way. */
static int probes_are_allowed(uint64_t word, uint64_t before, const struct image_breaker *rules)
{
	const uint8_t active = breaker_unpack(word).active;

	return active <= rules->probes || active <= breaker_unpack(before).active;
}

static void check_limits(struct schedule *s, const struct world_words *before)
{
	struct world *w = s->w;

	for (uint32_t i = 0; i < CLUSTERS; i++) {
		const struct cluster_state *state = &w->words.clusters[i];
		const struct image_cluster *c = &w->clusters[i];
		uint32_t now = bulkhead_in_flight(state->bulkhead.word);

		must(s, state->bulkhead.overshoot_max == 0, "no admission overshoots");
		if (c->bulkhead.mode == MODE_ENFORCE && c->bulkhead.scope == SCOPE_CLUSTER &&
		    w->cluster_at[i] != VIEW_NONE && c->bulkhead.max_concurrent &&
		    now > bulkhead_in_flight(before->clusters[i].bulkhead.word))
			must(s, now <= c->bulkhead.max_concurrent, "in_flight <= limit");
		must(s,
		     probes_are_allowed(state->breaker, before->clusters[i].breaker, &c->breaker),
		     "no more probes than allowed");
		must(s, state->ejected <= c->endpoint_count, "ejected <= endpoints");
		for (uint32_t k = 0; k < c->endpoint_count; k++) {
			uint32_t at = c->first_endpoint + k;

			must(s,
			     probes_are_allowed(w->words.endpoints[at].breaker,
						before->endpoints[at].breaker, &c->outlier.breaker),
			     "no more probes of an endpoint than allowed");
			if (c->endpoint_bulkhead.mode == MODE_ENFORCE &&
			    w->words.endpoints[at].in_flight > before->endpoints[at].in_flight)
				must(s,
				     w->words.endpoints[at].in_flight <=
					     c->endpoint_bulkhead.max_concurrent,
				     "in_flight <= limit of the endpoint");
		}
	}
	for (uint32_t i = 0; i < LISTENERS; i++)
		must(s, w->words.listeners[i].bulkhead.overshoot_max == 0,
		     "no admission overshoots at a listener");
}

static void step_back(struct schedule *s)
{
	s->stepped_back = 1;
	world_at(s->w, s->w->now_ns - (uint64_t)dice(s, 1000) * WORLD_MS);
}

/* Nothing comes free, but time goes on: nobody is left in a queue. */
static void outwait(struct schedule *s)
{
	enum { ROUNDS = 8, LONGER_MS = 1500 };

	for (uint32_t i = 0; i < ROUNDS; i++) {
		drain(s);
		world_later(s->w, LONGER_MS);
		for (uint32_t k = 0; k < s->w->workers; k++)
			expire(s, k);
	}
	drain(s);
	for (uint32_t k = 0; k < s->w->workers; k++)
		for (uint32_t n = 0; n < CALLS; n++)
			must(s,
			     !(world_call(s->w, k, n)->held &
			       (CALL_LISTENER_QUEUED | CALL_CLUSTER_QUEUED)),
			     "every wait ends");
	must(s, world_words_are_live(s->w), "words say what the live calls hold");
}

static void one_step(struct schedule *s)
{
	uint32_t worker = dice(s, s->w->workers);
	const struct world_words before = s->w->words;
	uint32_t what = dice(s, 100);

	if (what < 40)
		start(s, worker);
	else if (what < 75)
		act_on_a_call(s, worker);
	else if (what < 91)
		world_later(s->w, dice(s, 4) ? dice(s, 20) : dice(s, 400));
	else if (what < 92)
		step_back(s);
	else if (what < 94)
		reload(s);
	else if (what < 96)
		operate(s);
	else
		expire(s, worker);
	if (what < 92 || what >= 94)
		check_limits(s, &before);
	if (dice(s, 2)) {
		drain(s);
		expire(s, worker);
		drain(s);
		must(s, world_words_are_live(s->w), "words say what the live calls hold");
		if (dice(s, 8) == 0)
			rebuild(s);
	}
	must(s, world_laws_hold(s->w, worker), "started = ended + in flight");
}

static void end_all(struct schedule *s)
{
	struct world *w = s->w;

	for (uint32_t i = 0; i < w->workers; i++)
		for (uint32_t n = 0; n < CALLS; n++)
			call_end(&w->engines[i], world_call(w, i, n));
	drain(s);
	must(s, world_words_are_live(w), "words at the end");
	for (uint32_t i = 0; i < w->workers; i++) {
		must(s, world_laws_hold(w, i), "laws at the end");
		for (uint32_t k = 0; k < CLUSTERS; k++)
			must(s, w->open_calls[i][k] == 0, "no call is open at the end");
	}
	for (uint32_t k = 0; k < CLUSTERS; k++)
		must(s,
		     w->words.clusters[k].bulkhead.word == 0 &&
			     w->words.clusters[k].attempts_in_flight == 0 &&
			     w->words.clusters[k].retries_in_flight == 0 &&
			     breaker_unpack(w->words.clusters[k].breaker).active == 0,
		     "nothing is held at the end");
}

static const char *run_seed(uint64_t seed)
{
	struct schedule *s = calloc(1, sizeof(*s));
	const char *broken;

	if (!s)
		abort();
	s->dice.state = seed * 0x9e3779b97f4a7c15ull | 1;
	random_next(&s->dice);
	s->observed = dice(s, 4) == 0;
	s->w = world_create(1 + dice(s, WORLD_WORKERS), seed);
	random_policy(s);
	adopt(s);
	for (uint32_t i = 0; i < STEPS && !s->broken; i++)
		one_step(s);
	if (!s->broken)
		outwait(s);
	if (!s->broken)
		end_all(s);
	broken = s->broken;
	world_destroy(s->w);
	free(s);
	return broken;
}

static void random_schedules_keep_every_law(void)
{
	uint64_t last = only_seed ? only_seed : SCHEDULES;

	for (uint64_t seed = only_seed ? only_seed : 1; seed <= last; seed++) {
		const char *broken = run_seed(seed);

		if (broken) {
			fprintf(stderr, "\nseed %llu: not so: %s\n", (unsigned long long)seed,
				broken);
			CU_FAIL("a property does not hold");
			return;
		}
	}
}

static CU_TestInfo tests[] = {
	SUITE_TEST(random_schedules_keep_every_law),
	CU_TEST_INFO_NULL,
};

int main(int argc, char **argv)
{
	if (argc > 1)
		only_seed = strtoull(argv[1], NULL, 0);
	return suite_run("call_random", tests);
}
