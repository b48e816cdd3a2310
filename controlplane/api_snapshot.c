/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/api_snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/liveness.h"
#include "controlplane/run_state.h"
#include "controlplane/stats_limits.h"

static const struct table_report *report_of(void *ctx, uint32_t cluster)
{
	const struct api_snapshot *s = ctx;

	return s->is_reported[cluster] ? &s->reports[cluster] : NULL;
}

static int copy_reports(struct api_snapshot *s, const struct reloader *reloader)
{
	const uint32_t count = s->policy->clusters.count;

	s->reports = calloc(count + 1, sizeof(*s->reports));
	s->is_reported = calloc(count + 1, 1);
	if (!s->reports || !s->is_reported)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		const struct table_report *report = reloader_table_report(reloader, i);

		s->is_reported[i] = report != NULL;
		if (report)
			s->reports[i] = *report;
	}
	return 0;
}

static void take_process(struct stats_process *process, const struct run *run)
{
	struct supervise_status status;

	supervisor_status(run->supervisor, &status);
	*process = (struct stats_process){
		.state = supervise_state_name(status.state),
		.pid = status.pid,
		.restarts = status.restarts,
		.uptime_ms = status.uptime_ms,
		.ready = status.state == SUPERVISE_UP,
	};
}

int api_snapshot_take(struct api_snapshot *s, struct run *run)
{
	const struct image_header *policy = reloader_policy(run->reloader);

	*s = (struct api_snapshot){
		.policy = malloc(policy->length),
		.events_lost = run->event_log.lost,
		.region = &run->region,
		.maps = run_limits_maps(run),
		.fallback = run_limits_fallback(run),
		.build_us = reloader_build_us(run->reloader),
	};
	if (!s->policy)
		return -ENOMEM;
	memcpy(s->policy, policy, policy->length);
	if (copy_reports(s, run->reloader) != 0) {
		api_snapshot_release(s);
		return -ENOMEM;
	}
	take_process(&s->process, run);
	return 0;
}

int api_snapshot_fill(struct api_snapshot *s)
{
	int rc = stats_collect(&s->stats, s->region, s->policy, monotonic_ns());

	if (rc != 0)
		return rc;
	/* Without memory for them they are not shown. */
	stats_limits_collect(&s->stats, s->region, s->maps, s->fallback);
	s->stats.table_report = report_of;
	s->stats.table_ctx = s;
	s->stats.build_us = s->build_us;
	return 0;
}

void api_snapshot_release(struct api_snapshot *s)
{
	stats_free(&s->stats);
	free(s->policy);
	free(s->reports);
	free(s->is_reported);
	*s = (struct api_snapshot){0};
}
