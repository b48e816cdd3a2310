/* SPDX-License-Identifier: Apache-2.0 */
/* GET /events. */
#include <stdlib.h>

#include "controlplane/api.h"
#include "controlplane/events_stream.h"
#include "controlplane/liveness.h"
#include "controlplane/run_state.h"

static int pending(void *state)
{
	return events_stream_pending(state, monotonic_ns());
}

static ssize_t pull(void *state, char *out, size_t size)
{
	return events_stream_pull(state, out, size, monotonic_ns());
}

void api_events(void *ctx, struct admin_request *request)
{
	const struct run *run = ctx;
	struct admin_stream stream = {NULL, pending, pull, free};
	uint64_t since = 0, follow = 0;
	struct events_stream *events;

	if (admin_query_number(request, "since", 0, UINT64_MAX, &since) != 0 ||
	    admin_query_number(request, "follow", 0, 1, &follow) != 0)
		return;
	events = malloc(sizeof(*events));
	if (!events) {
		admin_answer(request, 500, NULL);
		return;
	}
	if (admin_query(request, "since"))
		events_stream_begin_after(events, &run->region, (int)follow, since, monotonic_ns());
	else
		events_stream_begin(events, &run->region, (int)follow, monotonic_ns());
	stream.state = events;
	admin_answer_stream(request, "application/x-ndjson", &stream);
}
