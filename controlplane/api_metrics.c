/* SPDX-License-Identifier: Apache-2.0 */
/* GET /metrics: the statistics for Prometheus, written in another thread. */
#include <stdlib.h>
#include <string.h>

#include <microhttpd.h>

#include "controlplane/api.h"
#include "controlplane/api_snapshot.h"
#include "controlplane/metrics.h"

struct scrape {
	struct api_snapshot base;
	enum metrics_format format;
	int endpoints;
};

static void drop(void *snapshot)
{
	struct scrape *s = snapshot;

	api_snapshot_release(&s->base);
	free(s);
}

static void *take(void *ctx, struct admin_request *request)
{
	const char *endpoints = admin_query(request, "endpoints");
	struct scrape *s;

	if (endpoints && strcmp(endpoints, "none") != 0 && strcmp(endpoints, "all") != 0) {
		admin_answer_error(request, MHD_HTTP_BAD_REQUEST,
				   "endpoints: 'all' (the default) or 'none'");
		return NULL;
	}
	s = calloc(1, sizeof(*s));
	if (!s || api_snapshot_take(&s->base, ctx) != 0) {
		free(s);
		return NULL;
	}
	s->format = metrics_accepted(admin_header(request, MHD_HTTP_HEADER_ACCEPT));
	s->endpoints = !endpoints || strcmp(endpoints, "none") != 0;
	return s;
}

static struct admin_text build(void *snapshot)
{
	struct scrape *s = snapshot;
	const struct metrics_source source = {
		.stats = &s->base.stats,
		.process = &s->base.process,
		.events_lost = s->base.events_lost,
		.endpoints = s->endpoints,
	};
	struct admin_text text = {.status = MHD_HTTP_OK, .type = metrics_content_type(s->format)};

	if (api_snapshot_fill(&s->base) != 0 ||
	    metrics_write(&source, s->format, &text.text, &text.bytes) != 0)
		text.text = NULL;
	return text;
}

void api_metrics(void *ctx, struct admin_request *request)
{
	static const struct admin_job job = {.take = take, .build = build, .drop = drop};

	admin_answer_job(request, &job);
}
