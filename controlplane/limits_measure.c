/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/limits_measure.h"

#include <errno.h>
#include <stdlib.h>

enum phase {
	IDLE,
	FIRST,  /* the first reading is under way */
	PAUSE,  /* between the two */
	SECOND, /* who asks now waits for the next measurement */
};

struct waiter {
	struct waiter *next;
	limits_measured *done;
	void *ctx;
};

struct limits_measure {
	struct limits_measure_config config;
	enum phase phase;
	struct limits_report *report;
	struct waiter *waiting; /* for this measurement */
	struct waiter *late;    /* for the next one */
	uv_work_t work;
	uv_timer_t timer;
	int rc; /* of the reading */
	int stopped;
};

static void start(struct limits_measure *m);

static void forget(struct waiter *w)
{
	while (w) {
		struct waiter *next = w->next;

		free(w);
		w = next;
	}
}

static void finish(struct limits_measure *m)
{
	const struct limits_report *report = m->rc ? NULL : m->report;
	struct waiter *done = m->waiting;

	m->waiting = NULL;
	m->phase = IDLE;
	for (struct waiter *w = done; w && !m->stopped; w = w->next)
		w->done(w->ctx, report);
	forget(done);
	limits_report_free(m->report);
	m->report = NULL;
	if (!m->late || m->stopped)
		return;
	m->waiting = m->late;
	m->late = NULL;
	start(m);
}

static void read_buckets(uv_work_t *work)
{
	struct limits_measure *m = work->data;

	m->rc = limits_report_read(m->report);
}

static void on_timer(uv_timer_t *timer);

static void on_read(uv_work_t *work, int status)
{
	struct limits_measure *m = work->data;

	if (status)
		m->rc = status;
	if (m->stopped || m->rc || m->phase == SECOND) {
		finish(m);
		return;
	}
	m->phase = PAUSE;
	uv_timer_start(&m->timer, on_timer, LIMITS_INTERVAL_MS, 0);
}

static void read_later(struct limits_measure *m, enum phase phase)
{
	int rc;

	m->phase = phase;
	m->work.data = m;
	rc = uv_queue_work(m->config.loop, &m->work, read_buckets, on_read);
	if (rc) { /* else m->rc is the thread's */
		m->rc = rc;
		finish(m);
	}
}

static void on_timer(uv_timer_t *timer)
{
	read_later(timer->data, SECOND);
}

static void start(struct limits_measure *m)
{
	m->report = m->config.begin(m->config.ctx);
	m->rc = m->report ? 0 : -ENOMEM;
	if (m->rc)
		finish(m);
	else
		read_later(m, FIRST);
}

struct limits_measure *limits_measure_create(const struct limits_measure_config *config)
{
	struct limits_measure *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->config = *config;
	uv_timer_init(config->loop, &m->timer);
	m->timer.data = m;
	return m;
}

int limits_measure_ask(struct limits_measure *m, limits_measured *done, void *ctx)
{
	struct waiter *w = calloc(1, sizeof(*w));
	struct waiter **list = m->phase == SECOND ? &m->late : &m->waiting;

	if (!w)
		return -ENOMEM;
	*w = (struct waiter){*list, done, ctx};
	*list = w;
	if (m->phase == IDLE)
		start(m);
	return 0;
}

void limits_measure_stop(struct limits_measure *m)
{
	m->stopped = 1;
	uv_timer_stop(&m->timer);
}

void limits_measure_free(struct limits_measure *m)
{
	if (!m)
		return;
	forget(m->waiting);
	forget(m->late);
	limits_report_free(m->report);
	free(m);
}
