/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits of the XDP program put in force one after another, and packets that meet them. The
 * kernel's clock cannot be set: rates are 1/s where a burst is counted, and what may come back in
 * the time that went by is allowed for.
 */
#ifndef FENDER_TESTS_UNIT_EBPF_XDP_LIMITS_H
#define FENDER_TESTS_UNIT_EBPF_XDP_LIMITS_H

#include <stdio.h>
#include <time.h>

#include "tests/unit/ebpf/xdp_suite.h"

static struct world world;

#define LISTENER(n) (LIMIT_INTERFACES + (n))

static const struct limit_spec plenty = {LIMIT_TOKEN_BUCKET, 1 << 30, 1 << 30, 0};

static inline double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double in_force; /* since when the rules are */

/* Where a second's refill would make another number: not asked of a machine that slow. */
#define EXACT(value, expected) CU_ASSERT_TRUE((value) == (expected) || seconds() - in_force > 0.9)

static inline struct limit_spec per_second(uint64_t rate, uint64_t burst)
{
	return (struct limit_spec){LIMIT_TOKEN_BUCKET, rate, burst, 0};
}

/* Of an algorithm that no other test gives the coarse word, so that the word begins anew. */
static inline struct limit_spec other_shape(uint64_t rate, uint64_t burst)
{
	return (struct limit_spec){LIMIT_LEAKY_BUCKET, rate, burst, 0};
}

/* Rules of one listener alone, in force from now on. */
static inline void limit_only(uint32_t listener, struct limits_rules rules)
{
	memset(world.rules, 0, sizeof(world.rules));
	if (!rules.directions)
		rules.directions = LIMIT_TO_ENDPOINT | LIMIT_TO_CLIENT;
	if (!rules.coarse.algorithm)
		rules.coarse = plenty;
	world.rules[listener] = rules;
	in_force = seconds();
	CU_ASSERT_EQUAL_FATAL(world_apply(&world), 0);
}

static inline struct limits_rules udp_rules(struct limit_spec packets)
{
	return (struct limits_rules){.packets = packets, .source = plenty, .listener = plenty};
}

/* Connections that no test has used before. */
static inline struct wanted tcp_to(uint32_t flags)
{
	static uint16_t port = 1000;

	return (struct wanted){.src = "10.9.0.9",
			       .dst = APP_IP,
			       .sport = port++,
			       .dport = 80,
			       .proto = FRAME_PROTO_TCP,
			       .tcp_flags = (uint8_t)flags};
}

static inline struct wanted udp_to(void)
{
	static uint16_t port = 1000;

	return (struct wanted){.src = "10.9.0.9",
			       .dst = APP_IP,
			       .sport = port++,
			       .dport = 53,
			       .proto = FRAME_PROTO_UDP};
}

static inline int meet(const struct wanted *w)
{
	struct bytes frame = frame_of(w);
	struct outcome o = world_meet(&world, APP, &frame);

	CU_ASSERT_TRUE(o.row >= LIMIT_INTERFACES);
	return o.verdict;
}

/* Of @tries of @w how many have @verdict. */
static inline unsigned int count_of(const struct wanted *w, int tries, int verdict)
{
	unsigned int count = 0;

	for (int i = 0; i < tries; i++)
		count += meet(w) == verdict;
	return count;
}

#endif
