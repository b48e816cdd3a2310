/* SPDX-License-Identifier: Apache-2.0 */
/* `fender breakers`: GET /breakers as a table. */
#include <string.h>

#include "controlplane/ctl/ask.h"
#include "controlplane/ctl/commands.h"
#include "controlplane/ctl/state_text.h"
#include "controlplane/ctl/view.h"

/* "open 3s", "closed, drained", "observing": closed, and it would not refuse either. */
static void add_state(struct table *table, const json_t *row)
{
	int is_drained = json_is_true(json_object_get(row, "drained"));
	char state[FORMAT_BYTES], text[FORMAT_BYTES + 16];
	enum colour colour = state_of_breaker(state, row);

	if (strcmp(state, "closed") == 0 && strcmp(view_text(row, "mode"), "observe") == 0)
		snprintf(state, sizeof(state), "observing");
	if (is_drained && strcmp(state, "-") == 0)
		snprintf(text, sizeof(text), "drained");
	else
		snprintf(text, sizeof(text), "%s%s", state, is_drained ? ", drained" : "");
	table_cell_colour(table, text, is_drained && colour != COLOUR_BAD ? COLOUR_WARN : colour);
}

static void add_row(struct table *table, const json_t *row)
{
	const char *endpoint = view_text(row, "endpoint");

	table_cell(table, view_text(row, "cluster"));
	table_cell(table, *endpoint ? endpoint : "(cluster)");
	add_state(table, row);
	view_cell_count(table, view_number(row, "trips"));
	view_cell_count(table, view_number(row, "consecutive_failures"));
	view_cell_count(table, view_number(row, "probes_active"));
	if (*endpoint)
		table_cell(table, "-");
	else
		view_cell_count(table, view_number(row, "ejected"));
}

static int show(const struct options *options, const json_t *body)
{
	struct table *table = table_create("<CLUSTER|=OF|=BREAKER|TRIPS|FAILED|PROBES|EJECTED");
	const json_t *rows = json_object_get(body, "breakers");

	for (size_t i = 0; table && i < json_array_size(rows); i++)
		add_row(table, json_array_get(rows, i));
	if (table)
		table_print(table, stdout);
	table_free(table);
	if (json_array_size(rows) == 0)
		printf("There is no cluster.\n");
	return EXIT_OK;
}

int command_breakers(const struct options *options)
{
	return ask(options, "GET", options->all ? "/breakers?all=1" : "/breakers", show);
}
