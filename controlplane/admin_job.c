/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that a thread of libuv's pool makes. */
#include <stdlib.h>

#include "controlplane/admin_server.h"

struct work {
	uv_work_t uv;
	struct admin *admin;
	struct admin_request *request;
	const struct admin_job *job;
	void *snapshot;
	struct admin_text text;
};

static void start_jobs(struct admin *admin);

static void build(uv_work_t *uv)
{
	struct work *work = uv->data;

	work->text = work->job->build(work->snapshot);
}

static void finish(struct work *work)
{
	struct admin *admin = work->admin;

	admin->jobs_at_work--;
	admin_answer_text(work->request, &work->text);
	work->job->drop(work->snapshot);
	free(work);
}

static void on_built(uv_work_t *uv, int status)
{
	struct work *work = uv->data;
	struct admin *admin = work->admin;

	finish(work);
	start_jobs(admin);
}

static void start(struct admin *admin, struct admin_request *r)
{
	struct work *work = malloc(sizeof(*work));
	const struct admin_text none = {.text = NULL};

	if (!work) {
		admin_answer_text(r, &none);
		return;
	}
	*work = (struct work){.admin = admin, .request = r, .job = r->job};
	work->snapshot = r->job->take(admin->config.ctx, r);
	if (!work->snapshot) {
		free(work);
		if (!r->answer.status)
			admin_answer_text(r, &none);
		return;
	}
	admin->jobs_at_work++;
	work->uv.data = work;
	if (uv_queue_work(admin->config.loop, &work->uv, build, on_built) != 0)
		finish(work);
}

static void start_jobs(struct admin *admin)
{
	while (!admin->stopping && admin->jobs && admin->jobs_at_work < ADMIN_JOBS) {
		struct admin_request *r = admin->jobs;

		admin->jobs = r->next_job;
		start(admin, r);
	}
}

void admin_answer_job(struct admin_request *r, const struct admin_job *job)
{
	struct admin_request **last = &r->admin->jobs;

	r->job = job;
	r->next_job = NULL;
	while (*last)
		last = &(*last)->next_job;
	*last = r;
	start_jobs(r->admin);
}
