/* SPDX-License-Identifier: Apache-2.0 */
/* One request of the admin API, from its headers to its answer. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "controlplane/admin_server.h"
#include "controlplane/log.h"

#define JSON_TYPE "application/json"

enum { ERROR_BYTES = 512 };

/* -- answers ----------------------------------------------------------------------------- */

struct admin_text admin_text_of(unsigned int status, json_t *body)
{
	struct admin_text text = {status, JSON_TYPE, NULL, 0};

	text.text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	text.bytes = text.text ? strlen(text.text) : 0;
	json_decref(body);
	return text;
}

static struct admin_text error_text(unsigned int status, const char *error)
{
	/* What a client wrote may be no UTF-8. */
	json_t *sentence = json_string(error);

	return admin_text_of(status, json_pack("{s:o}", "error",
					       sentence ? sentence : json_string("not in UTF-8")));
}

static void unlink_request(struct admin_request *r)
{
	if (r->prev)
		r->prev->next = r->next;
	else
		r->admin->requests = r->next;
	if (r->next)
		r->next->prev = r->prev;
}

static void free_request(struct admin_request *r)
{
	unlink_request(r);
	free(r->answer.text);
	free(r);
}

/* The sum of what waits to be read is bounded; one answer may always be under way. */
static void charge(struct admin_request *r)
{
	struct admin *admin = r->admin;

	if (r->answer.bytes > ADMIN_ANSWER_BYTES ||
	    admin->answer_bytes > ADMIN_ANSWER_BYTES - r->answer.bytes) {
		if (admin->answer_bytes > 0) {
			free(r->answer.text);
			r->answer = error_text(MHD_HTTP_SERVICE_UNAVAILABLE,
					       "too many answers are not yet read: try again");
		}
	}
	r->charged = r->answer.bytes;
	admin->answer_bytes += r->charged;
}

/* We wait for the client from now on. */
static void client_owes(struct admin_request *r)
{
	if (!r->client)
		return;
	r->client->ours = 0;
	r->client->since_ms = uv_now(r->admin->config.loop);
}

void admin_request_resume(struct admin_request *r)
{
	if (!r->suspended)
		return;
	r->suspended = 0;
	client_owes(r);
	MHD_resume_connection(r->connection);
	admin_socket_wake(r->socket);
}

void admin_answer_text(struct admin_request *r, const struct admin_text *text)
{
	if (r->abandoned) {
		free(text->text);
		free_request(r);
		return;
	}
	r->answer = *text;
	if (!r->answer.text)
		r->answer = error_text(MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory");
	charge(r);
	admin_request_resume(r);
}

void admin_answer(struct admin_request *r, unsigned int status, json_t *body)
{
	struct admin_text text = admin_text_of(status, body);

	admin_answer_text(r, &text);
}

void admin_answer_error(struct admin_request *r, unsigned int status, const char *format, ...)
{
	char sentence[ERROR_BYTES];
	struct admin_text text;
	va_list args;

	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	text = error_text(status, sentence);
	admin_answer_text(r, &text);
}

/* -- of a request ------------------------------------------------------------------------ */

struct admin *admin_of(const struct admin_request *r)
{
	return r->admin;
}

enum admin_role admin_role(const struct admin_request *r)
{
	return r->socket->role;
}

const char *admin_path(const struct admin_request *r)
{
	return r->path;
}

const char *admin_path_part(const struct admin_request *r, unsigned int i)
{
	return i < r->parts.count ? r->parts.part[i] : "";
}

const char *admin_query(const struct admin_request *r, const char *name)
{
	return admin_parameters_find(&r->parameters, name);
}

int admin_query_number(struct admin_request *r, const char *name, uint64_t min, uint64_t max,
		       uint64_t *value)
{
	const char *text = admin_query(r, name);

	if (!text || admin_parse_number(text, min, max, value) == 0)
		return 0;
	admin_answer_error(r, MHD_HTTP_BAD_REQUEST, "'%s' must be a number from %lu to %lu", name,
			   min, max);
	return -EINVAL;
}

const char *admin_header(const struct admin_request *r, const char *name)
{
	return r->connection ? MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, name)
			     : NULL;
}

/* -- responding -------------------------------------------------------------------------- */

static enum MHD_Result queue_response(struct MHD_Connection *connection, unsigned int status,
				      const char *type, struct MHD_Response *response)
{
	enum MHD_Result result;

	if (type)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

/* Takes the text over. */
static enum MHD_Result respond(struct MHD_Connection *connection, struct admin_text *text,
			       const char *allow)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(text->bytes, text->text, MHD_RESPMEM_MUST_FREE);

	if (!response) {
		free(text->text);
		text->text = NULL;
		return MHD_NO;
	}
	text->text = NULL;
	if (allow)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, allow);
	return queue_response(connection, text->status, text->type, response);
}

static enum MHD_Result respond_error(struct MHD_Connection *connection, unsigned int status,
				     const char *error)
{
	struct admin_text text = error_text(status, error);

	return respond(connection, &text, NULL);
}

static enum MHD_Result respond_no_route(struct MHD_Connection *connection, const char *method,
					const char *allow)
{
	char sentence[ERROR_BYTES];
	struct admin_text text;

	if (!allow[0])
		return respond_error(connection, MHD_HTTP_NOT_FOUND,
				     "no such path: GET / lists those there are");
	if (strcmp(method, "OPTIONS") == 0) {
		text = (struct admin_text){MHD_HTTP_NO_CONTENT, NULL, strdup(""), 0};
	} else {
		snprintf(sentence, sizeof(sentence), "this path takes %s", allow);
		text = error_text(MHD_HTTP_METHOD_NOT_ALLOWED, sentence);
	}
	return respond(connection, &text, allow);
}

/* Stands for a request in its slot before it has begun: a name of it would be cut short. */
static char has_nul;

void *admin_request_uri(void *cls, const char *uri, struct MHD_Connection *connection)
{
	return strstr(uri, "%00") ? &has_nul : NULL;
}

/* -- beginning --------------------------------------------------------------------------- */

static int body_announced_too_big(struct MHD_Connection *connection)
{
	const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
							 MHD_HTTP_HEADER_CONTENT_LENGTH);

	/* libmicrohttpd has refused what is no number. */
	return length && strtoull(length, NULL, 10) > ADMIN_BODY_BYTES;
}

struct taking {
	struct admin_request *request;
	int rc;
	char why[160];
};

/* A copy that outlives the connection; NULL: no room. */
static const char *keep(struct admin_request *r, const char *text, size_t bytes)
{
	char *copy = r->query + r->query_bytes;

	if (bytes >= sizeof(r->query) - r->query_bytes)
		return NULL;
	memcpy(copy, text, bytes);
	copy[bytes] = '\0';
	r->query_bytes += bytes + 1;
	return copy;
}

static enum MHD_Result take_parameter(void *cls, enum MHD_ValueKind kind, const char *name,
				      size_t name_bytes, const char *value, size_t value_bytes)
{
	struct taking *t = cls;

	name = keep(t->request, name, name_bytes);
	value = value ? keep(t->request, value, value_bytes) : "";
	if (name && value && strlen(name) == name_bytes) {
		t->rc = admin_parameters_add(&t->request->parameters, t->request->route->query,
					     name, value, value_bytes, t->why, sizeof(t->why));
	} else {
		snprintf(t->why, sizeof(t->why), "the parameters are too long or no text");
		t->rc = -EINVAL;
	}
	return t->rc == 0 ? MHD_YES : MHD_NO;
}

static struct ucred peer_of(const struct admin_request *r)
{
	const struct ucred unknown = {.uid = (uid_t)-1, .gid = (gid_t)-1};
	struct ucred peer;
	socklen_t bytes = sizeof(peer);

	if (!r->client || getsockopt(r->client->fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) != 0)
		return unknown;
	return peer;
}

int admin_peer_is_owner(const struct admin_request *r)
{
	const uid_t uid = peer_of(r).uid;

	return uid == 0 || uid == geteuid();
}

/* Who changes something is in the log. */
static void log_change(const struct admin_request *r)
{
	const struct ucred peer = peer_of(r);

	log_info("admin", "event=request method=%s path=\"%s\" uid=%u pid=%d", r->route->method,
		 r->path, peer.uid, peer.pid);
}

static struct admin_request *make_request(struct admin_socket *s, struct MHD_Connection *connection,
					  const struct admin_route *route, const char *url)
{
	struct admin_request *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->admin = s->admin;
	r->socket = s;
	r->connection = connection;
	r->client = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
			    ->socket_context;
	r->route = route;
	snprintf(r->path, sizeof(r->path), "%s", url);
	r->next = s->admin->requests;
	if (r->next)
		r->next->prev = r;
	s->admin->requests = r;
	return r;
}

/* The headers are there: find who answers, or refuse. */
static enum MHD_Result begin(struct admin_socket *s, struct MHD_Connection *connection,
			     const char *url, const char *method, void **out)
{
	char allow[ADMIN_ALLOW_BYTES];
	struct admin_parts parts;
	const struct admin_route *route =
		admin_route_find(&s->admin->config, method, url, &parts, allow);
	struct taking taking = {0};
	struct admin_request *r;

	if (!route)
		return respond_no_route(connection, method, allow);
	if (route->role > s->role)
		return respond_error(connection, MHD_HTTP_FORBIDDEN,
				     "not by this socket: it is for reading only");
	if (body_announced_too_big(connection))
		return respond_error(connection, MHD_HTTP_CONTENT_TOO_LARGE, "no body is wanted");
	r = make_request(s, connection, route, url);
	if (!r)
		return MHD_NO;
	admin_route_fits(route->path, r->path, &r->parts);
	taking.request = r;
	MHD_get_connection_values_n(connection, MHD_GET_ARGUMENT_KIND, take_parameter, &taking);
	if (taking.rc != 0) {
		free_request(r);
		return respond_error(connection, MHD_HTTP_BAD_REQUEST, taking.why);
	}
	*out = r;
	return MHD_YES;
}

/* The handler answers, or will. */
static void handle(struct admin_request *r)
{
	/* libmicrohttpd does not stop with a suspended connection. */
	if (r->admin->stopping) {
		admin_answer_error(r, MHD_HTTP_SERVICE_UNAVAILABLE, "fender is stopping");
		return;
	}
	if (r->route->role == ADMIN_OPERATE)
		log_change(r);
	r->route->handle(r->admin->config.ctx, r);
	if (r->answer.status || r->stream)
		return;
	r->suspended = 1;
	if (r->client)
		r->client->ours = 1;
	MHD_suspend_connection(r->connection);
}

enum MHD_Result admin_request_handle(void *cls, struct MHD_Connection *connection, const char *url,
				     const char *method, const char *version, const char *data,
				     size_t *data_bytes, void **slot)
{
	struct admin_request *r = *slot;

	if (*slot == &has_nul) {
		*slot = NULL;
		return respond_error(connection, MHD_HTTP_BAD_REQUEST,
				     "%00 is part of no path or parameter");
	}
	if (!r)
		return begin(cls, connection, url, method, slot);
	if (*data_bytes > 0) {
		if (*data_bytes > ADMIN_BODY_BYTES - r->body_bytes)
			return MHD_NO;
		r->body_bytes += *data_bytes;
		*data_bytes = 0;
		return MHD_YES;
	}
	if (!r->answer.status && !r->stream)
		handle(r);
	if (r->suspended)
		return MHD_YES;
	if (r->stream)
		return queue_response(connection, MHD_HTTP_OK, r->answer.type, r->stream);
	return respond(connection, &r->answer, NULL);
}

void admin_request_completed(void *cls, struct MHD_Connection *connection, void **slot,
			     enum MHD_RequestTerminationCode code)
{
	struct admin_request *r = *slot;

	if (!r || *slot == &has_nul)
		return;
	*slot = NULL;
	r->admin->answer_bytes -= r->charged;
	r->charged = 0;
	r->connection = NULL;
	r->client = NULL;
	if (!r->abandoned)
		free_request(r);
}

/* -- the end ----------------------------------------------------------------------------- */

void admin_requests_abandon(struct admin *admin)
{
	struct admin_request *next;

	for (struct admin_request *r = admin->requests; r; r = next) {
		next = r->next;
		if (!r->suspended)
			continue;
		admin_answer_error(r, MHD_HTTP_SERVICE_UNAVAILABLE, "fender is stopping");
		r->abandoned = 1;
	}
}

void admin_requests_free(struct admin *admin)
{
	struct admin_request *next;

	for (struct admin_request *r = admin->requests; r; r = next) {
		next = r->next;
		free(r->answer.text);
		free(r);
	}
	admin->requests = NULL;
}
