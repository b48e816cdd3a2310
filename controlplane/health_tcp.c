/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "controlplane/health_probe.h"

struct health_tcp {
	uv_tcp_t handle;
	uv_connect_t request;
	health_done *done; /* NULL: cancelled */
	void *ctx;
};

int health_connect_result(int error)
{
	switch (error) {
	case 0:
		return HEALTH_REASON_NONE;
	case -ECONNREFUSED:
		return HEALTH_REASON_REFUSED;
	case -ETIMEDOUT:
		return HEALTH_REASON_TIMEOUT;
	case -ECONNRESET:
	case -EPIPE:
		return HEALTH_REASON_RESET;
	case -ENETUNREACH:
	case -EHOSTUNREACH:
	case -ENETDOWN:
	case -EHOSTDOWN:
	case -EPROTO: /* a parameter problem, by ICMP */
	case -ENOPROTOOPT:
		return HEALTH_REASON_UNREACHABLE;
	default:
		return error;
	}
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void end(struct health_tcp *tcp)
{
	tcp->done = NULL;
	uv_close((uv_handle_t *)&tcp->handle, on_closed);
}

/* @tcp lives until its handle is closed, which comes after this. */
static void on_connected(uv_connect_t *request, int status)
{
	struct health_tcp *tcp = request->data;
	health_done *done = tcp->done;

	if (!done)
		return;
	end(tcp);
	done(tcp->ctx, health_connect_result(status));
}

/*
 * The port is chosen at connect, by the whole tuple: thousands of endpoints share the local
 * ports, connections that rest included.
 */
static int bind_source(struct health_tcp *tcp, const struct sockaddr_storage *source)
{
	int on = 1, fd, rc = uv_fileno((uv_handle_t *)&tcp->handle, &fd);

	if (rc != 0)
		return rc;
	if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on)) != 0)
		return -errno;
	return uv_tcp_bind(&tcp->handle, (const struct sockaddr *)source, 0);
}

int health_tcp_start(struct health_tcp **out, uv_loop_t *loop, const struct health_target *target,
		     health_done *done, void *ctx)
{
	struct health_tcp *tcp = calloc(1, sizeof(*tcp));
	int rc;

	if (!tcp)
		return -ENOMEM;
	rc = uv_tcp_init_ex(loop, &tcp->handle, target->address.ss_family);
	if (rc != 0) {
		free(tcp);
		return rc;
	}
	tcp->handle.data = tcp;
	tcp->request.data = tcp;
	tcp->done = done;
	tcp->ctx = ctx;
	if (target->source.ss_family != AF_UNSPEC)
		rc = bind_source(tcp, &target->source);
	if (rc != 0) {
		end(tcp);
		return rc;
	}
	rc = uv_tcp_connect(&tcp->request, &tcp->handle, (const struct sockaddr *)&target->address,
			    on_connected);
	if (rc != 0) {
		end(tcp);
		/* Of connecting, not of the source: no port is left. */
		rc = rc == -EADDRNOTAVAIL ? -EAGAIN : health_connect_result(rc);
		return rc;
	}
	*out = tcp;
	return 0;
}

void health_tcp_cancel(struct health_tcp *tcp)
{
	end(tcp);
}
