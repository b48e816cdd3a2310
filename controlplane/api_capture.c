/* SPDX-License-Identifier: Apache-2.0 */
/* GET /capture. */
#include <errno.h>
#include <stdlib.h>

#include <microhttpd.h>

#include "controlplane/api.h"
#include "controlplane/capture_stream.h"
#include "controlplane/liveness.h"
#include "controlplane/run_state.h"

enum { WHY_BYTES = 160, SECONDS_MAX = 86400 };

struct capture {
	struct run *run;
	struct capture_stream stream;
};

static int pending(void *state)
{
	struct capture *c = state;

	return capture_stream_pending(&c->stream, monotonic_ns());
}

static ssize_t pull(void *state, char *out, size_t size)
{
	struct capture *c = state;

	return capture_stream_pull(&c->stream, out, size, monotonic_ns());
}

static void drop(void *state)
{
	struct capture *c = state;

	capture_stream_end(&c->stream);
	c->run->capturing = 0;
	free(c);
}

/* 0: the request is answered. */
static int take_filter(const struct run *run, struct admin_request *request,
		       struct capture_filter *filter)
{
	const struct capture_words words = {
		.host = admin_query(request, "host"),
		.port = admin_query(request, "port"),
		.protocol = admin_query(request, "protocol"),
		.interface = admin_query(request, "interface"),
		.listener = admin_query(request, "listener"),
		.reason = admin_query(request, "reason"),
		.dropped = admin_query(request, "dropped"),
	};
	char why[WHY_BYTES];
	int rc = capture_filter_make(filter, &words, &run->region, reloader_policy(run->reloader),
				     why, sizeof(why));

	if (rc != 0)
		admin_answer_error(request,
				   rc == -ENOENT ? MHD_HTTP_NOT_FOUND : MHD_HTTP_BAD_REQUEST, "%s",
				   why);
	return rc == 0;
}

void api_capture(void *ctx, struct admin_request *request)
{
	struct run *run = ctx;
	struct admin_stream stream = {NULL, pending, pull, drop};
	struct capture_filter filter;
	struct capture *c;
	uint64_t seconds = 0;

	if (!take_filter(run, request, &filter) ||
	    admin_query_number(request, "seconds", 1, SECONDS_MAX, &seconds) != 0)
		return;
	if (run->capturing) {
		admin_answer_error(request, MHD_HTTP_CONFLICT,
				   "somebody else captures now: one can at a time");
		return;
	}
	c = malloc(sizeof(*c));
	if (!c) {
		admin_answer(request, MHD_HTTP_INTERNAL_SERVER_ERROR, NULL);
		return;
	}
	c->run = run;
	run->capturing = 1;
	capture_stream_begin(&c->stream, &run->region, reloader_policy(run->reloader), &filter,
			     monotonic_ns());
	if (seconds)
		c->stream.end_ns = monotonic_ns() + seconds * 1000000000;
	stream.state = c;
	admin_answer_stream(request, "application/x-ndjson", &stream);
}
