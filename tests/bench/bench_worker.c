/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a packet costs inside the worker: prebuilt frames go through its passes from a ring of
 * 64 Ki packet buffers, in an order no prefetcher guesses. The same loop without the worker
 * (take a buffer, copy a header, transmit) is timed in the same round and subtracted.
 *
 * bench_worker [--rounds N] [--flows N] [-- EAL options]: one JSON object a row on standard
 * output. --flows runs only the rows of that many established flows (for a profiler).
 */
#include "tests/bench/traffic.h"

#include "dataplane/packet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_eal.h>

enum {
	ROUNDS_MAX = 101,
	LIVES = 512 * 1024, /* short connections of one measurement */
	LIFE_TABLE = 256 * 1024,
	LIMITED_MAX = 64 * 1024,
	OPEN_FLOWS = 256 * 1024, /* done before a SYN is repeated (300 ms) */
};

struct row {
	const char *name;
	const char *unit;
	uint32_t connections;
	double values[ROUNDS_MAX];
};

static void row_print(const struct row *r, int rounds)
{
	printf("{\"name\": \"%s\", \"connections\": %u, \"unit\": \"%s\", \"values\": [", r->name,
	       r->connections, r->unit);
	for (int i = 0; i < rounds; i++)
		printf("%s%.3f", i ? ", " : "", r->values[i]);
	printf("]}\n");
	(void)fflush(stdout);
}

/* Established flows: both directions, each round minus the generator of that round. */
static int forward_row(struct inprocess *x, const char *name, uint32_t flows, int tcp, int rounds)
{
	struct row row = {.name = name, .unit = "ns a packet", .connections = flows};
	struct row generator = {.name = "generator", .unit = "ns a packet", .connections = flows};
	struct traffic t;
	int rc;

	if (inprocess_start(x, flows + flows / 4))
		return -1;
	traffic_create(&t, x, flows, tcp);
	traffic_replay(x, &t, 1);
	for (int i = 0; i < rounds; i++) {
		generator.values[i] = traffic_replay(x, &t, 0);
		row.values[i] = traffic_replay(x, &t, 1) - generator.values[i];
	}
	rc = inprocess_verify(x);
	row_print(&row, rounds);
	row_print(&generator, rounds);
	traffic_free(&t);
	inprocess_stop(x);
	return rc;
}

/* What a limit that refuses nothing adds to a packet: on and off by turns, with the same flows. */
static int limit_row(struct inprocess *x, const char *name, const char *limits, uint32_t flows,
		     int rounds)
{
	struct row row = {.name = name, .unit = "ns a packet", .connections = flows};
	struct traffic t;
	int rc;

	x->limits = limits;
	if (inprocess_start(x, flows + flows / 4))
		return -1;
	traffic_create(&t, x, flows, 1);
	traffic_replay(x, &t, 1);
	for (int i = 0; i < rounds; i++) {
		double without;

		inprocess_judge(x, 0);
		without = traffic_replay(x, &t, 1);
		inprocess_judge(x, 1);
		row.values[i] = traffic_replay(x, &t, 1) - without;
	}
	rc = inprocess_verify(x);
	row_print(&row, rounds);
	traffic_free(&t);
	inprocess_stop(x);
	x->limits = NULL;
	return rc;
}

static int limit_rows(struct inprocess *x, uint32_t flows, int rounds)
{
	if (limit_row(x, "added by a limit in packets (librte_bpf)", "packets_per_second: 100M",
		      flows, rounds))
		return -1;
	return limit_row(x, "added by a limit in packets and bytes (librte_bpf)",
			 "packets_per_second: 100M, bytes_per_second: 10GiB, burst: 1x", flows,
			 rounds);
}

/* ns a new flow: every packet opens one, until OPEN_FLOWS stand. */
static double open_flows(struct inprocess *x, const struct frame *frames, int worker)
{
	struct rte_mbuf *m[INPROCESS_BURST];
	uint64_t start = traffic_cpu_ns();

	for (uint32_t first = 0; first < OPEN_FLOWS; first += INPROCESS_BURST) {
		inprocess_take(x, m, INPROCESS_BURST);
		for (int i = 0; i < INPROCESS_BURST; i++)
			traffic_fill(m[i], &frames[first + (uint32_t)i]);
		traffic_send(x, worker, 0, m);
	}
	return (double)(traffic_cpu_ns() - start) / OPEN_FLOWS;
}

static int open_row(struct inprocess *x, const char *name, int tcp, int rounds)
{
	struct frame *frames = traffic_must(aligned_alloc(64, OPEN_FLOWS * sizeof(struct frame)));
	struct row row = {.name = name, .unit = "a second", .connections = OPEN_FLOWS};
	int rc = 0;

	for (uint32_t i = 0; i < OPEN_FLOWS; i++) {
		struct frame_tuple client = frame_client(i);

		frame_build(&frames[i], &client, tcp ? &traffic_syn : NULL);
	}
	for (int i = 0; i < rounds && rc == 0; i++) {
		double generator;

		if (inprocess_start(x, OPEN_FLOWS + OPEN_FLOWS / 4)) {
			rc = -1;
			break;
		}
		generator = open_flows(x, frames, 0);
		row.values[i] = 1e9 / (open_flows(x, frames, 1) - generator);
		rc = inprocess_verify(x);
		inprocess_stop(x);
	}
	row_print(&row, rounds);
	free(frames);
	return rc;
}

/* The packets of a short connection: one request, one answer, an orderly end. */
static const struct {
	uint8_t interface;
	struct frame_tcp tcp;
} life[] = {
	{0, {.seq = TRAFFIC_CLIENT_ISN, .flags = TCP_SYN}},
	{1, {.seq = TRAFFIC_SERVER_ISN, .ack = TRAFFIC_CLIENT_ISN + 1, .flags = TCP_SYN | TCP_ACK}},
	{0, {TRAFFIC_CLIENT_ISN + 1, TRAFFIC_SERVER_ISN + 1, TCP_ACK | TCP_PSH, FRAME_PAYLOAD}},
	{1,
	 {TRAFFIC_SERVER_ISN + 1, TRAFFIC_CLIENT_ISN + 1 + FRAME_PAYLOAD, TCP_ACK | TCP_PSH,
	  FRAME_PAYLOAD}},
	{0,
	 {TRAFFIC_CLIENT_ISN + 1 + FRAME_PAYLOAD, TRAFFIC_SERVER_ISN + 1 + FRAME_PAYLOAD,
	  TCP_ACK | TCP_FIN, 0}},
	{1,
	 {TRAFFIC_SERVER_ISN + 1 + FRAME_PAYLOAD, TRAFFIC_CLIENT_ISN + 2 + FRAME_PAYLOAD,
	  TCP_ACK | TCP_FIN, 0}},
	{0,
	 {TRAFFIC_CLIENT_ISN + 2 + FRAME_PAYLOAD, TRAFFIC_SERVER_ISN + 2 + FRAME_PAYLOAD, TCP_ACK,
	  0}},
};
enum { LIFE_PACKETS = sizeof(life) / sizeof(life[0]) };

/* The lives of 32 connections, step by step. Without a worker an answer finds no port: it is
 * retargeted all the same. */
static void live(struct inprocess *x, struct frame *stages, uint32_t first, int worker)
{
	struct frame_tuple tuple[2][INPROCESS_BURST];
	struct rte_mbuf *m[INPROCESS_BURST];

	for (uint32_t i = 0; i < INPROCESS_BURST; i++)
		tuple[0][i] = frame_client(first + i);
	for (int stage = 0; stage < LIFE_PACKETS; stage++) {
		uint8_t interface = life[stage].interface;

		inprocess_take(x, m, INPROCESS_BURST);
		for (int i = 0; i < INPROCESS_BURST; i++) {
			frame_retarget(&stages[stage], &tuple[interface][i]);
			traffic_fill(m[i], &stages[stage]);
		}
		traffic_send(x, worker, interface, m);
		for (int i = 0; stage == 0 && i < INPROCESS_BURST; i++)
			tuple[1][i] = frame_answer(rte_pktmbuf_mtod(m[i], const uint8_t *));
	}
}

static double lives(struct inprocess *x, struct frame *stages, uint32_t *next, int worker)
{
	uint64_t start = traffic_cpu_ns();

	for (uint32_t n = 0; n < LIVES; n += INPROCESS_BURST) {
		live(x, stages, *next, worker);
		*next += INPROCESS_BURST;
	}
	return (double)(traffic_cpu_ns() - start) / LIVES;
}

/* Whole connections in a table that is full of resting ones: the oldest are recycled. */
static int life_row(struct inprocess *x, int rounds)
{
	struct row row = {.name = "TCP connections, 7 packets each, from SYN to the last ACK",
			  .unit = "a second",
			  .connections = LIFE_TABLE};
	struct frame stages[LIFE_PACKETS];
	struct frame_tuple client = frame_client(0);
	uint32_t next = 0;
	int rc;

	if (inprocess_start(x, LIFE_TABLE))
		return -1;
	for (int i = 0; i < LIFE_PACKETS; i++)
		frame_build(&stages[i], &client, &life[i].tcp);
	lives(x, stages, &next, 1);
	for (int i = 0; i < rounds; i++) {
		double generator = lives(x, stages, &next, 0);

		row.values[i] = 1e9 / (lives(x, stages, &next, 1) - generator);
	}
	rc = inprocess_verify(x);
	row_print(&row, rounds);
	inprocess_stop(x);
	return rc;
}

static int run(struct inprocess *x, int rounds, uint32_t only)
{
	static const uint32_t sizes[] = {1024, 64 * 1024, 1000 * 1000};

	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		if (only && only != sizes[i])
			continue;
		if (forward_row(x, "TCP, both directions", sizes[i], 1, rounds) ||
		    forward_row(x, "UDP, both directions", sizes[i], 0, rounds) ||
		    (sizes[i] <= LIMITED_MAX && limit_rows(x, sizes[i], rounds)))
			return -1;
	}
	if (only)
		return 0;
	if (open_row(x, "new UDP flows into an empty table", 0, rounds) ||
	    open_row(x, "new TCP connections (SYN) into an empty table", 1, rounds))
		return -1;
	return life_row(x, rounds);
}

int main(int argc, char **argv)
{
	struct inprocess x;
	long rounds = 7, only = 0;
	int used = 1;

	for (; used + 1 < argc && strcmp(argv[used], "--"); used += 2) {
		long value = strtol(argv[used + 1], NULL, 10);

		if (strcmp(argv[used], "--rounds") == 0)
			rounds = value;
		else if (strcmp(argv[used], "--flows") == 0)
			only = value;
		else
			rounds = 0;
	}
	if (rounds < 1 || rounds > ROUNDS_MAX || only < 0) {
		fprintf(stderr,
			"usage: bench_worker [--rounds 1..%d] [--flows N] [-- EAL options]\n",
			ROUNDS_MAX);
		return 2;
	}
	if (used == argc)
		used--;
	argv[used] = argv[0]; /* where "--" stood: what follows is EAL's */
	if (rte_eal_init(argc - used, &argv[used]) < 0 || inprocess_init(&x))
		return 1;
	return run(&x, (int)rounds, (uint32_t)only) ? 1 : 0;
}
