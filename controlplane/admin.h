/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The admin API: HTTP/1.1 on a Unix stream socket, served inside the libuv loop
 * (docs/admin-api.md). What a client can cost is bounded: request bytes, body bytes, and the
 * life of a connection, which carries one request. Slow clients cannot keep others out: while
 * there are more than ADMIN_CLIENTS, the oldest are closed.
 */
#ifndef FENDER_CONTROLPLANE_ADMIN_H
#define FENDER_CONTROLPLANE_ADMIN_H

#include <jansson.h>
#include <stddef.h>
#include <uv.h>

#include "controlplane/reload.h"

enum {
	ADMIN_CLIENTS = 16,
	ADMIN_BACKLOG = 128,
	ADMIN_REQUEST_BYTES = 16 * 1024, /* request line and headers */
	ADMIN_BODY_BYTES = 4096,         /* no call takes one: what is read and ignored */
	ADMIN_PATH_BYTES = 256,          /* of an operation */
	ADMIN_IDLE_S = 5,
	ADMIN_LIFE_MS = 20000, /* a reload that is rolled back takes up to 14 s */
};

struct admin;

/* What the calls do. All run in the loop's thread. */
struct admin_calls {
	void *ctx;
	json_t *(*stats)(void *ctx);                         /* new object, NULL: no memory */
	int (*ready)(void *ctx, char *why, size_t why_size); /* 1, or 0 with a sentence */
	void (*reload)(void *ctx, reload_done *done, void *done_ctx);
	/* POST of any other path: 1 with a new object and the HTTP status, 0: no such path. */
	int (*operate)(void *ctx, const char *path, unsigned int *status, json_t **body);
};

/**
 * admin_create() - serve @socket_path, mode 0660
 * @socket_path: a socket that is there already is replaced: the caller holds the instance's
 *               lock, so its owner is dead
 * Return: 0; -errno with a sentence in @why (at least 160 bytes).
 */
int admin_create(struct admin **out, uv_loop_t *loop, const char *socket_path,
		 const struct admin_calls *calls, char *why, size_t why_size);

/* Stop serving and remove the socket. */
void admin_stop(struct admin *admin);
/* When its loop has closed all handles. */
void admin_free(struct admin *admin);

#endif
