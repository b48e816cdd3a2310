/* SPDX-License-Identifier: Apache-2.0 */
/* `fender limits`: GET /limits as a table. */
#include <stdio.h>
#include <string.h>

#include "controlplane/ctl/ask.h"
#include "controlplane/ctl/commands.h"
#include "controlplane/ctl/format.h"
#include "controlplane/ctl/table.h"
#include "controlplane/ctl/view.h"

enum { CELL_BYTES = FORMAT_BYTES + 4, MOST_ROWS = 1024 };

/* "1.00k p" or "1.50 MiB". */
static void cell_of_rate(struct table *table, double value, int packets)
{
	char text[CELL_BYTES];

	if (packets) {
		format_count(text, value);
		strcat(text, " p");
	} else {
		format_bytes(text, value);
	}
	table_cell(table, text);
}

/* Of two limits the one that is nearer to being reached. */
static int is_by_packets(const json_t *row, const json_t *limit)
{
	double packets = view_number(limit, "packets_per_second");
	double bytes = view_number(limit, "bytes_per_second");

	if (packets == 0 || bytes == 0)
		return packets != 0;
	return view_number(row, "packets_per_second") / packets >=
	       view_number(row, "bytes_per_second") / bytes;
}

static void add_row(struct table *table, const json_t *row)
{
	const json_t *limit = json_object_get(row, "limit");
	const char *endpoint = view_text(row, "endpoint");
	int packets = is_by_packets(row, limit);
	const char *key = packets ? "packets_per_second" : "bytes_per_second";
	int to_client = strcmp(view_text(row, "direction"), "to_client") == 0;

	table_cell(table, view_text(row, "client"));
	table_cell(table, to_client ? "<-" : "->");
	table_cell(table, *endpoint ? endpoint : "-");
	table_cell(table, view_text(row, "listener"));
	cell_of_rate(table, view_number(row, key), packets);
	cell_of_rate(table, view_number(limit, key), packets);
	view_cell_count(table, view_number(row, "refused"));
}

static void print_tail(const json_t *body, size_t shown)
{
	double all = view_number(body, "limited_connections");

	if (view_number(body, "limited_listeners") == 0)
		printf("No listener has a rate limit.\n");
	else if (shown == 0)
		printf("No connection is limited now.\n");
	else if (all > (double)shown)
		printf("\n%.0f more (-n shows them)\n", all - (double)shown);
}

/* Of those that were timed. */
static void print_times(const json_t *body)
{
	json_t *verdicts = json_object_get(body, "verdicts");
	const char *hook;
	json_t *times;

	json_object_foreach(verdicts, hook, times)
	{
		printf("A verdict in %s takes %.0f ns, 99 %% of them at most %.0f ns.\n",
		       strcmp(hook, "xdp") == 0 ? "XDP" : "the worker",
		       view_number(times, "p50_ns"), view_number(times, "p99_ns"));
	}
}

static void print_table(const json_t *body)
{
	struct table *table = table_create("<CLIENT|<|<ENDPOINT|<LISTENER|RATE/S|LIMIT/S|REFUSED");
	const json_t *rows = json_object_get(body, "connections");

	for (size_t i = 0; table && i < json_array_size(rows); i++)
		add_row(table, json_array_get(rows, i));
	if (table)
		table_print(table, stdout);
	table_free(table);
	print_tail(body, json_array_size(rows));
	print_times(body);
}

static int show(const struct options *options, const json_t *body)
{
	print_table(body);
	return EXIT_OK;
}

int command_limits(const struct options *options)
{
	char path[64] = "/limits";
	unsigned long rows;

	if (options->rows && ask_number(options->rows, 1, MOST_ROWS, &rows) != 0) {
		fprintf(stderr, "fender limits: -n takes 1 to %d, not '%s'\n", MOST_ROWS,
			options->rows);
		return EXIT_USAGE;
	}
	if (options->rows)
		snprintf(path, sizeof(path), "/limits?limit=%lu", rows);
	return ask(options, "GET", path, show);
}
