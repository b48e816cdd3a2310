/* SPDX-License-Identifier: Apache-2.0 */
/* Two answers of GET /stats side by side, and cells of tables made from them. */
#ifndef FENDER_CONTROLPLANE_CTL_VIEW_H
#define FENDER_CONTROLPLANE_CTL_VIEW_H

#include <jansson.h>
#include <stdio.h>

#include "controlplane/ctl/table.h"

struct view {
	const json_t *now;
	const json_t *before;
	double seconds; /* between the two; 0: totals */
	FILE *out;
};

/* A row of a table and what it was before. */
struct pair {
	const json_t *now;
	const json_t *before;
};

const char *view_text(const json_t *row, const char *key);
double view_number(const json_t *row, const char *key);

/* A counter: since the start, or a second. Not negative when the region was made anew. */
double view_counter(const struct view *view, struct pair row, const char *key);

size_t view_rows(const struct view *view, const char *key);
/* Row @i of list @key, with the row of the same name before: mostly in the same place. */
struct pair view_row_at(const struct view *view, const char *key, size_t i);
struct pair view_section(const struct view *view, const char *key);

void view_cell_count(struct table *table, double value);
void view_cell_bytes(struct table *table, double value);

#endif
