/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/socket_polls.h"

#include <errno.h>
#include <stdlib.h>

struct socket_poll {
	uv_poll_t handle;
	struct socket_polls *polls;
	struct socket_poll *next;
	int fd;
};

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void on_event(uv_poll_t *handle, int status, int events)
{
	const struct socket_poll *poll = handle->data;

	poll->polls->ready(poll->polls->ctx, poll->fd,
			   status == 0 ? events : UV_READABLE | UV_WRITABLE);
}

static void end(struct socket_poll **link)
{
	struct socket_poll *poll = *link;

	*link = poll->next;
	uv_close((uv_handle_t *)&poll->handle, on_closed);
}

static int add(struct socket_polls *polls, int fd)
{
	struct socket_poll *poll = calloc(1, sizeof(*poll));
	int rc;

	if (!poll)
		return -ENOMEM;
	rc = uv_poll_init(polls->loop, &poll->handle, fd);
	if (rc != 0) {
		free(poll);
		return rc;
	}
	poll->handle.data = poll;
	poll->polls = polls;
	poll->fd = fd;
	poll->next = polls->first;
	polls->first = poll;
	return 0;
}

int socket_polls_watch(struct socket_polls *polls, int fd, int events)
{
	struct socket_poll **link = &polls->first;
	int rc = 0;

	while (*link && (*link)->fd != fd)
		link = &(*link)->next;
	if (events == 0) {
		if (*link)
			end(link);
		return 0;
	}
	if (!*link) {
		rc = add(polls, fd);
		link = &polls->first;
	}
	return rc == 0 ? uv_poll_start(&(*link)->handle, events, on_event) : rc;
}

void socket_polls_end(struct socket_polls *polls)
{
	while (polls->first)
		end(&polls->first);
}
