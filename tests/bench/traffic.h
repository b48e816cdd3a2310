/* SPDX-License-Identifier: Apache-2.0 */
/* Established flows and their replay through a worker. */
#ifndef FENDER_TESTS_BENCH_TRAFFIC_H
#define FENDER_TESTS_BENCH_TRAFFIC_H

#include "tests/bench/frames.h"
#include "tests/bench/inprocess.h"

#include <string.h>

enum {
	TRAFFIC_PACKETS = 4 * 1024 * 1024, /* of one replay */
	TRAFFIC_CLIENT_ISN = 1000,
	TRAFFIC_SERVER_ISN = 5000,
};

/* The frames of flows by direction, and the order they are replayed in. */
struct traffic {
	uint32_t flows; /* a multiple of the burst */
	struct frame *frames[2];
	uint32_t *order;
};

extern const struct frame_tcp traffic_syn;

/* Open @flows flows in a started worker, TCP ones up to the first bytes of the client. */
void traffic_create(struct traffic *t, struct inprocess *x, uint32_t flows, int tcp);
void traffic_free(struct traffic *t);

/*
 * ns a packet over TRAFFIC_PACKETS, bursts alternating between the directions, in an order no
 * prefetcher guesses; without @worker what the generator itself takes.
 */
double traffic_replay(struct inprocess *x, const struct traffic *t, int worker);

/* Make a taken buffer the frame. */
static inline void traffic_fill(struct rte_mbuf *m, const struct frame *f)
{
	m->data_off = RTE_PKTMBUF_HEADROOM;
	m->data_len = FRAME_BYTES;
	m->pkt_len = FRAME_BYTES;
	m->nb_segs = 1;
	memcpy(rte_pktmbuf_mtod(m, void *), f->bytes, sizeof(f->bytes));
}

/* A burst to the worker, or past it. */
static inline void traffic_send(struct inprocess *x, int worker, uint8_t interface,
				struct rte_mbuf **frames)
{
	if (worker)
		inprocess_pass(x, interface, frames, INPROCESS_BURST);
	else
		inprocess_bypass(x, frames, INPROCESS_BURST);
}

/* Memory, or the end of the program. */
void *traffic_must(void *memory);

/* CPU time of this thread: what others on the machine take does not count. */
uint64_t traffic_cpu_ns(void);

#endif
