/* SPDX-License-Identifier: Apache-2.0 */
/* One socket of the admin API: its libmicrohttpd inside the loop, and its clients. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "controlplane/admin_server.h"

static void run(struct admin_socket *s);

static void on_timer(uv_timer_t *timer)
{
	run(timer->data);
}

static void run(struct admin_socket *s)
{
	MHD_UNSIGNED_LONG_LONG wait_ms;

	/* Below its limit again, libmicrohttpd listens again only when it is run once more. */
	do {
		s->closed = 0;
		MHD_run(s->daemon);
	} while (s->closed);
	if (MHD_get_timeout(s->daemon, &wait_ms) == MHD_YES)
		uv_timer_start(&s->timer, on_timer, wait_ms, 0);
	else
		uv_timer_stop(&s->timer);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	run(poll->data);
}

void admin_socket_wake(struct admin_socket *s)
{
	if (!s->admin->stopping)
		uv_timer_start(&s->timer, on_timer, 0, 0);
}

void admin_client_end(struct admin_client *client)
{
	client->ended = 1;
	shutdown(client->fd, SHUT_RDWR);
}

/* Of those we wait for. */
static struct admin_client *oldest_client(struct admin_socket *s, size_t *live)
{
	struct admin_client *oldest = NULL;

	*live = 0;
	for (size_t i = 0; i < ADMIN_CLIENT_SLOTS; i++) {
		struct admin_client *client = &s->clients[i];

		if (client->fd < 0 || client->ended)
			continue;
		++*live;
		if (!client->ours && (!oldest || client->since_ms < oldest->since_ms))
			oldest = client;
	}
	return oldest;
}

/* A client that asks and reads is gone long before its turn. */
static void on_sweep(uv_timer_t *timer)
{
	struct admin_socket *s = timer->data;
	uint64_t now_ms = uv_now(s->admin->config.loop);
	struct admin_client *oldest;
	size_t live;

	while ((oldest = oldest_client(s, &live))) {
		uint64_t age_ms = now_ms - oldest->since_ms;

		if (age_ms <= (live > ADMIN_CLIENTS ? ADMIN_SWEEP_MS : ADMIN_LIFE_MS))
			return;
		admin_client_end(oldest);
	}
	if (live == 0)
		uv_timer_stop(timer);
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	struct admin_socket *s = cls;
	struct admin_client *client = *context;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		s->closed = 1;
		if (client)
			client->fd = -1;
		return;
	}
	for (size_t i = 0; i < ADMIN_CLIENT_SLOTS && !client; i++)
		if (s->clients[i].fd < 0)
			client = &s->clients[i];
	*context = client;
	if (!client)
		return;
	*client = (struct admin_client){
		.fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)
			      ->connect_fd,
		.since_ms = uv_now(s->admin->config.loop),
	};
	if (!uv_is_active((uv_handle_t *)&s->sweep))
		uv_timer_start(&s->sweep, on_sweep, ADMIN_SWEEP_MS, ADMIN_SWEEP_MS);
}

static struct MHD_Daemon *start_daemon(struct admin_socket *s, int fd)
{
	return MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
				admin_request_handle, s, MHD_OPTION_LISTEN_SOCKET, fd,
				MHD_OPTION_CONNECTION_LIMIT, (unsigned int)ADMIN_CLIENT_SLOTS,
				MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)ADMIN_IDLE_S,
				MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)ADMIN_REQUEST_BYTES,
				MHD_OPTION_URI_LOG_CALLBACK, admin_request_uri, s,
				MHD_OPTION_NOTIFY_COMPLETED, admin_request_completed, NULL,
				MHD_OPTION_NOTIFY_CONNECTION, on_connection, s, MHD_OPTION_END);
}

static void start_handles(struct admin_socket *s)
{
	uv_loop_t *loop = s->admin->config.loop;
	int epoll_fd = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;

	uv_poll_init(loop, &s->poll, epoll_fd);
	uv_timer_init(loop, &s->timer);
	uv_timer_init(loop, &s->sweep);
	s->poll.data = s;
	s->timer.data = s;
	s->sweep.data = s;
	uv_poll_start(&s->poll, UV_READABLE, on_poll);
}

int admin_socket_start(struct admin *admin, int fd, const char *path, enum admin_role role)
{
	struct admin_socket *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->admin = admin;
	s->role = role;
	snprintf(s->path, sizeof(s->path), "%s", path);
	for (size_t i = 0; i < ADMIN_CLIENT_SLOTS; i++)
		s->clients[i].fd = -1;
	s->daemon = start_daemon(s, fd);
	if (!s->daemon) {
		free(s);
		return -EIO;
	}
	start_handles(s);
	admin->sockets[admin->socket_count++] = s;
	return 0;
}

void admin_socket_stop(struct admin_socket *s)
{
	if (s->path[0])
		unlink(s->path);
	uv_poll_stop(&s->poll);
	uv_timer_stop(&s->timer);
	uv_timer_stop(&s->sweep);
	/* Resumed connections get their answer before the server ends. */
	MHD_run(s->daemon);
	MHD_stop_daemon(s->daemon);
}
