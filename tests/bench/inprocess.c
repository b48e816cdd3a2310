/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/inprocess.h"

#include "dataplane/burst.h"
#include "dataplane/clock.h"
#include "dataplane/inherit.h"
#include "dataplane/net/neighbour.h"
#include "dataplane/timers.h"
#include "dataplane/transmit.h"
#include "dataplane/waiting.h"
#include "dataplane/worker_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_eth_ring.h>
#include <rte_ethdev.h>

const uint8_t inprocess_mac[6] = {0x02, 0, 0, 0, 0, 0x01};

#define PEER_MAC "02:00:00:00:00:02"

static int failed(const char *what, const char *why)
{
	fprintf(stderr, "bench_worker: %s: %s\n", what, why);
	return -1;
}

int inprocess_init(struct inprocess *x)
{
	struct rte_eth_conf conf = {0};
	int port;

	memset(x, 0, sizeof(*x));
	x->ring = rte_ring_create("frames", 2 * INPROCESS_MBUFS, SOCKET_ID_ANY,
				  RING_F_SP_ENQ | RING_F_SC_DEQ);
	x->ports.pool = rte_pktmbuf_pool_create("frames", INPROCESS_MBUFS + 1024, 256, 0,
						RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (!x->ring || !x->ports.pool)
		return failed("packet buffers", rte_strerror(rte_errno));
	port = rte_eth_from_ring(x->ring);
	if (port < 0)
		return failed("ring port", rte_strerror(rte_errno));
	x->ring_port = (uint16_t)port;
	if (rte_eth_dev_configure(x->ring_port, 1, 1, &conf) ||
	    rte_eth_rx_queue_setup(x->ring_port, 0, 64, SOCKET_ID_ANY, NULL, x->ports.pool) ||
	    rte_eth_tx_queue_setup(x->ring_port, 0, 64, SOCKET_ID_ANY, NULL) ||
	    rte_eth_dev_start(x->ring_port))
		return failed("ring port", "cannot be started");
	for (uint32_t i = 0; i < INPROCESS_MBUFS; i++) {
		struct rte_mbuf *frame = rte_pktmbuf_alloc(x->ports.pool);

		if (!frame || rte_ring_sp_enqueue(x->ring, frame))
			return failed("packet buffers", "too few");
	}
	return 0;
}

struct wish {
	uint32_t connections;
	const char *limits;
};

static void write_policy(FILE *out, const void *ctx)
{
	const struct wish *wish = ctx;

	fprintf(out,
		"version: 1\n"
		"sidecar: {name: bench, idle: poll, connections: %u}\n"
		"interfaces:\n"
		"  - name: clients\n"
		"    device: vdev:net_ring0\n"
		"    addresses: [10.77.1.1/24]\n"
		"    gateway: [10.77.1.2]\n"
		"    neighbours: [{address: 10.77.1.2, mac: '" PEER_MAC "'}]\n"
		"  - name: servers\n"
		"    device: vdev:net_ring1\n"
		"    addresses: [10.77.2.1/24]\n"
		"    snat: {ports: 1024-65535}\n"
		"    neighbours:\n",
		wish->connections);
	for (int i = 0; i < INPROCESS_ENDPOINTS; i++)
		fprintf(out, "      - {address: 10.77.2.%d, mac: '" PEER_MAC "'}\n", 11 + i);
	fprintf(out,
		"listeners:\n"
		"  - {name: tcp, bind: '10.77.1.1:%d', interface: clients, protocol: tcp, cluster: "
		"tcp%s%s%s}\n"
		"  - {name: udp, bind: '10.77.1.1:%d', interface: clients, protocol: udp, cluster: "
		"udp}\n"
		"clusters:\n",
		INPROCESS_PORT, wish->limits ? ", rate_limit: {per_connection: {" : "",
		wish->limits ? wish->limits : "", wish->limits ? "}}" : "", INPROCESS_PORT);
	for (int udp = 0; udp < 2; udp++) {
		fprintf(out, "  - name: %s\n    timeouts: {idle: 1h%s}\n    endpoints:\n",
			udp ? "udp" : "tcp",
			udp ? "" : ", connect: 5m, request: 1h, verdict_after: 1h");
		for (int i = 0; i < INPROCESS_ENDPOINTS; i++)
			fprintf(out, "      - {address: '10.77.2.%d:80'}\n", 11 + i);
	}
}

static int make_neighbours(struct inprocess *x)
{
	const struct image_header *image = x->policy.adopted->image;
	const struct image_neighbour *n = IMAGE_ARRAY(image, struct image_neighbour, neighbours);

	x->shared.neighbours = neighbour_table_create(x->policy.region.header->hash_seed);
	if (!x->shared.neighbours)
		return failed("neighbours", "no memory");
	for (uint32_t i = 0; i < image->neighbours.count; i++)
		if (neighbour_set_static(x->shared.neighbours, (uint8_t)n[i].interface, n[i].ip.b,
					 n[i].mac))
			return failed("neighbours", "table full");
	return 0;
}

static void make_ports(struct inprocess *x)
{
	x->ports.count = 2;
	for (uint8_t i = 0; i < 2; i++) {
		struct port *port = &x->ports.port[i];

		*port = (struct port){
			.kind = DEVICE_VDEV,
			.interface = i,
			.queues = 1,
			.mtu = 1500,
			.started = 1,
			.queue = {{.port = x->ring_port}},
			.queue_fd = {-1},
		};
		memcpy(port->mac, inprocess_mac, sizeof(port->mac));
	}
}

int inprocess_start(struct inprocess *x, uint32_t connections)
{
	const struct wish wish = {connections, x->limits};
	struct conn_adopted inherited;
	char why[256] = "";

	if (in_force_start(&x->policy, write_policy, &wish))
		return -1;
	for (int i = 0; i < 2 && x->limits; i++)
		x->policy.region.interfaces[i].limiter = LIMITER_DPDK;
	make_ports(x);
	x->shared = (struct worker_shared){
		.region = &x->policy.region,
		.ports = &x->ports,
		.workers = 1,
		.adopted = x->policy.adopted,
	};
	if (make_neighbours(x))
		return -1;
	if (worker_shared_create(&x->shared))
		return failed("worker", "no memory for its queues");
	if (worker_create(&x->shared, 0, why, sizeof(why)))
		return failed("worker", why);
	if (inherit_connections(&x->shared, x->policy.adopted, &inherited))
		return failed("worker", "no memory for its table");
	x->worker = x->shared.worker[0];
	return 0;
}

void inprocess_stop(struct inprocess *x)
{
	worker_destroy(x->worker);
	worker_shared_destroy(&x->shared);
	neighbour_table_destroy(x->shared.neighbours);
	in_force_stop(&x->policy);
}

void inprocess_judge(struct inprocess *x, int judge)
{
	struct limiter *l = &x->worker->limiter;

	l->judging = judge ? l->interfaces : 0;
}

void inprocess_take(struct inprocess *x, struct rte_mbuf **frames, uint32_t n)
{
	if (unlikely(rte_ring_sc_dequeue_bulk(x->ring, (void **)frames, n, NULL) != n)) {
		inprocess_verify(x);
		fprintf(stderr, "bench_worker: frames were lost\n");
		exit(1);
	}
}

void inprocess_pass(struct inprocess *x, uint8_t interface, struct rte_mbuf **frames, uint32_t n)
{
	struct worker *w = x->worker;

	worker_set_time(w, clock_ns());
	w->loop++;
	burst_received(w, interface, frames, n);
	timers_run(w);
	waiting_run(w);
	transmit_flush(w);
}

void inprocess_bypass(struct inprocess *x, struct rte_mbuf **frames, uint32_t n)
{
	rte_eth_tx_burst(x->ring_port, 0, frames, (uint16_t)n);
}

int inprocess_verify(const struct inprocess *x)
{
	const struct packet_counters *c = &x->policy.region.workers[0].packets;
	uint64_t dropped = 0;

	for (unsigned int r = 0; r < REASON_COUNT; r++) {
		if (c->dropped[r])
			fprintf(stderr, "bench_worker: dropped %s: %llu\n", reason_name(r),
				(unsigned long long)c->dropped[r]);
		dropped += c->dropped[r];
	}
	if (dropped == 0 && c->originated == 0 && c->transmitted == c->received)
		return 0;
	fprintf(stderr, "bench_worker: received %llu, transmitted %llu, originated %llu\n",
		(unsigned long long)c->received, (unsigned long long)c->transmitted,
		(unsigned long long)c->originated);
	return -1;
}
