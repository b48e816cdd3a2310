/* SPDX-License-Identifier: Apache-2.0 */
/* The sockets of a library that names them itself, watched by the loop. */
#ifndef FENDER_CONTROLPLANE_SOCKET_POLLS_H
#define FENDER_CONTROLPLANE_SOCKET_POLLS_H

#include <uv.h>

struct socket_poll;

struct socket_polls {
	uv_loop_t *loop;
	void *ctx;
	/* @events: UV_READABLE, UV_WRITABLE; both on an error. */
	void (*ready)(void *ctx, int fd, int events);
	struct socket_poll *first;
};

/*
 * Watch @fd for @events from now on; 0: no more, before it is closed. Return: 0 or -errno, then
 * it is not watched.
 */
int socket_polls_watch(struct socket_polls *polls, int fd, int events);

/* Watch none. */
void socket_polls_end(struct socket_polls *polls);

#endif
