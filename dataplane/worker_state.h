/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one worker owns. Internal to the worker's passes (worker.c, burst.c, flow.c,
 * flow_open.c, flow_attempt.c, flow_icmp.c, waiting.c, forward.c, local.c, origin.c, timers.c,
 * drain.c, scrub.c, repair.c, transmit.c); nobody else includes this.
 */
#ifndef FENDER_DATAPLANE_WORKER_STATE_H
#define FENDER_DATAPLANE_WORKER_STATE_H

#include "dataplane/adopted.h"
#include "dataplane/capture.h"
#include "dataplane/conn/snat_ports.h"
#include "dataplane/conn/table.h"
#include "dataplane/idle.h"
#include "dataplane/limiter.h"
#include "dataplane/packet.h"
#include "dataplane/policy/call.h"
#include "dataplane/port.h"
#include "dataplane/worker.h"

#include <rte_mbuf.h>

struct rte_ring;

enum {
	BURST = 32,                 /* frames taken from a queue or ring at once */
	TX_BURST = 32,              /* frames given to a queue at once */
	HANDOFF_RING = 1024,        /* frames between two workers, a power of two */
	PENDING_MAX = 256,          /* frames of one worker waiting for next hops */
	PENDING_PER_NEIGHBOUR = 64, /* and of these, for one next hop */
	EXPIRE_BURST = 32,          /* timers handled a loop */
	WAITING_BURST = 32,         /* waiting calls that go on, or are refused, a loop */
	DRAIN_BURST = 32,           /* entries looked at a loop when ends are due */
	ORIGIN_PER_SECOND = 1000,   /* answers to strangers a worker sends */
	ANNOUNCE_BURST = 32,        /* addresses and listeners looked at a loop */
	NEIGHBOUR_CACHE = 16,       /* next hops remembered within a loop */
};

/* Frames on their way out of one interface. */
struct transmit {
	struct rte_mbuf *frame[TX_BURST];
	uint32_t count;
	uint32_t bytes;
};

/* Frames for another worker, gathered during a burst. */
struct handoff {
	struct rte_mbuf *frame[BURST];
	uint32_t count;
};

/* A frame that waits for its next hop's MAC address. */
struct pending {
	struct rte_mbuf *frame;
	uint16_t neighbour;
	uint8_t generation;
	uint8_t interface;
};

/* A resolved next hop, good for the loop named by stamp. */
struct neighbour_cached {
	uint64_t stamp; /* worker->loop when filled */
	uint16_t number;
	uint8_t generation;
	uint8_t mac[6];
};

struct worker {
	struct worker_shared *shared;
	const struct adopted *policy;
	uint32_t number;
	uint32_t origin_left; /* answers to strangers left in the current second */
	uint64_t origin_second;
	uint64_t now_ns; /* read once a loop: worker_set_time() */
	uint64_t loop;
	uint64_t applied;   /* generation of .policy; the main thread reads it */
	uint64_t damaged;   /* entries that were written over, ended; the main thread reads it */
	uint32_t announced; /* of the policy's addresses, then its listeners (worker 0) */

	/* The walk over the table that ends what has drained, see drain.h. */
	uint64_t drain_due_ns;   /* UINT64_MAX: nothing drains */
	uint64_t drain_until_ns; /* ends up to here are due in this walk */
	uint32_t drain_at;       /* the next entry */
	uint32_t draining;       /* enum draining, as last seen */
	uint8_t drain_whole;     /* all that is open is due */

	uint64_t scrubbed_ns; /* when scrub.c looked last, and which entry is next */
	uint32_t scrub_at;

	/* Slots of an entry, which may be written over, are used through these: slots - 1. */
	uint16_t listener_mask;
	uint16_t cluster_mask;
	uint16_t endpoint_mask;
	uint8_t interface_count; /* an entry's interfaces are below it, or 0 */

	/* Set while a burst is decided: look-ups made before the change must be repeated. */
	uint8_t table_inserted;
	uint8_t table_released;
	uint8_t verify_checksums; /* of TCP and UDP, by policy */
	uint8_t capturing;        /* somebody wants records of packets, see capture.h */

	struct worker_block *block;
	struct packet_counters *packets;
	struct interface_counters *interfaces; /* of this worker */

	struct conn_table table;
	struct engine engine;        /* decides about calls */
	struct call *calls;          /* of the table's entries, which show copies: call_show() */
	struct snat_ports **snat[2]; /* [tcp, udp][address] */
	uint32_t snat_addresses;
	uint32_t snat_epoch;           /* of the last port taken: snat_owner.h */
	uint8_t owners[OWNER_BUCKETS]; /* bucket -> worker */
	struct limiter limiter;        /* of what interfaces with `limiter: dpdk` receive */

	struct neighbour_cached cache[NEIGHBOUR_CACHE];
	struct pending pending[PENDING_MAX];
	uint32_t pending_count;

	struct transmit tx[MAX_INTERFACES];
	struct handoff to_owner[MAX_WORKERS];        /* received here, owned there */
	struct handoff to_queue[MAX_WORKERS];        /* to send by a queue polled there */
	struct rte_ring *from_receiver[MAX_WORKERS]; /* by worker that received */
	struct rte_ring *from_decider[MAX_WORKERS];  /* by worker that decided */

	struct capture *capture;
	struct packet parsed[BURST];
	struct idle idle;
};

static inline void worker_set_time(struct worker *w, uint64_t now_ns)
{
	w->now_ns = now_ns;
	w->engine.now_ns = now_ns;
}

/* The kernel keeps the addresses: it answers ARP, ND and ping, and knows the neighbours. */
static inline int interface_is_shared(const struct worker *w, uint8_t interface)
{
	return w->shared->ports->port[interface].shared;
}

static inline void drop_count(struct worker *w, enum reason reason)
{
	counter_add(&w->packets->dropped[reason], 1);
}

/* The end of a frame that did its work here. */
static inline void consume(struct worker *w, struct rte_mbuf *frame)
{
	counter_add(&w->packets->consumed, 1);
	if (unlikely(w->capturing))
		capture_verdict(w, frame, REASON_NONE);
	rte_pktmbuf_free(frame);
}

/* The end of a frame that was counted in. */
static inline void drop(struct worker *w, struct rte_mbuf *frame, enum reason reason)
{
	drop_count(w, reason);
	if (unlikely(w->capturing))
		capture_verdict(w, frame, reason);
	rte_pktmbuf_free(frame);
}

/*
 * The call of an entry. It is private, so that what the call holds returns to where it was taken
 * from, whatever is written over the entry; the copy there is for a successor and for readers.
 */
static inline struct call *call_of(const struct worker *w, const struct conn *c)
{
	return &w->calls[conn_number(&w->table, c)];
}

/* After each change of the call. */
static inline void call_show(const struct worker *w, struct conn *c)
{
	c->call = *call_of(w, c);
}

static inline uint16_t listener_slot_of(const struct worker *w, const struct conn *c)
{
	return c->listener & w->listener_mask;
}

static inline uint16_t cluster_slot_of(const struct worker *w, const struct conn *c)
{
	return c->cluster & w->cluster_mask;
}

static inline uint16_t endpoint_slot_of(const struct worker *w, const struct conn *c)
{
	return c->endpoint & w->endpoint_mask;
}

static inline struct listener_counters *listener_of(struct worker *w, const struct conn *c)
{
	return &w->engine.state.listener_counters[listener_slot_of(w, c)];
}

static inline struct call_counters *cluster_of(struct worker *w, const struct conn *c)
{
	return &w->engine.state.cluster_counters[cluster_slot_of(w, c)];
}

static inline struct call_counters *endpoint_of(struct worker *w, const struct conn *c)
{
	return &w->engine.state.endpoint_counters[endpoint_slot_of(w, c)];
}

/* The interface that packets of a connection come in by in this direction. */
static inline uint8_t interface_of(const struct worker *w, const struct conn *c, enum direction dir)
{
	const uint8_t interface = dir == FORWARD ? c->fwd.interface : c->rev.interface;

	return likely(interface < w->interface_count) ? interface : 0;
}

static inline enum direction opposite(enum direction dir)
{
	return dir == FORWARD ? REVERSE : FORWARD;
}

#endif
