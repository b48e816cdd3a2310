/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/ctl/top_columns.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/ctl/format.h"
#include "controlplane/ctl/state_text.h"

/* -- cells ------------------------------------------------------------------------------- */

void top_rate_text(char out[FORMAT_BYTES], double rate)
{
	if (isnan(rate))
		snprintf(out, FORMAT_BYTES, "-");
	else if (rate > 0 && rate < 9.95)
		snprintf(out, FORMAT_BYTES, "%.1f", rate < 0.1 ? 0.1 : rate);
	else
		format_count(out, rate);
}

static void number(struct top_cell *out, double value)
{
	out->order = value;
	top_rate_text(out->text, value);
}

static void percent(struct top_cell *out, double part)
{
	out->order = part;
	if (isnan(part))
		snprintf(out->text, sizeof(out->text), "-");
	else /* only what is whole is 100 */
		snprintf(out->text, sizeof(out->text), part >= 1 ? "%.0f" : "%.1f",
			 part >= 1 ? 100.0 : fmin(part * 100, 99.9));
}

static void latency(struct top_cell *out, double us)
{
	out->order = us > 0 ? us : NAN;
	if (us > 0)
		format_latency(out->text, us / 1e6);
	else
		snprintf(out->text, sizeof(out->text), "-");
}

static void text(struct top_cell *out, const char *value)
{
	snprintf(out->text, sizeof(out->text), "%s", value);
}

/* "12/64", or "12" without a bound. */
static void of_bound(struct top_cell *out, double value, double bound)
{
	char a[FORMAT_BYTES], b[FORMAT_BYTES];

	out->order = value;
	format_count(a, value);
	format_count(b, bound);
	if (bound > 0)
		snprintf(out->text, sizeof(out->text), "%s/%s", a, b);
	else
		text(out, a);
	if (bound > 0 && value >= bound)
		out->colour = COLOUR_WARN;
}

static struct pair part_of(struct pair row, const char *key)
{
	return (struct pair){json_object_get(row.now, key), json_object_get(row.before, key)};
}

/* -- any row ----------------------------------------------------------------------------- */

static void fill_name(const struct top_model *m, const struct top_row *row, struct top_cell *out)
{
	text(out, view_text(row->pair.now, "name"));
}

static void fill_calls(const struct top_model *m, const struct top_row *row, struct top_cell *out)
{
	number(out, top_model_rate(m, row->pair, "started"));
}

static void fill_failed(const struct top_model *m, const struct top_row *row, struct top_cell *out)
{
	number(out, top_model_rate(m, row->pair, "failed"));
}

/* Of the calls that ended and were not cancelled. */
static void fill_success(const struct top_model *m, const struct top_row *row, struct top_cell *out)
{
	double ok = top_model_rate(m, row->pair, "succeeded");
	double ended = ok + top_model_rate(m, row->pair, "failed") +
		       top_model_rate(m, row->pair, "rejected");

	percent(out, ended > 0 ? ok / ended : NAN);
	if (out->order < 1)
		out->colour = out->order < 0.9 ? COLOUR_BAD : COLOUR_WARN;
}

/* Calls under way; where they are bounded, the permits in use. */
static void fill_active(const struct top_model *m, const struct top_row *row, struct top_cell *out)
{
	const json_t *bulkhead = json_object_get(row->pair.now, "bulkhead");
	double bound = view_number(bulkhead, "max_concurrent");

	if (strcmp(view_text(bulkhead, "scope"), "cluster") == 0 && bound > 0)
		of_bound(out, view_number(bulkhead, "in_flight"), bound);
	else
		of_bound(out, view_number(row->pair.now, "in_flight"), 0);
}

static void fill_queue(const struct top_model *m, const struct top_row *row, struct top_cell *out)
{
	const json_t *bulkhead = json_object_get(row->pair.now, "bulkhead");

	of_bound(out, view_number(bulkhead, "queued"), view_number(bulkhead, "max_queue"));
}

/* -- listeners --------------------------------------------------------------------------- */

static void fill_bind(const struct top_model *m, const struct top_row *row, struct top_cell *out)
{
	text(out, view_text(row->pair.now, "bind"));
}

/* What one counter of an object grew by, a second. */
typedef void each_rate(void *ctx, const char *key, double rate);

static void for_each_rate(const struct top_model *m, struct pair object, each_rate *each, void *ctx)
{
	/* jansson iterates over what it could change. */
	json_t *now = (json_t *)(uintptr_t)object.now;

	for (void *at = json_object_iter(now); at; at = json_object_iter_next(now, at)) {
		double rate = top_model_rate(m, object, json_object_iter_key(at));

		if (rate > 0)
			each(ctx, json_object_iter_key(at), rate);
	}
}

struct limited {
	double refused;
	double observed;
};

static void add_verdict(void *ctx, const char *verdict, double rate)
{
	struct limited *sum = ctx;

	if (strncmp(verdict, "rate_limited", 12) == 0 || strcmp(verdict, "marked") == 0)
		sum->refused += rate;
	else if (strncmp(verdict, "would_rate_limit", 16) == 0)
		sum->observed += rate;
}

/* Packets that the rate limit dropped or marked; what it only observed with "~" before it. */
static void fill_limited(const struct top_model *m, const struct top_row *row, struct top_cell *out)
{
	struct pair packets = part_of(part_of(row->pair, "limits"), "packets");
	int is_known = m->seconds > 0 && packets.before;
	struct limited sum = {0};

	for_each_rate(m, packets, add_verdict, &sum);
	number(out, is_known ? sum.refused : NAN);
	if (sum.refused > 0) {
		out->colour = COLOUR_WARN;
	} else if (sum.observed > 0) {
		number(out, sum.observed);
		memmove(out->text + 1, out->text, strlen(out->text) + 1);
		out->text[0] = '~';
	}
}

static void fill_rejected(const struct top_model *m, const struct top_row *row,
			  struct top_cell *out)
{
	number(out, top_model_rate(m, row->pair, "rejected"));
	if (out->order > 0)
		out->colour = COLOUR_BAD;
}

static void keep_highest(void *ctx, const char *reason, double rate)
{
	struct top_cell *out = ctx;

	if (!(out->order >= rate)) {
		out->order = rate;
		text(out, reason);
	}
}

static void fill_reason(const struct top_model *m, const struct top_row *row, struct top_cell *out)
{
	for_each_rate(m, part_of(row->pair, "rejected_by_reason"), keep_highest, out);
}

/* -- clusters ---------------------------------------------------------------------------- */

static double first_byte_us(const struct top_row *row, const char *quantile)
{
	const json_t *times = json_object_get(row->pair.now, "latency");

	return view_number(json_object_get(times, "first_byte"), quantile);
}

static void fill_p50(const struct top_model *m, const struct top_row *row, struct top_cell *out)
{
	latency(out, first_byte_us(row, "p50_us"));
}

static void fill_p99(const struct top_model *m, const struct top_row *row, struct top_cell *out)
{
	latency(out, first_byte_us(row, "p99_us"));
}

static void fill_breaker(const struct top_model *m, const struct top_row *row, struct top_cell *out)
{
	out->colour = state_of_breaker(out->text, json_object_get(row->pair.now, "breaker"));
}

static void fill_retries(const struct top_model *m, const struct top_row *row, struct top_cell *out)
{
	number(out, top_model_rate(m, part_of(row->pair, "policy"), "retries"));
}

static void fill_ejected(const struct top_model *m, const struct top_row *row, struct top_cell *out)
{
	of_bound(out, view_number(row->pair.now, "ejected"),
		 view_number(row->pair.now, "endpoints"));
	if (out->order > 0)
		out->colour = COLOUR_BAD;
}

/* -- endpoints --------------------------------------------------------------------------- */

static void fill_address(const struct top_model *m, const struct top_row *row, struct top_cell *out)
{
	text(out, view_text(row->pair.now, "address"));
}

static void fill_cluster(const struct top_model *m, const struct top_row *row, struct top_cell *out)
{
	text(out, view_text(row->pair.now, "cluster"));
}

static void fill_state(const struct top_model *m, const struct top_row *row, struct top_cell *out)
{
	out->colour = state_of_endpoint(out->text, row->pair.now);
}

static void fill_health(const struct top_model *m, const struct top_row *row, struct top_cell *out)
{
	const json_t *health = json_object_get(row->pair.now, "health");
	const char *why = view_text(health, "why");

	text(out, *why ? why : view_text(health, "state"));
	if (*why)
		out->colour = COLOUR_BAD;
}

static void fill_share(const struct top_model *m, const struct top_row *row, struct top_cell *out)
{
	percent(out, row->share);
}

static void fill_attempts(const struct top_model *m, const struct top_row *row,
			  struct top_cell *out)
{
	of_bound(out, view_number(row->pair.now, "attempts_in_flight"), 0);
}

static void fill_latency(const struct top_model *m, const struct top_row *row, struct top_cell *out)
{
	latency(out, view_number(row->pair.now, "ewma_us"));
}

/* How long the ejection lasts yet. */
static void fill_until(const struct top_model *m, const struct top_row *row, struct top_cell *out)
{
	const json_t *breaker = json_object_get(row->pair.now, "breaker");
	double left_ms = view_number(breaker, "until_ms");

	if (strcmp(view_text(breaker, "phase"), "open") != 0 || left_ms <= 0)
		return;
	out->order = left_ms;
	format_duration(out->text, left_ms / 1000);
}

/* -- tables ------------------------------------------------------------------------------ */

static const struct top_column listeners[] = {
	{"LISTENER", 12, 1, 0, fill_name},    {"BIND", 21, 1, 7, fill_bind},
	{"CALLS/s", 7, 0, 1, fill_calls},     {"ACTIVE", 9, 0, 2, fill_active},
	{"FAILED/s", 8, 0, 5, fill_failed},   {"LIMITED/s", 9, 0, 4, fill_limited},
	{"REJECT/s", 8, 0, 3, fill_rejected}, {"TOP REASON", 18, 1, 6, fill_reason},
};

static const struct top_column clusters[] = {
	{"CLUSTER", 12, 1, 0, fill_name},   {"CALLS/s", 7, 0, 1, fill_calls},
	{"OK%", 5, 0, 3, fill_success},     {"P50", 6, 0, 8, fill_p50},
	{"P99", 6, 0, 4, fill_p99},         {"BREAKER", 12, 1, 2, fill_breaker},
	{"ACTIVE", 9, 0, 5, fill_active},   {"QUEUE", 7, 0, 6, fill_queue},
	{"RETRY/s", 7, 0, 7, fill_retries}, {"EJECTED", 7, 0, 9, fill_ejected},
};

static const struct top_column endpoints[] = {
	{"ENDPOINT", 14, 1, 0, fill_address}, {"CLUSTER", 12, 1, 4, fill_cluster},
	{"STATE", 11, 1, 1, fill_state},      {"HEALTH", 11, 1, 8, fill_health},
	{"CALLS/s", 7, 0, 2, fill_calls},     {"SHARE%", 6, 0, 5, fill_share},
	{"OK%", 5, 0, 7, fill_success},       {"ACTIVE", 6, 0, 3, fill_attempts},
	{"LATENCY", 7, 0, 6, fill_latency},   {"EJECTED", 7, 0, 9, fill_until},
};

size_t top_columns(enum top_table table, const struct top_column **out)
{
	static const struct {
		const struct top_column *columns;
		size_t count;
	} tables[] = {
		[TOP_LISTENERS] = {listeners, sizeof(listeners) / sizeof(listeners[0])},
		[TOP_CLUSTERS] = {clusters, sizeof(clusters) / sizeof(clusters[0])},
		[TOP_ENDPOINTS] = {endpoints, sizeof(endpoints) / sizeof(endpoints[0])},
	};

	*out = tables[table].columns;
	return tables[table].count;
}

void top_column_fill(const struct top_column *column, const struct top_model *model,
		     const struct top_row *row, struct top_cell *out)
{
	*out = (struct top_cell){.order = NAN};
	column->fill(model, row, out);
}

/* The column to do without next; 0, the first one, when there is none. */
static size_t least(const struct top_column *columns, size_t count, const int *widths)
{
	size_t found = 0;

	for (size_t c = 1; c < count; c++)
		if (widths[c] > 0 && columns[c].rank > columns[found].rank)
			found = c;
	return found;
}

void top_columns_fit(enum top_table table, int terminal_width, int widths[TOP_COLUMNS_MAX])
{
	const struct top_column *columns;
	size_t count = top_columns(table, &columns), drop;
	int sum = 0;

	for (size_t c = 0; c < TOP_COLUMNS_MAX; c++)
		widths[c] = c < count ? columns[c].width : 0;
	for (size_t c = 0; c < count; c++)
		sum += widths[c] + (c ? TOP_GAP : 0);
	while (sum > terminal_width && (drop = least(columns, count, widths)) > 0) {
		sum -= widths[drop] + TOP_GAP;
		widths[drop] = 0;
	}
	widths[0] += terminal_width - sum;
	if (widths[0] < 1)
		widths[0] = 1;
}
