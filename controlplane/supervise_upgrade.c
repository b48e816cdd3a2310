/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Another dataplane program takes over without losing a connection. Until its heir has said that it
 * is ready, the running dataplane is not touched; a heir that fails later is answered by starting
 * the program that ran before.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controlplane/log.h"
#include "controlplane/program_record.h"
#include "controlplane/supervise_private.h"

enum { PREPARE_MS = 15000, MAKE_ROOM_MS = 3000, LOOK_MS = 2 };

static uint64_t ns_to_ms(uint64_t ns)
{
	return ns / 1000000;
}

static void on_pipe_closed(uv_handle_t *handle)
{
	struct supervisor *s = handle->data;

	s->upgrade.pipe_open = 0;
}

static void close_pipe(struct supervisor *s)
{
	uv_handle_t *pipe = (uv_handle_t *)&s->upgrade.pipe;

	if (s->upgrade.pipe_open && !uv_is_closing(pipe))
		uv_close(pipe, on_pipe_closed);
}

static void finish(struct supervisor *s, const struct upgrade_report *report)
{
	struct upgrade *u = &s->upgrade;

	u->phase = UPGRADE_NONE;
	uv_timer_stop(&u->timer);
	close_pipe(s);
	if (report->error)
		log_error("dataplane", "event=upgrade_failed program=%s why=\"%s\"", u->binary,
			  report->why);
	else
		log_info("dataplane",
			 "event=upgraded program=%s from=%d pid=%d prepare_ms=%lu pause_ms=%lu",
			 u->binary, report->from, report->pid, report->prepare_ms,
			 report->pause_ms);
	u->done(u->ctx, report);
}

static void fail(struct supervisor *s, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void fail(struct supervisor *s, int error, const char *format, ...)
{
	struct upgrade_report report = {.error = error, .pid = s->process->pid};
	va_list values;

	va_start(values, format);
	vsnprintf(report.why, sizeof(report.why), format, values);
	va_end(values);
	finish(s, &report);
}

static void on_not_ready(uv_timer_t *timer)
{
	struct supervisor *s = timer->data;

	snprintf(s->upgrade.line, sizeof(s->upgrade.line), "failed: not ready within %d s",
		 PREPARE_MS / 1000);
	process_signal(s->heir, SIGKILL);
}

static void on_no_room(uv_timer_t *timer)
{
	struct supervisor *s = timer->data;

	log_warn("dataplane", "event=stop_timeout pid=%d action=kill", s->process->pid);
	process_signal(s->process, SIGKILL);
}

static void make_room(struct supervisor *s)
{
	struct upgrade *u = &s->upgrade;

	u->phase = UPGRADE_STOPPING;
	u->stop_ns = monotonic_ns();
	process_signal(s->process, SIGTERM);
	uv_timer_start(&u->timer, on_no_room, MAKE_ROOM_MS, 0);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
	struct supervisor *s = handle->data;
	struct upgrade *u = &s->upgrade;

	/* One byte stays for the end of the text; a line that is longer is cut. */
	*buffer = uv_buf_init(u->line + u->used, (unsigned int)(sizeof(u->line) - 1 - u->used));
}

static void on_line(uv_stream_t *stream, ssize_t bytes, const uv_buf_t *buffer)
{
	struct supervisor *s = stream->data;
	struct upgrade *u = &s->upgrade;
	char *end;

	if (bytes < 0) {
		close_pipe(s);
		return;
	}
	u->used += (size_t)bytes;
	end = memchr(u->line, '\n', u->used);
	if (!end)
		return;
	*end = '\0';
	close_pipe(s);
	/* What else it says, its end will tell: upgrade_heir_ended(). */
	if (u->phase == UPGRADE_PREPARING && strcmp(u->line, "ready") == 0)
		make_room(s);
}

static int open_pipe(struct supervisor *s)
{
	struct upgrade *u = &s->upgrade;
	int rc = uv_pipe_init(s->config.loop, &u->pipe, 0);

	u->pipe.data = s;
	u->pipe_open = rc == 0;
	u->used = 0;
	memset(u->line, 0, sizeof(u->line));
	return rc;
}

static void refuse(supervisor_upgraded *done, void *ctx, int error, const char *why)
{
	struct upgrade_report report = {.error = error};

	snprintf(report.why, sizeof(report.why), "%s", why);
	done(ctx, &report);
}

void supervisor_upgrade(struct supervisor *s, const char *binary, supervisor_upgraded *done,
			void *ctx)
{
	struct upgrade *u = &s->upgrade;
	char why[UPGRADE_WHY_BYTES];

	if (s->heir || u->phase != UPGRADE_NONE || u->pipe_open) {
		refuse(done, ctx, -EBUSY, "an upgrade is under way");
		return;
	}
	if (s->state != SUPERVISE_UP) {
		refuse(done, ctx, -EAGAIN, "the dataplane is not up: wait until it is ready");
		return;
	}
	if (access(binary ? binary : s->binary, X_OK) != 0) {
		snprintf(why, sizeof(why), "cannot run %s: %s", binary ? binary : s->binary,
			 strerror(errno));
		refuse(done, ctx, -ENOENT, why);
		return;
	}
	if (open_pipe(s) != 0) {
		refuse(done, ctx, -ENOMEM, "no pipe to the new program");
		return;
	}
	snprintf(u->binary, sizeof(u->binary), "%s", binary ? binary : s->binary);
	u->done = done;
	u->ctx = ctx;
	u->from = s->process->pid;
	u->begun_ns = monotonic_ns();
	u->phase = UPGRADE_PREPARING;
	s->heir = supervise_other_seat(s);
	supervise_spawn(s, s->heir, u->binary, &u->pipe);
	if (s->heir->pid && uv_read_start((uv_stream_t *)&u->pipe, on_alloc, on_line) == 0)
		uv_timer_start(&u->timer, on_not_ready, PREPARE_MS, 0);
	else
		process_signal(s->heir, SIGKILL);
}

/* More often than the tick: the pause is measured by it. */
static void on_look(uv_timer_t *timer)
{
	supervise_look(timer->data);
}

int upgrade_dataplane_ended(struct supervisor *s)
{
	struct upgrade *u = &s->upgrade;

	if (u->phase == UPGRADE_NONE)
		return 0;
	if (u->phase == UPGRADE_STARTING || (u->phase == UPGRADE_STOPPING && !s->heir)) {
		fail(s, -EIO,
		     "the new program ended after the hand-over; the one before starts again");
		return 0;
	}
	if (u->phase != UPGRADE_STOPPING) {
		/* By itself, while the heir prepared: that one is not needed any more. */
		upgrade_cancel(s);
		return 0;
	}
	s->process->pid = 0;
	s->process = s->heir;
	s->heir = NULL;
	s->since_ns = u->stop_ns;
	s->state = SUPERVISE_STARTING;
	u->phase = UPGRADE_STARTING;
	uv_timer_start(&u->timer, on_look, 0, LOOK_MS);
	return 1;
}

void upgrade_heir_ended(struct supervisor *s)
{
	static const char failed[] = "failed: ";
	struct upgrade *u = &s->upgrade;
	int64_t status = s->heir->exit_status;

	s->heir->pid = 0;
	s->heir = NULL;
	if (u->phase != UPGRADE_PREPARING)
		return;
	if (strncmp(u->line, failed, sizeof(failed) - 1) == 0)
		fail(s, -EIO, "%s; the dataplane that runs goes on", u->line + sizeof(failed) - 1);
	else
		fail(s, -EIO,
		     "%s ended (status %ld) before it was ready; the dataplane that runs goes on",
		     u->binary, (long)status);
}

void upgrade_up(struct supervisor *s)
{
	struct upgrade *u = &s->upgrade;
	uint64_t now_ns = monotonic_ns();
	struct upgrade_report report = {
		.from = u->from,
		.pid = s->process->pid,
		.prepare_ms = ns_to_ms(u->stop_ns - u->begun_ns),
		.pause_ms = ns_to_ms(now_ns - u->stop_ns),
	};

	if (u->phase != UPGRADE_STARTING)
		return;
	snprintf(s->binary, sizeof(s->binary), "%s", u->binary);
	program_record_write(s->config.paths->program, s->config.named_binary, s->binary);
	finish(s, &report);
}

void upgrade_cancel(struct supervisor *s)
{
	if (s->heir)
		process_signal(s->heir, SIGKILL);
	if (s->upgrade.phase != UPGRADE_NONE)
		fail(s, -ECANCELED, "the dataplane ended or is being stopped");
}

void upgrade_init(struct supervisor *s)
{
	uv_timer_init(s->config.loop, &s->upgrade.timer);
	s->upgrade.timer.data = s;
}
