/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy engine alone, on the memory it has in production: engines of the workers of a region
 * decide about calls in the entries of its connection table. A microsecond passes a call, so the
 * numbers do not depend on the clock. One cluster.
 */
#ifndef FENDER_TESTS_BENCH_DECIDE_H
#define FENDER_TESTS_BENCH_DECIDE_H

#include "dataplane/policy/call.h"
#include "tests/bench/in_force.h"

enum {
	DECIDE_WORKERS = 2,
	DECIDE_CALLS = 1024, /* open at once, of each worker */
};

struct decide_policy {
	const char *algorithm;
	const char *blocks; /* YAML of the cluster, each line indented by 4 */
	uint32_t endpoints;
};

/* How the calls go. */
enum decide_way {
	WAY_SERVED,  /* started, connected, succeeded, over */
	WAY_REFUSED, /* at call_start() */
	WAY_QUEUED,  /* half of them wait until the other half is over */
	WAY_RETRIED, /* the first attempt is refused by its endpoint, the second one succeeds */
};

/* CPU time and what was done in it. */
struct decide_time {
	uint64_t start_ns; /* in call_start() */
	uint64_t all_ns;
	uint64_t calls;
};

struct decide {
	struct in_force policy;
	struct queues listener_queues;
	struct queues cluster_queues;
	struct engine engine[DECIDE_WORKERS];
	uint64_t clients[DECIDE_WORKERS]; /* seen so far, by their hash */
};

/* Return 0, or -1 with a message on stderr. */
int decide_create(struct decide *d, const struct decide_policy *policy);
void decide_destroy(struct decide *d);

/* Calls fail until the cluster's breaker refuses. */
void decide_trip(struct decide *d);

/*
 * About DECIDE_CALLS calls of @worker from beginning to end, their time added to @t. Ends the
 * program when one goes another way. Threads: one a worker.
 */
void decide_pass(struct decide *d, uint32_t worker, enum decide_way way, struct decide_time *t);

/* All workers' clocks as the latest of them. */
void decide_align(struct decide *d);

/* CPU time of this thread: what others on the machine take does not count. */
uint64_t decide_cpu_ns(void);

#endif
