/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/worker.h"

#include "dataplane/burst.h"
#include "dataplane/clock.h"
#include "dataplane/conn/shard.h"
#include "dataplane/drain.h"
#include "dataplane/forward.h"
#include "dataplane/origin.h"
#include "dataplane/scrub.h"
#include "dataplane/timers.h"
#include "dataplane/transmit.h"
#include "dataplane/waiting.h"
#include "dataplane/worker_engine.h"
#include "dataplane/worker_state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

/* The longest sleep while frames wait for a next hop. */
#define PENDING_SLEEP_NS 1000000ull

static void snat_free(struct worker *w)
{
	for (int proto = 0; proto < 2; proto++) {
		for (uint32_t i = 0; w->snat[proto] && i < w->snat_addresses; i++)
			snat_ports_destroy(w->snat[proto][i]);
		free(w->snat[proto]);
	}
}

/* Pools of SNAT ports: one for each of our addresses and protocols. */
static int snat_create(struct worker *w)
{
	const struct image_header *image = w->shared->adopted->image;
	const struct image_address *address = IMAGE_ARRAY(image, struct image_address, addresses);
	const struct image_interface *interface =
		IMAGE_ARRAY(image, struct image_interface, interfaces);

	/* Another order at each start: the ports dealt last are not the first again. */
	const uint64_t seed =
		w->shared->region->header->hash_seed + w->shared->region->header->dataplane_starts;

	w->snat_addresses = image->addresses.count;
	for (int proto = 0; proto < 2; proto++) {
		w->snat[proto] = calloc(w->snat_addresses + 1, sizeof(*w->snat[proto]));
		if (!w->snat[proto])
			return -ENOMEM;
		for (uint32_t i = 0; i < w->snat_addresses; i++) {
			const struct image_interface *of = &interface[address[i].interface];

			w->snat[proto][i] = snat_ports_create(of->snat_port_low, of->snat_port_high,
							      w->owners, (uint8_t)w->number, seed);
			if (!w->snat[proto][i])
				return -ENOMEM;
		}
	}
	return 0;
}

static int rings_create(struct worker *w)
{
	char name[RTE_RING_NAMESIZE];

	for (uint32_t i = 0; i < w->shared->workers; i++) {
		if (i == w->number)
			continue;
		snprintf(name, sizeof(name), "owner-%u-%u", i, w->number);
		w->from_receiver[i] = rte_ring_create(name, HANDOFF_RING, SOCKET_ID_ANY,
						      RING_F_SP_ENQ | RING_F_SC_DEQ);
		snprintf(name, sizeof(name), "queue-%u-%u", i, w->number);
		w->from_decider[i] = rte_ring_create(name, HANDOFF_RING, SOCKET_ID_ANY,
						     RING_F_SP_ENQ | RING_F_SC_DEQ);
		if (!w->from_receiver[i] || !w->from_decider[i])
			return -ENOMEM;
	}
	return 0;
}

static void map_counters(struct worker *w)
{
	const struct region *region = w->shared->region;

	w->block = &region->workers[w->number];
	w->packets = &w->block->packets;
	w->interfaces = region_interface_counters(region, w->number, 0);
	w->listener_mask = (uint16_t)(region->shape.listener_slots - 1);
	w->cluster_mask = (uint16_t)(region->shape.cluster_slots - 1);
	w->endpoint_mask = (uint16_t)(region->shape.endpoint_slots - 1);
	w->interface_count = (uint8_t)w->shared->adopted->image->interfaces.count;
}

static int limits_create(struct worker *w)
{
	int rc = limiter_create(&w->limiter, w->shared->region, w->number);

	limiter_set_policy(&w->limiter, w->policy->limits);
	return rc;
}

int worker_create(struct worker_shared *shared, uint32_t number, char *why, size_t why_size)
{
	const struct region *region = shared->region;
	const struct image_sidecar *sidecar = &shared->adopted->image->sidecar;
	struct worker *w = aligned_alloc(64, (sizeof(*w) + 63) / 64 * 64);
	int rc = -ENOMEM;

	if (!w) {
		snprintf(why, why_size, "worker %u: no memory", number);
		return rc;
	}
	memset(w, 0, sizeof(*w));
	w->shared = shared;
	w->number = number;
	w->policy = shared->adopted;
	w->snat_epoch = (uint32_t)(clock_ns() >> 10) | 1; /* not those of the run before */
	shard_owners(w->owners, shared->workers);
	map_counters(w);
	w->block->applied_generation = 0;
	w->idle.event_fd = w->idle.epoll_fd = -1;
	rc = conn_table_open(&w->table, region_connections(region, number),
			     region->shape.connections_per_worker, region->header->hash_seed,
			     clock_ns());
	if (rc)
		goto fail;
	w->capture = capture_create();
	rc = w->capture ? worker_engine_create(w) : -ENOMEM;
	if (rc == 0)
		rc = limits_create(w);
	if (rc == 0)
		rc = snat_create(w);
	if (rc == 0)
		rc = rings_create(w);
	if (rc == 0)
		rc = idle_init(&w->idle, shared->ports, number, sidecar->idle == IDLE_POLL,
			       sidecar->spin_us);
	if (rc == 0) {
		shared->worker[number] = w;
		return 0;
	}
fail:
	snprintf(why, why_size, "worker %u: %s", number, strerror(-rc));
	worker_destroy(w);
	return rc;
}

void worker_destroy(struct worker *w)
{
	if (!w)
		return;
	w->shared->worker[w->number] = NULL;
	idle_close(&w->idle);
	for (uint32_t i = 0; i < w->shared->workers; i++) {
		rte_ring_free(w->from_receiver[i]);
		rte_ring_free(w->from_decider[i]);
	}
	snat_free(w);
	conn_table_free(&w->table);
	worker_engine_free(w);
	limiter_free(&w->limiter);
	capture_free(w->capture);
	free(w);
}

/* The loop's quiescent point: nothing of the old policy is held beyond it. */
static void take_policy(struct worker *w)
{
	/* acquire: pairs with the main thread's release store when it hands a policy out */
	const struct adopted *a = __atomic_load_n(&w->shared->adopted, __ATOMIC_ACQUIRE);

	if (likely(a == w->policy && w->applied == a->generation))
		return;
	w->policy = a;
	w->verify_checksums = a->image->sidecar.verify_checksums != 0;
	w->announced = 0;
	drain_policy(w);
	worker_engine_policy(w);
	limiter_set_policy(&w->limiter, a->limits);
	__atomic_store_n(&w->block->applied_ns, clock_ns(), __ATOMIC_RELAXED);
	__atomic_store_n(&w->block->applied_generation, a->generation, __ATOMIC_RELEASE);
	/* release: the main thread frees the predecessor when it reads this */
	__atomic_store_n(&w->applied, a->generation, __ATOMIC_RELEASE);
}

static uint32_t receive_pass(struct worker *w)
{
	struct ports *ports = w->shared->ports;
	struct rte_mbuf *frames[BURST];
	uint32_t work = 0;

	for (uint32_t i = 0; i < ports->count; i++) {
		const struct port *port = &ports->port[i];
		uint16_t n;

		if (w->number >= port->queues || unlikely(!port->started))
			continue;
		n = rte_eth_rx_burst(port->queue[w->number].port, port->queue[w->number].queue,
				     frames, BURST);
		if (n)
			burst_received(w, (uint8_t)i, frames, n);
		work += n;
	}
	return work;
}

static uint32_t ring_pass(struct worker *w)
{
	struct rte_mbuf *frames[BURST];
	uint32_t work = 0, n;

	for (uint32_t i = 0; i < w->shared->workers; i++) {
		if (i == w->number)
			continue;
		n = rte_ring_sc_dequeue_burst(w->from_receiver[i], (void **)frames, BURST, NULL);
		if (n)
			burst_handed_in(w, frames, n);
		work += n;
		n = rte_ring_sc_dequeue_burst(w->from_decider[i], (void **)frames, BURST, NULL);
		if (n)
			transmit_handed_in(w, frames, n);
		work += n;
	}
	return work;
}

static void publish_gauges(struct worker *w, uint32_t work)
{
	struct worker_block *b = w->block;

	counter_add(&b->loops, 1);
	if (work)
		counter_add(&b->busy_loops, 1);
	/* Said again in every turn, should something write over them. */
	__atomic_store_n(&b->state, WORKER_RUNNING, __ATOMIC_RELAXED);
	__atomic_store_n(&b->applied_generation, w->applied, __ATOMIC_RELEASE);
	/* Release: who sees it sees what earlier loops counted (shm/retire.h). */
	__atomic_store_n(&b->heartbeat_ns, w->now_ns, __ATOMIC_RELEASE);
	__atomic_store_n(&b->connections_open, w->table.used, __ATOMIC_RELAXED);
	__atomic_store_n(&b->connections_resting, w->table.resting + w->table.tombstones,
			 __ATOMIC_RELAXED);
	__atomic_store_n(&b->neighbours_pending, w->pending_count, __ATOMIC_RELAXED);
	__atomic_store_n(&w->packets->held, w->pending_count, __ATOMIC_RELAXED);
	/* Release: who sees it sees in connections_open whatever began before (run_drain.c). */
	__atomic_store_n(&b->refuses_new, w->engine.draining, __ATOMIC_RELEASE);
}

/* The instance is about to end. */
static void follow_drain(struct worker *w)
{
	const uint32_t draining = __atomic_load_n(&w->shared->draining, __ATOMIC_RELAXED);

	if (likely(draining == w->draining))
		return;
	w->draining = draining;
	w->engine.draining = draining != DRAINING_NOT;
	if (draining == DRAINING_RESET)
		drain_all(w);
}

/* One turn over everything that can bring work. Return how much there was. */
static uint32_t turn(struct worker *w)
{
	uint32_t work;

	worker_set_time(w, clock_ns());
	w->loop++;
	take_policy(w);
	capture_look(w);
	follow_drain(w);
	work = receive_pass(w);
	if (w->shared->workers > 1)
		work += ring_pass(w);
	forward_pending(w);
	work += waiting_run(w); /* first: a permit beats a timeout at the same instant */
	work += timers_run(w);
	work += drain_run(w);
	scrub_run(w);
	if (w->number == 0) {
		work += origin_announce(w);
		judged_count(&w->shared->judged, w->engine.state.policy_counters);
	}
	transmit_flush(w);
	publish_gauges(w, work);
	return work;
}

/* Nothing to do for a while: arm, look at everything once more, then sleep. */
static void rest(struct worker *w)
{
	uint64_t until;

	idle_arm(&w->idle);
	if (turn(w) || __atomic_load_n(&w->shared->stop, __ATOMIC_RELAXED)) {
		idle_disarm(&w->idle);
		w->idle.last_work_ns = w->now_ns;
		return;
	}
	until = conn_next_ns(&w->table);
	/* The answer may come to another worker, who does not know who waits for it. */
	if (w->pending_count && until > w->now_ns + PENDING_SLEEP_NS)
		until = w->now_ns + PENDING_SLEEP_NS;
	counter_add(&w->block->sleeps, 1);
	idle_sleep(&w->idle, w->now_ns, until);
}

int worker_run(void *arg)
{
	struct worker *w = arg;

	__atomic_store_n(&w->block->state, WORKER_RUNNING, __ATOMIC_RELAXED);
	while (!__atomic_load_n(&w->shared->stop, __ATOMIC_RELAXED)) {
		if (turn(w))
			w->idle.last_work_ns = w->now_ns;
		else if (w->idle.can_sleep && w->now_ns - w->idle.last_work_ns >= w->idle.spin_ns)
			rest(w);
	}
	__atomic_store_n(&w->block->state, WORKER_STOPPED, __ATOMIC_RELAXED);
	return 0;
}

uint64_t worker_applied(const struct worker *w)
{
	/* Pairs with the release of take_policy(). */
	return __atomic_load_n(&w->applied, __ATOMIC_ACQUIRE);
}

void worker_wake(struct worker *w)
{
	idle_wake(&w->idle);
}
