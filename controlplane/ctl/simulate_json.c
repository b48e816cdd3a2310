/* SPDX-License-Identifier: Apache-2.0 */
/* Runs as JSON: times in ns, ratios as numbers. */
#include <stdlib.h>

#include "controlplane/ctl/simulate.h"
#include "shm/events.h"
#include "shm/reasons.h"

static json_t *integer(uint64_t value)
{
	return json_integer((json_int_t)value);
}

static json_t *calls_json(const struct sim_calls *c)
{
	return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o}", "started", integer(c->started), "succeeded",
			 integer(c->succeeded), "failed", integer(c->failed), "cancelled",
			 integer(c->cancelled), "rejected", integer(c->rejected), "active",
			 integer(c->active));
}

static json_t *reasons_json(const uint64_t reasons[REASON_COUNT])
{
	json_t *out = json_object();

	for (unsigned int i = 0; i < REASON_COUNT; i++) {
		if (reasons[i])
			json_object_set_new(out, reason_name(i), integer(reasons[i]));
	}
	return out;
}

static json_t *latency_json(const struct sim_latency *l)
{
	return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o}", "count", integer(l->count), "p50_ns",
			 integer(l->p50_ns), "p90_ns", integer(l->p90_ns), "p99_ns",
			 integer(l->p99_ns), "p999_ns", integer(l->p999_ns), "max_ns",
			 integer(l->max_ns));
}

static json_t *permits_json(const struct sim_permits *p)
{
	return json_pack("{s:o,s:o,s:o,s:o}", "limit", integer(p->limit), "max_in_flight",
			 integer(p->max_in_flight), "max_queued", integer(p->max_queued),
			 "overshoot_max", integer(p->overshoot_max));
}

static json_t *counters_json(const struct policy_counters *p)
{
	json_t *out = json_object();

	for (unsigned int i = 0; i < POLICY_COUNTER_SLOTS; i++) {
		if (p->all[i])
			json_object_set_new(out, policy_counter_name(i), integer(p->all[i]));
	}
	return out;
}

static json_t *listener_json(const struct sim_listener_result *l)
{
	return json_pack("{s:s,s:o,s:o,s:o,s:o,s:o}", "name", l->name, "calls",
			 calls_json(&l->calls), "rejected", reasons_json(l->rejected), "failed",
			 reasons_json(l->failed), "latency", latency_json(&l->latency), "bulkhead",
			 permits_json(&l->permits));
}

static json_t *cluster_json(const struct sim_cluster_result *c)
{
	return json_pack("{s:s,s:o,s:o,s:o,s:o,s:f,s:f,s:o}", "name", c->name, "calls",
			 calls_json(&c->calls), "rejected", reasons_json(c->policy.rejected),
			 "failed", reasons_json(c->policy.failed), "decisions",
			 counters_json(&c->policy), "attempts_per_call", c->amplification / 100.0,
			 "attempts_per_call_bound", c->bound / 100.0, "bulkhead",
			 permits_json(&c->permits));
}

static json_t *endpoint_json(const struct sim_result *r, const struct sim_endpoint_result *e)
{
	return json_pack("{s:s,s:s,s:o,s:o,s:f,s:o}", "cluster", r->clusters[e->cluster].name,
			 "endpoint", e->name, "attempts", integer(e->attempts), "failed",
			 integer(e->failed), "share_percent", e->share / 100.0, "max_in_flight",
			 integer(e->max_in_flight));
}

static json_t *edge_json(const struct sim_edge *e)
{
	return json_pack("{s:o,s:s,s:s,s:b,s:o}", "at_ns", integer(e->at_ns), "event",
			 event_name(e->kind), "of", e->name, "observed", (int)e->observed, "detail",
			 integer(e->detail));
}

static json_t *reloads_json(const struct simulate_run *run, const struct sim_scenario *s)
{
	json_t *out = json_array();

	for (size_t i = 0; i < s->change_count; i++) {
		const struct sim_change *c = &s->changes[i];

		if (c->kind == SIM_RELOAD)
			json_array_append_new(
				out, json_pack("{s:o,s:o}", "at_ns", integer(c->at_ns),
					       "moved_keys_percent",
					       simulate_moved_json(simulate_image_before(run, s, i),
								   c->image)));
	}
	return out;
}

static json_t *run_json(const struct simulate_run *run, const struct sim_scenario *s)
{
	const struct sim_result *r = run->result;
	json_t *listeners = json_array(), *clusters = json_array();
	json_t *endpoints = json_array(), *events = json_array();

	for (size_t i = 0; i < r->listener_count; i++)
		json_array_append_new(listeners, listener_json(&r->listeners[i]));
	for (size_t i = 0; i < r->cluster_count; i++)
		json_array_append_new(clusters, cluster_json(&r->clusters[i]));
	for (size_t i = 0; i < r->endpoint_count; i++)
		json_array_append_new(endpoints, endpoint_json(r, &r->endpoints[i]));
	for (size_t i = 0; i < r->edge_count; i++)
		json_array_append_new(events, edge_json(&r->edges[i]));
	return json_pack("{s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "policy", run->policy, "ended_ns",
			 integer(r->ended_ns), "calls", calls_json(&r->calls), "listeners",
			 listeners, "clusters", clusters, "endpoints", endpoints, "events", events,
			 "events_lost", integer(r->edges_lost), "reloads", reloads_json(run, s));
}

/* The numbers that both runs have. */
static json_t *difference_json(const struct simulate_run *a, const struct simulate_run *b)
{
	struct simulate_metrics first = {0}, second = {0};
	json_t *out = json_object();

	if (simulate_metrics(&first, a->result) == 0 && simulate_metrics(&second, b->result) == 0) {
		for (size_t i = 0; i < first.count; i++) {
			const struct simulate_metric *other =
				simulate_find(&second, first.items[i].name);

			if (other)
				json_object_set_new(out, other->name,
						    json_real(other->value - first.items[i].value));
		}
	}
	free(first.items);
	free(second.items);
	return out;
}

json_t *simulate_json(const struct simulate_run *a, const struct simulate_run *b,
		      const struct sim_scenario *s)
{
	json_t *runs = json_array();
	json_t *out = json_pack("{s:o,s:o,s:O}", "seed", integer(s->seed), "duration_ns",
				integer(s->duration_ns), "runs", runs);

	json_array_append_new(runs, run_json(a, s));
	if (b) {
		json_array_append_new(runs, run_json(b, s));
		json_object_set_new(out, "difference", difference_json(a, b));
		json_object_set_new(out, "moved_keys_percent",
				    simulate_moved_json(a->image, b->image));
	}
	json_decref(runs);
	return out;
}
