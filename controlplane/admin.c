/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/admin.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controlplane/admin_server.h"
#include "controlplane/log.h"

static const char *const role_names[] = {
	[ADMIN_METRICS] = "metrics",
	[ADMIN_READ] = "read",
	[ADMIN_OPERATE] = "operate",
};

int admin_create(struct admin **out, const struct admin_config *config)
{
	struct admin *admin = calloc(1, sizeof(*admin));

	if (!admin)
		return -ENOMEM;
	admin->config = *config;
	admin_streams_init(admin);
	*out = admin;
	return 0;
}

static int serve(struct admin *admin, int fd, const char *path, enum admin_role role)
{
	int rc = admin->socket_count < ADMIN_SOCKETS ? admin_socket_start(admin, fd, path, role)
						     : -ENFILE;

	if (rc != 0)
		close(fd);
	return rc;
}

int admin_listen(struct admin *admin, const char *path, const char *group, enum admin_role role,
		 char *why, size_t why_size)
{
	int fd = admin_bind_unix(path, group, why, why_size);
	int rc = fd < 0 ? fd : serve(admin, fd, path, role);

	if (fd < 0)
		return rc;
	if (rc != 0) {
		snprintf(why, why_size, "socket %s: the HTTP server did not start", path);
		unlink(path);
		return rc;
	}
	log_info("admin", "event=listening socket=%s role=%s", path, role_names[role]);
	return 0;
}

int admin_listen_tcp(struct admin *admin, const char *address, char *why, size_t why_size)
{
	int fd = admin_bind_tcp(address, why, why_size);
	int rc = fd < 0 ? fd : serve(admin, fd, "", ADMIN_METRICS);

	if (fd < 0)
		return rc;
	if (rc != 0) {
		snprintf(why, why_size, "%.64s: the HTTP server did not start", address);
		return rc;
	}
	log_info("admin", "event=listening address=%s role=%s", address, role_names[ADMIN_METRICS]);
	return 0;
}

void admin_stop(struct admin *admin)
{
	if (admin->stopping)
		return;
	admin->stopping = 1;
	admin_streams_end(admin);
	admin_requests_abandon(admin);
	for (unsigned int i = 0; i < admin->socket_count; i++)
		admin_socket_stop(admin->sockets[i]);
}

void admin_free(struct admin *admin)
{
	if (!admin)
		return;
	admin_requests_free(admin);
	for (unsigned int i = 0; i < admin->socket_count; i++)
		free(admin->sockets[i]);
	free(admin);
}

const struct admin_config *admin_config(const struct admin *admin)
{
	return &admin->config;
}
