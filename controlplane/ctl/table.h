/* SPDX-License-Identifier: Apache-2.0 */
/* Text tables that fit a terminal. */
#ifndef FENDER_CONTROLPLANE_CTL_TABLE_H
#define FENDER_CONTROLPLANE_CTL_TABLE_H

#include <stdio.h>

enum { TABLE_WIDTH = 80, TABLE_COLUMNS = 10 };

struct table;

/**
 * table_create() - @titles: column titles separated by '|', at most TABLE_COLUMNS. Those that
 * start with '<' are left-aligned text, which is cut with "…" where the table would be wider
 * than TABLE_WIDTH; the others are right-aligned and never cut. NULL: out of memory.
 */
struct table *table_create(const char *titles);
void table_free(struct table *table);

/* Add a cell (copied) to the last row; a full row starts the next. */
void table_cell(struct table *table, const char *text);

/* Nothing without a cell. */
void table_print(const struct table *table, FILE *out);

#endif
