/* SPDX-License-Identifier: Apache-2.0 */
/* Two runs of one scenario, number by number. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/ctl/simulate.h"
#include "controlplane/ctl/table.h"

enum { PER_LISTENER = 9, PER_CLUSTER = 7, PER_ENDPOINT = 1 };

static void add(struct simulate_metrics *m, int decimals, double value, const char *thing,
		const char *what)
{
	struct simulate_metric *metric = &m->items[m->count++];

	snprintf(metric->name, sizeof(metric->name), "%.110s %.40s", thing, what);
	metric->value = value;
	metric->decimals = decimals;
}

static double ms(uint64_t ns)
{
	return (double)ns / 1e6;
}

static void add_listener(struct simulate_metrics *m, const struct sim_listener_result *l)
{
	double started = l->calls.started ? (double)l->calls.started : 1;

	add(m, 0, (double)l->calls.started, l->name, "calls");
	add(m, 2, 100 * (double)l->calls.succeeded / started, l->name, "ok %");
	add(m, 2, 100 * (double)l->calls.failed / started, l->name, "failed %");
	add(m, 2, 100 * (double)l->calls.rejected / started, l->name, "rejected %");
	add(m, 2, 100 * (double)l->calls.cancelled / started, l->name, "cancelled %");
	add(m, 2, 100 * (double)l->latency.count / started, l->name, "answered %");
	add(m, 2, ms(l->latency.p50_ns), l->name, "p50 ms");
	add(m, 2, ms(l->latency.p99_ns), l->name, "p99 ms");
	add(m, 2, ms(l->latency.p999_ns), l->name, "p99.9 ms");
}

static void add_cluster(struct simulate_metrics *m, const struct sim_cluster_result *c)
{
	add(m, 2, c->amplification / 100.0, c->name, "attempts per call");
	add(m, 2, c->bound / 100.0, c->name, "bound of these");
	add(m, 0, (double)c->policy.attempt_failures, c->name, "failed attempts");
	add(m, 0, c->permits.max_in_flight, c->name, "max in flight");
	add(m, 0, c->permits.max_queued, c->name, "max queued");
	add(m, 0, (double)c->policy.breaker_opened, c->name, "breaker opened");
	add(m, 0, (double)c->policy.ejections, c->name, "ejections");
}

int simulate_metrics(struct simulate_metrics *m, const struct sim_result *r)
{
	size_t most = r->listener_count * PER_LISTENER + r->cluster_count * PER_CLUSTER +
		      r->endpoint_count * PER_ENDPOINT;
	char name[160];

	m->count = 0;
	m->items = calloc(most + 1, sizeof(*m->items));
	if (!m->items)
		return -ENOMEM;
	for (size_t i = 0; i < r->listener_count; i++)
		add_listener(m, &r->listeners[i]);
	for (size_t i = 0; i < r->cluster_count; i++)
		add_cluster(m, &r->clusters[i]);
	for (size_t i = 0; i < r->endpoint_count; i++) {
		const struct sim_endpoint_result *e = &r->endpoints[i];

		snprintf(name, sizeof(name), "%s/%s", r->clusters[e->cluster].name, e->name);
		add(m, 2, e->share / 100.0, name, "share %");
	}
	return 0;
}

const struct simulate_metric *simulate_find(const struct simulate_metrics *m, const char *name)
{
	for (size_t i = 0; i < m->count; i++) {
		if (strcmp(m->items[i].name, name) == 0)
			return &m->items[i];
	}
	return NULL;
}

static void cell(struct table *table, const struct simulate_metric *m)
{
	char text[32] = "-";

	if (m)
		snprintf(text, sizeof(text), "%.*f", m->decimals, m->value);
	table_cell(table, text);
}

static void row(struct table *table, const char *name, const struct simulate_metric *a,
		const struct simulate_metric *b)
{
	char text[32] = "";

	table_cell(table, name);
	cell(table, a);
	cell(table, b);
	if (a && b)
		snprintf(text, sizeof(text), "%+.*f", a->decimals, b->value - a->value);
	table_cell(table, text);
}

void simulate_print_difference(const struct simulate_run *a, const struct simulate_run *b,
			       FILE *out)
{
	struct table *table = table_create("<DIFFERENCE|FIRST|SECOND|CHANGE");
	struct simulate_metrics first = {0}, second = {0};

	if (table && simulate_metrics(&first, a->result) == 0 &&
	    simulate_metrics(&second, b->result) == 0) {
		for (size_t i = 0; i < first.count; i++)
			row(table, first.items[i].name, &first.items[i],
			    simulate_find(&second, first.items[i].name));
		for (size_t i = 0; i < second.count; i++) {
			if (!simulate_find(&first, second.items[i].name))
				row(table, second.items[i].name, NULL, &second.items[i]);
		}
		table_print(table, out);
		simulate_print_moved(a->image, b->image, "", out);
	}
	free(first.items);
	free(second.items);
	table_free(table);
}
