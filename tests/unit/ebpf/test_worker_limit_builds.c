/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker's limiter decides the same whoever does its arithmetic: librte_bpf's program translated,
 * the same interpreted, and native code. Packets of both directions, of connections that begin
 * and go on, under rules that change.
 */
#include "tests/unit/ebpf/worker_limits.h"

#include <stdlib.h>

enum { PACKETS = 400000, BUILDS = 3, CHANGE_EVERY = 1000 };

static struct worker_world worlds[BUILDS];
static uint64_t seed = 0x7ab1e5eed;
static unsigned int verdicts[WORKER_LIMIT_SLOTS];

static struct image_limit random_limit(uint64_t max_rate)
{
	struct image_limit limit = {
		.algorithm = (uint8_t)(random64(&seed) % (IMAGE_LIMIT_SLIDING_WINDOW + 1)),
		.rate = 10 + random_magnitude(&seed, max_rate),
	};

	if (limit.algorithm == IMAGE_LIMIT_NONE)
		limit.rate = 0;
	else if (is_bucket(limit.algorithm))
		limit.burst = 1 + random64(&seed) % (2 * limit.rate);
	else
		limit.window_ms = 100 + (uint32_t)(random64(&seed) % 3000);
	return limit;
}

static struct image_rate_limit random_limits(void)
{
	return (struct image_rate_limit){
		.packets = random_limit(1 << 12),
		.bytes = random_limit(1 << 22),
		.source = random_limit(1 << 10),
		.listener = random_limit(1 << 10),
		.action = (uint8_t)(random64(&seed) % 3),
		.source_action = random64(&seed) % 2 ? IMAGE_LIMIT_DROP : IMAGE_LIMIT_OBSERVE,
		.listener_action = random64(&seed) % 2 ? IMAGE_LIMIT_DROP : IMAGE_LIMIT_OBSERVE,
	};
}

static struct sent random_packet(void)
{
	return (struct sent){
		.kind = random64(&seed) % 4 ? PACKET_TCP : PACKET_UDP,
		.flags = random64(&seed) % 8 ? TCP_ACK : TCP_SYN,
		.ecn = (uint8_t)(random64(&seed) % 4),
		.family = random64(&seed) % 2 ? FAMILY_V4 : FAMILY_V6,
		.bytes = (uint16_t)(40 + random_magnitude(&seed, 1460)),
		.source = (uint32_t)(random64(&seed) % 100),
	};
}

static int step(struct worker_world *w, uint32_t n, uint64_t kind, struct sent s)
{
	if (kind == 0)
		return begin(w, n, n % 2 ? WEB : DNS, s);
	return meet(w, n, kind % 2 ? FORWARD : REVERSE, s);
}

static int same_state(const struct worker_world *a, const struct worker_world *b)
{
	return memcmp(a->flows, b->flows, sizeof(a->flows)) == 0 &&
	       memcmp(a->lines, b->lines, sizeof(a->lines)) == 0 &&
	       memcmp(a->listeners, b->listeners, sizeof(a->listeners)) == 0 &&
	       memcmp(a->counters, b->counters, sizeof(a->counters)) == 0;
}

static void change_rules(void)
{
	for (uint32_t slot = WEB; slot <= DNS; slot++) {
		struct image_rate_limit limits = random_limits();

		for (int b = 0; b < BUILDS; b++)
			worker_world_limit(&worlds[b], slot, limits);
	}
}

static void every_build_decides_the_same(void)
{
	unsigned int found = 0;

	for (int i = 0; i < PACKETS; i++) {
		const uint32_t n = (uint32_t)(random64(&seed) % ENTRIES);
		const uint64_t kind = random64(&seed) % 16;
		const struct sent s = random_packet();
		uint64_t later = random64(&seed) >> (40 + random64(&seed) % 24);
		int verdict[BUILDS];

		if (i % CHANGE_EVERY == 0)
			change_rules();
		for (int b = 0; b < BUILDS; b++) {
			worlds[b].now_ns += later;
			verdict[b] = step(&worlds[b], n, kind, s);
		}
		found += verdict[0] != verdict[1] || verdict[0] != verdict[2];
		if (verdict[0] >= 0)
			verdicts[verdict[0]]++;
	}
	CU_ASSERT_EQUAL(found, 0);
	CU_ASSERT(same_state(&worlds[0], &worlds[1]));
	CU_ASSERT(same_state(&worlds[0], &worlds[2]));
}

/* The test above compares what matters. */
static void packets_met_every_verdict(void)
{
	static const int met[] = {
		WORKER_LIMIT_PASSED,       WORKER_LIMIT_MARKED,
		WORKER_LIMIT_CONNECTION,   WORKER_LIMIT_SOURCE,
		WORKER_LIMIT_LISTENER,     WORKER_LIMIT_WOULD_CONNECTION,
		WORKER_LIMIT_WOULD_SOURCE, WORKER_LIMIT_WOULD_LISTENER,
	};

	for (size_t i = 0; i < sizeof(met) / sizeof(met[0]); i++)
		CU_ASSERT(verdicts[met[i]] > 100);
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(every_build_decides_the_same),
		SUITE_TEST(packets_met_every_verdict),
		CU_TEST_INFO_NULL,
	};
	int rc;

	for (int b = 0; b < BUILDS; b++)
		worker_world_open(&worlds[b]);
	if (!worlds[1].limiter.program.translated)
		puts("  librte_bpf does not translate on this machine: interpreted twice");
	worlds[0].limiter.program.translated = take_natively;
	worlds[2].limiter.program.translated = NULL;
	rc = suite_run("worker_limit_builds", tests);
	for (int b = 0; b < BUILDS; b++)
		worker_world_close(&worlds[b]);
	return rc;
}
