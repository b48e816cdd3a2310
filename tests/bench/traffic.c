/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/traffic.h"

#include "dataplane/packet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_prefetch.h>

enum { AHEAD = 8 /* headers prefetched by the generator */ };

void *traffic_must(void *memory)
{
	if (!memory) {
		fprintf(stderr, "bench_worker: no memory\n");
		exit(1);
	}
	return memory;
}

uint64_t traffic_cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* xorshift64: the same order in every run. */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void shuffle(uint32_t *order, uint32_t n)
{
	uint64_t state = 88172645463325252ull;

	for (uint32_t i = 0; i < n; i++)
		order[i] = i;
	for (uint32_t i = n - 1; i > 0; i--) {
		uint32_t j = (uint32_t)(next_random(&state) % (i + 1));
		uint32_t swap = order[i];

		order[i] = order[j];
		order[j] = swap;
	}
}

/* One burst, and what became of its frames: they lie in the ring, but their bytes are still there.
 */
static void exchange(struct inprocess *x, uint8_t interface, struct frame *frames)
{
	struct rte_mbuf *m[INPROCESS_BURST];

	inprocess_take(x, m, INPROCESS_BURST);
	for (int i = 0; i < INPROCESS_BURST; i++)
		traffic_fill(m[i], &frames[i]);
	inprocess_pass(x, interface, m, INPROCESS_BURST);
	for (int i = 0; i < INPROCESS_BURST; i++)
		memcpy(frames[i].bytes, rte_pktmbuf_mtod(m[i], void *), sizeof(frames[i].bytes));
}

const struct frame_tcp traffic_syn = {.seq = TRAFFIC_CLIENT_ISN, .flags = TCP_SYN};
static const struct frame_tcp syn_ack = {
	.seq = TRAFFIC_SERVER_ISN, .ack = TRAFFIC_CLIENT_ISN + 1, .flags = TCP_SYN | TCP_ACK};
static const struct frame_tcp client_data = {.seq = TRAFFIC_CLIENT_ISN + 1,
					     .ack = TRAFFIC_SERVER_ISN + 1,
					     .flags = TCP_ACK | TCP_PSH,
					     .payload = FRAME_PAYLOAD};
static const struct frame_tcp server_data = {.seq = TRAFFIC_SERVER_ISN + 1,
					     .ack = TRAFFIC_CLIENT_ISN + 1 + FRAME_PAYLOAD,
					     .flags = TCP_ACK | TCP_PSH,
					     .payload = FRAME_PAYLOAD};

/* Open flows first..first+31 and keep the frames they go on with. */
static void open_burst(struct inprocess *x, struct traffic *t, uint32_t first, int tcp)
{
	struct frame frames[INPROCESS_BURST];
	struct frame_tuple client, server;

	for (uint32_t i = 0; i < INPROCESS_BURST; i++) {
		client = frame_client(first + i);
		frame_build(&frames[i], &client, tcp ? &traffic_syn : NULL);
		frame_build(&t->frames[0][first + i], &client, tcp ? &client_data : NULL);
	}
	exchange(x, 0, frames);
	for (uint32_t i = 0; i < INPROCESS_BURST; i++) {
		server = frame_answer(frames[i].bytes);
		frame_build(&t->frames[1][first + i], &server, tcp ? &server_data : NULL);
		frame_build(&frames[i], &server, tcp ? &syn_ack : NULL);
	}
	exchange(x, 1, frames);
	memcpy(frames, &t->frames[0][first], sizeof(frames));
	exchange(x, 0, frames);
}

void traffic_create(struct traffic *t, struct inprocess *x, uint32_t flows, int tcp)
{
	t->flows = flows;
	for (int dir = 0; dir < 2; dir++)
		t->frames[dir] = traffic_must(aligned_alloc(64, flows * sizeof(struct frame)));
	t->order = traffic_must(malloc(flows * sizeof(uint32_t)));
	shuffle(t->order, flows);
	for (uint32_t first = 0; first < flows; first += INPROCESS_BURST)
		open_burst(x, t, first, tcp);
}

void traffic_free(struct traffic *t)
{
	free(t->frames[0]);
	free(t->frames[1]);
	free(t->order);
}

double traffic_replay(struct inprocess *x, const struct traffic *t, int worker)
{
	uint32_t at[2] = {0, t->flows / 2 / INPROCESS_BURST * INPROCESS_BURST};
	struct rte_mbuf *m[INPROCESS_BURST];
	uint64_t start = traffic_cpu_ns();

	for (uint32_t sent = 0; sent < TRAFFIC_PACKETS; sent += INPROCESS_BURST) {
		int dir = sent / INPROCESS_BURST & 1;
		const struct frame *frames = t->frames[dir];
		const uint32_t *order = &t->order[at[dir]];

		inprocess_take(x, m, INPROCESS_BURST);
		for (int i = 0; i < INPROCESS_BURST; i++) {
			if (i + AHEAD < INPROCESS_BURST) {
				rte_prefetch0(&frames[order[i + AHEAD]]);
				rte_prefetch0(rte_pktmbuf_mtod(m[i + AHEAD], void *));
			}
			traffic_fill(m[i], &frames[order[i]]);
		}
		traffic_send(x, worker, (uint8_t)dir, m);
		at[dir] += INPROCESS_BURST;
		if (at[dir] == t->flows)
			at[dir] = 0;
	}
	return (double)(traffic_cpu_ns() - start) / TRAFFIC_PACKETS;
}
