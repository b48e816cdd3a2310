/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/ctl/top_draw.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/ctl/format.h"
#include "controlplane/ctl/top_screen.h"

enum {
	HEAD_TALL = 4,    /* lines above the tables */
	HEAD_SMALL = 2,   /* on a small terminal */
	SMALL_LINES = 14, /* what is one */
	TABLE_LINES = 3,  /* names of the tables, titles; the last line of the screen */
};

static int head_lines(void)
{
	return getmaxy(stdscr) < SMALL_LINES ? HEAD_SMALL : HEAD_TALL;
}

size_t top_draw_page(void)
{
	int lines = getmaxy(stdscr) - head_lines() - TABLE_LINES;

	return lines > 0 ? (size_t)lines : 0;
}

/* -- head -------------------------------------------------------------------------------- */

static void draw_dataplane(const struct top_model *m, int x)
{
	const json_t *dataplane = json_object_get(m->now, "dataplane");
	const char *state = view_text(dataplane, "state");
	int is_up = strcmp(state, "up") == 0;
	char up[FORMAT_BYTES], text[TOP_TEXT_BYTES];

	format_duration(up, view_number(dataplane, "uptime_ms") / 1000);
	snprintf(text, sizeof(text), "dataplane %.20s%s%s", state, is_up ? " " : "",
		 is_up ? up : "");
	x += top_put(0, x, TOP_TEXT_BYTES, top_attribute(is_up ? COLOUR_GOOD : COLOUR_BAD), text) +
	     2;
	snprintf(text, sizeof(text), "generation %.0f  restarts %.0f  version %s",
		 view_number(m->now, "generation"), view_number(dataplane, "restarts"),
		 view_text(m->now, "version"));
	top_put(0, x, TOP_TEXT_BYTES, A_NORMAL, text);
}

static void draw_workers(const struct top_model *m, int y)
{
	const json_t *connections = json_object_get(m->now, "connections");
	char used[FORMAT_BYTES], capacity[FORMAT_BYTES], text[TOP_TEXT_BYTES];
	const json_t *workers = json_object_get(m->now, "workers");
	int x;

	format_count(used, view_number(connections, "used"));
	format_count(capacity, view_number(connections, "capacity"));
	snprintf(text, sizeof(text), "connections %s/%s  busy", used, capacity);
	x = top_put(y, 0, TOP_TEXT_BYTES, A_NORMAL, text);
	for (size_t i = 0; i < json_array_size(workers) && x < getmaxx(stdscr); i++) {
		const char *state = view_text(json_array_get(workers, i), "state");
		double busy = top_model_busy(m, i);

		if (strcmp(state, "running") != 0)
			snprintf(text, sizeof(text), "  w%zu %.16s", i, state);
		else if (isnan(busy))
			snprintf(text, sizeof(text), "  w%zu -", i);
		else
			snprintf(text, sizeof(text), "  w%zu %.0f%%", i, busy * 100);
		x += top_put(y, x, TOP_TEXT_BYTES, A_NORMAL, text);
	}
}

static void draw_spark(int y, const char *name, double rate, const struct top_history *history)
{
	enum { NAME = 10, RATE = 7 };
	int width = getmaxx(stdscr) - NAME - RATE - 1;
	char text[FORMAT_BYTES], bars[SPARK_BYTES];

	top_rate_text(text, rate);
	top_put(y, 0, NAME, A_NORMAL, name);
	top_put_right(y, NAME, RATE, A_BOLD, text);
	if (width <= 0)
		return;
	if (width > TOP_HISTORY_S)
		width = TOP_HISTORY_S;
	top_history_spark(history, (unsigned int)width, top_screen_utf8(), bars);
	top_put(y, NAME + RATE + 1, width, top_attribute(COLOUR_GOOD), bars);
}

static void draw_head(const struct top_frame *frame)
{
	const struct top_model *m = frame->model;
	int x = top_put(0, 0, TOP_TEXT_BYTES, A_BOLD, view_text(m->now, "instance")) + 2;
	int y = 1;

	draw_dataplane(m, x);
	if (head_lines() == HEAD_TALL)
		draw_workers(m, y++);
	draw_spark(y++, "calls/s", top_model_calls(m), &m->calls);
	if (head_lines() == HEAD_TALL)
		draw_spark(y, "packets/s", top_model_packets(m), &m->packets);
}

/* -- tables ------------------------------------------------------------------------------ */

static void draw_tabs(const struct top_frame *frame, int y)
{
	static const char *const names[] = {"listeners", "clusters", "endpoints"};
	const struct top_state *state = frame->state;
	char text[TOP_TEXT_BYTES];
	int x = 0;

	for (int t = 0; t < TOP_TABLES; t++) {
		int is_shown = t == (int)state->table;

		snprintf(text, sizeof(text), is_shown ? "[%s %zu]" : " %s %zu ", names[t],
			 frame->model->tables[t].count);
		x += top_put(y, x, TOP_TEXT_BYTES, is_shown ? A_REVERSE : A_NORMAL, text);
	}
	x++;
	if (state->table == TOP_ENDPOINTS && state->cluster[0]) {
		snprintf(text, sizeof(text), "of %s", state->cluster);
		x += top_put(y, x, TOP_TEXT_BYTES, A_BOLD, text) + 1;
	}
	if (state->filter[0]) {
		snprintf(text, sizeof(text), "filter %s: %zu", state->filter, frame->list->count);
		top_put(y, x, TOP_TEXT_BYTES, A_BOLD, text);
	}
}

static void draw_titles(const struct top_frame *frame, int y, const int *widths)
{
	const struct top_place *place = &frame->state->places[frame->state->table];
	const struct top_column *columns;
	size_t count = top_columns(frame->state->table, &columns);
	int x = 0;

	for (size_t c = 0; c < count; c++) {
		attr_t attr = A_BOLD | ((int)c == place->sort ? A_REVERSE : A_UNDERLINE);

		if (widths[c] == 0)
			continue;
		if (columns[c].is_text)
			top_put(y, x, widths[c], attr, columns[c].title);
		else
			top_put_right(y, x, widths[c], attr, columns[c].title);
		x += widths[c] + TOP_GAP;
	}
}

static void draw_row(const struct top_frame *frame, int y, const int *widths, size_t at)
{
	const enum top_table table = frame->state->table;
	const struct top_row *row = &frame->model->tables[table].rows[frame->list->entries[at].row];
	int is_selected = at == frame->state->places[table].at;
	const struct top_column *columns;
	size_t count = top_columns(table, &columns);
	struct top_cell cell;
	int x = 0;

	for (size_t c = 0; c < count; c++) {
		if (widths[c] == 0)
			continue;
		top_column_fill(&columns[c], frame->model, row, &cell);
		if (columns[c].is_text)
			top_put(y, x, widths[c], top_attribute(cell.colour), cell.text);
		else
			top_put_right(y, x, widths[c], top_attribute(cell.colour), cell.text);
		x += widths[c] + TOP_GAP;
	}
	if (is_selected)
		top_highlight(y);
}

static void draw_table(const struct top_frame *frame, int y)
{
	const struct top_place *place = &frame->state->places[frame->state->table];
	size_t end = place->first + top_draw_page();
	int widths[TOP_COLUMNS_MAX];

	top_columns_fit(frame->state->table, getmaxx(stdscr), widths);
	draw_tabs(frame, y++);
	draw_titles(frame, y++, widths);
	if (frame->list->count == 0)
		top_put(y, 0, TOP_TEXT_BYTES, A_NORMAL, "none");
	for (size_t at = place->first; at < end && at < frame->list->count; at++)
		draw_row(frame, y++, widths, at);
}

/* -- the rest ---------------------------------------------------------------------------- */

static void draw_foot(const struct top_frame *frame)
{
	const struct top_state *state = frame->state;
	const int y = getmaxy(stdscr) - 1;
	char text[TOP_TEXT_BYTES], since[FORMAT_BYTES];

	if (state->is_typing) {
		snprintf(text, sizeof(text), "filter: %s_  (enter: keep it, esc: none)",
			 state->filter);
		top_put(y, 0, TOP_TEXT_BYTES, A_BOLD, text);
	} else if (!isnan(frame->away_s)) {
		format_duration(since, frame->away_s);
		snprintf(text, sizeof(text), "waiting for instance %s: no answer for %s",
			 view_text(frame->model->now, "instance"), since);
		top_put(y, 0, TOP_TEXT_BYTES, top_attribute(COLOUR_BAD) | A_BOLD, text);
	} else if (state->is_paused) {
		top_put(y, 0, TOP_TEXT_BYTES, A_BOLD, "paused (p: go on)");
	} else {
		top_put(y, 0, TOP_TEXT_BYTES, A_NORMAL,
			"q quit  ? help  tab table  enter open  s sort  / filter  p pause");
	}
}

static void draw_help(void)
{
	const int foot = getmaxy(stdscr) - 1;
	static const char *const lines[] = {
		"tab, left, right   another table",
		"up, down, pages    select a row",
		"enter              the endpoints of a listener or cluster",
		"esc, backspace     back: the filter first, then the cluster",
		"s, r               sort by the next column; the other way round",
		"/                  rows with this text in a name or a state only",
		"p, space           pause: nothing moves",
		"q                  quit",
		"",
		"busy       of a worker's turns, those that found work",
		"OK%        of the calls that ended, cancelled ones left out",
		"P50, P99   time to first byte, of all calls since the start",
		"ACTIVE     calls under way, or permits in use of those there are",
		"LIMITED/s  packets that rate limits refused; ~ only observed",
		"SHARE%     of its cluster's calls",
		"EJECTED    endpoints; of an endpoint, how long it lasts yet",
	};

	for (int i = 0; i < (int)(sizeof(lines) / sizeof(lines[0])) && i < foot; i++)
		top_put(i, 0, TOP_TEXT_BYTES, A_NORMAL, lines[i]);
	top_put(foot, 0, TOP_TEXT_BYTES, A_BOLD, "any key: back");
}

void top_draw(const struct top_frame *frame)
{
	erase();
	if (frame->state->is_help) {
		draw_help();
	} else {
		draw_head(frame);
		draw_table(frame, head_lines());
		draw_foot(frame);
	}
	refresh();
}
