/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/ctl/top_model.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const keys[] = {
	[TOP_LISTENERS] = "listeners",
	[TOP_CLUSTERS] = "clusters",
	[TOP_ENDPOINTS] = "endpoints",
};

void top_model_key(const json_t *row, char out[TOP_KEY_BYTES])
{
	const char *cluster = view_text(row, "cluster"), *address = view_text(row, "address");

	if (*address)
		snprintf(out, TOP_KEY_BYTES, "%s %s", cluster, address);
	else
		snprintf(out, TOP_KEY_BYTES, "%s", view_text(row, "name"));
}

static int is_same(const json_t *a, const json_t *b)
{
	char of_a[TOP_KEY_BYTES], of_b[TOP_KEY_BYTES];

	top_model_key(a, of_a);
	top_model_key(b, of_b);
	return strcmp(of_a, of_b) == 0;
}

/* Rows by their keys. */
static json_t *index_rows(const json_t *rows)
{
	json_t *index = json_object();
	char key[TOP_KEY_BYTES];

	for (size_t i = 0; i < json_array_size(rows); i++) {
		top_model_key(json_array_get(rows, i), key);
		json_object_set(index, key, json_array_get(rows, i));
	}
	return index;
}

/* The rows of @before beside those of @now: mostly in the same place. */
static void pair_rows(struct top_rows *out, const json_t *now, const json_t *before)
{
	json_t *index = NULL;
	char key[TOP_KEY_BYTES];

	out->count = json_array_size(now);
	for (size_t i = 0; i < out->count; i++) {
		struct pair row = {json_array_get(now, i), json_array_get(before, i)};

		if (before && !(row.before && is_same(row.now, row.before))) {
			if (!index)
				index = index_rows(before);
			top_model_key(row.now, key);
			row.before = json_object_get(index, key);
		}
		out->rows[i] = (struct top_row){row, NAN};
	}
	json_decref(index);
}

static int make_room(struct top_model *model, const json_t *answer)
{
	for (int t = 0; t < TOP_TABLES; t++) {
		struct top_rows *table = &model->tables[t];
		size_t count = json_array_size(json_object_get(answer, keys[t]));
		struct top_row *rows;

		if (count <= table->capacity)
			continue;
		rows = realloc(table->rows, count * sizeof(*rows));
		if (!rows)
			return -ENOMEM;
		table->rows = rows;
		table->capacity = count;
	}
	return 0;
}

/* Endpoints stand in the order of their clusters. */
static void share_out(struct top_model *model)
{
	const struct top_rows *table = &model->tables[TOP_ENDPOINTS];

	for (size_t first = 0, end; first < table->count; first = end) {
		const char *cluster = view_text(table->rows[first].pair.now, "cluster");
		double sum = 0;

		for (end = first; end < table->count; end++) {
			struct top_row *row = &table->rows[end];

			if (strcmp(view_text(row->pair.now, "cluster"), cluster) != 0)
				break;
			row->share = top_model_rate(model, row->pair, "started");
			sum += isnan(row->share) ? 0 : row->share;
		}
		for (size_t i = first; i < end; i++)
			table->rows[i].share = sum > 0 ? table->rows[i].share / sum : NAN;
	}
}

static uint64_t time_of(const json_t *answer)
{
	json_int_t ns = json_integer_value(json_object_get(answer, "time_ns"));

	return ns > 0 ? (uint64_t)ns : 0;
}

static void remember(struct top_model *model)
{
	uint64_t from = time_of(model->before), until = time_of(model->now);

	top_history_add(&model->calls, from, until, top_model_calls(model) * model->seconds);
	top_history_add(&model->packets, from, until, top_model_packets(model) * model->seconds);
}

static void pair_all(struct top_model *model)
{
	for (int t = 0; t < TOP_TABLES; t++)
		pair_rows(&model->tables[t], json_object_get(model->now, keys[t]),
			  json_object_get(model->before, keys[t]));
	share_out(model);
}

void top_model_gap(struct top_model *model)
{
	json_decref(model->before);
	model->before = NULL;
	model->seconds = 0;
	model->is_gap = 1;
	pair_all(model);
}

/* The machine has started anew: another clock. */
static void forget(struct top_model *model)
{
	top_model_gap(model);
	model->calls = (struct top_history){0};
	model->packets = (struct top_history){0};
}

static void shift(struct top_model *model, json_t *answer)
{
	json_decref(model->before);
	model->before = model->now;
	model->now = json_incref(answer);
	if (model->is_gap) {
		json_decref(model->before);
		model->before = NULL;
	}
	model->is_gap = 0;
}

int top_model_take(struct top_model *model, json_t *answer)
{
	const uint64_t time = time_of(answer), last = time_of(model->now);

	if (time == 0)
		return -EINVAL;
	if (time == last)
		return 0;
	if (make_room(model, answer) != 0)
		return -ENOMEM;
	if (time < last)
		forget(model);
	shift(model, answer);
	if (model->before)
		model->seconds = (double)(time - last) / 1e9;
	pair_all(model);
	if (model->before)
		remember(model);
	return 0;
}

void top_model_clear(struct top_model *model)
{
	json_decref(model->now);
	json_decref(model->before);
	for (int t = 0; t < TOP_TABLES; t++)
		free(model->tables[t].rows);
	*model = (struct top_model){0};
}

/* -- rates ------------------------------------------------------------------------------- */

double top_model_rate(const struct top_model *model, struct pair row, const char *key)
{
	double grown = view_number(row.now, key) - view_number(row.before, key);

	if (model->seconds <= 0 || !row.before)
		return NAN;
	return grown > 0 ? grown / model->seconds : 0;
}

double top_model_calls(const struct top_model *model)
{
	const struct top_rows *table = &model->tables[TOP_LISTENERS];
	double sum = 0;

	for (size_t i = 0; i < table->count; i++) {
		double rate = top_model_rate(model, table->rows[i].pair, "started");

		sum += isnan(rate) ? 0 : rate;
	}
	return model->seconds > 0 ? sum : NAN;
}

double top_model_packets(const struct top_model *model)
{
	struct pair packets = {json_object_get(model->now, "packets"),
			       json_object_get(model->before, "packets")};

	return top_model_rate(model, packets, "received") +
	       top_model_rate(model, packets, "originated");
}

double top_model_busy(const struct top_model *model, size_t worker)
{
	struct pair row = {json_array_get(json_object_get(model->now, "workers"), worker),
			   json_array_get(json_object_get(model->before, "workers"), worker)};
	double turns = top_model_rate(model, row, "loops");

	return turns > 0 ? top_model_rate(model, row, "busy_loops") / turns : NAN;
}
