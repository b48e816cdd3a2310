/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/admin.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <microhttpd.h>

#include "controlplane/admin_request.h"
#include "controlplane/log.h"
#include "controlplane/paths.h"

enum {
	SWEEP_MS = 250,
	CLIENT_SLOTS = 4 * ADMIN_CLIENTS, /* a burst of prompt clients fits */
};

struct client {
	int fd; /* -1: free */
	int ended;
	uint64_t since_ms;
};

struct admin {
	struct admin_server server;
	struct MHD_Daemon *daemon;
	uv_loop_t *loop;
	uv_poll_t poll;   /* libmicrohttpd's epoll descriptor */
	uv_timer_t timer; /* when it wants to run without input */
	uv_timer_t sweep; /* ends slow clients */
	char path[SOCKET_PATH_BYTES];
	int closed; /* a connection, while libmicrohttpd ran */
	struct client clients[CLIENT_SLOTS];
};

static void run(struct admin *admin);

static void on_timer(uv_timer_t *timer)
{
	run(timer->data);
}

static void run(struct admin *admin)
{
	MHD_UNSIGNED_LONG_LONG wait_ms;

	/* Below its limit again, libmicrohttpd listens again only when it is run once more. */
	do {
		admin->closed = 0;
		MHD_run(admin->daemon);
	} while (admin->closed);
	if (MHD_get_timeout(admin->daemon, &wait_ms) == MHD_YES)
		uv_timer_start(&admin->timer, on_timer, wait_ms, 0);
	else
		uv_timer_stop(&admin->timer);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	run(poll->data);
}

/* Not at once: the caller may be inside libmicrohttpd. */
static void on_resumed(void *ctx)
{
	struct admin *admin = ctx;

	uv_timer_start(&admin->timer, on_timer, 0, 0);
}

/* libmicrohttpd sees the end and closes the descriptor. */
static void end_client(struct client *client)
{
	client->ended = 1;
	shutdown(client->fd, SHUT_RDWR);
}

static struct client *oldest_client(struct admin *admin, size_t *live)
{
	struct client *oldest = NULL;

	*live = 0;
	for (size_t i = 0; i < CLIENT_SLOTS; i++) {
		struct client *client = &admin->clients[i];

		if (client->fd < 0 || client->ended)
			continue;
		++*live;
		if (!oldest || client->since_ms < oldest->since_ms)
			oldest = client;
	}
	return oldest;
}

/* A client that asks and reads is gone long before its turn. */
static void on_sweep(uv_timer_t *timer)
{
	struct admin *admin = timer->data;
	uint64_t now_ms = uv_now(admin->loop);
	struct client *oldest;
	size_t live;

	while ((oldest = oldest_client(admin, &live))) {
		uint64_t age_ms = now_ms - oldest->since_ms;

		if (age_ms <= (live > ADMIN_CLIENTS ? SWEEP_MS : ADMIN_LIFE_MS))
			return;
		end_client(oldest);
	}
	uv_timer_stop(timer);
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	struct admin *admin = cls;
	struct client *client = *context;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		admin->closed = 1;
		if (client)
			client->fd = -1;
		return;
	}
	for (size_t i = 0; i < CLIENT_SLOTS && !*context; i++)
		if (admin->clients[i].fd < 0)
			*context = &admin->clients[i];
	client = *context;
	if (!client)
		return;
	client->fd =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	client->ended = 0;
	client->since_ms = uv_now(admin->loop);
	if (!uv_is_active((uv_handle_t *)&admin->sweep))
		uv_timer_start(&admin->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
}

/* Return the listening descriptor or -errno. */
static int listen_on(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mode_t mask;
	int rc;

	if (fd < 0)
		return -errno;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	unlink(path);
	mask = umask(0117); /* the file is never more open than 0660 */
	rc = bind(fd, (struct sockaddr *)&address, sizeof(address));
	umask(mask);
	if (rc == 0)
		rc = listen(fd, ADMIN_BACKLOG);
	if (rc != 0) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

static struct MHD_Daemon *start_daemon(struct admin *admin, int fd)
{
	return MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
				admin_request_handle, &admin->server, MHD_OPTION_LISTEN_SOCKET, fd,
				MHD_OPTION_CONNECTION_LIMIT, (unsigned int)CLIENT_SLOTS,
				MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)ADMIN_IDLE_S,
				MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)ADMIN_REQUEST_BYTES,
				MHD_OPTION_NOTIFY_COMPLETED, admin_request_completed, NULL,
				MHD_OPTION_NOTIFY_CONNECTION, on_connection, admin, MHD_OPTION_END);
}

static void start_handles(struct admin *admin)
{
	int epoll_fd = MHD_get_daemon_info(admin->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;

	uv_poll_init(admin->loop, &admin->poll, epoll_fd);
	uv_timer_init(admin->loop, &admin->timer);
	uv_timer_init(admin->loop, &admin->sweep);
	admin->poll.data = admin;
	admin->timer.data = admin;
	admin->sweep.data = admin;
	uv_poll_start(&admin->poll, UV_READABLE, on_poll);
}

int admin_create(struct admin **out, uv_loop_t *loop, const char *socket_path,
		 const struct admin_calls *calls, char *why, size_t why_size)
{
	struct admin *admin = calloc(1, sizeof(*admin));
	int fd = admin ? listen_on(socket_path) : -ENOMEM;

	if (fd < 0) {
		snprintf(why, why_size, "socket %s: %s", socket_path, strerror(-fd));
		free(admin);
		return fd;
	}
	admin->server = (struct admin_server){*calls, admin, on_resumed};
	admin->loop = loop;
	snprintf(admin->path, sizeof(admin->path), "%s", socket_path);
	for (size_t i = 0; i < CLIENT_SLOTS; i++)
		admin->clients[i].fd = -1;
	admin->daemon = start_daemon(admin, fd);
	if (!admin->daemon) {
		snprintf(why, why_size, "socket %s: the HTTP server did not start", socket_path);
		close(fd);
		unlink(socket_path);
		free(admin);
		return -EIO;
	}
	start_handles(admin);
	log_info("admin", "event=listening socket=%s", socket_path);
	*out = admin;
	return 0;
}

void admin_stop(struct admin *admin)
{
	unlink(admin->path);
	uv_poll_stop(&admin->poll);
	uv_timer_stop(&admin->timer);
	uv_timer_stop(&admin->sweep);
	/* Resumed connections get their answer before the server ends. */
	MHD_run(admin->daemon);
	MHD_stop_daemon(admin->daemon);
}

void admin_free(struct admin *admin)
{
	free(admin);
}
