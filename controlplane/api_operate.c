/* SPDX-License-Identifier: Apache-2.0 */
/* What changes something: POST. */
#include <errno.h>
#include <stdio.h>

#include <microhttpd.h>

#include "controlplane/api.h"
#include "controlplane/operate.h"
#include "controlplane/run_state.h"

static unsigned int reload_status(enum reload_result result)
{
	switch (result) {
	case RELOAD_APPLIED:
	case RELOAD_UNCHANGED:
		return MHD_HTTP_OK;
	case RELOAD_LATE:
		return MHD_HTTP_ACCEPTED;
	case RELOAD_NEEDS_RESTART:
	case RELOAD_BUSY:
		return MHD_HTTP_CONFLICT;
	case RELOAD_INVALID:
	case RELOAD_REFUSED:
		return MHD_HTTP_UNPROCESSABLE_CONTENT;
	default:
		return MHD_HTTP_INTERNAL_SERVER_ERROR;
	}
}

static void on_reload_done(void *ctx, const struct reload_report *report)
{
	admin_answer(ctx, reload_status(report->result), reload_report_json(report));
}

void api_reload(void *ctx, struct admin_request *request)
{
	const struct run *run = ctx;

	supervisor_start_again(run->supervisor);
	reloader_request(run->reloader, on_reload_done, request);
}

void api_rollback(void *ctx, struct admin_request *request)
{
	const struct run *run = ctx;
	uint64_t to = 0; /* the one before */

	if (admin_query_number(request, "to", 1, UINT64_MAX, &to) == 0)
		reloader_rollback(run->reloader, to, on_reload_done, request);
}

void api_operate(void *ctx, struct admin_request *request)
{
	const struct run *run = ctx;
	struct operate_target target;
	enum operation operation;
	char names[ADMIN_PATH_BYTES], why[320];
	int rc;

	snprintf(names, sizeof(names), "%s", admin_path(request));
	if (operate_parse(names, &target, &operation) != 0) {
		admin_answer_error(request, MHD_HTTP_NOT_FOUND,
				   "no such operation: open, close, reset; drain and undrain of "
				   "endpoints");
		return;
	}
	rc = operate(&run->region, reloader_policy(run->reloader), &target, operation, why,
		     sizeof(why));
	if (rc != 0)
		admin_answer_error(request,
				   rc == -ENOENT ? MHD_HTTP_NOT_FOUND : MHD_HTTP_BAD_REQUEST, "%s",
				   why);
	else
		admin_answer(request, MHD_HTTP_OK, json_pack("{s:s}", "result", "ok"));
}
