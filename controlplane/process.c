/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/process.h"

#include <string.h>
#include <unistd.h>

#include "controlplane/log.h"
#include "controlplane/pidfd.h"

void process_init(struct process *p, void (*ended)(void *ctx), void *ctx)
{
	memset(p, 0, sizeof(*p));
	p->pidfd = -1;
	p->ended = ended;
	p->ctx = ctx;
}

static void on_closed(uv_handle_t *handle)
{
	struct process *p = handle->data;

	if (p->pidfd >= 0)
		close(p->pidfd);
	p->pidfd = -1;
	p->ended(p->ctx);
}

static void on_exit(uv_process_t *child, int64_t status, int signal)
{
	struct process *p = child->data;

	p->exit_status = status;
	p->exit_signal = signal;
	uv_close((uv_handle_t *)child, on_closed);
}

void process_spawn(struct process *p, uv_loop_t *loop, char **argv, uv_pipe_t *report)
{
	uv_stdio_container_t stdio[PROCESS_REPORT_FD + 1] = {
		{.flags = UV_IGNORE},
		{.flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO},
		{.flags = UV_INHERIT_FD, .data.fd = STDERR_FILENO},
		{.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)report},
	};
	uv_process_options_t options = {
		.exit_cb = on_exit,
		.file = argv[0],
		.args = argv,
		.flags = UV_PROCESS_DETACHED, /* a signal to our terminal is not for it */
		.stdio_count = report ? PROCESS_REPORT_FD + 1 : PROCESS_REPORT_FD,
		.stdio = stdio,
	};
	int rc;

	p->child.data = p;
	rc = uv_spawn(loop, &p->child, &options);
	if (rc == 0) {
		p->pid = p->child.pid;
		return;
	}
	log_error("dataplane", "event=spawn_failed program=%s error=\"%s\"", argv[0],
		  uv_strerror(rc));
	p->exit_status = PROCESS_NOT_STARTED;
	p->exit_signal = 0;
	uv_close((uv_handle_t *)&p->child, on_closed);
}

static void on_watch(uv_poll_t *watch, int status, int events)
{
	struct process *p = watch->data;

	p->exit_status = PROCESS_STATUS_UNKNOWN;
	p->exit_signal = 0;
	uv_close((uv_handle_t *)watch, on_closed);
}

void process_watch(struct process *p, uv_loop_t *loop, int pidfd, pid_t pid)
{
	p->pidfd = pidfd;
	p->pid = pid;
	uv_poll_init(loop, &p->watch, pidfd);
	p->watch.data = p;
	uv_poll_start(&p->watch, UV_READABLE, on_watch);
}

void process_signal(struct process *p, int signal)
{
	if (p->pid == 0)
		return;
	if (p->pidfd >= 0)
		pidfd_signal(p->pidfd, signal);
	else
		uv_process_kill(&p->child, signal); /* ours until its exit was told */
}
