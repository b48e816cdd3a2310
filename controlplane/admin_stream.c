/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams: answers without an end. Their clients take as long as they like, so there are few, and
 * when all are taken a newcomer gets the place of one that has not read for a while.
 */
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "controlplane/admin_server.h"

enum { LOOK_MS = 100, STALLED_MS = 10000, BLOCK_BYTES = 4096, SEND_BYTES = 16 * 1024 };

struct admin_running_stream {
	struct admin_stream stream;
	struct admin *admin;
	struct admin_socket *socket;
	struct MHD_Connection *connection;
	struct admin_client *client;
	struct admin_running_stream *next;
	int suspended; /* until something is pending */
	int ending;
	uint64_t pulled_ms; /* its client had room then */
};

static void resume(struct admin_running_stream *s)
{
	s->suspended = 0;
	MHD_resume_connection(s->connection);
	admin_socket_wake(s->socket);
}

/* Closed by the peer, both ways; a suspended connection is not looked at by libmicrohttpd. */
static int hung_up(const struct admin_running_stream *s)
{
	struct pollfd p = {.fd = s->client ? s->client->fd : -1};

	return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR)) != 0;
}

static void on_look(uv_timer_t *timer)
{
	const struct admin *admin = timer->data;

	for (struct admin_running_stream *s = admin->streams; s; s = s->next) {
		if (!s->suspended)
			continue;
		s->ending |= hung_up(s);
		if (s->ending || s->stream.pending(s->stream.state))
			resume(s);
	}
}

static ssize_t on_room(void *cls, uint64_t position, char *out, size_t size)
{
	struct admin_running_stream *s = cls;
	ssize_t bytes = s->ending ? -1 : s->stream.pull(s->stream.state, out, size);

	s->pulled_ms = uv_now(s->admin->config.loop);
	if (bytes > 0)
		return bytes;
	if (bytes < 0)
		return MHD_CONTENT_READER_END_OF_STREAM;
	s->suspended = 1;
	MHD_suspend_connection(s->connection);
	return 0;
}

static void on_free(void *cls)
{
	struct admin_running_stream *s = cls;
	struct admin_running_stream **link = &s->admin->streams;

	while (*link != s)
		link = &(*link)->next;
	*link = s->next;
	if (!s->admin->streams)
		uv_timer_stop(&s->admin->stream_timer);
	s->stream.drop(s->stream.state);
	free(s);
}

/* 1 when there is a place for one more. */
static int make_room(struct admin *admin)
{
	uint64_t now_ms = uv_now(admin->config.loop);
	struct admin_running_stream *stalled = NULL;
	unsigned int count = 0;

	for (struct admin_running_stream *s = admin->streams; s; s = s->next) {
		if (s->client && s->client->ended)
			continue;
		count++;
		if (!s->suspended && s->client && now_ms - s->pulled_ms > STALLED_MS &&
		    (!stalled || s->pulled_ms < stalled->pulled_ms))
			stalled = s;
	}
	if (count < ADMIN_STREAMS)
		return 1;
	if (stalled)
		admin_client_end(stalled->client);
	return stalled != NULL;
}

static struct admin_running_stream *make(struct admin_request *r, const struct admin_stream *stream)
{
	struct admin_running_stream *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->stream = *stream;
	s->admin = r->admin;
	s->socket = r->socket;
	s->connection = r->connection;
	s->client = r->client;
	s->pulled_ms = uv_now(r->admin->config.loop);
	r->stream = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, on_room, s,
						      on_free);
	if (!r->stream) {
		free(s);
		return NULL;
	}
	s->next = r->admin->streams;
	r->admin->streams = s;
	return s;
}

void admin_answer_stream(struct admin_request *r, const char *type,
			 const struct admin_stream *stream)
{
	const int send_bytes = SEND_BYTES;
	struct admin *admin = r->admin;

	if (!make_room(admin)) {
		stream->drop(stream->state);
		admin_answer_error(r, MHD_HTTP_SERVICE_UNAVAILABLE,
				   "all %d streams are taken: end one", ADMIN_STREAMS);
		return;
	}
	if (!make(r, stream)) {
		stream->drop(stream->state);
		admin_answer(r, MHD_HTTP_INTERNAL_SERVER_ERROR, NULL);
		return;
	}
	r->answer.type = type;
	if (r->client) {
		r->client->ours = 1;
		setsockopt(r->client->fd, SOL_SOCKET, SO_SNDBUF, &send_bytes, sizeof(send_bytes));
	}
	/* A client that listens is as quiet as its subject. */
	MHD_set_connection_option(r->connection, MHD_CONNECTION_OPTION_TIMEOUT, 0u);
	if (!uv_is_active((uv_handle_t *)&admin->stream_timer))
		uv_timer_start(&admin->stream_timer, on_look, LOOK_MS, LOOK_MS);
}

void admin_streams_init(struct admin *admin)
{
	uv_timer_init(admin->config.loop, &admin->stream_timer);
	admin->stream_timer.data = admin;
}

void admin_streams_end(struct admin *admin)
{
	uv_timer_stop(&admin->stream_timer);
	for (struct admin_running_stream *s = admin->streams; s; s = s->next) {
		s->ending = 1;
		if (s->suspended)
			resume(s);
	}
}
