/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The admin API's server: HTTP/1.1 inside the libuv loop, on Unix stream sockets and, for
 * Prometheus, on a loopback TCP port. It knows routes, not what they answer: those are api.h's.
 *
 * What a client can cost is bounded: request bytes, body bytes, bytes of answers that wait to be
 * read, and the life of a connection, which carries one request. A client is ended when it keeps
 * the server waiting, never for the time its answer takes. Each socket has its own clients, so
 * that those of one cannot keep out another's.
 *
 * Everything here runs in the loop's thread, but for admin_job.build().
 */
#ifndef FENDER_CONTROLPLANE_ADMIN_H
#define FENDER_CONTROLPLANE_ADMIN_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

enum {
	ADMIN_SOCKETS = 3,
	ADMIN_CLIENTS = 256, /* a socket; while there are more, slow ones are ended */
	ADMIN_BACKLOG = 256,
	ADMIN_REQUEST_BYTES = 16 * 1024, /* request line and headers */
	ADMIN_BODY_BYTES = 4096,         /* no call takes one: what is read and ignored */
	ADMIN_PATH_BYTES = 256,
	ADMIN_PATH_PARTS = 4,
	ADMIN_IDLE_S = 5,
	ADMIN_LIFE_MS = 20000,
	ADMIN_STREAMS = 16,            /* over all sockets */
	ADMIN_JOBS = 3,                /* at work; others wait for their turn */
	ADMIN_JOBS_ALONE = 64,         /* waiting, of each kind that is alone; then 503 */
	ADMIN_ANSWER_BYTES = 64 << 20, /* of all answers that are not yet read; then 503 */
};

/* What a socket lets its clients do; each includes the ones before. */
enum admin_role {
	ADMIN_METRICS, /* what a scraper and a probe want */
	ADMIN_READ,
	ADMIN_OPERATE,
};

struct admin;
struct admin_request;

/*
 * Answers now (one of admin_answer*()), or returns and answers later, once, from the loop's
 * thread: @request stays valid until then even when its client has gone.
 */
typedef void admin_handler(void *ctx, struct admin_request *request);

struct admin_route {
	const char *method; /* "GET" (then HEAD too) or "POST" */
	const char *path;   /* a segment of one star stands for any that is not empty */
	enum admin_role role;
	const char *query; /* the parameters it takes, "listener limit"; NULL: none */
	admin_handler *handle;
	const char *summary; /* half a sentence for GET / */
};

struct admin_config {
	uv_loop_t *loop;
	const struct admin_route *routes; /* must outlive the server */
	size_t route_count;
	void *ctx; /* of every handler */
};

int admin_create(struct admin **out, const struct admin_config *config);

/**
 * admin_listen() - serve a Unix socket, mode 0660
 * @path: what is there already is replaced: the caller holds the instance's lock, so its owner
 *        is dead
 * @group: name of the group it shall belong to, or NULL
 * Return: 0; -errno with a sentence in @why (at least 160 bytes).
 */
int admin_listen(struct admin *admin, const char *path, const char *group, enum admin_role role,
		 char *why, size_t why_size);

/* The same for TCP, "127.0.0.1:9901" or "[::1]:9901": loopback addresses only. ADMIN_METRICS. */
int admin_listen_tcp(struct admin *admin, const char *address, char *why, size_t why_size);

/* Stop serving and remove the sockets; who still waits is answered 503. */
void admin_stop(struct admin *admin);
/* When its loop has closed all handles; NULL: nothing. */
void admin_free(struct admin *admin);

const struct admin_config *admin_config(const struct admin *admin);

/* -- of a request ------------------------------------------------------------------------ */

struct admin *admin_of(const struct admin_request *request);
/* The role of the socket it came by. */
enum admin_role admin_role(const struct admin_request *request);
/* Not merely of the socket's group: root, or the user that this process runs as. */
int admin_peer_is_owner(const struct admin_request *request);
/* As sent, decoded, without the query. */
const char *admin_path(const struct admin_request *request);
/* What stands for the path's star number @i; "" when it has fewer. */
const char *admin_path_part(const struct admin_request *request, unsigned int i);
/* A parameter's value, decoded, or NULL. */
const char *admin_query(const struct admin_request *request, const char *name);

/**
 * admin_query_number() - a parameter as a number
 * @value: holds the default; set when the parameter is there
 * Return: 0; -EINVAL when it is no decimal number of @min to @max: then 400 is answered.
 */
int admin_query_number(struct admin_request *request, const char *name, uint64_t min, uint64_t max,
		       uint64_t *value);
/* A request header's value, or NULL. */
const char *admin_header(const struct admin_request *request, const char *name);

/* -- answers ----------------------------------------------------------------------------- */

/* Takes @body over; NULL: out of memory, 500. */
void admin_answer(struct admin_request *request, unsigned int status, json_t *body);
/* {"error": sentence}. */
void admin_answer_error(struct admin_request *request, unsigned int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* @text is malloc'ed and is taken over; @type lives for ever. text NULL: out of memory. */
struct admin_text {
	unsigned int status;
	const char *type; /* "text/plain; charset=utf-8" */
	char *text;       /* not NUL-terminated */
	size_t bytes;
};

void admin_answer_text(struct admin_request *request, const struct admin_text *text);
/* @body as the text it is sent as; for build(). Takes @body over. */
struct admin_text admin_text_of(unsigned int status, json_t *body);

/*
 * An answer that takes longer than a few milliseconds to make: a snapshot is taken in the loop's
 * thread when it is this request's turn, the text made of it in a thread of libuv's pool.
 */
struct admin_job {
	/* The snapshot; NULL when the request was answered instead, or out of memory. */
	void *(*take)(void *ctx, struct admin_request *request);
	/* Any thread: nothing but @snapshot and the region's words. */
	struct admin_text (*build)(void *snapshot);
	void (*drop)(void *snapshot);
	/* One at a time, since it may take a while: others are not kept waiting by it. */
	int alone;
};

/* @job must live for ever. */
void admin_answer_job(struct admin_request *request, const struct admin_job *job);

/*
 * An answer without an end. The client that does not read is not waited for: pull() is called
 * when there is room, so what it missed by then is the stream's to say.
 */
struct admin_stream {
	void *state;
	/* Bytes now waiting to be pulled? Asked every 100 ms while there are none. */
	int (*pending)(void *state);
	/* At most @size bytes, 1 or more, into @out. 0: none now; -1: the end. */
	ssize_t (*pull)(void *state, char *out, size_t size);
	void (*drop)(void *state);
};

/* Takes *@stream over, also when it answers 503 because there are ADMIN_STREAMS already. */
void admin_answer_stream(struct admin_request *request, const char *type,
			 const struct admin_stream *stream);

#endif
