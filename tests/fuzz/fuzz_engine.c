/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a policy (policy_bytes.h) and what happens under it: calls, verdicts, timeouts,
 * clients that leave, clocks that jump, reloads, operators and a restart. The laws of the engine
 * are checked after every step, and everything is returned at the end.
 */
#include <stdint.h>

#include "dataplane/policy/adoption.h"
#include "dataplane/policy/outlier.h"
#include "tests/fuzz/policy_bytes.h"

enum {
	CALLS = 16, /* of each worker */
	TURNS = 4000,
	STEPS = 400,
	LONGEST_MS = MAX_TIMEOUT_MS + 1,
};

struct run {
	struct bytes bytes;
	struct world *w;
	int unadopted[WORLD_WORKERS]; /* its engine has not heard of the last reload */
	struct call_request requests[WORLD_WORKERS][CALLS];
	uint64_t wake_ns[WORLD_WORKERS][CALLS]; /* 0: does not wait */
	uint32_t full_count[BYTES_CLUSTERS];    /* endpoints of the cluster at the start */
	uint32_t last_interval[BYTES_CLUSTERS];
	struct random random;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
	if (!holds)
		abort();
}

/* Permits of one client at one cluster. */
static void check_source(const struct run *r, const struct call *call, uint64_t source)
{
	const struct image_bulkhead *rules = &r->w->clusters[call->cluster].bulkhead;
	uint32_t held = 0;

	if (rules->mode != MODE_ENFORCE || rules->scope != SCOPE_SOURCE)
		return;
	for (uint32_t i = 0; i < r->w->workers; i++) {
		for (uint32_t n = 0; n < CALLS; n++) {
			const struct call *other = &r->w->calls[i][n];

			held += (other->held & CALL_SOURCE_PERMIT) &&
				other->cluster == call->cluster &&
				r->requests[i][n].source == source;
		}
	}
	must(held <= rules->max_concurrent);
}

static void take_step(struct run *r, uint32_t worker, struct call *call, struct call_step step)
{
	const uint16_t firsts = CALL_LISTENER_PERMIT | CALL_CLUSTER_PERMIT | CALL_SOURCE_PERMIT;

	r->wake_ns[worker][call->number] = 0;
	switch (step.next) {
	case CALL_SEND:
		must(call->endpoint == step.endpoint);
		must((call->held & CALL_ATTEMPT) && (call->held & CALL_ENDPOINT_PERMIT));
		must(call->attempts <= MAX_ATTEMPTS);
		call_sent(&r->w->engines[worker], call);
		break;
	case CALL_WAIT:
		must(call->held & (CALL_LISTENER_QUEUED | CALL_CLUSTER_QUEUED));
		must(!(call->held & (CALL_CLUSTER_PROBE | CALL_ATTEMPT)));
		must(!r->requests[worker][call->number].no_queue);
		r->wake_ns[worker][call->number] = step.wake_ns ? step.wake_ns : 1;
		break;
	case CALL_BACK_OFF:
		must(!(call->held & (CALL_ATTEMPT | CALL_ENDPOINT_PERMIT | CALL_ENDPOINT_PROBE)));
		must(!r->requests[worker][call->number].no_retry);
		r->wake_ns[worker][call->number] = step.wake_ns ? step.wake_ns : 1;
		break;
	case CALL_REJECTED:
		must(call->held == 0 && !(call->marks & (CALL_OPEN | CALL_STARTED)));
		must(step.reason != REASON_NONE);
		break;
	case CALL_FAILED:
		must(!(call->held & ~firsts) && !(call->marks & CALL_STARTED));
		must(step.reason != REASON_NONE);
		break;
	}
}

static void start(struct run *r, uint32_t worker)
{
	struct world *w = r->w;
	const uint8_t a = byte(&r->bytes), b = byte(&r->bytes);
	const uint32_t n = a % CALLS, listener = b % BYTES_LISTENERS;
	struct call *call = world_call(w, worker, n);

	if ((call->marks & CALL_OPEN) || w->listener_at[listener] == VIEW_NONE ||
	    w->cluster_at[w->listeners[listener].cluster] == VIEW_NONE)
		return;
	r->requests[worker][n] = (struct call_request){
		.listener = listener,
		.hash = random_next(&r->random),
		.source = a >> 6,
		.no_queue = (b & 0x1c) == 0x1c,
		.no_retry = (b & 0x1c) >= 0x18,
		.no_verdict = (b & 0xe0) == 0xe0,
	};
	take_step(r, worker, call, world_start_as(w, worker, n, &r->requests[worker][n]));
	if (call->held & CALL_SOURCE_PERMIT)
		check_source(r, call, r->requests[worker][n].source);
}

static void finish_attempt(struct run *r, uint32_t worker, struct call *call)
{
	static const enum reason reasons[] = {REASON_CONNECT_REFUSED, REASON_CONNECT_TIMEOUT,
					      REASON_UPSTREAM_UNREACHABLE, REASON_REQUEST_TIMEOUT};
	struct engine *e = &r->w->engines[worker];
	const uint8_t how = byte(&r->bytes);

	switch (how % 8) {
	case 0:
		call_connected(e, call, (uint64_t)word32(&r->bytes) << (how >> 3));
		break;
	case 1:
		call_failed(e, call, REASON_UPSTREAM_RESET);
		break;
	case 2:
		call_cancelled(e, call);
		break;
	case 3:
		call_not_sent(e, call, REASON_NO_PORT);
		must(call->held == 0);
		break;
	case 4:
		call_succeeded(e, call);
		break;
	default:
		take_step(r, worker, call,
			  call_attempt_failed(e, call, &r->requests[worker][call->number],
					      reasons[how >> 6]));
	}
}

static void act(struct run *r, uint32_t worker)
{
	const uint8_t a = byte(&r->bytes);
	struct call *call = world_call(r->w, worker, a % CALLS);

	if (!(call->marks & CALL_OPEN))
		return;
	if ((call->held & CALL_ATTEMPT) && a < 0xf0) {
		finish_attempt(r, worker, call);
	} else if (!(call->marks & CALL_STARTED) || a >= 0xe0) {
		call_end(&r->w->engines[worker], call);
		must(call->held == 0 && !(call->marks & CALL_OPEN));
		r->wake_ns[worker][call->number] = 0;
	}
}

static void expire(struct run *r, uint32_t worker)
{
	for (uint32_t n = 0; n < CALLS; n++)
		if (r->wake_ns[worker][n] && r->wake_ns[worker][n] <= r->w->now_ns)
			take_step(r, worker, world_call(r->w, worker, n),
				  call_expired(&r->w->engines[worker], world_call(r->w, worker, n),
					       &r->requests[worker][n]));
}

/* One worker's turn: its grants and refusals. Return: how many. */
static uint32_t turn(struct run *r, uint32_t worker)
{
	struct engine *e = &r->w->engines[worker];
	enum reason reason = REASON_NONE;
	uint32_t done = 0;
	struct call *call;

	if (r->unadopted[worker])
		engine_policy_changed(e);
	r->unadopted[worker] = 0;
	for (; (call = call_next_granted(e)); done++)
		take_step(r, worker, call,
			  call_granted(e, call, &r->requests[worker][call->number]));
	for (; (call = call_next_refused(e, &reason)); done++) {
		must(reason == REASON_CIRCUIT_OPEN && call->held == 0);
		r->wake_ns[worker][call->number] = 0;
	}
	must(done < TURNS);
	return done;
}

/* A permit may be passed on to a worker that has had its turn already. */
static int is_granted(const struct world *w)
{
	int granted = 0;

	for (uint32_t i = 0; i < w->workers; i++)
		granted |= queue_has_grants(&w->listener_queues, i) ||
			   queue_has_grants(&w->cluster_queues, i);
	return granted;
}

static void drain(struct run *r)
{
	uint32_t done = 1;

	for (uint32_t rounds = 0; done || is_granted(r->w); rounds++) {
		must(rounds < TURNS);
		done = 0;
		for (uint32_t i = 0; i < r->w->workers; i++)
			done += turn(r, i);
	}
	must(world_words_are_live(r->w));
}

/* Which names the policy has: a cluster's endpoints leave with it. */
static void bind_names(struct world *w)
{
	memset(w->endpoint_at, 0xff, sizeof(w->endpoint_at));
	for (uint32_t i = 0; i < w->image.clusters.count; i++) {
		const struct image_cluster *c = &w->clusters[i];

		for (uint32_t k = 0; k < c->endpoint_count; k++)
			if (w->cluster_at[i] != VIEW_NONE)
				w->endpoint_at[c->first_endpoint + k] =
					(uint16_t)(c->first_endpoint + k);
	}
}

static void edit(struct run *r)
{
	struct world *w = r->w;
	const uint8_t what = byte(&r->bytes), gone = byte(&r->bytes);
	const uint32_t n = what % w->image.clusters.count;
	struct image_cluster *c = &w->clusters[n];

	if (what & 0x10)
		listener_bytes(&r->bytes, w, what >> 5 & 3);
	if ((what & 0x20) && r->full_count[n])
		c->endpoint_count = 1 + byte(&r->bytes) % r->full_count[n];
	world_table(w, c);
	if (what & 0x40)
		blocks_bytes(&r->bytes, w, n);
	else
		endpoints_bytes(&r->bytes, w, c);
	for (uint32_t i = 0; i < w->image.clusters.count; i++)
		w->cluster_at[i] = (uint16_t)(gone >> i & 1 ? VIEW_NONE : i);
	for (uint32_t i = 0; i < BYTES_LISTENERS; i++) {
		const int has_left =
			(gone >> 4 >> i & 1) || w->cluster_at[w->listeners[i].cluster] == VIEW_NONE;

		w->listener_at[i] = (uint16_t)(has_left ? VIEW_NONE : i);
	}
	bind_names(w);
}

/* The policy before, as far as an adoption looks at it. */
struct before {
	struct image_cluster clusters[WORLD_CLUSTERS];
	uint16_t cluster_at[WORLD_CLUSTERS], endpoint_at[WORLD_ENDPOINTS];
	struct policy_view view;
};

static void reload(struct run *r)
{
	struct world *w = r->w;
	const struct policy_state state = world_state(w, &w->words, 0);
	struct before was = {.view = w->view};

	memcpy(was.clusters, w->clusters, sizeof(was.clusters));
	memcpy(was.cluster_at, w->cluster_at, sizeof(was.cluster_at));
	memcpy(was.endpoint_at, w->endpoint_at, sizeof(was.endpoint_at));
	was.view.clusters = was.clusters;
	was.view.cluster_at = was.cluster_at;
	was.view.endpoint_at = was.endpoint_at;
	edit(r);
	w->image.generation++;
	adoption_begin(&w->view, &was.view, &state, w->now_ns);
	adoption_end(&w->view, &was.view, &state);
	for (uint32_t i = 0; i < w->workers; i++)
		r->unadopted[i] = 1;
}

static void operate(struct run *r)
{
	const uint8_t a = byte(&r->bytes), b = byte(&r->bytes);
	struct world_words *words = &r->w->words;

	if (a & 0x80)
		words->clusters[a % BYTES_CLUSTERS].admin =
			admin_pack((struct admin_word){.override = b % 3});
	else
		words->endpoints[a % WORLD_ENDPOINTS].admin =
			admin_pack((struct admin_word){.health = b % 3,
						       .override = (b >> 2) % 3,
						       .drained = (b >> 4) == 15,
						       .since_ms = state_ms(r->w->now_ns)});
}

static void statistics(struct run *r)
{
	const uint32_t n = byte(&r->bytes) % r->w->image.clusters.count;
	const struct policy_state state = world_state(r->w, &r->w->words, 0);

	if (r->w->clusters[n].outlier.statistics && r->w->cluster_at[n] != VIEW_NONE)
		outlier_interval(&r->w->view, &state, n, &r->last_interval[n], r->w->now_ns,
				 &r->random);
}

/* Forward by us, ms or days; seldom back, or not far. */
static void move_clock(struct run *r)
{
	const uint8_t unit = byte(&r->bytes);
	const uint64_t n = byte(&r->bytes);
	struct world *w = r->w;

	if (unit < 0x40)
		world_at(w, w->now_ns + n * 1000);
	else if (unit < 0xd0)
		world_at(w, w->now_ns + (n * WORLD_MS << (unit & 7)));
	else if (unit < 0xf0)
		world_at(w, w->now_ns + n * 100000 * WORLD_MS);
	else if (w->now_ns > UINT64_C(256000000000))
		world_at(w, w->now_ns - n * WORLD_MS * (unit & 1 ? 1000 : 1));
}

/* The process dies; its successor counts anew whatever the derived words said. */
static void restart(struct run *r)
{
	struct world_words before = r->w->words, *words = &r->w->words;

	drain(r);
	before = *words;
	for (uint32_t i = 0; i < WORLD_CLUSTERS; i++) {
		words->clusters[i].bulkhead.word = random_next(&r->random);
		words->clusters[i].attempts_in_flight = random_next(&r->random);
		words->clusters[i].retries_in_flight = random_next(&r->random);
		words->clusters[i].ejected = random_next(&r->random);
	}
	world_rebuild(r->w, words);
	must(world_same_words(r->w, &before, words));
	*words = before; /* this process lives on */
}

/* Those of older rules may be under way. */
static int probes_are_allowed(uint64_t word, uint64_t before, const struct image_breaker *rules)
{
	const uint8_t active = breaker_unpack(word).active;

	return active <= rules->probes || active <= breaker_unpack(before).active;
}

static int permits_are_allowed(uint64_t now, uint64_t before, const struct image_bulkhead *rules)
{
	return rules->mode != MODE_ENFORCE || rules->scope == SCOPE_SOURCE ||
	       rules->max_concurrent == 0 || now <= before || now <= rules->max_concurrent;
}

static void check_cluster(const struct world *w, uint32_t n, const struct world_words *before)
{
	const struct cluster_state *now = &w->words.clusters[n], *was = &before->clusters[n];
	const struct image_cluster *c = &w->clusters[n];

	must(now->bulkhead.overshoot_max == 0);
	must(w->cluster_at[n] == VIEW_NONE ||
	     permits_are_allowed(bulkhead_in_flight(now->bulkhead.word),
				 bulkhead_in_flight(was->bulkhead.word), &c->bulkhead));
	must(probes_are_allowed(now->breaker, was->breaker, &c->breaker));
	must(now->ejected <= c->endpoint_count);
	for (uint32_t k = c->first_endpoint; k < c->first_endpoint + c->endpoint_count; k++) {
		const struct endpoint_state *e = &w->words.endpoints[k];
		const struct endpoint_state *e_was = &before->endpoints[k];

		must(probes_are_allowed(e->breaker, e_was->breaker, &c->outlier.breaker));
		must(permits_are_allowed(e->in_flight, e_was->in_flight, &c->endpoint_bulkhead));
	}
}

static void check_laws(const struct run *r, uint32_t worker, const struct world_words *before)
{
	const struct world *w = r->w;

	for (uint32_t i = 0; i < w->image.clusters.count; i++)
		check_cluster(w, i, before);
	for (uint32_t i = 0; i < BYTES_LISTENERS; i++) {
		const struct bulkhead_state *now = &w->words.listeners[i].bulkhead;

		must(now->overshoot_max == 0);
		must(w->listener_at[i] == VIEW_NONE ||
		     permits_are_allowed(bulkhead_in_flight(now->word),
					 bulkhead_in_flight(before->listeners[i].bulkhead.word),
					 &w->listeners[i].bulkhead));
	}
	must(world_laws_hold(w, worker));
}

static void one_step(struct run *r)
{
	const struct world_words before = r->w->words;
	const uint8_t what = byte(&r->bytes);
	const uint32_t worker = (what >> 6) % r->w->workers;

	switch (what & 31) {
	case 0 ... 9:
		start(r, worker);
		break;
	case 10 ... 18:
		act(r, worker);
		break;
	case 19 ... 22:
		move_clock(r);
		break;
	case 23:
		reload(r);
		return; /* limits of either policy */
	case 24:
		operate(r);
		break;
	case 25:
		statistics(r);
		break;
	case 26:
		restart(r);
		break;
	case 27:
		drain(r);
		break;
	case 28:
		expire(r, worker);
		break;
	default:
		turn(r, worker);
	}
	check_laws(r, worker, &before);
}

/* Nothing comes free, but time goes on: nobody is left in a queue. Then all is over. */
static void finish(struct run *r)
{
	struct world *w = r->w;

	for (uint32_t round = 0; round < 8; round++) {
		drain(r);
		world_later(w, LONGEST_MS);
		for (uint32_t i = 0; i < w->workers; i++)
			expire(r, i);
	}
	drain(r);
	for (uint32_t i = 0; i < w->workers; i++) {
		for (uint32_t n = 0; n < CALLS; n++) {
			must(!(w->calls[i][n].held & (CALL_LISTENER_QUEUED | CALL_CLUSTER_QUEUED)));
			call_end(&w->engines[i], world_call(w, i, n));
			must(w->calls[i][n].held == 0);
		}
	}
	drain(r);
	for (uint32_t i = 0; i < WORLD_CLUSTERS; i++) {
		const struct cluster_state *c = &w->words.clusters[i];

		must(c->bulkhead.word == 0 && c->attempts_in_flight == 0);
		must(c->retries_in_flight == 0 && breaker_unpack(c->breaker).active == 0);
		for (uint32_t k = 0; k < w->workers; k++)
			must(w->open_calls[k][i] == 0);
	}
	for (uint32_t i = 0; i < BYTES_LISTENERS; i++)
		must(w->words.listeners[i].bulkhead.word == 0);
	for (uint32_t i = 0; i < WORLD_ENDPOINTS; i++)
		must(w->words.endpoints[i].in_flight == 0 &&
		     breaker_unpack(w->words.endpoints[i].breaker).active == 0);
	for (uint32_t i = 0; i < w->workers; i++)
		must(world_laws_hold(w, i));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run *r = calloc(1, sizeof(*r));
	struct policy_state state;

	must(r != NULL);
	r->bytes = (struct bytes){data, size};
	r->random.state = size * 2 + 1;
	r->w = world_bytes(&r->bytes);
	bind_names(r->w);
	for (uint32_t i = 0; i < r->w->image.clusters.count; i++)
		r->full_count[i] = r->w->clusters[i].endpoint_count;
	state = world_state(r->w, &r->w->words, 0);
	adoption_begin(&r->w->view, NULL, &state, r->w->now_ns);
	for (uint32_t i = 0; i < STEPS && r->bytes.left; i++)
		one_step(r);
	finish(r);
	world_destroy(r->w);
	free(r);
	return 0;
}
