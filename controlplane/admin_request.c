/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/admin_request.h"

#include <stdlib.h>
#include <string.h>

#define JSON_TYPE "application/json"

struct request;

/* Fills status and body at once, or leaves status 0 and answers later. */
typedef void route_answer(struct admin_server *server, struct request *request);

struct route {
	const char *path;
	const char *method;
	route_answer *answer;
};

static void answer_operate(struct admin_server *server, struct request *request);
static const struct route operate_route = {"/", "POST", answer_operate};

struct request {
	char path[ADMIN_PATH_BYTES]; /* of an operation */
	struct admin_server *server;
	struct MHD_Connection *connection;
	const struct route *route;
	size_t body_bytes;
	int suspended;
	unsigned int status; /* 0: not yet answered */
	char *body;          /* malloc'ed */
};

static void answer_stats(struct admin_server *server, struct request *request);
static void answer_healthz(struct admin_server *server, struct request *request);
static void answer_readyz(struct admin_server *server, struct request *request);
static void answer_reload(struct admin_server *server, struct request *request);

static const struct route routes[] = {
	{"/stats", "GET", answer_stats},
	{"/healthz", "GET", answer_healthz},
	{"/readyz", "GET", answer_readyz},
	{"/reload", "POST", answer_reload},
};

enum { ROUTES = sizeof(routes) / sizeof(routes[0]) };

/* Takes over @body. */
static void set_answer(struct request *request, unsigned int status, json_t *body)
{
	request->body = body ? json_dumps(body, JSON_COMPACT) : NULL;
	request->status = request->body ? status : MHD_HTTP_INTERNAL_SERVER_ERROR;
	json_decref(body);
}

static void answer_stats(struct admin_server *server, struct request *request)
{
	set_answer(request, MHD_HTTP_OK, server->calls.stats(server->calls.ctx));
}

static void answer_healthz(struct admin_server *server, struct request *request)
{
	set_answer(request, MHD_HTTP_OK, json_pack("{s:s}", "status", "ok"));
}

static void answer_readyz(struct admin_server *server, struct request *request)
{
	char why[160];

	if (server->calls.ready(server->calls.ctx, why, sizeof(why)))
		set_answer(request, MHD_HTTP_OK, json_pack("{s:s}", "status", "ready"));
	else
		set_answer(request, MHD_HTTP_SERVICE_UNAVAILABLE,
			   json_pack("{s:s,s:s}", "status", "not_ready", "detail", why));
}

static unsigned int reload_status(enum reload_result result)
{
	switch (result) {
	case RELOAD_APPLIED:
	case RELOAD_UNCHANGED:
		return MHD_HTTP_OK;
	case RELOAD_LATE:
		return MHD_HTTP_ACCEPTED;
	case RELOAD_NEEDS_RESTART:
	case RELOAD_BUSY:
		return MHD_HTTP_CONFLICT;
	case RELOAD_INVALID:
	case RELOAD_REFUSED:
		return MHD_HTTP_UNPROCESSABLE_CONTENT;
	default:
		return MHD_HTTP_INTERNAL_SERVER_ERROR;
	}
}

/* The lines of an invalid file's diagnostics, else the one sentence. */
static json_t *detail_lines(const char *detail)
{
	json_t *lines = json_array();

	while (*detail) {
		size_t bytes = strcspn(detail, "\n");

		if (bytes > 0)
			json_array_append_new(lines, json_stringn(detail, bytes));
		detail += bytes;
		detail += *detail == '\n';
	}
	return lines;
}

static void on_reload_done(void *ctx, const struct reload_report *report)
{
	struct request *request = ctx;
	json_t *body = json_pack("{s:s,s:I,s:o}", "result", reload_result_name(report->result),
				 "generation", (json_int_t)report->generation, "errors",
				 detail_lines(report->detail));

	set_answer(request, reload_status(report->result), body);
	if (!request->suspended)
		return;
	request->suspended = 0;
	MHD_resume_connection(request->connection);
	request->server->resumed(request->server->ctx);
}

static void answer_reload(struct admin_server *server, struct request *request)
{
	server->calls.reload(server->calls.ctx, on_reload_done, request);
	if (request->status)
		return;
	request->suspended = 1;
	MHD_suspend_connection(request->connection);
}

static void answer_operate(struct admin_server *server, struct request *request)
{
	unsigned int status = MHD_HTTP_NOT_FOUND;
	json_t *body = NULL;

	if (!server->calls.operate(server->calls.ctx, request->path, &status, &body))
		body = json_pack("{s:s}", "error", "no such path");
	set_answer(request, status, body);
}

static enum MHD_Result respond(struct MHD_Connection *connection, unsigned int status, char *body,
			       const char *allow)
{
	struct MHD_Response *response;
	enum MHD_Result result;

	if (!body)
		body = strdup("{\"error\":\"out of memory\"}");
	response = MHD_create_response_from_buffer(body ? strlen(body) : 0, body,
						   MHD_RESPMEM_MUST_FREE);
	if (!response) {
		free(body);
		return MHD_NO;
	}
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, JSON_TYPE);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	if (allow)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, allow);
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result respond_error(struct MHD_Connection *connection, unsigned int status,
				     const char *error, const char *allow)
{
	json_t *body = json_pack("{s:s}", "error", error);
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;

	json_decref(body);
	return respond(connection, status, text, allow);
}

static int method_fits(const struct route *route, const char *method)
{
	return strcmp(route->method, method) == 0 ||
	       (strcmp(route->method, "GET") == 0 && strcmp(method, "HEAD") == 0);
}

static int body_announced_too_big(struct MHD_Connection *connection)
{
	const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
							 MHD_HTTP_HEADER_CONTENT_LENGTH);

	/* libmicrohttpd has refused what is no number. */
	return length && strtoull(length, NULL, 10) > ADMIN_BODY_BYTES;
}

static int is_operation(const char *url)
{
	return strncmp(url, "/breakers/", 10) == 0 || strncmp(url, "/endpoints/", 11) == 0;
}

/* The headers are there: find who answers, or refuse. */
static enum MHD_Result begin(struct admin_server *server, struct MHD_Connection *connection,
			     const char *url, const char *method, void **out)
{
	const struct route *route = NULL;
	struct request *request;

	for (size_t i = 0; i < ROUTES && !route; i++)
		if (strcmp(routes[i].path, url) == 0)
			route = &routes[i];
	if (is_operation(url) && strlen(url) < ADMIN_PATH_BYTES)
		route = &operate_route;
	if (!route)
		return respond_error(connection, MHD_HTTP_NOT_FOUND, "no such path", NULL);
	if (!method_fits(route, method))
		return respond_error(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "wrong method",
				     route->method);
	if (body_announced_too_big(connection))
		return respond_error(connection, MHD_HTTP_CONTENT_TOO_LARGE, "no body is wanted",
				     NULL);
	request = calloc(1, sizeof(*request));
	if (!request)
		return MHD_NO;
	request->server = server;
	request->connection = connection;
	request->route = route;
	if (route == &operate_route)
		memcpy(request->path, url, strlen(url) + 1);
	*out = request;
	return MHD_YES;
}

enum MHD_Result admin_request_handle(void *cls, struct MHD_Connection *connection, const char *url,
				     const char *method, const char *version, const char *data,
				     size_t *data_bytes, void **slot)
{
	struct admin_server *server = cls;
	struct request *request = *slot;
	char *body;

	if (!request)
		return begin(server, connection, url, method, slot);
	if (*data_bytes > 0) {
		if (*data_bytes > ADMIN_BODY_BYTES - request->body_bytes)
			return MHD_NO;
		request->body_bytes += *data_bytes;
		*data_bytes = 0;
		return MHD_YES;
	}
	if (!request->status)
		request->route->answer(server, request);
	if (request->suspended)
		return MHD_YES;
	body = request->body;
	request->body = NULL;
	return respond(connection, request->status, body, NULL);
}

void admin_request_completed(void *cls, struct MHD_Connection *connection, void **slot,
			     enum MHD_RequestTerminationCode code)
{
	struct request *request = *slot;

	if (!request)
		return;
	free(request->body);
	free(request);
	*slot = NULL;
}
