/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reports of limited connections (limits_report.h) for whoever asks, in the loop's thread; readings
 * are taken in one of libuv's. One measurement at a time serves all who ask while it runs.
 */
#ifndef FENDER_CONTROLPLANE_LIMITS_MEASURE_H
#define FENDER_CONTROLPLANE_LIMITS_MEASURE_H

#include <uv.h>

#include "controlplane/limits_report.h"

enum { LIMITS_INTERVAL_MS = 300 };

struct limits_measure;

struct limits_measure_config {
	uv_loop_t *loop;
	void *ctx;
	struct limits_report *(*begin)(void *ctx); /* NULL: no memory */
};

/* @report: valid during the call; NULL: it could not be made. */
typedef void limits_measured(void *ctx, const struct limits_report *report);

/* NULL: no memory. */
struct limits_measure *limits_measure_create(const struct limits_measure_config *config);

/*
 * @done is called once, perhaps before this returns; not when limits_measure_stop() comes first.
 * Return: 0, -ENOMEM.
 */
int limits_measure_ask(struct limits_measure *m, limits_measured *done, void *ctx);

void limits_measure_stop(struct limits_measure *m);
/* When its loop has closed all handles. NULL is allowed. */
void limits_measure_free(struct limits_measure *m);

#endif
