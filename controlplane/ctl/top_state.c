/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/ctl/top_state.h"

#include <curses.h>
#include <stdio.h>
#include <string.h>

enum { KEY_ESCAPE = 27, KEY_RUBOUT = 127, KEY_CTRL_H = 8, KEY_CTRL_U = 21, KEY_CTRL_L = 12 };

void top_state_start(struct top_state *state)
{
	*state = (struct top_state){.table = TOP_CLUSTERS, .page = 1};
	for (int t = 0; t < TOP_TABLES; t++)
		state->places[t].sort = -1;
}

struct top_query top_state_query(const struct top_state *state)
{
	const struct top_place *place = &state->places[state->table];

	return (struct top_query){.table = state->table,
				  .cluster = state->cluster,
				  .filter = state->filter,
				  .sort = place->sort,
				  .reversed = place->reversed};
}

/* -- selection --------------------------------------------------------------------------- */

static const json_t *row_at(const struct top_model *model, const struct top_state *state,
			    const struct top_list *list, size_t at)
{
	return model->tables[state->table].rows[list->entries[at].row].pair.now;
}

/* No more lines empty than must be. */
static void show_place(struct top_place *place, size_t page, size_t count)
{
	size_t last = count > page ? count - page : 0;

	if (place->first > last)
		place->first = last;
	if (place->at < place->first)
		place->first = place->at;
	else if (page > 0 && place->at >= place->first + page)
		place->first = place->at - page + 1;
}

static void select_at(struct top_state *state, const struct top_model *model,
		      const struct top_list *list, size_t at)
{
	struct top_place *place = &state->places[state->table];

	if (list->count == 0) {
		place->at = place->first = 0;
		return;
	}
	place->at = at < list->count ? at : list->count - 1;
	top_model_key(row_at(model, state, list, place->at), place->selected);
	show_place(place, state->page, list->count);
}

void top_state_follow(struct top_state *state, const struct top_model *model,
		      const struct top_list *list)
{
	const struct top_place *place = &state->places[state->table];
	char key[TOP_KEY_BYTES];
	size_t at = place->at;

	for (size_t i = 0; i < list->count && *place->selected; i++) {
		top_model_key(row_at(model, state, list, i), key);
		if (strcmp(key, place->selected) == 0) {
			at = i;
			break;
		}
	}
	select_at(state, model, list, at);
}

static void move_by(struct top_state *state, const struct top_model *model,
		    const struct top_list *list, long by)
{
	size_t at = state->places[state->table].at;

	if (by < 0 && at < (size_t)-by)
		at = 0;
	else
		at += (size_t)by;
	select_at(state, model, list, at);
}

/* -- tables ------------------------------------------------------------------------------ */

static void turn(struct top_state *state, int by)
{
	state->table = (enum top_table)((state->table + TOP_TABLES + by) % TOP_TABLES);
	state->cluster[0] = '\0';
}

/* From a listener or a cluster to the endpoints. */
static void enter(struct top_state *state, const struct top_model *model,
		  const struct top_list *list)
{
	const char *key = state->table == TOP_LISTENERS ? "cluster" : "name";
	const json_t *row;

	if (state->table == TOP_ENDPOINTS || list->count == 0)
		return;
	row = row_at(model, state, list, state->places[state->table].at);
	snprintf(state->cluster, sizeof(state->cluster), "%s", view_text(row, key));
	state->filter[0] = '\0';
	state->table = TOP_ENDPOINTS;
}

/* One step: the filter, then the cluster. */
static void leave(struct top_state *state)
{
	if (state->filter[0]) {
		state->filter[0] = '\0';
	} else if (state->cluster[0]) {
		state->cluster[0] = '\0';
		state->table = TOP_CLUSTERS;
	}
}

/* The next column, at last the policy's order. */
static void sort_next(struct top_state *state)
{
	struct top_place *place = &state->places[state->table];
	const struct top_column *columns;

	place->sort++;
	if ((size_t)place->sort >= top_columns(state->table, &columns))
		place->sort = -1;
	place->reversed = 0;
}

/* -- keys -------------------------------------------------------------------------------- */

static int is_rubout(int key)
{
	return key == KEY_BACKSPACE || key == KEY_RUBOUT || key == KEY_CTRL_H;
}

/* Its last character, of one or more bytes. */
static void rub_out(char *filter)
{
	size_t bytes = strlen(filter);

	while (bytes > 0 && ((unsigned char)filter[bytes - 1] & 0xc0) == 0x80)
		bytes--;
	filter[bytes > 0 ? bytes - 1 : 0] = '\0';
}

static void type_filter(struct top_state *state, int key)
{
	size_t bytes = strlen(state->filter);

	if (key == '\n' || key == '\r' || key == KEY_ENTER) {
		state->is_typing = 0;
	} else if (key == KEY_ESCAPE) {
		state->is_typing = 0;
		state->filter[0] = '\0';
	} else if (is_rubout(key)) {
		rub_out(state->filter);
	} else if (key == KEY_CTRL_U) {
		state->filter[0] = '\0';
	} else if (key >= ' ' && key < 256 && bytes + 1 < sizeof(state->filter)) {
		state->filter[bytes] = (char)key;
		state->filter[bytes + 1] = '\0';
	}
}

static void press(struct top_state *state, const struct top_model *model,
		  const struct top_list *list, int key)
{
	const long page = state->page > 1 ? (long)state->page - 1 : 1;

	switch (key) {
	case '\t':
	case KEY_RIGHT:
		turn(state, 1);
		break;
	case KEY_BTAB:
	case KEY_LEFT:
		turn(state, -1);
		break;
	case KEY_UP:
	case 'k':
		move_by(state, model, list, -1);
		break;
	case KEY_DOWN:
	case 'j':
		move_by(state, model, list, 1);
		break;
	case KEY_PPAGE:
		move_by(state, model, list, -page);
		break;
	case KEY_NPAGE:
		move_by(state, model, list, page);
		break;
	case KEY_HOME:
		select_at(state, model, list, 0);
		break;
	case KEY_END:
		select_at(state, model, list, list->count);
		break;
	case '\n':
	case '\r':
	case KEY_ENTER:
		enter(state, model, list);
		break;
	case 's':
		sort_next(state);
		break;
	case 'r':
		state->places[state->table].reversed ^= 1;
		break;
	case '/':
		state->is_typing = 1;
		break;
	case 'p':
	case ' ':
		state->is_paused ^= 1;
		break;
	case '?':
	case 'h':
		state->is_help = 1;
		break;
	default:
		if (key == KEY_ESCAPE || is_rubout(key))
			leave(state);
		break;
	}
}

int top_state_key(struct top_state *state, const struct top_model *model,
		  const struct top_list *list, int key)
{
	if (key == KEY_RESIZE || key == KEY_CTRL_L)
		return 1;
	if (state->is_typing) {
		type_filter(state, key);
		return 1;
	}
	if (key == 'q')
		return 0;
	if (state->is_help)
		state->is_help = 0;
	else
		press(state, model, list, key);
	return 1;
}
