/* SPDX-License-Identifier: Apache-2.0 */
/* What `fender top` knows: two answers of GET /stats and the last minute. Pure: the only time is
 * that of the answers. */
#ifndef FENDER_CONTROLPLANE_CTL_TOP_MODEL_H
#define FENDER_CONTROLPLANE_CTL_TOP_MODEL_H

#include <jansson.h>
#include <stddef.h>

#include "controlplane/ctl/top_history.h"
#include "controlplane/ctl/view.h"

enum { TOP_KEY_BYTES = 512 };

enum top_table { TOP_LISTENERS, TOP_CLUSTERS, TOP_ENDPOINTS, TOP_TABLES };

struct top_row {
	struct pair pair;
	double share; /* of an endpoint in the calls of its cluster, 0 to 1; NAN: no call */
};

struct top_rows {
	struct top_row *rows; /* in the policy's order */
	size_t count;
	size_t capacity;
};

/* Zeroed: no answer yet. */
struct top_model {
	json_t *now; /* NULL: none yet */
	json_t *before;
	double seconds; /* between the two; 0: no rate is known */
	int is_gap;     /* after @now */
	struct top_rows tables[TOP_TABLES];
	struct top_history calls;
	struct top_history packets;
};

/**
 * top_model_take() - the next answer
 * Rates are what happened between two answers; a counter that fell (the region was made anew)
 * has a rate of 0, a row that was not there before has none.
 * Return: 0, -EINVAL for what is no answer of GET /stats, -ENOMEM; the model is as it was then.
 */
int top_model_take(struct top_model *model, json_t *answer);

/* The instance does not answer: the rates that the next answer gives are not of this gap. */
void top_model_gap(struct top_model *model);

/* What tells a row from the others of its table. */
void top_model_key(const json_t *row, char out[TOP_KEY_BYTES]);

/* Frees what it holds. */
void top_model_clear(struct top_model *model);

/* Of a counter, a second; NAN: unknown. */
double top_model_rate(const struct top_model *model, struct pair row, const char *key);
/* Calls of all listeners; packets that all workers received or made. */
double top_model_calls(const struct top_model *model);
double top_model_packets(const struct top_model *model);
/* Turns of a worker that found work, 0 to 1; NAN: unknown. */
double top_model_busy(const struct top_model *model, size_t worker);

#endif
