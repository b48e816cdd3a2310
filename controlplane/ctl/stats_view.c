/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/ctl/stats_view.h"

#include <string.h>

#include "controlplane/ctl/format.h"
#include "controlplane/ctl/state_text.h"
#include "controlplane/ctl/table.h"
#include "controlplane/ctl/view.h"
#include "shm/reasons.h"

static void print_table(struct view *view, struct table *table)
{
	if (table) {
		fputc('\n', view->out);
		table_print(table, view->out);
	}
	table_free(table);
}

static void print_head(const struct view *view)
{
	const json_t *dataplane = json_object_get(view->now, "dataplane");
	const json_t *connections = json_object_get(view->now, "connections");
	char uptime[FORMAT_BYTES];
	char used[FORMAT_BYTES];
	char capacity[FORMAT_BYTES];
	char resting[FORMAT_BYTES];
	int is_ready = json_is_true(json_object_get(view->now, "ready"));
	enum colour colour = is_ready ? COLOUR_GOOD : COLOUR_BAD;

	format_duration(uptime, view_number(dataplane, "uptime_ms") / 1000);
	format_count(used, view_number(connections, "used"));
	format_count(capacity, view_number(connections, "capacity"));
	format_count(resting, view_number(connections, "resting"));
	fprintf(view->out, "%s: %s%s%s, generation %.0f\n", view_text(view->now, "instance"),
		colour_begin(colour), is_ready ? "ready" : "not ready", colour_end(colour),
		view_number(view->now, "generation"));
	fprintf(view->out, "dataplane    %s, pid %.0f, up %s, restarts %.0f\n",
		view_text(dataplane, "state"), view_number(dataplane, "pid"), uptime,
		view_number(dataplane, "restarts"));
	fprintf(view->out, "connections  %s of %s in use, %s of them resting\n", used, capacity,
		resting);
}

static void print_packet_counters(const struct view *view, struct pair packets,
				  const char *const *words, size_t count)
{
	char value[FORMAT_BYTES];

	for (size_t i = 0; i < count; i++) {
		const char *key = strcmp(words[i], "dropped") == 0 ? "dropped_total" : words[i];

		format_count(value, view_counter(view, packets, key));
		fprintf(view->out, "%s%s %s", i ? ", " : "", value, words[i]);
	}
	fputc('\n', view->out);
}

static void print_packets(const struct view *view)
{
	static const char *const through[] = {"received", "transmitted", "dropped"};
	static const char *const own[] = {"originated", "consumed"};
	const json_t *law = json_object_get(view->now, "conservation");
	struct pair packets = view_section(view, "packets");

	fputs(view->seconds > 0 ? "packets/s    " : "packets      ", view->out);
	print_packet_counters(view, packets, through, 3);
	fprintf(view->out, "%13s", "");
	print_packet_counters(view, packets, own, 2);
	fprintf(view->out, "%13s%.0f held, %.0f in flight, %s\n", "",
		view_number(packets.now, "held"), view_number(law, "in_flight"),
		json_is_true(json_object_get(law, "holds")) ? "every packet accounted for"
							    : "PACKETS UNACCOUNTED FOR");
}

static void print_workers(struct view *view)
{
	struct table *table = table_create("WORKER|<STATE|CPU|RECEIVED|SENT|HANDED OVER|CONNS|"
					   "SLEEPS|GEN");

	for (size_t i = 0; table && i < view_rows(view, "workers"); i++) {
		struct pair row = view_row_at(view, "workers", i);

		view_cell_count(table, view_number(row.now, "worker"));
		table_cell(table, view_text(row.now, "state"));
		view_cell_count(table, view_number(row.now, "cpu"));
		view_cell_count(table, view_counter(view, row, "received"));
		view_cell_count(table, view_counter(view, row, "transmitted"));
		view_cell_count(table, view_counter(view, row, "handed_out"));
		view_cell_count(table, view_number(row.now, "connections_used"));
		view_cell_count(table, view_counter(view, row, "sleeps"));
		view_cell_count(table, view_number(row.now, "applied_generation"));
	}
	print_table(view, table);
}

static void print_interfaces(struct view *view)
{
	struct table *table = table_create("<INTERFACE|<DEVICE|<LINK|MTU|RX PKTS|RX BYTES|TX PKTS|"
					   "TX BYTES|MISSED");

	for (size_t i = 0; table && i < view_rows(view, "interfaces"); i++) {
		struct pair row = view_row_at(view, "interfaces", i);

		table_cell(table, view_text(row.now, "name"));
		table_cell(table, view_text(row.now, "device"));
		table_cell(table, json_is_true(json_object_get(row.now, "link")) ? "up" : "down");
		view_cell_count(table, view_number(row.now, "mtu"));
		view_cell_count(table, view_counter(view, row, "rx_packets"));
		view_cell_bytes(table, view_counter(view, row, "rx_bytes"));
		view_cell_count(table, view_counter(view, row, "tx_packets"));
		view_cell_bytes(table, view_counter(view, row, "tx_bytes"));
		view_cell_count(table, view_counter(view, row, "rx_missed"));
	}
	print_table(view, table);
}

static void print_listeners(struct view *view)
{
	struct table *table = table_create("<LISTENER|<BIND|<PROTO|CALLS|OK|FAILED|REJECTED|OPEN");

	for (size_t i = 0; table && i < view_rows(view, "listeners"); i++) {
		struct pair row = view_row_at(view, "listeners", i);

		table_cell(table, view_text(row.now, "name"));
		table_cell(table, view_text(row.now, "bind"));
		table_cell(table, view_text(row.now, "protocol"));
		view_cell_count(table, view_counter(view, row, "started"));
		view_cell_count(table, view_counter(view, row, "succeeded"));
		view_cell_count(table, view_counter(view, row, "failed"));
		view_cell_count(table, view_counter(view, row, "rejected"));
		view_cell_count(table, view_number(row.now, "open"));
	}
	print_table(view, table);
}

static void cells_of_target(const struct view *view, struct table *table, struct pair row)
{
	view_cell_count(table, view_counter(view, row, "started"));
	view_cell_count(table, view_counter(view, row, "succeeded"));
	view_cell_count(table, view_counter(view, row, "failed"));
	view_cell_count(table, view_number(row.now, "open"));
	view_cell_bytes(table, view_counter(view, row, "to_endpoint_bytes"));
	view_cell_bytes(table, view_counter(view, row, "to_client_bytes"));
}

static void print_clusters(struct view *view)
{
	struct table *table = table_create("<CLUSTER, ENDPOINT|<STATE|CALLS|OK|FAILED|OPEN|"
					   "SENT|RECEIVED");
	size_t next = 0;

	for (size_t i = 0; table && i < view_rows(view, "clusters"); i++) {
		struct pair cluster = view_row_at(view, "clusters", i);
		size_t end = next + (size_t)view_number(cluster.now, "endpoints");

		table_cell(table, view_text(cluster.now, "name"));
		table_cell(table, "");
		cells_of_target(view, table, cluster);
		for (; next < end; next++) {
			struct pair row = view_row_at(view, "endpoints", next);
			char state[FORMAT_BYTES];
			enum colour colour;
			char name[64];

			snprintf(name, sizeof(name), "  %s", view_text(row.now, "address"));
			table_cell(table, name);
			colour = state_of_endpoint(state, row.now);
			table_cell_colour(table, state, colour);
			cells_of_target(view, table, row);
		}
	}
	print_table(view, table);
}

/* "12/64", or "12" without a bound. */
static const char *of_text(char *out, double value, double bound)
{
	if (bound > 0)
		snprintf(out, FORMAT_BYTES, "%.0f/%.0f", value, bound);
	else
		snprintf(out, FORMAT_BYTES, "%.0f", value);
	return out;
}

static void print_policies(struct view *view)
{
	struct table *table = table_create("<CLUSTER|<BREAKER|PERMITS|QUEUE|ATTEMPTS|RETRIES|"
					   "PER CALL|EJECTED");
	char text[FORMAT_BYTES];

	for (size_t i = 0; table && i < view_rows(view, "clusters"); i++) {
		struct pair row = view_row_at(view, "clusters", i);
		struct pair policy = {json_object_get(row.now, "policy"),
				      json_object_get(row.before, "policy")};
		const json_t *bulkhead = json_object_get(row.now, "bulkhead");
		const json_t *retry = json_object_get(row.now, "retry");
		enum colour colour;

		table_cell(table, view_text(row.now, "name"));
		colour = state_of_breaker(text, json_object_get(row.now, "breaker"));
		table_cell_colour(table, text, colour);
		table_cell(table, of_text(text, view_number(bulkhead, "in_flight"),
					  view_number(bulkhead, "max_concurrent")));
		table_cell(table, of_text(text, view_number(bulkhead, "queued"),
					  view_number(bulkhead, "max_queue")));
		view_cell_count(table, view_counter(view, policy, "attempts"));
		view_cell_count(table, view_counter(view, policy, "retries"));
		snprintf(text, sizeof(text), "%.2f",
			 json_number_value(json_object_get(retry, "amplification")));
		table_cell(table, text);
		view_cell_count(table, view_number(row.now, "ejected"));
	}
	print_table(view, table);
}

static void print_draining(struct view *view)
{
	struct table *table = table_create("<DRAINING|<NAME|OPEN|SENT|RECEIVED");

	for (size_t i = 0; table && i < view_rows(view, "draining"); i++) {
		struct pair row = view_row_at(view, "draining", i);

		table_cell(table, view_text(row.now, "kind"));
		table_cell(table, view_text(row.now, "name"));
		view_cell_count(table, view_number(row.now, "open"));
		view_cell_bytes(table, view_counter(view, row, "to_endpoint_bytes"));
		view_cell_bytes(table, view_counter(view, row, "to_client_bytes"));
	}
	if (view_rows(view, "draining") > 0)
		print_table(view, table);
	else
		table_free(table);
}

/* Calls that failed or were rejected for @reason, over all listeners. */
static double calls_refused(const struct view *view, const char *reason)
{
	double sum = 0;

	for (size_t i = 0; i < view_rows(view, "listeners"); i++) {
		struct pair row = view_row_at(view, "listeners", i);
		struct pair failed = {json_object_get(row.now, "failed_by_reason"),
				      json_object_get(row.before, "failed_by_reason")};
		struct pair rejected = {json_object_get(row.now, "rejected_by_reason"),
					json_object_get(row.before, "rejected_by_reason")};

		sum += view_counter(view, failed, reason) + view_counter(view, rejected, reason);
	}
	return sum;
}

static void print_wrapped(FILE *out, const char *words, int indent)
{
	int column = indent;

	while (*words) {
		int bytes = (int)strcspn(words, " ");

		if (column > indent && column + 1 + bytes > terminal()->width) {
			fprintf(out, "\n%*s", indent, "");
			column = indent;
		}
		column += fprintf(out, "%s%.*s", column > indent ? " " : "", bytes, words);
		words += bytes;
		words += *words == ' ';
	}
	fputc('\n', out);
}

static int longest_reason(void)
{
	size_t longest = 0;

	for (unsigned int reason = 0; reason < REASON_COUNT; reason++)
		if (strlen(reason_name(reason)) > longest)
			longest = strlen(reason_name(reason));
	return (int)longest;
}

static void print_reasons(const struct view *view)
{
	struct pair packets = view_section(view, "packets");
	struct pair dropped = {json_object_get(packets.now, "dropped"),
			       json_object_get(packets.before, "dropped")};
	int titled = 0, width = longest_reason();

	for (unsigned int reason = 0; reason < REASON_COUNT; reason++) {
		const char *name = reason_name(reason);
		double frames = view_counter(view, dropped, name);
		double calls = calls_refused(view, name);
		char frames_text[FORMAT_BYTES];
		char calls_text[FORMAT_BYTES];

		if (frames == 0 && calls == 0)
			continue;
		if (!titled++)
			fprintf(view->out, "\nDROPPED   CALLS  %-*s  MEANING\n", width, "REASON");
		format_count(frames_text, frames);
		format_count(calls_text, calls);
		fprintf(view->out, "%7s  %6s  %-*s  ", frames_text, calls_text, width, name);
		print_wrapped(view->out, reason_text(reason), 19 + width);
	}
}

/* One cause for all interfaces. */
static void print_fallback(const struct view *view)
{
	for (size_t i = 0; i < view_rows(view, "interfaces"); i++) {
		const char *why =
			view_text(view_row_at(view, "interfaces", i).now, "limiter_fallback");

		if (!*why)
			continue;
		fputs("limiter      dpdk: ", view->out);
		print_wrapped(view->out, why, 19);
		return;
	}
}

void stats_view_print(const json_t *now, const json_t *before, FILE *out)
{
	struct view view = {.now = now, .before = before, .out = out};

	if (before)
		view.seconds = (view_number(now, "time_ns") - view_number(before, "time_ns")) / 1e9;
	print_head(&view);
	print_fallback(&view);
	print_packets(&view);
	print_workers(&view);
	print_interfaces(&view);
	print_listeners(&view);
	stats_view_limits(&view);
	print_policies(&view);
	print_clusters(&view);
	print_draining(&view);
	print_reasons(&view);
}
