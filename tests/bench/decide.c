/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/decide.h"

#include "dataplane/policy/adoption.h"
#include "dataplane/policy/region_state.h"

#include <stdlib.h>
#include <time.h>

enum { BURST = 32, CALL_NS = 1000, BACK_OFF_NS = 25 * 1000 * 1000, CONNECT_NS = 200 * 1000 };

#define START_NS 1000000000000ull

uint64_t decide_cpu_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void write_policy(FILE *out, const void *ctx)
{
	const struct decide_policy *p = ctx;

	fprintf(out,
		"version: 1\n"
		"sidecar: {name: bench, workers: %d, connections: %d, max_endpoints: 16384,\n"
		"          policy_slot: 16MiB}\n"
		"interfaces:\n"
		"  - {name: clients, device: 'vdev:net_null0', addresses: [10.77.0.1/24]}\n"
		"  - {name: servers, device: 'vdev:net_null1', addresses: [10.78.0.1/16]}\n"
		"listeners:\n"
		"  - {name: web, bind: '10.77.0.1:80', interface: clients, protocol: tcp,\n"
		"     cluster: web}\n"
		"clusters:\n"
		"  - name: web\n"
		"    load_balancing: {algorithm: %s}\n"
		"%s"
		"    endpoints:\n",
		DECIDE_WORKERS, DECIDE_WORKERS * DECIDE_CALLS, p->algorithm, p->blocks);
	for (uint32_t i = 0; i < p->endpoints; i++)
		fprintf(out, "      - {address: '10.78.%u.%u:80'}\n", 1 + i / 250, 1 + i % 250);
}

static int make_engine(struct decide *d, uint32_t worker)
{
	const struct region *region = &d->policy.region;
	const uint32_t clusters = region->shape.cluster_slots;
	struct conn *entries = region_connections(region, worker);
	struct engine *e = &d->engine[worker];

	*e = (struct engine){
		.policy = &d->policy.adopted->view,
		.worker = worker,
		.now_ns = START_NS,
		.random = {.state = 0x9e3779b97f4a7c15ull * (2 * worker + 1)},
		.calls = {.base = (uint8_t *)&entries[0].call, .stride = sizeof(struct conn)},
		.listener_queues = &d->listener_queues,
		.cluster_queues = &d->cluster_queues,
		.cursors = calloc(clusters, sizeof(*e->cursors)),
		.levels = calloc(clusters, sizeof(*e->levels)),
		.open_calls = calloc(clusters, sizeof(*e->open_calls)),
		.entries = DECIDE_CALLS,
	};
	region_state(&e->state, region, worker);
	if (!e->cursors || !e->levels || !e->open_calls)
		return -1;
	for (uint32_t i = 0; i < clusters; i++)
		e->cursors[i] = worker;
	return 0;
}

int decide_create(struct decide *d, const struct decide_policy *policy)
{
	const struct region_shape *shape = &d->policy.region.shape;
	int rc;

	*d = (struct decide){0};
	if (in_force_start(&d->policy, write_policy, policy))
		return -1;
	rc = queues_create(&d->listener_queues, shape->listener_slots, DECIDE_WORKERS);
	if (rc == 0)
		rc = queues_create(&d->cluster_queues, shape->cluster_slots, DECIDE_WORKERS);
	for (uint32_t i = 0; i < DECIDE_WORKERS && rc == 0; i++)
		rc = make_engine(d, i);
	if (rc) {
		fprintf(stderr, "bench: no memory for the engines\n");
		return -1;
	}
	adoption_begin(d->engine[0].policy, NULL, &d->engine[0].state, START_NS);
	return 0;
}

void decide_destroy(struct decide *d)
{
	for (uint32_t i = 0; i < DECIDE_WORKERS; i++) {
		free(d->engine[i].cursors);
		free(d->engine[i].levels);
		free(d->engine[i].open_calls);
	}
	queues_destroy(&d->listener_queues);
	queues_destroy(&d->cluster_queues);
	in_force_stop(&d->policy);
}

static void must(const struct call_step *step, enum call_next next)
{
	if (step->next == next)
		return;
	fprintf(stderr, "bench: a call went step %d (%s) instead of %d\n", step->next,
		reason_name(step->reason), next);
	exit(1);
}

/* What a call's client is, the same at every step. */
static struct call_request request_of(const struct decide *d, uint32_t worker, uint32_t number)
{
	uint64_t client = d->clients[worker] + number;
	uint64_t hash = (client * DECIDE_WORKERS + worker + 1) * 0x9e3779b97f4a7c15ull;

	return (struct call_request){.hash = hash ^ hash >> 32, .source = hash};
}

/* The clock is read once a burst. */
static void tick(struct engine *e, uint32_t number)
{
	if (number % BURST == 0)
		e->now_ns += BURST * CALL_NS;
}

static struct call *start(struct decide *d, uint32_t worker, uint32_t number, enum call_next next)
{
	struct engine *e = &d->engine[worker];
	const struct call_request r = request_of(d, worker, number);
	struct call *call = call_at(&e->calls, number);
	struct call_step step;

	tick(e, number);
	*call = (struct call){.number = number};
	step = call_start(e, call, &r);
	must(&step, next);
	return call;
}

static void served(struct engine *e, uint32_t first, uint32_t last)
{
	for (uint32_t i = first; i < last; i++) {
		tick(e, i);
		call_connected(e, call_at(&e->calls, i), CONNECT_NS);
	}
	for (uint32_t i = first; i < last; i++) {
		tick(e, i);
		call_succeeded(e, call_at(&e->calls, i));
	}
}

static void over(struct engine *e, uint32_t first, uint32_t last)
{
	for (uint32_t i = first; i < last; i++) {
		tick(e, i);
		call_end(e, call_at(&e->calls, i));
	}
}

/* Grants of all that ended: the waiters, from @first on, go on. */
static void granted(struct decide *d, uint32_t worker, uint32_t first, uint32_t last)
{
	struct engine *e = &d->engine[worker];
	struct call *call;
	uint32_t number = first;

	while ((call = call_next_granted(e)) != NULL) {
		const struct call_request r = request_of(d, worker, call->number);
		struct call_step step;

		tick(e, number++);
		step = call_granted(e, call, &r);
		must(&step, CALL_SEND);
	}
	if (number != last) {
		fprintf(stderr, "bench: %u waiters were granted a permit, not %u\n", number - first,
			last - first);
		exit(1);
	}
}

/* DECIDE_CALLS / 2 permits: half of the calls hold them, half wait; then these go on. */
static void queued(struct decide *d, uint32_t worker, uint64_t *started_ns)
{
	const uint32_t half = DECIDE_CALLS / 2;
	struct engine *e = &d->engine[worker];

	for (uint32_t i = 0; i < half; i++)
		start(d, worker, i, CALL_SEND);
	for (uint32_t i = half; i < DECIDE_CALLS; i++)
		start(d, worker, i, CALL_WAIT);
	*started_ns = decide_cpu_ns();
	served(e, 0, half);
	over(e, 0, half);
	granted(d, worker, half, DECIDE_CALLS);
	served(e, half, DECIDE_CALLS);
	over(e, half, DECIDE_CALLS);
}

static void retried(struct decide *d, uint32_t worker)
{
	struct engine *e = &d->engine[worker];

	for (uint32_t i = 0; i < DECIDE_CALLS; i++) {
		const struct call_request r = request_of(d, worker, i);
		struct call_step step;

		tick(e, i);
		step = call_attempt_failed(e, call_at(&e->calls, i), &r, REASON_CONNECT_REFUSED);
		must(&step, CALL_BACK_OFF);
	}
	e->now_ns += BACK_OFF_NS;
	for (uint32_t i = 0; i < DECIDE_CALLS; i++) {
		const struct call_request r = request_of(d, worker, i);
		struct call_step step;

		tick(e, i);
		step = call_expired(e, call_at(&e->calls, i), &r);
		must(&step, CALL_SEND);
	}
}

void decide_pass(struct decide *d, uint32_t worker, enum decide_way way, struct decide_time *t)
{
	struct engine *e = &d->engine[worker];
	const uint64_t began_ns = decide_cpu_ns();
	uint64_t started_ns;

	if (way == WAY_QUEUED) {
		queued(d, worker, &started_ns);
	} else {
		for (uint32_t i = 0; i < DECIDE_CALLS; i++)
			start(d, worker, i, way == WAY_REFUSED ? CALL_REJECTED : CALL_SEND);
		started_ns = decide_cpu_ns();
		if (way == WAY_RETRIED)
			retried(d, worker);
		if (way != WAY_REFUSED) {
			served(e, 0, DECIDE_CALLS);
			over(e, 0, DECIDE_CALLS);
		}
	}
	t->all_ns += decide_cpu_ns() - began_ns;
	t->start_ns += started_ns - began_ns;
	t->calls += DECIDE_CALLS;
	d->clients[worker] += DECIDE_CALLS;
}

void decide_trip(struct decide *d)
{
	enum { MOST = 100000 };
	struct engine *e = &d->engine[0];
	struct call *call = call_at(&e->calls, 0);

	for (uint32_t i = 0; i < MOST; i++) {
		const struct call_request r = request_of(d, 0, i);
		struct call_step step;

		*call = (struct call){0};
		step = call_start(e, call, &r);
		if (step.next == CALL_REJECTED && step.reason == REASON_CIRCUIT_OPEN)
			return;
		must(&step, CALL_SEND);
		call_failed(e, call, REASON_UPSTREAM_RESET);
		call_end(e, call);
	}
	fprintf(stderr, "bench: the breaker does not open\n");
	exit(1);
}

void decide_align(struct decide *d)
{
	uint64_t latest_ns = 0;

	for (uint32_t i = 0; i < DECIDE_WORKERS; i++)
		if (d->engine[i].now_ns > latest_ns)
			latest_ns = d->engine[i].now_ns;
	for (uint32_t i = 0; i < DECIDE_WORKERS; i++)
		d->engine[i].now_ns = latest_ns;
}
