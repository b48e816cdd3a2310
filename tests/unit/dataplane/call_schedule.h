/* SPDX-License-Identifier: Apache-2.0 */
/* A random schedule of calls: its dice, its world and the random policy it runs under. */
#ifndef FENDER_TESTS_CALL_SCHEDULE_H
#define FENDER_TESTS_CALL_SCHEDULE_H

#include "tests/unit/dataplane/policy_world.h"

enum {
	STEPS = 120,
	PER_CLUSTER = 6, /* endpoints at most */
	CLUSTERS = 2,
	LISTENERS = 3,
	CALLS = 24,   /* of each worker */
	TURNS = 2000, /* more in one drain: it would never end */
	SENT = STEPS * 4,
};

/* When a cluster's first attempts and retries were sent. */
struct sent {
	uint64_t first[SENT], retry[SENT];
	uint32_t firsts, retries;
};

struct schedule {
	struct world *w;
	struct random dice;
	const char *broken;           /* the first property that did not hold */
	int observed;                 /* every policy is */
	int unadopted[WORLD_WORKERS]; /* its engine has not heard of the last reload */
	int stepped_back;             /* the clock did: the test's own history is out of order */
	struct call_request requests[WORLD_WORKERS][CALLS];
	uint64_t wake_ns[WORLD_WORKERS][CALLS]; /* 0: does not wait */
	uint32_t full_count[CLUSTERS];          /* endpoints of the cluster at the start */
	struct sent sent[CLUSTERS];
};

static inline uint32_t dice(struct schedule *s, uint32_t n)
{
	return random_below(&s->dice, n);
}

static inline void must(struct schedule *s, int holds, const char *what)
{
	if (!holds && !s->broken)
		s->broken = what;
}

static inline uint8_t random_mode(struct schedule *s)
{
	static const uint8_t modes[] = {MODE_OFF, MODE_ENFORCE, MODE_ENFORCE, MODE_OBSERVE};

	if (s->observed)
		return dice(s, 2) ? MODE_OBSERVE : MODE_OFF;
	return modes[dice(s, 4)];
}

static inline struct image_bulkhead random_bulkhead(struct schedule *s)
{
	struct image_bulkhead b = world_bulkhead(1 + dice(s, 6), dice(s, 2) ? dice(s, 6) : 0);

	b.queue_timeout_ms = 1 + dice(s, 300);
	b.mode = random_mode(s);
	return b.mode ? b : (struct image_bulkhead){0};
}

static inline struct image_breaker random_breaker(struct schedule *s)
{
	struct image_breaker b = world_breaker(dice(s, 2) ? 1 + dice(s, 5) : 0);

	b.mode = random_mode(s);
	b.window_kind = dice(s, 2) ? WINDOW_CALLS : WINDOW_DURATION;
	b.window = b.window_kind == WINDOW_CALLS ? 10 * (1 + dice(s, 3)) : 500 + dice(s, 1000);
	b.minimum_calls = 1 + dice(s, 10);
	b.probes = (uint8_t)(1 + dice(s, 3));
	b.successes = (uint8_t)(1 + dice(s, 3));
	b.slow_us = dice(s, 3) ? 0 : 20000;
	b.open_ms = 50 + dice(s, 200);
	b.max_open_ms = b.open_ms * 4;
	b.half_open_ms = 100 + dice(s, 500);
	return b;
}

static inline struct image_retry random_retry(struct schedule *s)
{
	struct image_retry r = world_retry();

	r.mode = random_mode(s);
	r.max_attempts = (uint8_t)(1 + dice(s, 5));
	r.jitter = dice(s, 2) ? JITTER_FULL : JITTER_NONE;
	r.base_us = dice(s, 20000);
	r.max_us = 100000;
	r.ratio = (uint16_t)dice(s, 10001);
	r.minimum_per_second = dice(s, 8);
	r.window_ms = 1000;
	r.max_concurrent = dice(s, 2) ? 0 : 1 + dice(s, 3);
	return r;
}

static inline void random_limits(struct schedule *s)
{
	struct world *w = s->w;

	for (uint32_t i = 0; i < LISTENERS; i++)
		w->listeners[i].bulkhead = random_bulkhead(s);
	for (uint32_t i = 0; i < CLUSTERS; i++) {
		struct image_cluster *c = &w->clusters[i];

		c->bulkhead = random_bulkhead(s);
		if (c->bulkhead.mode && dice(s, 4) == 0) {
			c->bulkhead.scope = SCOPE_SOURCE;
			c->bulkhead.max_queue = 0;
		}
		c->bulkhead.share = c->bulkhead.mode && dice(s, 4) == 0 ? 1000 : 0;
		c->endpoint_bulkhead = random_bulkhead(s);
		c->endpoint_bulkhead.max_queue = 0;
		c->timeouts.request_ms = dice(s, 4) ? 50 + dice(s, 1000) : 0;
	}
}

static inline void random_policy(struct schedule *s)
{
	static const uint8_t algorithms[] = {LB_ROUND_ROBIN,    LB_MAGLEV,    LB_RANDOM,
					     LB_LEAST_REQUESTS, LB_PEAK_EWMA, LB_RENDEZVOUS};

	for (uint32_t i = 0; i < CLUSTERS; i++) {
		uint32_t count = dice(s, PER_CLUSTER + 1);
		struct image_cluster *c = world_cluster(s->w, count);

		s->full_count[i] = count;
		c->algorithm = algorithms[dice(s, sizeof(algorithms))];
		c->breaker = random_breaker(s);
		c->outlier = world_outlier();
		c->outlier.breaker = random_breaker(s);
		c->outlier.max_ejected = (uint16_t)dice(s, 10001);
		c->outlier.statistics = dice(s, 2) ? OUTLIER_SUCCESS_RATE | OUTLIER_LATENCY : 0;
		c->retry = random_retry(s);
		c->health.type = HEALTH_TCP;
		c->health.mode = random_mode(s);
		c->balance.bounded_load = dice(s, 3) ? 0 : (uint16_t)(100 + dice(s, 100));
		c->balance.slow_start_ms = dice(s, 3) ? 0 : 300;
		c->balance.panic_threshold = (uint16_t)dice(s, 10001);
		c->balance.priorities = count > 1 ? 1 + dice(s, 2) : 1;
		for (uint32_t k = 0; k < count && c->balance.priorities == 2; k++)
			s->w->endpoints[c->first_endpoint + k].priority = k % 2;
		c->balance.has_zones = (uint8_t)(dice(s, 3) == 0);
		for (uint32_t k = 0; k < count && c->balance.has_zones; k++)
			s->w->endpoints[c->first_endpoint + k].local = k % 3 == 0;
	}
	for (uint32_t i = 0; i < LISTENERS; i++)
		world_listener(s->w, (uint16_t)(i % CLUSTERS));
	random_limits(s);
}

#endif
