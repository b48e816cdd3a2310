/* SPDX-License-Identifier: Apache-2.0 */
/* The columns of top's tables. Pure. */
#ifndef FENDER_CONTROLPLANE_CTL_TOP_COLUMNS_H
#define FENDER_CONTROLPLANE_CTL_TOP_COLUMNS_H

#include <stddef.h>

#include "controlplane/ctl/format.h"
#include "controlplane/ctl/terminal.h"
#include "controlplane/ctl/top_model.h"

enum { TOP_CELL_BYTES = 256, TOP_COLUMNS_MAX = 10 };

struct top_cell {
	char text[TOP_CELL_BYTES];
	double order; /* of a number, for sorting; NAN: unknown */
	enum colour colour;
};

struct top_column {
	const char *title;
	int width;   /* columns; the first takes what the others leave, this at least */
	int is_text; /* left-aligned, sorted by its letters */
	int rank;    /* the highest is left out first where the terminal is narrow */
	/* What differs from an empty cell. */
	void (*fill)(const struct top_model *model, const struct top_row *row,
		     struct top_cell *out);
};

/* Of @table; the first column is what the row is called. Return: how many. */
size_t top_columns(enum top_table table, const struct top_column **out);

void top_column_fill(const struct top_column *column, const struct top_model *model,
		     const struct top_row *row, struct top_cell *out);

/**
 * top_columns_fit() - which columns a terminal has room for
 * @widths: of each of the table's columns, 0: left out
 */
void top_columns_fit(enum top_table table, int terminal_width, int widths[TOP_COLUMNS_MAX]);

enum { TOP_GAP = 2 };

/* "0", "0.3", "12", "12.3k", "-". */
void top_rate_text(char out[FORMAT_BYTES], double rate);

#endif
