/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The statistics for Prometheus (docs/metrics.md): everything GET /stats says that is a number,
 * and the latency histograms. Labels are what the policy names and what Fender enumerates:
 * listener, cluster, endpoint, interface, worker, reason; the number of series is bounded by the
 * policy.
 */
#ifndef FENDER_CONTROLPLANE_METRICS_H
#define FENDER_CONTROLPLANE_METRICS_H

#include "controlplane/metrics_out.h"
#include "controlplane/stats.h"
#include "controlplane/stats_json.h"

struct metrics_source {
	const struct stats *stats;
	const struct stats_process *process;
	uint64_t events_lost; /* that the log could not write */
	int endpoints;        /* with the series of endpoints: 15 each, most of all there is */
};

/**
 * metrics_write() - a whole exposition
 * Any thread: reads @source and the region's histograms.
 * Return: 0 with *@body, malloc'ed, *@bytes long; -ENOMEM.
 */
int metrics_write(const struct metrics_source *source, enum metrics_format format, char **body,
		  size_t *bytes);

/* What a client's Accept header asks for; text in doubt. NULL: no such header. */
enum metrics_format metrics_accepted(const char *accept);
const char *metrics_content_type(enum metrics_format format);

#endif
