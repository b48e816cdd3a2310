/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the policies cost a connection: everything the engine does between its first packet and its
 * end, and of it what delays the SYN (call_start). Calls go through in passes of DECIDE_CALLS,
 * the least time of a round is ROUND_NS. With two threads both decide about one cluster at once,
 * each on a CPU of its own, and share its words; a round in which they did not run side by side,
 * as others took their CPUs, is done again, and null when it stays so.
 * On a virtual machine their numbers have been seen to fall into two groups, 350 and 900 ns: what
 * would explain it is that its CPUs are threads of one core at one time and two cores at another.
 *
 * bench_policy [--rounds N] [--row N]: one JSON object a row on standard output. --row runs only
 * row N, from 1 on (for a profiler).
 */
#include "tests/bench/decide.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	ROUNDS_MAX = 101,
	ROUND_NS = 10 * 1000 * 1000,
	TRIES = 30,
	TOGETHER_PERCENT = 90, /* of the time, at least */
	FEW = 10,
	MANY = 1000,
};

#define BREAKERS                    \
	"    circuit_breaker: {}\n" \
	"    outlier_detection: {}\n"
#define ALL_ON                                                               \
	BREAKERS "    bulkhead: {max_concurrent: 100000, max_queue: 1024}\n" \
		 "    retry: {}\n"

struct row {
	const char *name;
	const char *algorithm;
	const char *blocks;
	uint32_t endpoints;
	uint32_t threads;
	enum decide_way way;
};

static const struct row rows[] = {
	{"no policy", "round_robin", "", FEW, 1, WAY_SERVED},
	{"no policy", "round_robin", "", FEW, 2, WAY_SERVED},
	{"all on", "round_robin", ALL_ON, FEW, 1, WAY_SERVED},
	{"all on", "random", ALL_ON, FEW, 1, WAY_SERVED},
	{"all on", "least_requests", ALL_ON, FEW, 1, WAY_SERVED},
	{"all on", "peak_ewma", ALL_ON, FEW, 1, WAY_SERVED},
	{"all on", "ring_hash", ALL_ON, FEW, 1, WAY_SERVED},
	{"all on", "maglev", ALL_ON, FEW, 1, WAY_SERVED},
	{"all on", "rendezvous", ALL_ON, FEW, 1, WAY_SERVED},
	{"all on", "round_robin", ALL_ON, MANY, 1, WAY_SERVED},
	{"all on", "random", ALL_ON, MANY, 1, WAY_SERVED},
	{"all on", "least_requests", ALL_ON, MANY, 1, WAY_SERVED},
	{"all on", "peak_ewma", ALL_ON, MANY, 1, WAY_SERVED},
	{"all on", "ring_hash", ALL_ON, MANY, 1, WAY_SERVED},
	{"all on", "maglev", ALL_ON, MANY, 1, WAY_SERVED},
	{"all on", "rendezvous", ALL_ON, MANY, 1, WAY_SERVED},
	{"all on", "round_robin", ALL_ON, FEW, 2, WAY_SERVED},
	{"all on", "least_requests", ALL_ON, FEW, 2, WAY_SERVED},
	{"all on", "peak_ewma", ALL_ON, FEW, 2, WAY_SERVED},
	{"all on", "maglev", ALL_ON, FEW, 2, WAY_SERVED},
	{"all on", "round_robin", ALL_ON, MANY, 2, WAY_SERVED},
	{"all on", "peak_ewma", ALL_ON, MANY, 2, WAY_SERVED},
	{"all on, bounded load 125 %", "maglev, bounded_load: 125%", ALL_ON, FEW, 1, WAY_SERVED},
	{"all on, bounded load 125 %", "maglev, bounded_load: 125%", ALL_ON, MANY, 1, WAY_SERVED},
	{"refused: the breaker is open", "round_robin",
	 "    circuit_breaker: {open_for: 1h, max_open_for: 1h}\n", FEW, 1, WAY_REFUSED},
	{"half of them waited in the queue", "round_robin",
	 BREAKERS "    bulkhead: {max_concurrent: 512, max_queue: 1024}\n", FEW, 1, WAY_QUEUED},
	{"the first attempt failed, retried", "round_robin",
	 "    bulkhead: {max_concurrent: 100000}\n"
	 "    retry:\n"
	 "      backoff: {jitter: none}\n"
	 "      budget: {ratio: 100%, minimum_per_second: 1000000, max_concurrent: 100000}\n",
	 FEW, 1, WAY_RETRIED},
};
enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

/* One round of one row, by one thread for each of its workers. */
struct round {
	struct decide *d;
	enum decide_way way;
	pthread_barrier_t begin;
	int over; /* the first that has its time ends the round of all */
	struct decide_time time[DECIDE_WORKERS];
	uint64_t wall_ns[DECIDE_WORKERS];
};
struct part {
	struct round *round;
	uint32_t worker;
	int cpu;
};

static uint64_t wall_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void *run_part(void *ctx)
{
	const struct part *p = ctx;
	struct round *r = p->round;
	struct decide_time *t = &r->time[p->worker], mine = {0};
	uint64_t began_ns;
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(p->cpu, &cpus);
	(void)pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus);
	pthread_barrier_wait(&r->begin);
	began_ns = wall_ns();
	do
		decide_pass(r->d, p->worker, r->way, &mine);
	while (mine.all_ns < ROUND_NS && !__atomic_load_n(&r->over, __ATOMIC_RELAXED));
	__atomic_store_n(&r->over, 1, __ATOMIC_RELAXED);
	*t = mine;
	r->wall_ns[p->worker] = wall_ns() - began_ns;
	return NULL;
}

/* The CPUs this process may use: the first @count of them. How many there are. */
static uint32_t allowed_cpus(int *cpu, uint32_t count)
{
	cpu_set_t cpus;
	uint32_t found = 0;

	if (sched_getaffinity(0, sizeof(cpus), &cpus))
		return 0;
	for (int i = 0; i < CPU_SETSIZE && found < count; i++)
		if (CPU_ISSET(i, &cpus))
			cpu[found++] = i;
	return found;
}

/* No calls when the threads did not run side by side. */
static struct decide_time run_round(struct decide *d, const struct row *row, const int *cpu)
{
	struct round r = {.d = d, .way = row->way};
	struct part part[DECIDE_WORKERS];
	pthread_t thread[DECIDE_WORKERS];
	struct decide_time sum = {0};
	int together = 1;

	decide_align(d);
	pthread_barrier_init(&r.begin, NULL, row->threads);
	for (uint32_t i = 0; i < row->threads; i++) {
		part[i] = (struct part){&r, i, cpu[i]};
		if (pthread_create(&thread[i], NULL, run_part, &part[i]))
			exit(1);
	}
	for (uint32_t i = 0; i < row->threads; i++) {
		pthread_join(thread[i], NULL);
		sum.start_ns += r.time[i].start_ns;
		sum.all_ns += r.time[i].all_ns;
		sum.calls += r.time[i].calls;
		together &= r.time[i].all_ns * 100 >= r.wall_ns[i] * TOGETHER_PERCENT;
	}
	pthread_barrier_destroy(&r.begin);
	return together || row->threads == 1 ? sum : (struct decide_time){0};
}

static void print_values(const char *key, const double *values, long rounds)
{
	printf(", \"%s\": [", key);
	for (long i = 0; i < rounds; i++)
		if (values[i] > 0)
			printf("%s%.2f", i ? ", " : "", values[i]);
		else
			printf("%snull", i ? ", " : "");
	printf("]");
}

static int run_row(const struct row *row, long rounds)
{
	const struct decide_policy policy = {row->algorithm, row->blocks, row->endpoints};
	double start[ROUNDS_MAX], all[ROUNDS_MAX];
	int cpu[DECIDE_WORKERS];
	struct decide d;

	if (allowed_cpus(cpu, row->threads) < row->threads)
		return 0;
	if (decide_create(&d, &policy))
		return -1;
	if (row->way == WAY_REFUSED)
		decide_trip(&d);
	run_round(&d, row, cpu);
	for (long i = 0; i < rounds; i++) {
		struct decide_time t = {0};

		for (int n = 0; n < TRIES && t.calls == 0; n++)
			t = run_round(&d, row, cpu);
		start[i] = t.calls ? (double)t.start_ns / (double)t.calls : 0;
		all[i] = t.calls ? (double)t.all_ns / (double)t.calls : 0;
	}
	printf("{\"name\": \"%s\", \"algorithm\": \"%.*s\", \"endpoints\": %u, \"threads\": %u",
	       row->name, (int)strcspn(row->algorithm, ","), row->algorithm, row->endpoints,
	       row->threads);
	print_values("start_ns", start, rounds);
	print_values("all_ns", all, rounds);
	printf("}\n");
	(void)fflush(stdout);
	decide_destroy(&d);
	return 0;
}

int main(int argc, char **argv)
{
	long rounds = 7, only = 0;

	for (int i = 1; i < argc; i += 2) {
		long value = i + 1 < argc ? strtol(argv[i + 1], NULL, 10) : 0;

		if (strcmp(argv[i], "--rounds") == 0)
			rounds = value;
		else if (strcmp(argv[i], "--row") == 0)
			only = value;
		else
			rounds = 0;
	}
	if (rounds < 1 || rounds > ROUNDS_MAX || only < 0 || only > ROWS) {
		fprintf(stderr, "usage: bench_policy [--rounds 1..%d] [--row 1..%d]\n", ROUNDS_MAX,
			ROWS);
		return 2;
	}
	for (long i = 0; i < ROWS; i++)
		if ((only == 0 || only == i + 1) && run_row(&rows[i], rounds))
			return 1;
	return 0;
}
