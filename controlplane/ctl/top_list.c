/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/ctl/top_list.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int is_wanted(const struct top_model *model, const struct top_query *query,
		     const struct top_row *row)
{
	const struct top_column *columns;
	size_t count = top_columns(query->table, &columns);
	struct top_cell cell;

	if (query->table == TOP_ENDPOINTS && *query->cluster &&
	    strcmp(view_text(row->pair.now, "cluster"), query->cluster) != 0)
		return 0;
	for (size_t c = 0; c < count && *query->filter; c++) {
		if (!columns[c].is_text)
			continue;
		top_column_fill(&columns[c], model, row, &cell);
		if (strcasestr(cell.text, query->filter))
			return 1;
	}
	return !*query->filter;
}

static void set_order(struct top_entry *entry, const struct top_model *model,
		      const struct top_query *query)
{
	const struct top_column *columns;
	struct top_cell cell;

	top_columns(query->table, &columns);
	top_column_fill(&columns[query->sort], model, &model->tables[query->table].rows[entry->row],
			&cell);
	entry->order = cell.order;
	snprintf(entry->text, sizeof(entry->text), "%.*s", TOP_ORDER_BYTES - 1, cell.text);
}

static int by_place(const struct top_entry *x, const struct top_entry *y)
{
	return x->row < y->row ? -1 : x->row > y->row;
}

static int compare_texts(const void *a, const void *b, void *reversed)
{
	const struct top_entry *x = a, *y = b;
	int order = strcasecmp(x->text, y->text);

	if (!*x->text != !*y->text)
		return *x->text ? -1 : 1;
	if (order == 0)
		return by_place(x, y);
	return *(const int *)reversed ? -order : order;
}

static int compare_numbers(const void *a, const void *b, void *reversed)
{
	const struct top_entry *x = a, *y = b;

	if (isnan(x->order) || isnan(y->order))
		return isnan(x->order) == isnan(y->order) ? by_place(x, y)
		       : isnan(x->order)                  ? 1
							  : -1;
	if (x->order == y->order)
		return by_place(x, y);
	return (x->order < y->order) == !*(const int *)reversed ? 1 : -1;
}

static void sort(struct top_list *list, const struct top_model *model,
		 const struct top_query *query)
{
	const struct top_column *columns;
	int reversed = query->reversed;

	top_columns(query->table, &columns);
	for (size_t i = 0; i < list->count; i++)
		set_order(&list->entries[i], model, query);
	qsort_r(list->entries, list->count, sizeof(*list->entries),
		columns[query->sort].is_text ? compare_texts : compare_numbers, &reversed);
}

int top_list_make(struct top_list *list, const struct top_model *model,
		  const struct top_query *query)
{
	const struct top_rows *table = &model->tables[query->table];

	if (table->count > list->capacity) {
		void *grown = realloc(list->entries, table->count * sizeof(*list->entries));

		if (!grown)
			return -ENOMEM;
		list->entries = grown;
		list->capacity = table->count;
	}
	list->count = 0;
	for (size_t i = 0; i < table->count; i++)
		if (is_wanted(model, query, &table->rows[i]))
			list->entries[list->count++].row = i;
	if (query->sort >= 0 && list->count > 1)
		sort(list, model, query);
	return 0;
}

void top_list_clear(struct top_list *list)
{
	free(list->entries);
	*list = (struct top_list){0};
}
