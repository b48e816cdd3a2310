/* SPDX-License-Identifier: Apache-2.0 */
/* A run's words and counters, summed up. */
#include <errno.h>
#include <stdlib.h>

#include "dataplane/policy/bulkhead.h"
#include "dataplane/simulate/sim.h"

static void add_calls(struct sim_calls *sum, const struct call_counters *c)
{
	sum->started += c->started;
	sum->succeeded += c->succeeded;
	sum->failed += c->failed;
	sum->cancelled += c->cancelled;
	sum->rejected += c->rejected;
	sum->active = sum->started - sum->succeeded - sum->failed - sum->cancelled - sum->rejected;
}

/* A call the engine never saw. */
static void add_refused(struct sim_listener_result *r, enum reason reason, uint64_t calls)
{
	r->calls.started += calls;
	r->calls.rejected += calls;
	r->rejected[reason] += calls;
}

static struct sim_latency latency_of(const struct histogram *h)
{
	return (struct sim_latency){
		.count = h->count,
		.p50_ns = histogram_percentile(h, 500),
		.p90_ns = histogram_percentile(h, 900),
		.p99_ns = histogram_percentile(h, 990),
		.p999_ns = histogram_percentile(h, 999),
		.max_ns = h->max,
	};
}

static struct sim_permits permits_of(const struct gauge *gauge, const struct bulkhead_state *s)
{
	return (struct sim_permits){
		.limit = gauge->limit,
		.max_in_flight = gauge->in_flight,
		.max_queued = gauge->queued,
		.overshoot_max = s->overshoot_max,
		.in_flight = bulkhead_in_flight(s->word),
		.queued = bulkhead_queued(s->word),
	};
}

static void sum_listener(const struct sim *sim, uint32_t slot, struct sim_listener_result *r)
{
	r->name = sim->world.listeners.items[slot].name;
	r->latency = latency_of(&sim->latency[slot]);
	r->permits =
		permits_of(&sim->listener_gauges[slot], &sim->world.state.listeners[slot].bulkhead);
	r->last_ns = sim->last_answer_ns[slot];
	for (uint32_t w = 0; w < sim->world.workers; w++) {
		const struct listener_counters *c =
			&sim->world.engines[w].state.listener_counters[slot];

		add_calls(&r->calls, &c->calls);
		for (uint32_t i = 0; i < REASON_COUNT; i++) {
			r->rejected[i] += c->rejected[i];
			r->failed[i] += c->failed[i];
		}
	}
	add_refused(r, REASON_TABLE_FULL, sim->no_entry[slot]);
	add_refused(r, REASON_NO_LISTENER, sim->no_listener[slot]);
}

static uint32_t hundredths(uint64_t part, uint64_t whole)
{
	return whole != 0 ? (uint32_t)((part * 100 + whole / 2) / whole) : 0;
}

/* Over the whole run: what its windows allowed, never more than max_attempts. */
static uint32_t bound_of(const struct sim *sim, uint32_t slot, uint64_t calls)
{
	const struct policy_view *v = &sim->world.current->view;
	const struct image_retry *rules;
	uint32_t bound;

	if (calls == 0)
		return 0;
	if (v->cluster_at[slot] == VIEW_NONE)
		return 100;
	rules = &v->clusters[v->cluster_at[slot]].retry;
	if (rules->mode != MODE_ENFORCE)
		return 100;
	bound = hundredths(calls + sim->allowances[slot].allowed, calls);
	return bound < rules->max_attempts * 100u ? bound : rules->max_attempts * 100u;
}

static void sum_cluster(const struct sim *sim, uint32_t slot, struct sim_cluster_result *r)
{
	uint64_t calls;

	r->name = sim->world.clusters.items[slot].name;
	r->permits =
		permits_of(&sim->cluster_gauges[slot], &sim->world.state.clusters[slot].bulkhead);
	r->attempts_in_flight = sim->world.state.clusters[slot].attempts_in_flight;
	r->retries_in_flight = sim->world.state.clusters[slot].retries_in_flight;
	for (uint32_t w = 0; w < sim->world.workers; w++) {
		const struct policy_state *s = &sim->world.engines[w].state;
		const struct policy_counters *p = &s->policy_counters[slot];

		add_calls(&r->calls, &s->cluster_counters[slot]);
		for (uint32_t i = 0; i < POLICY_COUNTER_SLOTS; i++)
			r->policy.all[i] += p->all[i];
		for (uint32_t i = 0; i < REASON_COUNT; i++) {
			r->policy.rejected[i] += p->rejected[i];
			r->policy.failed[i] += p->failed[i];
		}
	}
	calls = r->policy.attempts - r->policy.retries;
	r->amplification = hundredths(r->policy.attempts, calls);
	r->bound = bound_of(sim, slot, calls);
}

static void sum_endpoint(const struct sim *sim, uint32_t slot, struct sim_endpoint_result *r)
{
	r->name = sim->world.endpoints.items[slot].name;
	r->cluster = sim->world.endpoints.items[slot].cluster;
	r->max_in_flight = sim->endpoint_peaks[slot];
	r->in_flight = sim->world.state.endpoints[slot].in_flight;
	for (uint32_t w = 0; w < sim->world.workers; w++) {
		const struct call_counters *c =
			&sim->world.engines[w].state.endpoint_counters[slot];

		r->attempts += c->started;
		r->failed += c->failed;
	}
}

static void share_attempts(struct sim_result *result)
{
	for (size_t i = 0; i < result->endpoint_count; i++) {
		struct sim_endpoint_result *e = &result->endpoints[i];

		e->share =
			hundredths(e->attempts * 100, result->clusters[e->cluster].policy.attempts);
	}
}

static void add_all(struct sim_calls *sum, const struct sim_calls *c)
{
	sum->started += c->started;
	sum->succeeded += c->succeeded;
	sum->failed += c->failed;
	sum->cancelled += c->cancelled;
	sum->rejected += c->rejected;
	sum->active += c->active;
}

static struct sim_result *allocate(const struct sim *sim)
{
	struct sim_result *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->listener_count = sim->world.listeners.count;
	r->cluster_count = sim->world.clusters.count;
	r->endpoint_count = sim->world.endpoints.count;
	r->listeners = calloc(r->listener_count + 1, sizeof(*r->listeners));
	r->clusters = calloc(r->cluster_count + 1, sizeof(*r->clusters));
	r->endpoints = calloc(r->endpoint_count + 1, sizeof(*r->endpoints));
	if (r->listeners != NULL && r->clusters != NULL && r->endpoints != NULL)
		return r;
	sim_result_free(r);
	return NULL;
}

struct sim_result *record_result(struct sim *sim)
{
	struct sim_result *r = allocate(sim);

	if (r == NULL)
		return NULL;
	record_last_windows(sim);
	r->ended_ns = sim->now_ns - SIM_START_NS;
	r->decisions = sim->steps;
	for (uint32_t i = 0; i < r->listener_count; i++) {
		sum_listener(sim, i, &r->listeners[i]);
		add_all(&r->calls, &r->listeners[i].calls);
	}
	for (uint32_t i = 0; i < r->cluster_count; i++)
		sum_cluster(sim, i, &r->clusters[i]);
	for (uint32_t i = 0; i < r->endpoint_count; i++)
		sum_endpoint(sim, i, &r->endpoints[i]);
	share_attempts(r);
	r->edges = sim->edges;
	r->edge_count = sim->edge_count;
	r->edges_lost = sim->events_lost;
	sim->edges = NULL;
	return r;
}

void sim_result_free(struct sim_result *result)
{
	if (result == NULL)
		return;
	free(result->listeners);
	free(result->clusters);
	free(result->endpoints);
	free(result->edges);
	free(result);
}
