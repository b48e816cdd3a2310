/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the admin API's server share. The loop's thread only. */
#ifndef FENDER_CONTROLPLANE_ADMIN_SERVER_H
#define FENDER_CONTROLPLANE_ADMIN_SERVER_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include <microhttpd.h>

#include "controlplane/admin.h"
#include "controlplane/admin_route.h"
#include "controlplane/paths.h"

enum {
	ADMIN_SWEEP_MS = 250,
	ADMIN_QUERY_BYTES = 1024,                                /* of all parameters */
	ADMIN_CLIENT_SLOTS = ADMIN_CLIENTS + ADMIN_STREAMS + 48, /* a burst of prompt ones fits */
};

struct admin_client {
	int fd; /* -1: free */
	int ended;
	int ours;          /* it waits for us: its answer is being made, or is a stream */
	uint64_t since_ms; /* we wait for it */
};

struct admin_socket {
	struct admin *admin;
	enum admin_role role;
	struct MHD_Daemon *daemon;
	uv_poll_t poll;               /* libmicrohttpd's epoll descriptor */
	uv_timer_t timer;             /* when it wants to run without input */
	uv_timer_t sweep;             /* ends slow clients */
	char path[SOCKET_PATH_BYTES]; /* to remove; "": TCP */
	int closed;                   /* a connection, while libmicrohttpd ran */
	struct admin_client clients[ADMIN_CLIENT_SLOTS];
};

struct admin_running_stream;
struct admin_work;

struct admin {
	struct admin_config config;
	struct admin_socket *sockets[ADMIN_SOCKETS];
	unsigned int socket_count;
	struct admin_request *requests; /* all that are not freed */
	size_t answer_bytes;            /* of answers that are not yet read */
	struct admin_request *jobs;     /* that wait for their turn, first come first */
	struct admin_work *work;        /* at most ADMIN_JOBS */
	struct admin_running_stream *streams;
	uv_timer_t stream_timer;
	int stopping;
};

struct admin_request {
	struct admin *admin;
	struct admin_request *next, *prev;
	struct admin_socket *socket;
	struct MHD_Connection *connection;
	struct admin_client *client;
	const struct admin_route *route;
	char path[ADMIN_PATH_BYTES];
	struct admin_parts parts;
	struct admin_parameters parameters; /* point into query */
	char query[ADMIN_QUERY_BYTES];
	size_t query_bytes;
	size_t body_bytes;
	int suspended;
	int abandoned;            /* answered 503 at the stop; its handler does not know yet */
	struct admin_text answer; /* status 0: not yet */
	size_t charged;           /* of answer_bytes */
	struct MHD_Response *stream;
	const struct admin_job *job;
	struct admin_request *next_job;
};

/* Serve @fd, a listening socket, which is taken over. Return 0 or -errno. */
int admin_socket_start(struct admin *admin, int fd, const char *path, enum admin_role role);
void admin_socket_stop(struct admin_socket *socket);
/* Run libmicrohttpd soon. Not at once: the caller may be inside it. */
void admin_socket_wake(struct admin_socket *socket);
/* libmicrohttpd sees the end and closes the descriptor. */
void admin_client_end(struct admin_client *client);
/* Return the listening descriptor, or -errno with a sentence. */
int admin_bind_unix(const char *path, const char *group, char *why, size_t why_size);
int admin_bind_tcp(const char *address, char *why, size_t why_size);

/* MHD_OPTION_URI_LOG_CALLBACK: the path and parameters as they were sent, before the headers. */
void *admin_request_uri(void *cls, const char *uri, struct MHD_Connection *connection);
/* MHD_AccessHandlerCallback and MHD_RequestCompletedCallback; @cls: struct admin_socket. */
enum MHD_Result admin_request_handle(void *cls, struct MHD_Connection *connection, const char *url,
				     const char *method, const char *version, const char *data,
				     size_t *data_bytes, void **slot);
void admin_request_completed(void *cls, struct MHD_Connection *connection, void **slot,
			     enum MHD_RequestTerminationCode code);
/* An answer has come for a request that may be suspended. */
void admin_request_resume(struct admin_request *request);
/* 503 for all that wait; free those whose handlers will never answer. */
void admin_requests_abandon(struct admin *admin);
void admin_requests_free(struct admin *admin);

void admin_streams_init(struct admin *admin);
/* The clients are told the end. */
void admin_streams_end(struct admin *admin);

#endif
