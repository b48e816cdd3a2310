/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A dataplane worker in this process, without kernel I/O: both its interfaces transmit into
 * one ring, from which the next frames are taken. Everything else is what fender-dataplane
 * runs: region, adopted image, connection table, passes.
 */
#ifndef FENDER_TESTS_BENCH_INPROCESS_H
#define FENDER_TESTS_BENCH_INPROCESS_H

#include "dataplane/worker.h"
#include "tests/bench/in_force.h"

#include <rte_mbuf.h>
#include <rte_ring.h>

/* Host order. The listener has INPROCESS_PORT for TCP and UDP; clients are behind a gateway. */
#define INPROCESS_LISTENER 0x0a4d0101u /* 10.77.1.1 */
#define INPROCESS_CLIENTS  0x0ac80000u /* 10.200.0.0/16 */

enum {
	INPROCESS_PORT = 80,
	INPROCESS_ENDPOINTS = 64, /* 64 x 64,512 ports: a million connections are a quarter */
	INPROCESS_BURST = 32,
	INPROCESS_MBUFS = 64 * 1024,
};

extern const uint8_t inprocess_mac[6]; /* of both interfaces */

struct inprocess {
	struct in_force policy;
	struct ports ports;
	struct worker_shared shared;
	struct worker *worker;
	struct rte_ring *ring;
	uint16_t ring_port; /* transmits into ring */
	const char *limits; /* the TCP listener's per_connection in YAML; NULL: none */
};

/* Once a process, after rte_eal_init(). Return 0, or -1 with a message on stderr. */
int inprocess_init(struct inprocess *x);

/* A fresh region and worker for @connections connections. Return 0, or -1 with a message. */
int inprocess_start(struct inprocess *x, uint32_t connections);
void inprocess_stop(struct inprocess *x);

/* Judge what is received by the limits of the policy, or not. At first it is, if there are any. */
void inprocess_judge(struct inprocess *x, int judge);

/* Take @n frames for sending; they come back into the ring when they are transmitted. */
void inprocess_take(struct inprocess *x, struct rte_mbuf **frames, uint32_t n);

/* One turn of the worker with @n frames received on @interface (0 clients, 1 endpoints). */
void inprocess_pass(struct inprocess *x, uint8_t interface, struct rte_mbuf **frames, uint32_t n);

/* The same without a worker: the frames are transmitted as they are. */
void inprocess_bypass(struct inprocess *x, struct rte_mbuf **frames, uint32_t n);

/*
 * Return 0 when every frame since the start was received and transmitted, else -1 with the
 * reasons on stderr: then the numbers are those of another path than the one meant.
 */
int inprocess_verify(const struct inprocess *x);

#endif
