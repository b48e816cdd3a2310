/* SPDX-License-Identifier: Apache-2.0 */
/* A run as tables. */
#include <stdlib.h>
#include <string.h>

#include "controlplane/ctl/format.h"
#include "controlplane/ctl/simulate.h"
#include "controlplane/ctl/table.h"
#include "shm/events.h"
#include "shm/reasons.h"

enum { EDGES_SHOWN = 40 };

void simulate_format_time(char *out, uint64_t ns)
{
	static const struct {
		uint64_t below_ns;
		double unit_ns;
		const char *unit;
	} rows[] = {{999500, 1e3, "us"}, {999500000, 1e6, "ms"}, {UINT64_MAX, 1e9, "s"}};
	size_t row = 0;
	double value;

	while (row < 2 && ns >= rows[row].below_ns)
		row++;
	value = (double)ns / rows[row].unit_ns;
	snprintf(out, FORMAT_BYTES, "%.*f%s",
		 value < 9.995   ? 2
		 : value < 99.95 ? 1
				 : 0,
		 value, rows[row].unit);
}

static void cell_count(struct table *table, uint64_t value)
{
	char text[FORMAT_BYTES];

	format_count(text, (double)value);
	table_cell(table, text);
}

static void cell_hundredths(struct table *table, uint64_t value, const char *unit)
{
	char text[FORMAT_BYTES];

	snprintf(text, sizeof(text), "%.2f%s", (double)value / 100, unit);
	table_cell(table, text);
}

static void cell_time(struct table *table, uint64_t ns)
{
	char text[FORMAT_BYTES];

	simulate_format_time(text, ns);
	table_cell(table, text);
}

/* Nothing of a table without rows. */
static void finish(struct table *table, FILE *out)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *memory = open_memstream(&text, &bytes);

	if (table && memory)
		table_print(table, memory);
	if (memory)
		fclose(memory);
	if (bytes != 0)
		fprintf(out, "\n%s", text);
	free(text);
	table_free(table);
}

static void cell_calls(struct table *table, const char *name, const struct sim_calls *c)
{
	table_cell(table, name);
	cell_count(table, c->started);
	cell_count(table, c->succeeded);
	cell_count(table, c->failed);
	cell_count(table, c->rejected);
	cell_count(table, c->cancelled);
	cell_count(table, c->active);
}

static void print_listeners(const struct sim_result *r, FILE *out)
{
	struct table *table = table_create("<LISTENER|CALLS|OK|FAILED|REJECTED|CANCELLED|ACTIVE");

	for (size_t i = 0; table && i < r->listener_count; i++)
		cell_calls(table, r->listeners[i].name, &r->listeners[i].calls);
	finish(table, out);
}

static void print_reasons(const struct sim_result *r, FILE *out)
{
	struct table *table = table_create("<LISTENER|<REASON|REJECTED|FAILED");

	for (size_t i = 0; table && i < r->listener_count; i++) {
		const struct sim_listener_result *l = &r->listeners[i];

		for (unsigned int reason = 0; reason < REASON_COUNT; reason++) {
			if (l->rejected[reason] + l->failed[reason] == 0)
				continue;
			table_cell(table, l->name);
			table_cell(table, reason_name(reason));
			cell_count(table, l->rejected[reason]);
			cell_count(table, l->failed[reason]);
		}
	}
	finish(table, out);
}

static void print_latency(const struct sim_result *r, FILE *out)
{
	struct table *table = table_create("<LATENCY|ANSWERED|P50|P90|P99|P99.9|MAX");

	for (size_t i = 0; table && i < r->listener_count; i++) {
		const struct sim_latency *l = &r->listeners[i].latency;

		if (l->count == 0)
			continue;
		table_cell(table, r->listeners[i].name);
		cell_count(table, l->count);
		cell_time(table, l->p50_ns);
		cell_time(table, l->p90_ns);
		cell_time(table, l->p99_ns);
		cell_time(table, l->p999_ns);
		cell_time(table, l->max_ns);
	}
	finish(table, out);
}

static void print_clusters(const struct sim_result *r, FILE *out)
{
	struct table *table =
		table_create("<CLUSTER|CALLS|ATTEMPTS|PER CALL|BOUND|RETRIES|RECOVERED");

	for (size_t i = 0; table && i < r->cluster_count; i++) {
		const struct sim_cluster_result *c = &r->clusters[i];

		table_cell(table, c->name);
		cell_count(table, c->calls.started);
		cell_count(table, c->policy.attempts);
		cell_hundredths(table, c->amplification, "");
		cell_hundredths(table, c->bound, "");
		cell_count(table, c->policy.retries);
		cell_count(table, c->policy.retry_success);
	}
	finish(table, out);
}

static void cell_permits(struct table *table, const char *kind, const char *name,
			 const struct sim_permits *p)
{
	if (p->limit == 0)
		return;
	table_cell(table, kind);
	table_cell(table, name);
	cell_count(table, p->limit);
	cell_count(table, p->max_in_flight);
	cell_count(table, p->max_queued);
	cell_count(table, p->overshoot_max);
}

static void print_permits(const struct sim_result *r, FILE *out)
{
	struct table *table =
		table_create("<BULKHEAD|<OF|LIMIT|MAX IN FLIGHT|MAX QUEUED|OVERSHOOT");

	for (size_t i = 0; table && i < r->listener_count; i++)
		cell_permits(table, "listener", r->listeners[i].name, &r->listeners[i].permits);
	for (size_t i = 0; table && i < r->cluster_count; i++)
		cell_permits(table, "cluster", r->clusters[i].name, &r->clusters[i].permits);
	finish(table, out);
}

static void print_endpoints(const struct sim_result *r, FILE *out)
{
	struct table *table =
		table_create("<CLUSTER|<ENDPOINT|ATTEMPTS|SHARE|FAILED|MAX IN FLIGHT");

	for (size_t i = 0; table && i < r->endpoint_count; i++) {
		const struct sim_endpoint_result *e = &r->endpoints[i];

		table_cell(table, r->clusters[e->cluster].name);
		table_cell(table, e->name);
		cell_count(table, e->attempts);
		cell_hundredths(table, e->share, "%");
		cell_count(table, e->failed);
		cell_count(table, e->max_in_flight);
	}
	finish(table, out);
}

/* Decisions that happened, but for what other tables show. */
static void print_decisions(const struct sim_result *r, FILE *out)
{
	static const char *const shown[] = {"attempts", "retries", "retry_success"};
	struct table *table = table_create("<CLUSTER|<DECISIONS|COUNT");

	for (size_t i = 0; table && i < r->cluster_count; i++) {
		for (unsigned int n = 0; n < POLICY_COUNTER_SLOTS; n++) {
			uint64_t count = r->clusters[i].policy.all[n];
			const char *name = count ? policy_counter_name(n) : "";

			if (!count || !strcmp(name, shown[0]) || !strcmp(name, shown[1]) ||
			    !strcmp(name, shown[2]))
				continue;
			table_cell(table, r->clusters[i].name);
			table_cell(table, name);
			cell_count(table, count);
		}
	}
	finish(table, out);
}

static void print_edges(const struct sim_result *r, FILE *out)
{
	struct table *table = table_create("TIME|<EVENT|<OF");
	size_t shown = r->edge_count < EDGES_SHOWN ? r->edge_count : EDGES_SHOWN;
	uint64_t more = r->edge_count - shown + r->edges_lost;
	char time[FORMAT_BYTES], event[64];

	for (size_t i = 0; table && i < shown; i++) {
		const struct sim_edge *edge = &r->edges[i];

		snprintf(time, sizeof(time), "%.3fs", (double)edge->at_ns / 1e9);
		snprintf(event, sizeof(event), "%s%s", event_name(edge->kind),
			 edge->observed ? " (observed)" : "");
		table_cell(table, time);
		table_cell(table, event);
		table_cell(table, edge->name);
	}
	finish(table, out);
	if (more != 0)
		fprintf(out, "and %llu more%s\n", (unsigned long long)more,
			r->edges_lost ? "" : " (--json has them)");
}

static void print_reloads(const struct simulate_run *run, const struct sim_scenario *s, FILE *out)
{
	char when[64];

	for (size_t i = 0; i < s->change_count; i++) {
		if (s->changes[i].kind != SIM_RELOAD)
			continue;
		snprintf(when, sizeof(when),
			 "reload at %.3fs: ", (double)s->changes[i].at_ns / 1e9);
		simulate_print_moved(simulate_image_before(run, s, i), s->changes[i].image, when,
				     out);
	}
}

void simulate_print(const struct simulate_run *run, const struct sim_scenario *s, FILE *out)
{
	const struct sim_result *r = run->result;
	char ended[FORMAT_BYTES], calls[FORMAT_BYTES];

	simulate_format_time(ended, r->ended_ns);
	format_count(calls, (double)r->calls.started);
	fprintf(out, "%s: %s simulated, %s calls, seed %llu\n", run->policy, ended, calls,
		(unsigned long long)s->seed);
	print_listeners(r, out);
	print_reasons(r, out);
	print_latency(r, out);
	print_clusters(r, out);
	print_permits(r, out);
	print_endpoints(r, out);
	print_decisions(r, out);
	print_edges(r, out);
	print_reloads(run, s, out);
}
