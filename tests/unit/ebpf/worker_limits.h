/* SPDX-License-Identifier: Apache-2.0 */
/* A worker's limiter on memory of its own, with a clock that stands still until it is moved. */
#ifndef FENDER_TESTS_UNIT_EBPF_WORKER_LIMITS_H
#define FENDER_TESTS_UNIT_EBPF_WORKER_LIMITS_H

#include "dataplane/limiter.h"
#include "tests/unit/ebpf/limits.h"

#include <arpa/inet.h>
#include <string.h>

enum {
	LIMITED_INTERFACE = 0, /* limiter: dpdk; so has 1 */
	OTHER_INTERFACE = 2,   /* limiter: xdp */
	WEB = 1,               /* slots */
	DNS = 2,
	SLOTS = 4,
	ENTRIES = 64,
	LINES = 16,
};

struct worker_world {
	struct region region;
	struct region_header header;
	struct interface_control interfaces[MAX_INTERFACES];
	struct worker_limit_counters counters[SLOTS];
	struct flow_limit flows[ENTRIES];
	struct source_limit_line lines[LINES];
	struct listener_state listeners[SLOTS];
	struct conn conns[ENTRIES];
	struct limiter_policy *policy;
	struct limiter limiter;
	uint64_t now_ns;
};

/* What a test says of a packet. */
struct sent {
	uint8_t kind;
	uint8_t flags;
	uint8_t ecn;
	uint8_t family; /* 0: FAMILY_V4 */
	uint16_t bytes; /* 0: 40 */
	uint32_t source;
};

static inline uint64_t take_natively(void *of)
{
	struct worker_limit *packet = of;

	return limit_take_pair_owned(packet->words, packet->rules, packet->now_ns, packet->bytes);
}

static inline void worker_world_open(struct worker_world *w)
{
	memset(w, 0, sizeof(*w));
	w->now_ns = NOW_NS;
	w->interfaces[LIMITED_INTERFACE].limiter = LIMITER_DPDK;
	w->interfaces[1].limiter = LIMITER_DPDK;
	w->interfaces[OTHER_INTERFACE].limiter = LIMITER_XDP;
	w->header.hash_seed = 0x5eed;
	w->region = (struct region){
		.header = &w->header,
		.interfaces = w->interfaces,
		.limit_counters = w->counters,
		.flow_limits = w->flows,
		.limit_sources = w->lines,
		.listener_state = w->listeners,
		.shape = {.workers = 1,
			  .listener_slots = SLOTS,
			  .connections_per_worker = ENTRIES,
			  .source_lines = LINES},
	};
	w->policy = calloc(1, sizeof(*w->policy) + SLOTS * sizeof(w->policy->rules[0]));
	if (!w->policy || limiter_create(&w->limiter, &w->region, 0))
		abort();
	w->policy->slots = SLOTS;
	limiter_set_policy(&w->limiter, w->policy);
	for (uint32_t i = 0; i < ENTRIES; i++)
		w->conns[i] = (struct conn){.state = CONN_ESTABLISHED, .listener = WEB};
}

static inline void worker_world_close(struct worker_world *w)
{
	limiter_free(&w->limiter);
	free(w->policy);
}

/* From now on. */
static inline void worker_world_limit(struct worker_world *w, uint32_t slot,
				      struct image_rate_limit limits)
{
	struct image_listener listener = {.key = 0x1234 + slot, .rate_limit = limits};

	if (!limits.directions && (limits.packets.algorithm || limits.bytes.algorithm))
		listener.rate_limit.directions = IMAGE_LIMIT_TO_ENDPOINT | IMAGE_LIMIT_TO_CLIENT;
	CU_ASSERT_EQUAL_FATAL(limiter_rules_make(&w->policy->rules[slot], &listener), 0);
	w->policy->limited = 1;
	limiter_set_policy(&w->limiter, w->policy);
}

static inline struct image_limit per_second(uint64_t rate, uint64_t burst)
{
	return (struct image_limit){
		.algorithm = IMAGE_LIMIT_TOKEN_BUCKET, .rate = rate, .burst = burst};
}

static inline struct packet packet_of(uint8_t frame[64], const struct sent *s)
{
	struct packet p = {
		.data = frame,
		.l3 = 14,
		.kind = s->kind ? s->kind : PACKET_TCP,
		.tcp_flags = s->flags,
		.ip_bytes = s->bytes ? s->bytes : 40,
		.key = {.k = {.family = s->family ? s->family : FAMILY_V4,
			      .src = htonl(s->source)}},
	};

	memset(frame, 0, 64);
	if (p.key.k.family == FAMILY_V6) {
		memcpy(&p.key.src6[12], &p.key.k.src, 4);
		p.key.k.src = 0;
		frame[14] = 6 << 4;
		frame[15] = (uint8_t)(s->ecn << 4 | 7); /* of the flow label */
	} else {
		frame[14] = 0x45;
		frame[15] = (uint8_t)(0x20 | s->ecn);
	}
	return p;
}

/* The one verdict that was counted since @before, -1 without one. */
static inline int counted(const struct worker_limit_counters *before,
			  const struct worker_limit_counters *after, uint32_t bytes)
{
	int found = -1;

	for (int i = 0; i < WORKER_LIMIT_SLOTS; i++) {
		uint64_t packets = after->packets[i] - before->packets[i];

		CU_ASSERT(packets <= 1);
		CU_ASSERT_EQUAL(after->bytes[i] - before->bytes[i], packets * bytes);
		if (packets == 1) {
			CU_ASSERT_EQUAL(found, -1);
			found = i;
		}
	}
	return found;
}

/* Is what is dropped counted as a refusal, and nothing else? */
static inline int verdict_of(int verdict, enum reason reason)
{
	CU_ASSERT_EQUAL(reason != REASON_NONE,
			verdict >= WORKER_LIMIT_CONNECTION && verdict <= WORKER_LIMIT_COLD);
	if (reason != REASON_NONE)
		CU_ASSERT_STRING_EQUAL(reason_name(reason),
				       worker_limit_name((unsigned int)verdict));
	return verdict;
}

/* Of a packet of connection @n. */
static inline int meet(struct worker_world *w, uint32_t n, enum direction dir, struct sent s)
{
	const uint16_t slot = w->conns[n].listener;
	struct worker_limit_counters before = w->counters[slot];
	uint8_t frame[64];
	struct packet p = packet_of(frame, &s);
	enum reason reason;

	limiter_set_time(&w->limiter, w->now_ns);
	reason = limiter_packet(&w->limiter, &p, &w->conns[n], n, dir);
	return verdict_of(counted(&before, &w->counters[slot], p.ip_bytes), reason);
}

/* Of a first packet of a connection, which takes entry @n when it passes. */
static inline int begin(struct worker_world *w, uint32_t n, uint16_t slot, struct sent s)
{
	struct worker_limit_counters before = w->counters[slot];
	uint8_t frame[64];
	struct packet p = packet_of(frame, &s);
	enum reason reason;

	limiter_set_time(&w->limiter, w->now_ns);
	reason = limiter_start(&w->limiter, &p, slot);
	if (reason == REASON_NONE) {
		w->conns[n].listener = slot;
		limiter_open(&w->limiter, n, LIMITED_INTERFACE);
	}
	return verdict_of(counted(&before, &w->counters[slot], p.ip_bytes), reason);
}

/* Of @tries alike how many have @verdict. */
static inline int count_of(struct worker_world *w, uint32_t n, enum direction dir, struct sent s,
			   int tries, int verdict)
{
	int count = 0;

	for (int i = 0; i < tries; i++)
		count += meet(w, n, dir, s) == verdict;
	return count;
}

#endif
