/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/ctl/view.h"

#include <string.h>

#include "controlplane/ctl/format.h"

const char *view_text(const json_t *row, const char *key)
{
	const char *value = json_string_value(json_object_get(row, key));

	return value ? value : "";
}

double view_number(const json_t *row, const char *key)
{
	return (double)json_integer_value(json_object_get(row, key));
}

double view_counter(const struct view *view, struct pair row, const char *key)
{
	double now = view_number(row.now, key);
	double grown;

	if (view->seconds <= 0)
		return now;
	grown = now - (row.before ? view_number(row.before, key) : 0);
	return grown > 0 ? grown / view->seconds : 0;
}

void view_cell_count(struct table *table, double value)
{
	char out[FORMAT_BYTES];

	format_count(out, value);
	table_cell(table, out);
}

void view_cell_bytes(struct table *table, double value)
{
	char out[FORMAT_BYTES];

	format_bytes(out, value);
	table_cell(table, out);
}

static int same_row(const json_t *a, const json_t *b)
{
	return strcmp(view_text(a, "name"), view_text(b, "name")) == 0 &&
	       strcmp(view_text(a, "cluster"), view_text(b, "cluster")) == 0 &&
	       strcmp(view_text(a, "address"), view_text(b, "address")) == 0;
}

struct pair view_row_at(const struct view *view, const char *key, size_t i)
{
	const json_t *before = json_object_get(view->before, key);
	struct pair row = {json_array_get(json_object_get(view->now, key), i),
			   json_array_get(before, i)};

	if (!row.before || same_row(row.now, row.before))
		return row;
	row.before = NULL;
	for (size_t at = 0; at < json_array_size(before) && !row.before; at++)
		if (same_row(row.now, json_array_get(before, at)))
			row.before = json_array_get(before, at);
	return row;
}

size_t view_rows(const struct view *view, const char *key)
{
	return json_array_size(json_object_get(view->now, key));
}

struct pair view_section(const struct view *view, const char *key)
{
	return (struct pair){json_object_get(view->now, key), json_object_get(view->before, key)};
}
