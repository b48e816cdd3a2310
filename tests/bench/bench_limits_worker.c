/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the worker's own limiter costs (limiter: dpdk, the arithmetic translated by librte_bpf): a
 * packet of a random connection is judged, beside a loop that looks at the connection's entry and
 * its buckets and counts. On two CPUs each worker has connections of its own, as in the dataplane.
 *
 * bench_limits_worker [ROUNDS]: one JSON object a row on standard output.
 */
#include "tests/bench/limits_rows.h"

#include "dataplane/limiter.h"
#include "dataplane/pkt/headers.h"
#include "ebpf/limit_rule.h"

#include <unistd.h>

enum { SLOT = 1, SLOTS = 4, CONNECTIONS_MAX = 65536, PACKETS = 400000, BURST = 32 };

struct row {
	const char *name;
	int judged;
	uint8_t refused; /* by the first packet's burst */
	struct image_rate_limit limits;
	double ns[2][LIMITS_ROUNDS_MAX]; /* one CPU, two */
};

#define PLENTY                                                                           \
	{                                                                                \
		.algorithm = IMAGE_LIMIT_TOKEN_BUCKET, .rate = 1 << 30, .burst = 1 << 30 \
	}
#define PLENTY_BYTES                                                                           \
	{                                                                                      \
		.algorithm = IMAGE_LIMIT_TOKEN_BUCKET, .rate = 1ull << 35, .burst = 1ull << 35 \
	}
#define NEXT_TO_NONE                                                         \
	{                                                                    \
		.algorithm = IMAGE_LIMIT_TOKEN_BUCKET, .rate = 1, .burst = 1 \
	}
#define BOTH_WAYS (IMAGE_LIMIT_TO_ENDPOINT | IMAGE_LIMIT_TO_CLIENT)

static struct row rows[] = {
	{.name = "look up and count only"},
	{.name = "limit in packets",
	 .judged = 1,
	 .limits = {.packets = PLENTY, .directions = BOTH_WAYS}},
	{.name = "limit in packets and bytes",
	 .judged = 1,
	 .limits = {.packets = PLENTY, .bytes = PLENTY_BYTES, .directions = BOTH_WAYS}},
	{.name = "refused",
	 .judged = 1,
	 .refused = 1,
	 .limits = {.packets = NEXT_TO_NONE, .directions = BOTH_WAYS}},
};
enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static const uint32_t sizes[] = {1024, CONNECTIONS_MAX};

/* Two workers on memory laid out as the region's. */
static struct bench {
	struct region region;
	struct region_header header;
	struct interface_control interfaces[MAX_INTERFACES];
	struct worker_limit_counters counters[LIMITS_CPUS * SLOTS];
	struct flow_limit flows[LIMITS_CPUS * CONNECTIONS_MAX];
	struct source_limit_line lines[1];
	struct listener_state listeners[SLOTS];
	struct conn conns[LIMITS_CPUS][CONNECTIONS_MAX];
	struct limiter limiter[LIMITS_CPUS];
	uint8_t frame[LIMITS_CPUS][64];
	uint32_t connections;
} bench;

static uint32_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (uint32_t)(*state >> 32);
}

static void count(struct worker_limit_counters *c, const struct flow_limit *flow,
		  const struct packet *p)
{
	(void)*(const volatile uint64_t *)flow;
	counter_add(&c->packets[WORKER_LIMIT_PASSED], 1);
	counter_add(&c->bytes[WORKER_LIMIT_PASSED], p->ip_bytes);
}

/* Return: ns a packet of worker @nth; negative: a verdict was not the row's. */
static double judge(void *with, int nth)
{
	const struct row *r = with;
	struct limiter *l = &bench.limiter[nth];
	struct conn *conns = bench.conns[nth];
	struct packet p = {
		.data = bench.frame[nth], .l3 = 14, .kind = PACKET_TCP, .ip_bytes = 1500};
	uint64_t order = 0x9e3779b97f4a7c15ull;
	uint64_t start = limits_cpu_ns();
	uint32_t refused = 0;

	for (uint32_t i = 0; i < PACKETS; i++) {
		uint32_t n = next_random(&order) & (bench.connections - 1);

		if (i % BURST == 0)
			limiter_set_time(l, limits_wall_ns());
		if (!r->judged)
			count(&l->counters[conns[n].listener], &l->flows[n], &p);
		else
			refused += limiter_packet(l, &p, &conns[n], n, FORWARD) != REASON_NONE;
	}
	/* each connection has a burst of one packet, and one more a second */
	if (r->refused ? refused < PACKETS / 100 : refused)
		return -1;
	return (double)(limits_cpu_ns() - start) / PACKETS;
}

static void set_up(uint32_t connections)
{
	bench.connections = connections;
	bench.interfaces[0].limiter = LIMITER_DPDK;
	bench.region = (struct region){
		.header = &bench.header,
		.interfaces = bench.interfaces,
		.limit_counters = bench.counters,
		.flow_limits = bench.flows,
		.limit_sources = bench.lines,
		.listener_state = bench.listeners,
		.shape = {.workers = LIMITS_CPUS,
			  .listener_slots = SLOTS,
			  .connections_per_worker = CONNECTIONS_MAX,
			  .source_lines = 1},
	};
	for (int w = 0; w < LIMITS_CPUS; w++) {
		bench.frame[w][14] = 0x45;
		for (uint32_t i = 0; i < connections; i++)
			bench.conns[w][i] =
				(struct conn){.state = CONN_ESTABLISHED, .listener = SLOT};
	}
}

static int measure_row(struct row *r, int round, int cpus)
{
	const struct image_listener listener = {.key = 0x1234, .rate_limit = r->limits};
	struct limiter_policy *policy =
		calloc(1, sizeof(*policy) + SLOTS * sizeof(policy->rules[0]));

	if (!policy || limiter_rules_make(&policy->rules[SLOT], &listener))
		return -1;
	policy->slots = SLOTS;
	policy->limited = 1;
	for (int w = 0; w < LIMITS_CPUS; w++) {
		if (limiter_create(&bench.limiter[w], &bench.region, (uint32_t)w))
			return -1;
		limiter_set_policy(&bench.limiter[w], policy);
		limiter_set_time(&bench.limiter[w], limits_wall_ns());
		for (uint32_t i = 0; i < bench.connections; i++)
			limiter_open(&bench.limiter[w], i, 0);
	}
	r->ns[0][round] = limits_measure(judge, r, 1);
	r->ns[1][round] = cpus < LIMITS_CPUS ? 0 : limits_measure(judge, r, LIMITS_CPUS);
	for (int w = 0; w < LIMITS_CPUS; w++)
		limiter_free(&bench.limiter[w]);
	free(policy);
	return r->ns[0][round] < 0 || r->ns[1][round] < 0;
}

static int measure_all(uint32_t connections, int rounds, int cpus)
{
	set_up(connections);
	for (int round = 0; round < rounds; round++)
		for (int i = 0; i < ROWS; i++)
			if (measure_row(&rows[i], round, cpus)) {
				fprintf(stderr, "bench_limits_worker: %s\n", rows[i].name);
				return -1;
			}
	for (int i = 0; i < ROWS; i++) {
		for (int round = 0; round < rounds; round++)
			rows[i].ns[1][round] /= LIMITS_CPUS;
		printf("{\"name\": \"%s\", \"connections\": %u", rows[i].name, connections);
		limits_print_values("one_cpu", rows[i].ns[0], rounds);
		limits_print_values("own", rows[i].ns[1], cpus < LIMITS_CPUS ? 0 : rounds);
		printf("}\n");
	}
	return 0;
}

int main(int argc, char **argv)
{
	int cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
	int rounds = limits_rounds(argc, argv, 1);

	if (!rounds) {
		fprintf(stderr, "usage: bench_limits_worker [1..%d]\n", LIMITS_ROUNDS_MAX);
		return 2;
	}
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		if (measure_all(sizes[i], rounds, cpus))
			return 1;
	return 0;
}
