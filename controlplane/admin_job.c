/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that a thread of libuv's pool makes. */
#include <stdlib.h>
#include <sys/resource.h>

#include "controlplane/admin_server.h"

enum { JOB_NICE = 10 };

struct admin_work {
	struct admin_work *next;
	uv_work_t uv;
	struct admin *admin;
	struct admin_request *request;
	const struct admin_job *job;
	void *snapshot;
	struct admin_text text;
};

static const struct admin_text no_memory = {.text = NULL};

static void start_jobs(struct admin *admin);

static void build(uv_work_t *uv)
{
	struct admin_work *work = uv->data;

	/* This thread alone: where workers have no CPU of their own they come first. */
	(void)setpriority(PRIO_PROCESS, 0, JOB_NICE);
	work->text = work->job->build(work->snapshot);
}

static void finish(struct admin_work *work)
{
	struct admin_work **at = &work->admin->work;

	while (*at != work)
		at = &(*at)->next;
	*at = work->next;
	admin_answer_text(work->request, &work->text);
	work->job->drop(work->snapshot);
	free(work);
}

static void on_built(uv_work_t *uv, int status)
{
	struct admin_work *work = uv->data;
	struct admin *admin = work->admin;

	finish(work);
	start_jobs(admin);
}

static void start(struct admin *admin, struct admin_request *r)
{
	struct admin_work *work = malloc(sizeof(*work));

	if (!work) {
		admin_answer_text(r, &no_memory);
		return;
	}
	*work = (struct admin_work){.admin = admin, .request = r, .job = r->job};
	work->snapshot = r->job->take(admin->config.ctx, r);
	if (!work->snapshot) {
		free(work);
		if (!r->answer.status)
			admin_answer_text(r, &no_memory);
		return;
	}
	work->next = admin->work;
	admin->work = work;
	work->uv.data = work;
	if (uv_queue_work(admin->config.loop, &work->uv, build, on_built) != 0)
		finish(work);
}

static int may_start(const struct admin *admin, const struct admin_job *job)
{
	for (const struct admin_work *w = admin->work; w; w = w->next)
		if (job->alone && w->job == job)
			return 0;
	return 1;
}

static int has_room(const struct admin *admin)
{
	unsigned int at_work = 0;

	for (const struct admin_work *w = admin->work; w; w = w->next)
		at_work++;
	return at_work < ADMIN_JOBS;
}

/* The first that may start now; NULL: none. */
static struct admin_request *next_job(struct admin *admin)
{
	for (struct admin_request **at = &admin->jobs; *at; at = &(*at)->next_job) {
		struct admin_request *r = *at;

		if (!may_start(admin, r->job))
			continue;
		*at = r->next_job;
		return r;
	}
	return NULL;
}

static void start_jobs(struct admin *admin)
{
	struct admin_request *r;

	while (!admin->stopping && has_room(admin) && (r = next_job(admin)))
		start(admin, r);
}

void admin_answer_job(struct admin_request *r, const struct admin_job *job)
{
	struct admin_request **last = &r->admin->jobs;
	unsigned int same = 0;

	for (; *last; last = &(*last)->next_job)
		same += (*last)->job == job;
	if (job->alone && same >= ADMIN_JOBS_ALONE) {
		admin_answer_error(r, MHD_HTTP_SERVICE_UNAVAILABLE,
				   "%u requests of this kind wait already: ask again later", same);
		return;
	}
	r->job = job;
	r->next_job = NULL;
	*last = r;
	start_jobs(r->admin);
}
