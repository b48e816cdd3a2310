/* SPDX-License-Identifier: Apache-2.0 */
/* Text tables that fit a terminal. */
#ifndef FENDER_CONTROLPLANE_CTL_TABLE_H
#define FENDER_CONTROLPLANE_CTL_TABLE_H

#include <stdio.h>

#include "controlplane/ctl/terminal.h"

enum { TABLE_WIDTH = TERMINAL_WIDTH, TABLE_COLUMNS = 12 };

struct table;

/**
 * table_create() - @titles: column titles separated by '|', at most TABLE_COLUMNS. Those that
 * start with '<' are left-aligned text, which is cut with "…" where the table would be wider
 * than the terminal; so are those with '=', but only on a terminal and when cutting the others
 * is not enough. The rest are right-aligned and never cut. NULL: out of memory.
 */
struct table *table_create(const char *titles);
void table_free(struct table *table);

/*
 * Add a cell (copied) to the last row; a full row starts the next. Control characters become
 * '?': what is shown may be anybody's.
 */
void table_cell(struct table *table, const char *text);
void table_cell_colour(struct table *table, const char *text, enum colour colour);

/* Nothing without a cell. */
void table_print(const struct table *table, FILE *out);

/* Terminal columns of UTF-8 text: one a character. */
size_t text_columns(const char *text);
/* Bytes of the first @columns columns of @text, or of all of it. */
size_t text_bytes(const char *text, size_t columns);

#endif
