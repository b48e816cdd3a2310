/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/ctl/table.h"

#include <stdlib.h>
#include <string.h>

enum { GAP = 2, NARROWEST_TEXT = 8 };

struct table {
	size_t columns;
	char *titles[TABLE_COLUMNS];
	int is_text[TABLE_COLUMNS];
	char **cells;
	size_t cell_count;
	size_t capacity;
};

struct table *table_create(const char *titles)
{
	struct table *table = calloc(1, sizeof(*table));

	while (table && table->columns < TABLE_COLUMNS) {
		size_t bytes = strcspn(titles, "|");
		int is_text = *titles == '<';
		char *title = strndup(titles + is_text, bytes - (size_t)is_text);

		if (!title) {
			table_free(table);
			return NULL;
		}
		table->is_text[table->columns] = is_text;
		table->titles[table->columns++] = title;
		if (titles[bytes] == '\0')
			break;
		titles += bytes + 1;
	}
	return table;
}

void table_free(struct table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->columns; i++)
		free(table->titles[i]);
	for (size_t i = 0; i < table->cell_count; i++)
		free(table->cells[i]);
	free(table->cells);
	free(table);
}

void table_cell(struct table *table, const char *text)
{
	char **grown = table->cells;

	if (table->cell_count == table->capacity) {
		table->capacity = table->capacity ? 2 * table->capacity : 64;
		grown = realloc(table->cells, table->capacity * sizeof(*grown));
		if (!grown)
			abort();
		table->cells = grown;
	}
	grown[table->cell_count] = strdup(text);
	if (!grown[table->cell_count])
		abort();
	table->cell_count++;
}

static void measure(const struct table *table, size_t *widths)
{
	for (size_t i = 0; i < table->columns; i++)
		widths[i] = strlen(table->titles[i]);
	for (size_t i = 0; i < table->cell_count; i++) {
		size_t *width = &widths[i % table->columns];
		size_t bytes = strlen(table->cells[i]);

		if (bytes > *width)
			*width = bytes;
	}
}

/* Take from the widest text column until the row fits. */
static void narrow(const struct table *table, size_t *widths)
{
	for (;;) {
		size_t sum = GAP * (table->columns - 1);
		size_t widest = table->columns;

		for (size_t i = 0; i < table->columns; i++) {
			sum += widths[i];
			if (table->is_text[i] && widths[i] > NARROWEST_TEXT &&
			    (widest == table->columns || widths[i] > widths[widest]))
				widest = i;
		}
		if (sum <= TABLE_WIDTH || widest == table->columns)
			return;
		widths[widest]--;
	}
}

static void print_cell(const char *text, size_t width, int is_text, int is_last, FILE *out)
{
	if (!is_text)
		fprintf(out, "%*s", (int)width, text);
	else if (strlen(text) > width)
		fprintf(out, "%.*s…", (int)width - 1, text);
	else
		fprintf(out, "%-*s", is_last ? 0 : (int)width, text);
	fprintf(out, is_last ? "\n" : "%*s", GAP, "");
}

void table_print(const struct table *table, FILE *out)
{
	size_t widths[TABLE_COLUMNS];

	if (table->columns == 0 || table->cell_count == 0)
		return;
	measure(table, widths);
	narrow(table, widths);
	for (size_t i = 0; i < table->columns; i++)
		print_cell(table->titles[i], widths[i], table->is_text[i], i + 1 == table->columns,
			   out);
	for (size_t i = 0; i < table->cell_count; i++) {
		size_t column = i % table->columns;

		print_cell(table->cells[i], widths[column], table->is_text[column],
			   column + 1 == table->columns, out);
	}
}
