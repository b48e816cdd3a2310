/* SPDX-License-Identifier: Apache-2.0 */
/* Columns, order and filter of top's tables, and what keys do. */
#include "controlplane/ctl/top_state.h"

#include <curses.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/dataplane/suite.h"

static const char before_text[] =
	"{'time_ns': 1000000000,"
	" 'listeners': [{'name': 'front', 'cluster': 'beta', 'started': 0, 'rejected': 0, "
	"'rejected_by_reason': {},"
	"  'limits': {'packets': {'passed': 5, 'rate_limited_source': 1}}}],"
	" 'clusters': [{'name': 'alpha', 'started': 0, 'succeeded': 0, 'failed': 0, 'rejected': 0},"
	"  {'name': 'beta', 'started': 0, 'succeeded': 0, 'failed': 0, 'rejected': 0},"
	"  {'name': 'Gamma', 'started': 0}],"
	" 'endpoints': [{'cluster': 'alpha', 'address': '10.0.0.1:80', 'started': 0},"
	"  {'cluster': 'beta', 'address': '10.0.0.1:80', 'started': 0},"
	"  {'cluster': 'beta', 'address': '10.0.0.2:80', 'started': 0}]}";

static const char now_text[] =
	"{'time_ns': 2000000000,"
	" 'listeners': [{'name': 'front', 'cluster': 'beta', 'started': 20, 'in_flight': 3,"
	"  'rejected': 12, 'rejected_by_reason': {'queue_full': 2, 'circuit_open': 10},"
	"  'limits': {'packets': {'passed': 50, 'rate_limited_source': 4, 'marked': 1,"
	"   'would_rate_limit_source': 7}}}],"
	" 'clusters': [{'name': 'alpha', 'started': 5, 'succeeded': 4, 'failed': 1, 'rejected': 0,"
	"   'bulkhead': {'mode': 'enforce', 'scope': 'cluster', 'in_flight': 64,"
	"   'max_concurrent': 64, 'queued': 3, 'max_queue': 10},"
	"   'breaker': {'mode': 'enforce', 'phase': 'open', 'override': 'none', 'until_ms': 3000},"
	"   'latency': {'first_byte': {'p50_us': 250, 'p99_us': 12000}}},"
	"  {'name': 'beta', 'started': 15, 'succeeded': 15, 'failed': 0, 'rejected': 0,"
	"   'in_flight': 2, 'bulkhead': {'scope': 'source', 'in_flight': 9, 'max_concurrent': 1}},"
	"  {'name': 'Gamma', 'started': 9}],"
	" 'endpoints': [{'cluster': 'alpha', 'address': '10.0.0.1:80', 'started': 5},"
	"  {'cluster': 'beta', 'address': '10.0.0.1:80', 'started': 5, 'drained': true},"
	"  {'cluster': 'beta', 'address': '10.0.0.2:80', 'started': 10,"
	"   'breaker': {'phase': 'open', 'until_ms': 9000}}]}";

static struct top_model model;
static struct top_list list;
static struct top_state state;

/* JSON with ' for ". */
static void take(const char *text)
{
	char copy[4096];
	json_t *json;

	snprintf(copy, sizeof(copy), "%s", text);
	for (char *c = copy; *c; c++)
		if (*c == '\'')
			*c = '"';
	json = json_loads(copy, 0, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(json);
	CU_ASSERT_EQUAL(top_model_take(&model, json), 0);
	json_decref(json);
}

static void make_list(void)
{
	struct top_query query = top_state_query(&state);

	CU_ASSERT_EQUAL(top_list_make(&list, &model, &query), 0);
	top_state_follow(&state, &model, &list);
}

static void begin(void)
{
	top_model_clear(&model);
	top_state_start(&state);
	state.page = 10;
	take(before_text);
	take(now_text);
	make_list();
}

static void press(int key)
{
	CU_ASSERT(top_state_key(&state, &model, &list, key));
	make_list();
}

static void type(const char *text)
{
	for (; *text; text++)
		press((unsigned char)*text);
}

/* Column @title of row @i, "?" if there is no such column. */
static const char *cell(enum top_table table, size_t i, const char *title)
{
	static struct top_cell out;
	const struct top_column *columns;
	size_t count = top_columns(table, &columns);

	for (size_t c = 0; c < count; c++) {
		if (strcmp(columns[c].title, title) != 0)
			continue;
		top_column_fill(&columns[c], &model, &model.tables[table].rows[i], &out);
		return out.text;
	}
	return "?";
}

/* The names of the rows shown, with blanks between them. */
static const char *shown(void)
{
	static char text[512];
	size_t at = 0;

	text[0] = '\0';
	for (size_t i = 0; i < list.count; i++) {
		const struct top_row *row = &model.tables[state.table].rows[list.entries[i].row];

		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s", i ? " " : "",
				       view_text(row->pair.now, state.table == TOP_ENDPOINTS
									? "address"
									: "name"));
	}
	return text;
}

static const char *selected(void)
{
	return state.places[state.table].selected;
}

static void cells_say_what_happened(void)
{
	static const struct {
		enum top_table table;
		size_t row;
		const char *title;
		const char *text;
	} rows[] = {
		{TOP_LISTENERS, 0, "LISTENER", "front"},
		{TOP_LISTENERS, 0, "CALLS/s", "20"},
		{TOP_LISTENERS, 0, "ACTIVE", "3"},
		{TOP_LISTENERS, 0, "LIMITED/s", "4.0"},
		{TOP_LISTENERS, 0, "REJECT/s", "12"},
		{TOP_LISTENERS, 0, "TOP REASON", "circuit_open"},
		{TOP_CLUSTERS, 0, "OK%", "80.0"},
		{TOP_CLUSTERS, 0, "P50", "250us"},
		{TOP_CLUSTERS, 0, "P99", "12.0ms"},
		{TOP_CLUSTERS, 0, "BREAKER", "open 3s"},
		{TOP_CLUSTERS, 0, "ACTIVE", "64/64"},
		{TOP_CLUSTERS, 0, "QUEUE", "3/10"},
		{TOP_CLUSTERS, 1, "OK%", "100"},
		{TOP_CLUSTERS, 1, "P50", "-"},
		{TOP_CLUSTERS, 1, "ACTIVE", "2"},
		{TOP_CLUSTERS, 2, "OK%", "-"},
		{TOP_CLUSTERS, 2, "RETRY/s", "-"},
		{TOP_ENDPOINTS, 0, "STATE", "ok"},
		{TOP_ENDPOINTS, 0, "EJECTED", ""},
		{TOP_ENDPOINTS, 1, "STATE", "drained"},
		{TOP_ENDPOINTS, 1, "SHARE%", "33.3"},
		{TOP_ENDPOINTS, 2, "STATE", "ejected"},
		{TOP_ENDPOINTS, 2, "EJECTED", "9s"},
	};

	begin();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *text = cell(rows[i].table, rows[i].row, rows[i].title);

		CU_ASSERT_STRING_EQUAL(text, rows[i].text);
	}
}

static void small_rates_are_not_zero(void)
{
	static const struct {
		double rate;
		const char *text;
	} rows[] = {{0, "0"},      {0.001, "0.1"}, {0.25, "0.2"},
		    {9.94, "9.9"}, {9.96, "10"},   {12345, "12.3k"}};
	char text[FORMAT_BYTES];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		top_rate_text(text, rows[i].rate);
		CU_ASSERT_STRING_EQUAL(text, rows[i].text);
	}
}

static void columns_fit_every_width(void)
{
	for (int table = 0; table < TOP_TABLES; table++) {
		for (int width = 1; width < 300; width++) {
			int widths[TOP_COLUMNS_MAX], sum = -TOP_GAP;

			top_columns_fit((enum top_table)table, width, widths);
			for (int c = 0; c < TOP_COLUMNS_MAX; c++)
				sum += widths[c] ? widths[c] + TOP_GAP : 0;
			CU_ASSERT_EQUAL(sum, width);
		}
	}
}

static void the_filter_looks_into_texts(void)
{
	begin();
	CU_ASSERT_STRING_EQUAL(shown(), "alpha beta Gamma");
	type("/GA");
	CU_ASSERT(state.is_typing);
	CU_ASSERT_STRING_EQUAL(shown(), "Gamma");
	type("q\xc3\xb6");
	CU_ASSERT_STRING_EQUAL(shown(), "");
	press(KEY_BACKSPACE); /* both bytes of a character */
	CU_ASSERT_STRING_EQUAL(state.filter, "GAq");
	press(127);
	CU_ASSERT_STRING_EQUAL(shown(), "Gamma");
	press('\r');
	CU_ASSERT(!state.is_typing);
	press(27);
	CU_ASSERT_STRING_EQUAL(shown(), "alpha beta Gamma");
	press('\t');
	type("/drained\n");
	CU_ASSERT_STRING_EQUAL(shown(), "10.0.0.1:80");
	type("/");
	press(27);
	CU_ASSERT_STRING_EQUAL(state.filter, "");
}

static void a_long_filter_is_cut(void)
{
	begin();
	type("/");
	for (int i = 0; i < 3 * TOP_FILTER_BYTES; i++)
		press('x');
	CU_ASSERT_EQUAL(strlen(state.filter), TOP_FILTER_BYTES - 1);
	for (int i = 0; i < 3 * TOP_FILTER_BYTES; i++)
		press(KEY_BACKSPACE);
	CU_ASSERT_STRING_EQUAL(state.filter, "");
}

static void sorting_goes_through_the_columns(void)
{
	const struct top_column *columns;
	size_t count = top_columns(TOP_CLUSTERS, &columns);

	begin();
	press('s'); /* the name */
	CU_ASSERT_STRING_EQUAL(shown(), "alpha beta Gamma");
	press('r');
	CU_ASSERT_STRING_EQUAL(shown(), "Gamma beta alpha");
	press('s'); /* calls */
	CU_ASSERT_STRING_EQUAL(shown(), "beta Gamma alpha");
	press('r');
	CU_ASSERT_STRING_EQUAL(shown(), "alpha Gamma beta");
	press('s'); /* OK%: unknown is last, also the other way round */
	CU_ASSERT_STRING_EQUAL(shown(), "beta alpha Gamma");
	press('r');
	CU_ASSERT_STRING_EQUAL(shown(), "alpha beta Gamma");
	for (size_t i = 2; i < count; i++)
		press('s');
	CU_ASSERT_EQUAL(state.places[TOP_CLUSTERS].sort, -1);
}

static void the_selection_follows_its_row(void)
{
	begin();
	press(KEY_DOWN);
	CU_ASSERT_STRING_EQUAL(selected(), "beta");
	type("ss");
	CU_ASSERT_STRING_EQUAL(shown(), "beta Gamma alpha");
	CU_ASSERT_STRING_EQUAL(selected(), "beta");
	CU_ASSERT_EQUAL(state.places[TOP_CLUSTERS].at, 0);
	type("/alpha\n");
	CU_ASSERT_STRING_EQUAL(selected(), "alpha");
	type("/");
	press(27);
	CU_ASSERT_STRING_EQUAL(selected(), "alpha");
	CU_ASSERT_EQUAL(state.places[TOP_CLUSTERS].at, 2);
}

static void moving_stays_in_the_list(void)
{
	begin();
	state.page = 2;
	press(KEY_UP);
	CU_ASSERT_EQUAL(state.places[TOP_CLUSTERS].at, 0);
	press(KEY_NPAGE);
	press(KEY_NPAGE);
	press(KEY_NPAGE);
	CU_ASSERT_EQUAL(state.places[TOP_CLUSTERS].at, 2);
	CU_ASSERT_EQUAL(state.places[TOP_CLUSTERS].first, 1);
	press(KEY_HOME);
	CU_ASSERT_EQUAL(state.places[TOP_CLUSTERS].first, 0);
	press(KEY_END);
	CU_ASSERT_STRING_EQUAL(selected(), "Gamma");
	press(KEY_PPAGE);
	CU_ASSERT_STRING_EQUAL(selected(), "beta");
	press(KEY_END);
	state.page = 10; /* the window grew */
	make_list();
	CU_ASSERT_EQUAL(state.places[TOP_CLUSTERS].first, 0);
	state.page = 0;
	make_list();
	type("/nothing of this name");
	CU_ASSERT_EQUAL(list.count, 0);
	press('\n');
	press(KEY_DOWN);
	press(KEY_END);
	press('\n');
	CU_ASSERT_EQUAL(state.table, TOP_CLUSTERS);
}

static void enter_goes_to_the_endpoints(void)
{
	begin();
	press(KEY_DOWN);
	press('\r');
	CU_ASSERT_EQUAL(state.table, TOP_ENDPOINTS);
	CU_ASSERT_STRING_EQUAL(shown(), "10.0.0.1:80 10.0.0.2:80");
	press('\r');
	press(27);
	CU_ASSERT_EQUAL(state.table, TOP_CLUSTERS);
	press(KEY_LEFT);
	press(KEY_ENTER);
	CU_ASSERT_STRING_EQUAL(state.cluster, "beta");
	press(KEY_RIGHT);
	CU_ASSERT_EQUAL(state.table, TOP_LISTENERS);
	press(KEY_BTAB);
	CU_ASSERT_STRING_EQUAL(shown(), "10.0.0.1:80 10.0.0.1:80 10.0.0.2:80");
}

static void other_keys(void)
{
	begin();
	press('p');
	CU_ASSERT(state.is_paused);
	press(' ');
	CU_ASSERT(!state.is_paused);
	press('?');
	press(KEY_RESIZE);
	CU_ASSERT(state.is_help);
	press('s');
	CU_ASSERT(!state.is_help);
	CU_ASSERT_EQUAL(state.places[TOP_CLUSTERS].sort, -1);
	for (int key = 0; key < KEY_MAX; key++)
		if (key != 'q' && key != '/')
			press(key);
	type("/q\n");
	CU_ASSERT_STRING_EQUAL(state.filter, "q");
	press('?');
	CU_ASSERT(!top_state_key(&state, &model, &list, 'q'));
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(cells_say_what_happened),
		SUITE_TEST(small_rates_are_not_zero),
		SUITE_TEST(columns_fit_every_width),
		SUITE_TEST(the_filter_looks_into_texts),
		SUITE_TEST(a_long_filter_is_cut),
		SUITE_TEST(sorting_goes_through_the_columns),
		SUITE_TEST(the_selection_follows_its_row),
		SUITE_TEST(moving_stays_in_the_list),
		SUITE_TEST(enter_goes_to_the_endpoints),
		SUITE_TEST(other_keys),
		CU_TEST_INFO_NULL,
	};
	int rc = suite_run("top_state", tests);

	top_model_clear(&model);
	top_list_clear(&list);
	return rc;
}
