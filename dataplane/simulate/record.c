/* SPDX-License-Identifier: Apache-2.0 */
/* What a run leaves behind, as it goes. */
#include "dataplane/policy/bulkhead.h"
#include "dataplane/simulate/sim.h"

static void note(struct gauge *gauge, uint64_t word)
{
	if (bulkhead_in_flight(word) > gauge->in_flight)
		gauge->in_flight = bulkhead_in_flight(word);
	if (bulkhead_queued(word) > gauge->queued)
		gauge->queued = bulkhead_queued(word);
}

void record_gauges(struct sim *sim, const struct call *call)
{
	const struct policy_state *s = &sim->world.state;

	if (call->listener < s->listener_slots)
		note(&sim->listener_gauges[call->listener],
		     s->listeners[call->listener].bulkhead.word);
	if (call->cluster < s->cluster_slots)
		note(&sim->cluster_gauges[call->cluster], s->clusters[call->cluster].bulkhead.word);
	if (call->endpoint < s->endpoint_slots) {
		uint64_t in_flight = s->endpoints[call->endpoint].in_flight;

		if (in_flight > sim->endpoint_peaks[call->endpoint])
			sim->endpoint_peaks[call->endpoint] = (uint32_t)in_flight;
	}
}

static void raise_limit(struct gauge *gauge, const struct image_bulkhead *rules)
{
	if (rules->mode == MODE_ENFORCE && rules->scope == SCOPE_CLUSTER &&
	    rules->max_concurrent > gauge->limit)
		gauge->limit = rules->max_concurrent;
}

void record_limits(struct sim *sim)
{
	const struct policy_view *v = &sim->world.current->view;

	for (uint32_t i = 0; i < v->image->listeners.count; i++)
		raise_limit(&sim->listener_gauges[v->listener_slot[i]], &v->listeners[i].bulkhead);
	for (uint32_t i = 0; i < v->image->clusters.count; i++)
		raise_limit(&sim->cluster_gauges[v->cluster_slot[i]], &v->clusters[i].bulkhead);
}

static void count_sent(const struct sim *sim, uint32_t cluster, uint64_t *calls, uint64_t *retries)
{
	uint64_t attempts = 0;

	*retries = 0;
	for (uint32_t w = 0; w < sim->world.workers; w++) {
		const struct policy_counters *p =
			&sim->world.engines[w].state.policy_counters[cluster];

		attempts += p->attempts;
		*retries += p->retries;
	}
	*calls = attempts - *retries;
}

/* A window of the budget is over, or the run: what it allowed. */
static void close_window(const struct sim *sim, struct allowance *a, uint32_t cluster,
			 const struct image_retry *rules)
{
	uint64_t calls, retries, by_ratio, at_least;

	count_sent(sim, cluster, &calls, &retries);
	by_ratio = ((calls - a->calls) * rules->ratio + 9999) / 10000;
	at_least = ((uint64_t)rules->minimum_per_second * rules->window_ms + 999) / 1000;
	if (calls != a->calls || retries != a->retries)
		a->allowed += by_ratio > at_least ? by_ratio : at_least;
	a->calls = calls;
	a->retries = retries;
	a->since_ns = sim->now_ns;
}

static void record_windows_of(struct sim *sim, int all)
{
	const struct policy_view *v = &sim->world.current->view;

	for (uint32_t i = 0; i < v->image->clusters.count; i++) {
		const struct image_retry *rules = &v->clusters[i].retry;
		struct allowance *a = &sim->allowances[v->cluster_slot[i]];

		if (a->since_ns == 0)
			a->since_ns = sim->now_ns;
		if (rules->mode == MODE_ENFORCE &&
		    (all || sim->now_ns - a->since_ns >= (uint64_t)rules->window_ms * 1000 * 1000))
			close_window(sim, a, v->cluster_slot[i], rules);
	}
}

void record_windows(struct sim *sim)
{
	record_windows_of(sim, 0);
}

void record_last_windows(struct sim *sim)
{
	record_windows_of(sim, 1);
}

static const char *name_of(const struct sim *sim, const struct event *event)
{
	if (event->subject == SUBJECT_ENDPOINT && event->slot < sim->world.endpoints.count)
		return sim->world.endpoints.items[event->slot].name;
	if (event->subject == SUBJECT_CLUSTER && event->slot < sim->world.clusters.count)
		return sim->world.clusters.items[event->slot].name;
	return "";
}

void record_events(struct sim *sim)
{
	struct event event;

	if (sim->world.ring.head == sim->events_seen)
		return;
	while (event_read(&sim->world.ring, &sim->events_seen, &event, &sim->events_lost)) {
		if (event.kind == EVENT_EJECTION_REFUSED)
			continue; /* one a failure: ejections_overflow counts them */
		if (sim->edge_count == SIM_EDGES) {
			sim->events_lost++;
			continue;
		}
		sim->edges[sim->edge_count++] = (struct sim_edge){
			.at_ns = event.at_ns - SIM_START_NS,
			.kind = event.kind,
			.observed = event.observed != 0,
			.detail = event.detail,
			.name = name_of(sim, &event),
		};
	}
}
