/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection table alone: ns a bulk look-up with both hot lines of the entry touched, as a
 * packet does, and ns to replace a connection by a new one, at a given number of connections.
 * Entries lie in shared memory as in production. Prints median, quartiles and least of ROUNDS
 * rounds, in CPU time, so that others on the machine disturb little.
 *
 * bench_table [connections...], each at least 128
 */
#include "dataplane/conn/snat_ports.h"
#include "dataplane/conn/table.h"
#include "dataplane/conn/tcp_track.h"
#include "shm/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { ROUNDS = 9, KEYS = 64 * 1024, BURST = 32, CHURN = KEYS / 2 };
/* SNAT addresses, each with a pool of the default range: enough for every connection. */
enum { POOL = 24576, MAX_POOLS = MAX_CONNECTIONS / POOL + 1 };

static const struct image_timeouts timeouts = {
	.connect_ms = 1000, .request_ms = 15000, .idle_tcp_ms = 3600000, .verdict_after_ms = 1000};
static struct conn_table table;
static struct snat_ports *ports[MAX_POOLS];
static uint32_t pools;
static struct flow_key keys[KEYS];
static uint32_t *live; /* entry numbers, oldest first, a ring of the table's size */
static uint32_t next_client;
static uint64_t now_ns = 1000000000u;
static uint64_t random_state = 88172645463325252u;

static uint64_t random64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static uint64_t clock_now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void report(const char *what, double *ns)
{
	qsort(ns, ROUNDS, sizeof(*ns), compare);
	printf("  %-26s %6.1f ns  (%.1f-%.1f), least %.1f\n", what, ns[ROUNDS / 2], ns[ROUNDS / 4],
	       ns[ROUNDS - 1 - ROUNDS / 4], ns[0]);
}

static int taken(void *ctx, uint16_t port)
{
	(void)ctx;
	(void)port;
	return 1;
}

static struct conn_key client_key(uint32_t client)
{
	return (struct conn_key){.src = 0x0a000000u + client / 50000,
				 .dst = 0x0a600014,
				 .sport = (uint16_t)(client % 50000 + 1024),
				 .dport = 80,
				 .proto = PROTO_TCP,
				 .family = FAMILY_V4};
}

/* What a new connection costs the table: entry, port, tracking, both keys, timer. */
static uint32_t open_one(void)
{
	struct tcp_segment syn = {
		.seq = next_client, .flags = TCP_SYN, .window = 1000, .wscale = 7};
	struct conn *c = conn_alloc(&table);
	uint32_t pool = next_client % pools;
	uint16_t port = snat_ports_deal(ports[pool], taken, NULL);

	if (!c || !port)
		abort();
	c->fwd = client_key(next_client);
	c->rev = (struct conn_key){.src = 0x0a020000u + next_client % 64,
				   .dst = 0x0a030001 + pool,
				   .sport = 8080,
				   .dport = port,
				   .proto = PROTO_TCP,
				   .family = FAMILY_V4};
	c->snat_address = (uint8_t)pool;
	next_client++;
	c->call.attempt_ns = now_ns;
	tcp_track_open(c, &syn, now_ns, &timeouts);
	if (conn_insert(&table, c, CONN_SYN_SENT))
		abort();
	conn_schedule(&table, c);
	return conn_number(&table, c);
}

static void release_one(uint32_t number)
{
	struct conn *c = &table.entries[number];
	uint32_t pool = c->snat_address, port = c->rev.dport;

	conn_release(&table, c);
	snat_ports_return(ports[pool], (uint16_t)port);
}

static void look_up_burst(const struct flow_key *first, uint32_t *found)
{
	const struct flow_key *burst[BURST];

	for (uint32_t k = 0; k < BURST; k++)
		burst[k] = &first[k];
	conn_lookup_bulk(&table, burst, BURST, found);
}

static double look_up_all(uint64_t *sink)
{
	uint64_t start = clock_now();

	for (uint32_t i = 0; i < KEYS; i += BURST) {
		uint32_t found[BURST];

		look_up_burst(&keys[i], found);
		for (uint32_t k = 0; k < BURST; k++) {
			struct conn *c = &table.entries[found[k] >> 1];

			*sink += c->state;
			c->fwd_packets++;
		}
	}
	return (double)(clock_now() - start) / KEYS;
}

static void bench_look_up(uint32_t connections, uint32_t head, const char *what, int directions)
{
	double ns[ROUNDS];
	uint64_t sink = 0;

	for (uint32_t i = 0; i < KEYS; i++) {
		const struct conn *c =
			&table.entries[live[(head + random64() % connections) % connections]];

		if (directions == REVERSE || (directions == 2 && (random64() & 1)))
			conn_reverse_key(c, &keys[i]);
		else
			conn_forward_key(c, &keys[i]);
	}
	for (int r = 0; r < ROUNDS; r++)
		ns[r] = look_up_all(&sink);
	if (sink == 0)
		abort();
	report(what, ns);
}

/*
 * One connection replaces another: the segment that ends it is looked up, it rests, the one that
 * has rested longest is released; a SYN is looked up in vain and a new connection is opened. In
 * bursts, as the worker does it.
 */
static uint32_t bench_turnover(uint32_t connections)
{
	double ns[ROUNDS];
	uint32_t head = 0;
	uint32_t resting = connections / 4;
	uint32_t churn = connections / 2 < CHURN ? connections / 2 : CHURN;

	for (uint32_t i = 0; i < resting; i++)
		conn_rest(&table, &table.entries[live[i]], now_ns);
	for (int r = 0; r < ROUNDS; r++) {
		uint32_t first = (head + resting) % connections;
		uint64_t start;

		for (uint32_t i = 0; i < churn; i++) {
			uint32_t ends = live[(first + i) % connections];

			conn_reverse_key(&table.entries[ends], &keys[i]);
			keys[churn + i] = (struct flow_key){.k = client_key(next_client + i)};
		}
		start = clock_now();
		for (uint32_t done = 0; done < churn; done += BURST) {
			uint32_t found[2 * BURST];

			look_up_burst(&keys[done], found);
			look_up_burst(&keys[churn + done], found + BURST);
			for (uint32_t k = 0; k < BURST; k++) {
				conn_rest(&table, &table.entries[found[k] >> 1], now_ns);
				release_one(conn_number(&table, conn_oldest_resting(&table)));
				live[head] = open_one();
				head = (head + 1) % connections;
			}
		}
		ns[r] = (double)(clock_now() - start) / churn;
		now_ns += 1000000;
	}
	while (table.resting) {
		release_one(conn_number(&table, conn_oldest_resting(&table)));
		live[head] = open_one();
		head = (head + 1) % connections;
	}
	report("replace a connection", ns);
	return head;
}

static void bench(uint32_t connections)
{
	size_t bytes = (size_t)connections * sizeof(struct conn);
	struct conn *entries =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint8_t owners[OWNER_BUCKETS] = {0};
	uint32_t head;

	live = calloc(connections, sizeof(*live));
	if (entries == MAP_FAILED || !live ||
	    conn_table_init(&table, entries, connections, 42, now_ns))
		abort();
	pools = connections / POOL + 1;
	for (uint32_t i = 0; i < pools; i++)
		ports[i] = snat_ports_create(32768, 60999, owners, 0, i);
	for (uint32_t i = 0; i < connections; i++)
		live[i] = open_one();
	/* Entries in random order, as after a while of use. */
	for (uint32_t i = connections - 1; i > 0; i--) {
		uint32_t k = (uint32_t)(random64() % (i + 1)), at = live[i];

		live[i] = live[k];
		live[k] = at;
	}
	printf("%u connections, index %llu KiB\n", connections,
	       (unsigned long long)table.index_bytes / 1024);
	head = bench_turnover(connections);
	bench_look_up(connections, head, "look up, client's side", FORWARD);
	bench_look_up(connections, head, "look up, endpoint's side", REVERSE);
	bench_look_up(connections, head, "look up, both", 2);
	for (uint32_t i = 0; i < pools; i++)
		snat_ports_destroy(ports[i]);
	conn_table_free(&table);
	free(live);
	(void)munmap(entries, bytes);
}

int main(int argc, char **argv)
{
	static const uint32_t usual[] = {1024, 64 * 1024, 1024 * 1024};

	for (int i = 1; i < argc; i++)
		bench((uint32_t)strtoul(argv[i], NULL, 0));
	for (size_t i = 0; argc == 1 && i < sizeof(usual) / sizeof(usual[0]); i++)
		bench(usual[i]);
	return 0;
}
