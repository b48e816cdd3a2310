/* SPDX-License-Identifier: Apache-2.0 */
/* One probe of one endpoint, over the kernel's sockets. The caller keeps the time and cancels. */
#ifndef FENDER_CONTROLPLANE_HEALTH_PROBE_H
#define FENDER_CONTROLPLANE_HEALTH_PROBE_H

#include <sys/socket.h>
#include <uv.h>

#include "controlplane/health_reason.h"

struct health_target {
	struct sockaddr_storage address; /* with the port */
	struct sockaddr_storage source;  /* port 0; ss_family AF_UNSPEC: the kernel's choice */
	const char *path;                /* http */
	const char *host;                /* http: Host header; "": the address */
};

/*
 * Called once, in a later turn of the loop, not after a cancel. @result: enum health_reason, or
 * -errno of a probe that could not be made and says nothing about the endpoint
 * (-EADDRNOTAVAIL: the source is not an address of the kernel's).
 */
typedef void health_done(void *ctx, int result);

struct health_tcp;
struct health_http;
struct health_http_pool;

/*
 * Connect; that it succeeds is all. Return: 0 when it is under way, else its result at once, as
 * done() would say.
 */
int health_tcp_start(struct health_tcp **out, uv_loop_t *loop, const struct health_target *target,
		     health_done *done, void *ctx);
void health_tcp_cancel(struct health_tcp *tcp);

/* Errors of connecting that speak of the endpoint or the way to it; others are -errno. */
int health_connect_result(int error);

int health_http_pool_create(struct health_http_pool **out, uv_loop_t *loop);
/* All probes are over. */
void health_http_pool_stop(struct health_http_pool *pool);
/* When its loop has closed all handles. */
void health_http_pool_free(struct health_http_pool *pool);

enum { HEALTH_ANSWER_BYTES = 64 * 1024 }; /* of a body; what is longer is not read on */

/*
 * GET on a connection of its own; 200 to 399 is a success, redirects are not followed. @target's
 * strings need not outlive the call. Return: 0, -errno.
 */
int health_http_start(struct health_http **out, struct health_http_pool *pool,
		      const struct health_target *target, health_done *done, void *ctx);
void health_http_cancel(struct health_http *http);

#endif
