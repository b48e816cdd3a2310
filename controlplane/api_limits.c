/* SPDX-License-Identifier: Apache-2.0 */
/* GET /limits: which connections are limited now. */
#include <microhttpd.h>

#include "controlplane/api.h"
#include "controlplane/limits_report.h"
#include "controlplane/run_limits.h"

enum { DEFAULT_ROWS = 20 };

static void on_measured(void *ctx, const struct limits_report *report)
{
	struct admin_request *request = ctx;
	uint64_t rows = DEFAULT_ROWS;
	struct admin_text answer;

	if (admin_query_number(request, "limit", 1, LIMITS_REPORT_ROWS, &rows) != 0)
		return;
	if (report) {
		answer = limits_report_answer(report, rows);
		admin_answer_text(request, &answer);
	} else {
		admin_answer_error(request, MHD_HTTP_INTERNAL_SERVER_ERROR,
				   "the limiter's maps could not be read");
	}
}

void api_limits(void *ctx, struct admin_request *request)
{
	uint64_t rows;

	/* A wrong number is not worth the wait. */
	if (admin_query_number(request, "limit", 1, LIMITS_REPORT_ROWS, &rows) != 0)
		return;
	if (run_limits_ask(ctx, on_measured, request) != 0)
		admin_answer_error(request, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
}
