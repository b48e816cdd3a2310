/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small world for tests of the policies: an image, its view, state words, and an engine a worker,
 * all in one block of memory. Slot == position. Change a policy by writing to the image's arrays;
 * a name leaves it by VIEW_NONE in its _at[].
 */
#ifndef FENDER_TESTS_POLICY_WORLD_H
#define FENDER_TESTS_POLICY_WORLD_H

#include <stdlib.h>
#include <string.h>

#include "dataplane/policy/bulkhead.h"
#include "dataplane/policy/call.h"
#include "dataplane/policy/rebuild.h"

enum {
	WORLD_LISTENERS = 4,
	WORLD_CLUSTERS = 4,
	WORLD_ENDPOINTS = 16,
	WORLD_WORKERS = 4,
	WORLD_CALLS = 64, /* of each worker */
	WORLD_SOURCE_LINES = 64,
	WORLD_CYCLE = 1024, /* elements of a cluster's table */
};

/* Everything that lies in shared memory and a successor rebuilds. */
struct world_words {
	struct listener_state listeners[WORLD_LISTENERS];
	struct cluster_state clusters[WORLD_CLUSTERS];
	struct endpoint_state endpoints[WORLD_ENDPOINTS];
	struct source_line sources[WORLD_SOURCE_LINES];
};

struct world {
	struct image_header image;
	struct image_listener listeners[WORLD_LISTENERS];
	struct image_cluster clusters[WORLD_CLUSTERS];
	struct image_endpoint endpoints[WORLD_ENDPOINTS];
	uint16_t tables[WORLD_CLUSTERS * WORLD_CYCLE];
	uint64_t points[WORLD_CYCLE];
	uint16_t identity[WORLD_ENDPOINTS];
	uint16_t listener_at[WORLD_LISTENERS];
	uint16_t cluster_at[WORLD_CLUSTERS];
	uint16_t endpoint_at[WORLD_ENDPOINTS];
	struct policy_view view;

	struct world_words words;
	struct outcomes cluster_outcomes[WORLD_WORKERS][WORLD_CLUSTERS];
	struct outcomes endpoint_outcomes[WORLD_WORKERS][WORLD_ENDPOINTS];
	struct listener_counters listener_counters[WORLD_WORKERS][WORLD_LISTENERS];
	struct call_counters cluster_counters[WORLD_WORKERS][WORLD_CLUSTERS];
	struct call_counters endpoint_counters[WORLD_WORKERS][WORLD_ENDPOINTS];
	struct policy_counters policy_counters[WORLD_WORKERS][WORLD_CLUSTERS];
	struct event_ring events;

	uint32_t workers;
	uint64_t now_ns;
	struct queues listener_queues;
	struct queues cluster_queues;
	struct engine engines[WORLD_WORKERS];
	uint32_t cursors[WORLD_WORKERS][WORLD_CLUSTERS];
	struct levels levels[WORLD_WORKERS][WORLD_CLUSTERS];
	uint32_t open_calls[WORLD_WORKERS][WORLD_CLUSTERS];
	struct call calls[WORLD_WORKERS][WORLD_CALLS];
	uint32_t woken[WORLD_WORKERS];
};

enum { WORLD_MS = 1000000 };

static inline void world_at(struct world *w, uint64_t now_ns)
{
	w->now_ns = now_ns;
	for (uint32_t i = 0; i < w->workers; i++)
		w->engines[i].now_ns = now_ns;
}

static inline void world_later(struct world *w, uint64_t ms)
{
	world_at(w, w->now_ns + ms * WORLD_MS);
}

static inline void world_woken(void *ctx, uint32_t worker)
{
	struct world *w = ctx;

	__atomic_fetch_add(&w->woken[worker], 1, __ATOMIC_RELAXED);
}

static inline struct policy_state world_state(struct world *w, struct world_words *words,
					      uint32_t worker)
{
	return (struct policy_state){
		.listeners = words->listeners,
		.clusters = words->clusters,
		.endpoints = words->endpoints,
		.sources = words->sources,
		.source_lines = WORLD_SOURCE_LINES,
		.listener_slots = WORLD_LISTENERS,
		.cluster_slots = WORLD_CLUSTERS,
		.endpoint_slots = WORLD_ENDPOINTS,
		.workers = w->workers,
		.events = &w->events,
		.cluster_outcomes = w->cluster_outcomes[0],
		.endpoint_outcomes = w->endpoint_outcomes[0],
		.listener_counters = w->listener_counters[worker],
		.cluster_counters = w->cluster_counters[worker],
		.endpoint_counters = w->endpoint_counters[worker],
		.policy_counters = w->policy_counters[worker],
	};
}

/* Engines and queues anew, as in a process that has just started; shared words stay. */
static inline void world_engines(struct world *w, uint64_t seed)
{
	queues_destroy(&w->listener_queues);
	queues_destroy(&w->cluster_queues);
	if (queues_create(&w->listener_queues, WORLD_LISTENERS, w->workers) ||
	    queues_create(&w->cluster_queues, WORLD_CLUSTERS, w->workers))
		abort();
	memset(w->calls, 0, sizeof(w->calls));
	memset(w->open_calls, 0, sizeof(w->open_calls));
	memset(w->levels, 0, sizeof(w->levels));
	for (uint32_t i = 0; i < w->workers; i++) {
		w->engines[i] = (struct engine){
			.policy = &w->view,
			.state = world_state(w, &w->words, i),
			.worker = i,
			.random = {.state = (seed + i) * 0x9e3779b97f4a7c15ull | 1},
			.calls = {.base = (uint8_t *)w->calls[i], .stride = sizeof(struct call)},
			.listener_queues = &w->listener_queues,
			.cluster_queues = &w->cluster_queues,
			.cursors = w->cursors[i],
			.levels = w->levels[i],
			.open_calls = w->open_calls[i],
			.entries = WORLD_CALLS,
			.wake = world_woken,
			.wake_ctx = w,
		};
		for (uint32_t n = 0; n < WORLD_CALLS; n++)
			w->calls[i][n].number = n;
	}
	world_at(w, w->now_ns);
}

/* The cycle of a cluster's endpoints, of weight 1 each. */
static inline void world_table(struct world *w, struct image_cluster *c)
{
	const uint32_t count = c->endpoint_count;

	c->table_count = count ? WORLD_CYCLE - WORLD_CYCLE % count : 0;
	c->weight_sum = count;
	for (uint32_t i = 0; i < c->table_count; i++)
		w->tables[c->table_first + i] = (uint16_t)(i % count);
}

/* A cluster of @count endpoints of weight 1, round robin, everything off but the timeouts. */
static inline struct image_cluster *world_cluster(struct world *w, uint32_t count)
{
	uint32_t at = w->image.clusters.count++;
	uint32_t first = w->image.endpoints.count;
	struct image_cluster *c = &w->clusters[at];

	*c = (struct image_cluster){
		.key = 0x1000 + at,
		.first_endpoint = first,
		.endpoint_count = count,
		.table_first = at * WORLD_CYCLE,
		.timeouts = {.connect_ms = 1000, .request_ms = 15000, .verdict_after_ms = 1000},
		.balance = {.priorities = 1},
	};
	world_table(w, c);
	for (uint32_t i = 0; i < count; i++)
		w->endpoints[first + i] = (struct image_endpoint){
			.key = 0x2000 + first + i, .weight = 1, .family = FAMILY_V4};
	w->image.endpoints.count += count;
	return c;
}

static inline struct image_listener *world_listener(struct world *w, uint16_t cluster)
{
	uint32_t at = w->image.listeners.count++;

	w->listeners[at] = (struct image_listener){
		.key = 0x3000 + at, .cluster = cluster, .proto = PROTO_TCP, .family = FAMILY_V4};
	return &w->listeners[at];
}

/* An empty policy; at time 1000 s. */
static inline struct world *world_create(uint32_t workers, uint64_t seed)
{
	struct world *w = calloc(1, sizeof(*w));

	if (!w)
		abort();
	w->workers = workers;
	w->image.generation = 1;
	w->now_ns = UINT64_C(1000000000000);
	for (uint32_t i = 0; i < WORLD_ENDPOINTS; i++)
		w->identity[i] = w->endpoint_at[i] = (uint16_t)i;
	for (uint32_t i = 0; i < WORLD_LISTENERS; i++)
		w->listener_at[i] = w->cluster_at[i] = (uint16_t)i;
	for (uint64_t i = 0; i < WORLD_CYCLE; i++)
		w->points[i] = i << 54;
	w->view = (struct policy_view){
		.image = &w->image,
		.listeners = w->listeners,
		.clusters = w->clusters,
		.endpoints = w->endpoints,
		.tables = w->tables,
		.points = w->points,
		.listener_slot = w->identity,
		.cluster_slot = w->identity,
		.endpoint_slot = w->identity,
		.listener_at = w->listener_at,
		.cluster_at = w->cluster_at,
		.endpoint_at = w->endpoint_at,
	};
	world_engines(w, seed);
	return w;
}

static inline void world_destroy(struct world *w)
{
	queues_destroy(&w->listener_queues);
	queues_destroy(&w->cluster_queues);
	free(w);
}

/* One listener, one cluster, one worker. */
static inline struct world *world_simple(uint32_t endpoints)
{
	struct world *w = world_create(1, 1);

	world_cluster(w, endpoints);
	world_listener(w, 0);
	return w;
}

/* The policy was edited: as an adoption, all engines at once. */
static inline void world_changed(struct world *w)
{
	w->image.generation++;
	for (uint32_t i = 0; i < w->workers; i++)
		engine_policy_changed(&w->engines[i]);
}

/* What the block says when it is present and nothing else is given. */
static inline struct image_breaker world_breaker(uint32_t consecutive_failures)
{
	return (struct image_breaker){
		.mode = MODE_ENFORCE,
		.probes = 3,
		.successes = 3,
		.failure_rate = 5000,
		.slow_rate = 10000,
		.window = 100,
		.minimum_calls = 20,
		.consecutive_failures = consecutive_failures,
		.open_ms = 5000,
		.max_open_ms = 60000,
		.half_open_ms = 10000,
	};
}

static inline struct image_outlier world_outlier(void)
{
	return (struct image_outlier){
		.breaker = world_breaker(5),
		.max_ejected = 5000,
		.interval_ms = 10000,
		.minimum_hosts = 5,
		.minimum_calls = 100,
	};
}

static inline struct image_bulkhead world_bulkhead(uint32_t max_concurrent, uint32_t max_queue)
{
	return (struct image_bulkhead){
		.mode = MODE_ENFORCE,
		.max_concurrent = max_concurrent,
		.max_queue = max_queue,
		.queue_timeout_ms = 1000,
	};
}

static inline struct image_retry world_retry(void)
{
	return (struct image_retry){
		.mode = MODE_ENFORCE,
		.max_attempts = 3,
		.on = RETRY_ON_CONNECT_FAILURE | RETRY_ON_CONNECT_TIMEOUT,
		.base_us = 25000,
		.max_us = 250000,
		.factor_percent = 200,
		.jitter = JITTER_NONE,
		.ratio = 2000,
		.minimum_per_second = 10,
		.window_ms = 10000,
	};
}

/* Live calls by where they are counted. */
struct world_sums {
	uint64_t listeners[WORLD_LISTENERS];
	uint64_t clusters[WORLD_CLUSTERS];
	uint64_t endpoints[WORLD_ENDPOINTS];
};

static inline int world_counts(const struct call_counters *c, uint64_t in_flight)
{
	return c->started == c->succeeded + c->failed + c->cancelled + c->rejected + in_flight;
}

static inline uint64_t world_sum(const uint64_t *reasons)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < REASON_SLOTS; i++)
		sum += reasons[i];
	return sum;
}

/* started = succeeded + failed + cancelled + rejected + in flight, and reasons sum up. */
static inline int world_laws_hold(const struct world *w, uint32_t worker)
{
	struct world_sums live = {0};
	int hold = 1;

	for (uint32_t n = 0; n < WORLD_CALLS; n++) {
		const struct call *call = &w->calls[worker][n];

		if (call->marks & CALL_STARTED) {
			live.listeners[call->listener]++;
			live.clusters[call->cluster]++;
		}
		if (call->held & CALL_ATTEMPT)
			live.endpoints[call->endpoint]++;
	}
	for (uint32_t i = 0; i < WORLD_LISTENERS; i++) {
		const struct listener_counters *c = &w->listener_counters[worker][i];

		hold &= world_counts(&c->calls, live.listeners[i]);
		hold &= world_sum(c->rejected) == c->calls.rejected;
		hold &= world_sum(c->failed) == c->calls.failed;
	}
	for (uint32_t i = 0; i < WORLD_CLUSTERS; i++) {
		const struct call_counters *c = &w->cluster_counters[worker][i];
		const struct policy_counters *p = &w->policy_counters[worker][i];

		hold &= world_counts(c, live.clusters[i]);
		hold &= world_sum(p->rejected) == c->rejected;
		hold &= world_sum(p->failed) == c->failed;
	}
	for (uint32_t i = 0; i < WORLD_ENDPOINTS; i++)
		hold &= world_counts(&w->endpoint_counters[worker][i], live.endpoints[i]);
	return hold;
}

/* Count the derived words anew from the live calls into @words, as a successor does. */
static inline void world_rebuild(struct world *w, struct world_words *words)
{
	const struct policy_state s = world_state(w, words, 0);

	rebuild_begin(&s);
	for (uint32_t i = 0; i < w->workers; i++)
		for (uint32_t n = 0; n < WORLD_CALLS; n++)
			if (w->calls[i][n].marks & CALL_OPEN)
				rebuild_call(&s, &w->calls[i][n]);
	rebuild_ejected(&w->view, &s);
}

/*
 * Is this bulkhead's word what was counted? `left` is nobody's, and between several workers
 * `queued` may count a waiter too many while something is in flight (queue.h).
 */
static inline int world_same_gate(const struct world *w, uint64_t word, uint64_t counted)
{
	const uint32_t queued = bulkhead_queued(word);
	const int may_exceed = w->workers > 1 && bulkhead_in_flight(word) != 0;

	return bulkhead_in_flight(word) == bulkhead_in_flight(counted) &&
	       (queued == bulkhead_queued(counted) ||
		(may_exceed && queued > bulkhead_queued(counted)));
}

static inline int world_same_words(const struct world *w, const struct world_words *words,
				   const struct world_words *counted)
{
	struct world_words same = *counted;
	int gates = 1;

	for (uint32_t i = 0; i < WORLD_LISTENERS; i++) {
		gates &= world_same_gate(w, words->listeners[i].bulkhead.word,
					 counted->listeners[i].bulkhead.word);
		same.listeners[i].bulkhead.word = words->listeners[i].bulkhead.word;
	}
	for (uint32_t i = 0; i < WORLD_CLUSTERS; i++) {
		gates &= world_same_gate(w, words->clusters[i].bulkhead.word,
					 counted->clusters[i].bulkhead.word);
		same.clusters[i].bulkhead.word = words->clusters[i].bulkhead.word;
	}
	return gates && memcmp(&same, words, sizeof(same)) == 0;
}

/* Do the words say exactly what the live calls hold? With no grant on its way. */
static inline int world_words_are_live(struct world *w)
{
	struct world_words again = w->words;

	world_rebuild(w, &again);
	return world_same_words(w, &w->words, &again);
}

static inline struct call *world_call(struct world *w, uint32_t worker, uint32_t number)
{
	return &w->calls[worker][number];
}

/* Start call @number (its place must be over) of a client with this hash. */
static inline struct call_step world_start_as(struct world *w, uint32_t worker, uint32_t number,
					      const struct call_request *r)
{
	struct call *call = world_call(w, worker, number);

	*call = (struct call){.number = number};
	return call_start(&w->engines[worker], call, r);
}

static inline struct call_step world_start(struct world *w, uint32_t worker, uint32_t number)
{
	const struct call_request r = {.hash = number * 0x9e3779b97f4a7c15ull, .source = number};

	return world_start_as(w, worker, number, &r);
}

/* Events of this kind so far. */
static inline uint64_t world_events(const struct world *w, enum event_kind kind)
{
	uint64_t seq = 0, lost = 0, n = 0;
	struct event event;

	while (event_read(&w->events, &seq, &event, &lost))
		n += event.kind == (uint16_t)kind;
	return n;
}

#endif
