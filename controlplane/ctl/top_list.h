/* SPDX-License-Identifier: Apache-2.0 */
/* Which rows of a table top shows, in which order. Pure. */
#ifndef FENDER_CONTROLPLANE_CTL_TOP_LIST_H
#define FENDER_CONTROLPLANE_CTL_TOP_LIST_H

#include "controlplane/ctl/top_columns.h"

enum { TOP_ORDER_BYTES = 64 };

struct top_entry {
	size_t row; /* of the model's table */
	double order;
	char text[TOP_ORDER_BYTES];
};

/* Zeroed: empty. */
struct top_list {
	struct top_entry *entries;
	size_t count;
	size_t capacity;
};

struct top_query {
	enum top_table table;
	const char *cluster; /* endpoints of this one only; "": of all */
	const char *filter;  /* stands in one of the text columns, in upper or lower case */
	int sort; /* by this column: numbers fall, letters rise; -1: the policy's order */
	int reversed;
};

/* Rows of which the column says nothing are last. Return 0 or -ENOMEM (the list is as it was). */
int top_list_make(struct top_list *list, const struct top_model *model,
		  const struct top_query *query);

void top_list_clear(struct top_list *list);

#endif
