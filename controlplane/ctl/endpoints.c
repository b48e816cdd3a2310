/* SPDX-License-Identifier: Apache-2.0 */
/* `fender endpoints`: GET /endpoints as a table. */
#include <stdlib.h>
#include <string.h>

#include "controlplane/ctl/ask.h"
#include "controlplane/ctl/commands.h"
#include "controlplane/ctl/state_text.h"
#include "controlplane/ctl/view.h"

/* "ejected", "unhealthy: timeout". */
static void add_state(struct table *table, const json_t *row)
{
	const char *why = view_text(json_object_get(row, "health"), "why");
	char state[FORMAT_BYTES], text[2 * FORMAT_BYTES];
	enum colour colour = state_of_endpoint(state, row);
	int has_why = strcmp(state, "unhealthy") == 0 && *why;

	snprintf(text, sizeof(text), "%s%s%.20s", state, has_why ? ": " : "", has_why ? why : "");
	table_cell_colour(table, text, colour);
}

/* "100", with its priority where that is not the first "100 p1". */
static void add_weight(struct table *table, const json_t *row)
{
	double priority = view_number(row, "priority");
	char text[2 * FORMAT_BYTES];

	if (priority > 0)
		snprintf(text, sizeof(text), "%.0f p%.0f", view_number(row, "weight"), priority);
	else
		snprintf(text, sizeof(text), "%.0f", view_number(row, "weight"));
	table_cell(table, text);
}

static void add_latency(struct table *table, const json_t *row)
{
	double us = view_number(row, "ewma_us");
	char text[FORMAT_BYTES] = "-";

	if (us > 0)
		format_latency(text, us / 1e6);
	table_cell(table, text);
}

static int show(const struct options *options, const json_t *body)
{
	struct table *table = table_create("<CLUSTER|=ENDPOINT|=STATE|WEIGHT|CALLS|FAILED|OPEN|"
					   "LATENCY");
	const json_t *rows = json_object_get(body, "endpoints");

	for (size_t i = 0; table && i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i);

		table_cell(table, view_text(row, "cluster"));
		table_cell(table, view_text(row, "address"));
		add_state(table, row);
		add_weight(table, row);
		view_cell_count(table, view_number(row, "started"));
		view_cell_count(table, view_number(row, "failed"));
		view_cell_count(table, view_number(row, "open"));
		add_latency(table, row);
	}
	if (table)
		table_print(table, stdout);
	table_free(table);
	if (json_array_size(rows) == 0)
		printf("There is no endpoint.\n");
	return EXIT_OK;
}

int command_endpoints(const struct options *options)
{
	char *path = strdup("/endpoints");
	int rc = EXIT_FAILED;

	ask_add_query(&path, "cluster", options->operand);
	if (path)
		rc = ask(options, "GET", path, show);
	free(path);
	return rc;
}
