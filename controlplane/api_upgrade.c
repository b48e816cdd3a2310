/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POST /upgrade: answered when the new dataplane forwards, or has failed. Where the policy file
 * needs another region the control plane begins anew, too: the answer is a number, and how it ended
 * is what GET /upgrade says.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <microhttpd.h>

#include "controlplane/active.h"
#include "controlplane/api.h"
#include "controlplane/run_state.h"

enum { WHY_BYTES = 256 };

static unsigned int status_of(int error)
{
	switch (error) {
	case -EBUSY:
	case -EAGAIN:
	case -ECANCELED:
		return MHD_HTTP_CONFLICT;
	case -ENOENT:
	case -ENODEV:
	case -EINVAL:
		return MHD_HTTP_UNPROCESSABLE_CONTENT;
	case -ENOSPC:
		return MHD_HTTP_INSUFFICIENT_STORAGE;
	default:
		return MHD_HTTP_INTERNAL_SERVER_ERROR;
	}
}

/* A request, and whether the file says something else that a reload would put in force. */
struct asked {
	struct admin_request *request;
	int file_differs;
};

static void on_upgraded(void *ctx, const struct upgrade_report *report)
{
	struct asked *asked = ctx;
	struct admin_request *request = asked->request;
	const int differs = asked->file_differs;

	free(asked);
	if (report->error) {
		admin_answer_error(request, status_of(report->error), "%s", report->why);
		return;
	}
	admin_answer(request, MHD_HTTP_OK,
		     json_pack("{s:s, s:i, s:i, s:I, s:I, s:b}", "result", "upgraded", "from",
			       (int)report->from, "pid", (int)report->pid, "prepare_ms",
			       (json_int_t)report->prepare_ms, "pause_ms",
			       (json_int_t)report->pause_ms, "file_differs", differs));
}

static void replace_program(const struct run *run, struct admin_request *request,
			    const char *program, int file_differs)
{
	struct asked *asked = malloc(sizeof(*asked));

	if (!asked) {
		admin_answer_error(request, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory");
		return;
	}
	*asked = (struct asked){request, file_differs};
	supervisor_upgrade(run->supervisor, program, on_upgraded, asked);
}

static int is_usable(const char *program, char *why, size_t why_size)
{
	if (!program || access(program, X_OK) == 0)
		return 1;
	snprintf(why, why_size, "cannot run %.160s: %m", program);
	return 0;
}

static void change_shape(struct run *run, struct admin_request *request,
			 const struct policy_edition *wanted, const char *changed)
{
	const char *program = admin_query(request, "dataplane");
	char why[WHY_BYTES] = "";
	int rc = is_usable(program, why, sizeof(why))
			 ? run_upgrade_check(run, wanted, why, sizeof(why))
			 : -ENOENT;

	if (rc != 0) {
		admin_answer_error(request, status_of(rc), "%s", why);
		return;
	}
	run_upgrade_begin(run, changed, program);
	admin_answer(request, MHD_HTTP_ACCEPTED, run_upgrade_json(run));
}

static void upgrade_to(struct run *run, struct admin_request *request,
		       const struct policy_edition *wanted)
{
	const struct image_header *active = reloader_policy(run->reloader);
	char key[UPGRADE_KEY_BYTES];
	const char *changed = active_misfit(&run->region, active, wanted->image, key, sizeof(key));

	if (changed)
		change_shape(run, request, wanted, changed);
	else
		replace_program(run, request, admin_query(request, "dataplane"),
				active->content_hash != wanted->image->content_hash);
}

/* The compiler's list ends its last line. */
static void refuse_file(struct admin_request *request, char *errors)
{
	size_t bytes = errors ? strlen(errors) : 0;

	while (bytes > 0 && errors[bytes - 1] == '\n')
		errors[--bytes] = '\0';
	admin_answer_error(request, MHD_HTTP_UNPROCESSABLE_CONTENT,
			   "nothing is upgraded: the policy file has errors: %s",
			   errors ? errors : "out of memory");
}

/* Return 0, or -1 after the answer. */
static int may_begin(const struct run *run, struct admin_request *request)
{
	const char *program = admin_query(request, "dataplane");

	/* It runs with our privileges, which are more than an operator's. */
	if (program && !admin_peer_is_owner(request)) {
		admin_answer_error(request, MHD_HTTP_FORBIDDEN,
				   "only root and the user of fender run may name a program: leave "
				   "'dataplane' out");
		return -1;
	}
	if (program && program[0] != '/') {
		admin_answer_error(request, MHD_HTTP_BAD_REQUEST,
				   "'dataplane' must be an absolute path");
		return -1;
	}
	if (run->carry->outcome.result == UPGRADE_BEGUN) {
		admin_answer_error(request, MHD_HTTP_CONFLICT,
				   "an upgrade is under way: wait until it has ended");
		return -1;
	}
	return 0;
}

void api_upgrade(void *ctx, struct admin_request *request)
{
	struct run *run = ctx;
	const struct edition_source source = {
		.path = run->options->policy_path,
		.sets = run_resolved_sets(run),
	};
	struct policy_edition *wanted;
	char *errors;

	if (may_begin(run, request) != 0)
		return;
	wanted = policy_edition_compile(&source, &errors);
	if (wanted)
		upgrade_to(run, request, wanted);
	else
		refuse_file(request, errors);
	free(errors);
	policy_edition_free(wanted);
}

void api_upgrade_outcome(void *ctx, struct admin_request *request)
{
	admin_answer(request, MHD_HTTP_OK, run_upgrade_json(ctx));
}
