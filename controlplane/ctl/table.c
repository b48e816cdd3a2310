/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/ctl/table.h"

#include <stdlib.h>
#include <string.h>

enum { GAP = 2, NARROWEST_TEXT = 8 };

enum column_kind { COLUMN_NUMBER, COLUMN_TEXT, COLUMN_KEPT_TEXT };

struct cell {
	char *text;
	enum colour colour;
};

struct table {
	size_t columns;
	char *titles[TABLE_COLUMNS];
	enum column_kind kinds[TABLE_COLUMNS];
	struct cell *cells;
	size_t cell_count;
	size_t capacity;
};

static int is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

size_t text_columns(const char *text)
{
	size_t columns = 0;

	for (; *text; text++)
		columns += !is_continuation(*text);
	return columns;
}

size_t text_bytes(const char *text, size_t columns)
{
	size_t bytes = 0;

	for (; text[bytes]; bytes++)
		if (!is_continuation(text[bytes]) && columns-- == 0)
			break;
	return bytes;
}

static enum column_kind kind_of(char mark)
{
	return mark == '<' ? COLUMN_TEXT : mark == '=' ? COLUMN_KEPT_TEXT : COLUMN_NUMBER;
}

struct table *table_create(const char *titles)
{
	struct table *table = calloc(1, sizeof(*table));

	while (table && table->columns < TABLE_COLUMNS) {
		size_t bytes = strcspn(titles, "|");
		enum column_kind kind = kind_of(*titles);
		size_t mark = kind != COLUMN_NUMBER;
		char *title = strndup(titles + mark, bytes - mark);

		if (!title) {
			table_free(table);
			return NULL;
		}
		table->kinds[table->columns] = kind;
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
		free(table->cells[i].text);
	free(table->cells);
	free(table);
}

static void make_room(struct table *table)
{
	if (table->cell_count < table->capacity)
		return;
	table->capacity = table->capacity ? 2 * table->capacity : 64;
	table->cells = realloc(table->cells, table->capacity * sizeof(*table->cells));
	if (!table->cells)
		abort();
}

void table_cell_colour(struct table *table, const char *text, enum colour colour)
{
	char *copy = strdup(text);

	if (!copy)
		abort();
	for (char *c = copy; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	make_room(table);
	table->cells[table->cell_count++] = (struct cell){copy, colour};
}

void table_cell(struct table *table, const char *text)
{
	table_cell_colour(table, text, COLOUR_NONE);
}

static void measure(const struct table *table, size_t *widths)
{
	for (size_t i = 0; i < table->columns; i++)
		widths[i] = text_columns(table->titles[i]);
	for (size_t i = 0; i < table->cell_count; i++) {
		size_t *width = &widths[i % table->columns];
		size_t columns = text_columns(table->cells[i].text);

		if (columns > *width)
			*width = columns;
	}
}

static size_t row_width(const struct table *table, const size_t *widths)
{
	size_t sum = GAP * (table->columns - 1);

	for (size_t i = 0; i < table->columns; i++)
		sum += widths[i];
	return sum;
}

/* Take from the widest column of a kind until the row fits or all are as narrow as can be. */
static void narrow(const struct table *table, size_t *widths, enum column_kind kind)
{
	while (row_width(table, widths) > (size_t)terminal()->width) {
		size_t widest = table->columns;

		for (size_t i = 0; i < table->columns; i++)
			if (table->kinds[i] == kind && widths[i] > NARROWEST_TEXT &&
			    (widest == table->columns || widths[i] > widths[widest]))
				widest = i;
		if (widest == table->columns)
			return;
		widths[widest]--;
	}
}

static void print_cell(const struct cell *cell, size_t width, enum column_kind kind, FILE *out)
{
	size_t columns = text_columns(cell->text);
	int space = columns < width ? (int)(width - columns) : 0;
	int is_cut = kind != COLUMN_NUMBER && columns > width;
	size_t bytes = text_bytes(cell->text, is_cut ? width - 1 : columns);

	fprintf(out, "%*s%s%.*s%s%s%*s", kind == COLUMN_NUMBER ? space : 0, "",
		colour_begin(cell->colour), (int)bytes, cell->text, is_cut ? "…" : "",
		colour_end(cell->colour), kind == COLUMN_NUMBER ? 0 : space, "");
}

/* Without blanks at its end. */
static void print_row(const struct table *table, const struct cell *cells, const size_t *widths,
		      FILE *out)
{
	for (size_t i = 0; i < table->columns; i++) {
		int is_last = i + 1 == table->columns;
		size_t columns = text_columns(cells[i].text);
		int is_short = is_last && columns < widths[i] && table->kinds[i] != COLUMN_NUMBER;

		print_cell(&cells[i], is_short ? columns : widths[i], table->kinds[i], out);
		fprintf(out, is_last ? "\n" : "%*s", GAP, "");
	}
}

void table_print(const struct table *table, FILE *out)
{
	struct cell titles[TABLE_COLUMNS];
	size_t widths[TABLE_COLUMNS];

	if (table->columns == 0 || table->cell_count == 0)
		return;
	measure(table, widths);
	narrow(table, widths, COLUMN_TEXT);
	if (terminal()->is_tty)
		narrow(table, widths, COLUMN_KEPT_TEXT);
	for (size_t i = 0; i < table->columns; i++)
		titles[i] = (struct cell){table->titles[i], COLOUR_TITLE};
	print_row(table, titles, widths, out);
	for (size_t i = 0; i + table->columns <= table->cell_count; i += table->columns)
		print_row(table, &table->cells[i], widths, out);
}
