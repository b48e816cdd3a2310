/* SPDX-License-Identifier: Apache-2.0 */
/* What top's user has chosen, and what keys change of it. */
#ifndef FENDER_CONTROLPLANE_CTL_TOP_STATE_H
#define FENDER_CONTROLPLANE_CTL_TOP_STATE_H

#include "controlplane/ctl/top_list.h"

enum { TOP_FILTER_BYTES = 64 };

/* In one table. */
struct top_place {
	char selected[TOP_KEY_BYTES]; /* the row's key: it is followed when rows move */
	size_t at;                    /* in the list */
	size_t first;                 /* on the screen */
	int sort;                     /* as in struct top_query */
	int reversed;
};

struct top_state {
	enum top_table table;
	struct top_place places[TOP_TABLES];
	char cluster[TOP_KEY_BYTES]; /* whose endpoints; "": all */
	char filter[TOP_FILTER_BYTES];
	int is_typing; /* the filter */
	int is_paused;
	int is_help;
	size_t page; /* rows that the screen has room for */
};

void top_state_start(struct top_state *state);

/* Points into @state. */
struct top_query top_state_query(const struct top_state *state);

/* After the list was made anew: the same row stays selected, or the one in its place. */
void top_state_follow(struct top_state *state, const struct top_model *model,
		      const struct top_list *list);

/**
 * top_state_key() - a key as getch() gives it
 * @list: what is on the screen
 * Return: 0 to end.
 */
int top_state_key(struct top_state *state, const struct top_model *model,
		  const struct top_list *list, int key);

#endif
