/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A successor that starts while the kernel still takes a killed dataplane apart, which lasts an RCU
 * grace period for each AF_XDP socket: 10 ms and more. Meanwhile it starts DPDK; then it waits for
 * the process lock, which is among the last things to go.
 *
 * The notice: the dataplane is the only reader of its wake FIFO, by its highest descriptor
 * (wake_fifo_open()), and the kernel closes a dead process's files from the highest down. Where it
 * does otherwise the notice comes late or not at all, and the end of the process starts the next
 * one.
 */
#include <fcntl.h>
#include <unistd.h>

#include "controlplane/log.h"
#include "controlplane/supervise_private.h"

static void on_closed(uv_handle_t *handle)
{
	struct supervisor *s = handle->data;

	close(s->notice_fd);
	s->notice_fd = -1;
}

void succession_unwatch(struct supervisor *s)
{
	uv_handle_t *notice = (uv_handle_t *)&s->notice;

	if (s->notice_fd >= 0 && !uv_is_closing(notice))
		uv_close(notice, on_closed);
}

/* Will it be started again at once? */
static int starts_at_once(const struct supervisor *s)
{
	struct backoff backoff = s->backoff;

	return s->asked || backoff_died(&backoff, (monotonic_ns() - s->since_ns) / 1000000) == 0;
}

static void on_gone(uv_poll_t *poll, int status, int events)
{
	struct supervisor *s = poll->data;

	succession_unwatch(s);
	if (s->state != SUPERVISE_UP || s->heir || s->upgrade.phase != UPGRADE_NONE ||
	    !starts_at_once(s) || !s->config.may_prepare(s->config.ctx))
		return;
	s->heir = supervise_other_seat(s);
	s->heir_since_ns = monotonic_ns();
	supervise_spawn(s, s->heir, s->binary, NULL);
}

void succession_watch(struct supervisor *s)
{
	/* Still that of the one before: this one's end is told by its process. */
	if (s->notice_fd >= 0)
		return;
	/* ENXIO: nobody reads it, as when the file was replaced. */
	s->notice_fd = open(s->config.paths->wake, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	if (s->notice_fd < 0)
		return;
	if (uv_poll_init(s->config.loop, &s->notice, s->notice_fd) != 0) {
		close(s->notice_fd);
		s->notice_fd = -1;
		return;
	}
	s->notice.data = s;
	/* A pipe without readers is an error, which is told whatever is asked for. */
	uv_poll_start(&s->notice, UV_DISCONNECT, on_gone);
}

int succession_take(struct supervisor *s)
{
	if (!s->heir || s->heir->pid == 0)
		return 0;
	s->process = s->heir;
	s->heir = NULL;
	s->since_ns = s->heir_since_ns;
	s->state = SUPERVISE_STARTING;
	s->is_up = 0;
	return 1;
}
