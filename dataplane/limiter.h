/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rate limits in the worker, for what is received on interfaces with `limiter: dpdk`: the order,
 * the actions and the verdicts of the XDP program (ebpf/xdp_judge.h). A connection's two buckets
 * lie beside its entry and are its worker's alone, so nothing of them is forgotten and there is no
 * coarse word; a source's and a listener's words are shared by all workers.
 *
 * A packet is judged once its connection is known, before anything learns from it. A client's
 * packet is limited towards the endpoint, an endpoint's towards the client. All by one worker.
 */
#ifndef FENDER_DATAPLANE_LIMITER_H
#define FENDER_DATAPLANE_LIMITER_H

#include "dataplane/limiter_program.h"
#include "dataplane/limiter_rules.h"
#include "dataplane/limiter_source.h"
#include "dataplane/packet.h"
#include "shm/histogram.h"
#include "shm/region.h"

struct limiter {
	uint32_t interfaces; /* bit i: what interface i receives is judged; fixed at the start */
	uint32_t judging;    /* the same; 0 while no listener has limits */
	const struct limiter_policy *policy;
	struct worker_limit_counters *counters; /* this worker's, by slot of the listener */
	struct flow_limit *flows;               /* by number of the connection's entry */
	struct listener_state *listeners;       /* by slot; any worker's */
	struct limiter_sources sources;
	struct limiter_program program;
	struct histograms times; /* of this worker: its verdicts' */

	/* Written with each packet. */
	struct worker_limit packet __attribute__((aligned(64)));
	const struct limiter_rules *loaded; /* whose rules @packet has */
	uint32_t until_timed;               /* verdicts, that one included; never 0 */
	struct flow_bucket fresh; /* towards the endpoint, of the connection about to begin */
};

/**
 * limiter_create() - for worker @number of a region
 * Without an interface whose limiter is dpdk it takes no memory and judges nothing.
 * Return: 0; -errno of limiter_program_load().
 */
int limiter_create(struct limiter *l, const struct region *region, uint32_t number);
void limiter_free(struct limiter *l);

/* What follows is judged by @policy, live connections too. */
void limiter_set_policy(struct limiter *l, const struct limiter_policy *policy);

/* Is a packet that @interface received judged? */
static inline int limiter_judges(const struct limiter *l, uint8_t interface)
{
	return (int)(l->judging >> interface & 1);
}

/* Before the packets of a burst: the time they are judged at. */
static inline void limiter_set_time(struct limiter *l, uint64_t now_ns)
{
	l->packet.now_ns = now_ns;
}

/**
 * limiter_packet() - judge a TCP or UDP packet of a connection
 * @number: of the entry @c
 * Return: REASON_NONE, the packet perhaps marked (CE); or why it is to be dropped. It is counted
 * in the listener's counters, not yet in the worker's.
 */
enum reason limiter_packet(struct limiter *l, struct packet *p, const struct conn *c,
			   uint32_t number, enum direction dir);

/* Likewise one that no connection claims and that may begin one of the listener in @slot. */
enum reason limiter_start(struct limiter *l, struct packet *p, uint16_t slot);

/*
 * A connection takes the entry @number, by a packet that @interface received, and that
 * limiter_start() has admitted if it is judged: its buckets begin.
 */
void limiter_open(struct limiter *l, uint32_t number, uint8_t interface);

#endif
