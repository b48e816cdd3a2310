/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes as a policy: every field of the policy blocks anywhere within the bounds that image_check()
 * sets, the ends of each range often. What is written is asked of image_check_blocks().
 */
#ifndef FENDER_TESTS_POLICY_BYTES_H
#define FENDER_TESTS_POLICY_BYTES_H

#include "shm/image_check.h"
#include "tests/unit/dataplane/policy_world.h"

enum {
	BYTES_CLUSTERS = 3,
	BYTES_LISTENERS = 4,
	BYTES_PER_CLUSTER = 5, /* endpoints: WORLD_ENDPOINTS are enough for all */
	ALL = 10000,           /* 100 % */
};

/* Read from the front; 0 for ever when at the end. */
struct bytes {
	const uint8_t *at;
	size_t left;
};

static inline uint8_t byte(struct bytes *b)
{
	if (b->left == 0)
		return 0;
	b->left--;
	return *b->at++;
}

static inline uint32_t word32(struct bytes *b)
{
	uint32_t word = byte(b);

	word = word << 8 | byte(b);
	word = word << 8 | byte(b);
	return word << 8 | byte(b);
}

/* Small steps from the low end, the high end, or anywhere between. */
static inline uint32_t between(struct bytes *b, uint32_t low, uint32_t high)
{
	const uint8_t choice = byte(b);
	uint32_t step = choice & 31;

	if (high - low < step)
		step = high - low;
	switch (choice >> 5) {
	case 0 ... 4:
		return low + step;
	case 5:
		return high - step;
	default:
		return low + (uint32_t)((uint64_t)word32(b) * (high - low + 1ull) >> 32);
	}
}

static inline uint8_t mode_bytes(struct bytes *b)
{
	static const uint8_t modes[] = {MODE_OFF, MODE_ENFORCE, MODE_ENFORCE, MODE_OBSERVE};

	return modes[byte(b) % 4];
}

static inline struct image_bulkhead bulkhead_bytes(struct bytes *b, int may_queue)
{
	struct image_bulkhead to = {.mode = mode_bytes(b)};

	if (to.mode == MODE_OFF)
		return to;
	to.max_concurrent = between(b, 1, MAX_PERMITS);
	if (!may_queue)
		return to;
	to.max_queue = between(b, 0, MAX_QUEUE);
	to.queue_timeout_ms = between(b, 1, MAX_TIMEOUT_MS);
	return to;
}

static inline struct image_bulkhead cluster_bulkhead_bytes(struct bytes *b)
{
	struct image_bulkhead to = bulkhead_bytes(b, 1);
	const uint8_t kind = byte(b) % 8;

	if (to.mode == MODE_OFF || kind > 2)
		return to;
	to.share = (uint16_t)between(b, 1, ALL);
	if (kind == 0)
		return to;
	to.max_queue = 0;
	to.scope = kind == 1 ? SCOPE_SOURCE : SCOPE_CLUSTER;
	to.max_concurrent = kind == 1 ? to.max_concurrent : 0;
	return to;
}

static inline struct image_breaker breaker_bytes(struct bytes *b)
{
	struct image_breaker to = {.mode = mode_bytes(b)};

	if (to.mode == MODE_OFF)
		return to;
	to.window_kind = byte(b) & 1;
	to.window = to.window_kind == WINDOW_CALLS ? between(b, 1, MAX_WINDOW_CALLS / 10) * 10
						   : between(b, MIN_WINDOW_MS, MAX_TIMEOUT_MS);
	to.minimum_calls =
		between(b, 1, to.window_kind == WINDOW_CALLS ? to.window : UINT32_MAX - 1);
	to.probes = (uint8_t)between(b, 1, BREAKER_MAX_PROBES);
	to.successes = (uint8_t)between(b, 1, BREAKER_MAX_PROBES);
	to.failure_rate = (uint16_t)between(b, 0, ALL);
	to.slow_rate = (uint16_t)between(b, 0, ALL);
	to.slow_us = between(b, 0, UINT32_MAX - 1);
	to.consecutive_failures = between(b, 0, BREAKER_MAX_CONSECUTIVE);
	to.max_open_ms = between(b, 1, MAX_OPEN_MS);
	to.open_ms = between(b, 1, to.max_open_ms);
	to.half_open_ms = between(b, 1, MAX_TIMEOUT_MS);
	return to;
}

static inline struct image_outlier outlier_bytes(struct bytes *b)
{
	struct image_outlier to = {.breaker = breaker_bytes(b)};

	if (to.breaker.mode == MODE_OFF)
		return to;
	to.max_ejected = (uint16_t)between(b, 0, ALL);
	to.statistics = byte(b) & (OUTLIER_SUCCESS_RATE | OUTLIER_LATENCY);
	to.interval_ms = between(b, MIN_WINDOW_MS, MAX_TIMEOUT_MS);
	to.minimum_hosts = between(b, 1, MAX_ENDPOINTS);
	to.minimum_calls = between(b, 1, UINT32_MAX - 1);
	return to;
}

static inline struct image_retry retry_bytes(struct bytes *b)
{
	struct image_retry to = {.mode = mode_bytes(b)};

	if (to.mode == MODE_OFF)
		return to;
	to.max_attempts = (uint8_t)between(b, 1, MAX_ATTEMPTS);
	to.on = byte(b) & (RETRY_ON_CONNECT_FAILURE | RETRY_ON_CONNECT_TIMEOUT);
	to.jitter = byte(b) & 1;
	to.max_us = between(b, 0, UINT32_MAX - 1);
	to.base_us = between(b, 0, to.max_us);
	to.factor_percent = between(b, 100, 1000);
	to.ratio = (uint16_t)between(b, 0, ALL);
	to.minimum_per_second = between(b, 0, UINT32_MAX - 1);
	to.window_ms = between(b, MIN_WINDOW_MS, MAX_TIMEOUT_MS);
	to.max_concurrent = between(b, 0, MAX_PERMITS);
	return to;
}

static inline struct image_timeouts timeouts_bytes(struct bytes *b)
{
	return (struct image_timeouts){
		.connect_ms = between(b, 1, MAX_TIMEOUT_MS),
		.request_ms = between(b, 1, MAX_TIMEOUT_MS),
		.idle_tcp_ms = 1,
		.idle_udp_ms = 1,
		.half_closed_ms = 1,
		.verdict_after_ms = between(b, 0, MAX_TIMEOUT_MS),
	};
}

/* Weights, priorities and zones, and what the cluster says of them. */
static inline void endpoints_bytes(struct bytes *b, struct world *w, struct image_cluster *c)
{
	uint32_t local = 0;

	c->weight_sum = 0;
	c->balance.priorities = 1;
	for (uint32_t k = 0; k < c->endpoint_count; k++) {
		struct image_endpoint *e = &w->endpoints[c->first_endpoint + k];
		const uint8_t choice = byte(b);

		e->weight = (uint16_t)(choice & 1 ? between(b, 1, MAX_WEIGHT) : 1);
		e->priority = choice & 2 ? choice >> 5 : 0;
		e->local = choice >> 2 & 1;
		c->weight_sum += e->weight;
		local += e->local;
		if (e->priority >= c->balance.priorities)
			c->balance.priorities = e->priority + 1u;
	}
	c->balance.has_zones = local > 0 && local < c->endpoint_count;
}

/* The blocks of cluster @n, whose endpoints are there. */
static inline void blocks_bytes(struct bytes *b, struct world *w, uint32_t n)
{
	struct image_cluster *c = &w->clusters[n];
	char text[160];

	c->algorithm = byte(b) % LB_ALGORITHMS;
	c->hash_on = HASH_ON_SOURCE_IP;
	c->timeouts = timeouts_bytes(b);
	c->balance = (struct image_balance){
		.bounded_load = (uint16_t)(byte(b) & 1 ? between(b, 100, 1000) : 0),
		.panic_threshold = (uint16_t)between(b, 0, ALL),
		.slow_start_ms = between(b, 0, MAX_TIMEOUT_MS),
	};
	c->breaker = breaker_bytes(b);
	c->outlier = outlier_bytes(b);
	c->bulkhead = cluster_bulkhead_bytes(b);
	c->endpoint_bulkhead = bulkhead_bytes(b, 0);
	c->retry = retry_bytes(b);
	endpoints_bytes(b, w, c);
	w->image.clusters.off =
		(uint32_t)(offsetof(struct world, clusters) - offsetof(struct world, image));
	if (image_check_blocks(&w->image, n, &(struct why){text, sizeof(text)}))
		abort();
}

static inline void listener_bytes(struct bytes *b, struct world *w, uint32_t n)
{
	w->listeners[n].bulkhead = bulkhead_bytes(b, 1);
	if (!image_listener_bulkhead_ok(&w->listeners[n].bulkhead))
		abort();
}

static inline struct world *world_bytes(struct bytes *b)
{
	struct world *w = world_create(1 + byte(b) % WORLD_WORKERS, byte(b));
	const uint32_t clusters = 1 + byte(b) % BYTES_CLUSTERS;

	for (uint32_t i = 0; i < clusters; i++) {
		world_cluster(w, byte(b) % (BYTES_PER_CLUSTER + 1));
		blocks_bytes(b, w, i);
	}
	for (uint32_t i = 0; i < BYTES_LISTENERS; i++) {
		world_listener(w, (uint16_t)(i % clusters));
		listener_bytes(b, w, i);
	}
	return w;
}

#endif
