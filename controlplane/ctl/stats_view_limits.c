/* SPDX-License-Identifier: Apache-2.0 */
/* What the rate limiter did, of GET /stats. */
#include "controlplane/ctl/stats_view.h"
#include "controlplane/ctl/view.h"

static struct pair verdicts_of(struct pair listener)
{
	return (struct pair){
		json_object_get(json_object_get(listener.now, "limits"), "packets"),
		json_object_get(json_object_get(listener.before, "limits"), "packets"),
	};
}

static double sum_of(const struct view *view, struct pair verdicts, const char *const *names)
{
	double sum = 0;

	for (; *names; names++)
		sum += view_counter(view, verdicts, *names);
	return sum;
}

static const char *const refused_otherwise[] = {"rate_limited_contended", "rate_limited_cold",
						NULL};
static const char *const observed[] = {
	"would_rate_limit_connection", "would_rate_limit_source", "would_rate_limit_listener",
	"would_rate_limit_contended",  "would_rate_limit_cold",   NULL,
};

/* Beside packets that pass. */
static int has_done_something(struct pair verdicts)
{
	size_t passed = json_object_get(verdicts.now, "passed") != NULL;

	return json_object_size(verdicts.now) > passed;
}

static void add_row(const struct view *view, struct table *table, struct pair listener)
{
	struct pair v = verdicts_of(listener);

	table_cell(table, view_text(listener.now, "name"));
	view_cell_count(table, view_counter(view, v, "passed"));
	view_cell_count(table, view_counter(view, v, "marked"));
	view_cell_count(table, view_counter(view, v, "rate_limited_connection"));
	view_cell_count(table, view_counter(view, v, "rate_limited_source"));
	view_cell_count(table, view_counter(view, v, "rate_limited_listener"));
	view_cell_count(table, sum_of(view, v, refused_otherwise));
	view_cell_count(table, sum_of(view, v, observed));
}

void stats_view_limits(struct view *view)
{
	struct table *table = table_create("<RATE LIMITS|PASSED|MARKED|CONNECTION|SOURCE|LISTENER|"
					   "OTHER|WOULD");
	int any = 0;

	for (size_t i = 0; table && i < view_rows(view, "listeners"); i++) {
		struct pair row = view_row_at(view, "listeners", i);

		if (!has_done_something(verdicts_of(row)))
			continue;
		any = 1;
		add_row(view, table, row);
	}
	if (any) {
		fputc('\n', view->out);
		table_print(table, view->out);
	}
	table_free(table);
}
