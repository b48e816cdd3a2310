/* SPDX-License-Identifier: Apache-2.0 */
/* POST /upgrade: answered when the new dataplane forwards, or has failed. */
#include <errno.h>

#include <microhttpd.h>

#include "controlplane/api.h"
#include "controlplane/run_state.h"

static unsigned int status_of(int error)
{
	switch (error) {
	case -EBUSY:
	case -EAGAIN:
	case -ECANCELED:
		return MHD_HTTP_CONFLICT;
	case -ENOENT:
		return MHD_HTTP_UNPROCESSABLE_CONTENT;
	default:
		return MHD_HTTP_INTERNAL_SERVER_ERROR;
	}
}

static void on_upgraded(void *ctx, const struct upgrade_report *report)
{
	if (report->error) {
		admin_answer_error(ctx, status_of(report->error), "%s", report->why);
		return;
	}
	admin_answer(ctx, MHD_HTTP_OK,
		     json_pack("{s:s, s:i, s:i, s:I, s:I}", "result", "upgraded", "from",
			       (int)report->from, "pid", (int)report->pid, "prepare_ms",
			       (json_int_t)report->prepare_ms, "pause_ms",
			       (json_int_t)report->pause_ms));
}

void api_upgrade(void *ctx, struct admin_request *request)
{
	const struct run *run = ctx;
	const char *program = admin_query(request, "dataplane");

	/* It runs with our privileges, which are more than an operator's. */
	if (program && !admin_peer_is_owner(request)) {
		admin_answer_error(request, MHD_HTTP_FORBIDDEN,
				   "only root and the user of fender run may name a program: leave "
				   "'dataplane' out");
		return;
	}
	supervisor_upgrade(run->supervisor, program, on_upgraded, request);
}
