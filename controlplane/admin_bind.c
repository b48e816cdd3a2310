/* SPDX-License-Identifier: Apache-2.0 */
/* The listening sockets of the admin API. */
#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "controlplane/admin_server.h"

static int find_group(const char *name, gid_t *gid, char *why, size_t why_size)
{
	const struct group *group = getgrnam(name);

	if (!group) {
		snprintf(why, why_size, "there is no group '%.64s'", name);
		return -ENOENT;
	}
	*gid = group->gr_gid;
	return 0;
}

static int bind_path(int fd, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	mode_t mask;
	int rc;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	unlink(path);
	mask = umask(0117); /* the file is never more open than 0660 */
	rc = bind(fd, (struct sockaddr *)&address, sizeof(address));
	umask(mask);
	return rc;
}

int admin_bind_unix(const char *path, const char *group, char *why, size_t why_size)
{
	gid_t gid = (gid_t)-1;
	int fd, rc = group ? find_group(group, &gid, why, why_size) : 0;

	if (rc != 0)
		return rc;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* Nobody can connect before listen(): the group is right by then. */
	if (fd >= 0 && bind_path(fd, path) == 0 && (!group || chown(path, (uid_t)-1, gid) == 0) &&
	    listen(fd, ADMIN_BACKLOG) == 0)
		return fd;
	rc = -errno;
	snprintf(why, why_size, "socket %s: %s", path, strerror(-rc));
	if (fd >= 0)
		close(fd);
	return rc;
}

union tcp_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static int is_loopback(const union tcp_address *a)
{
	if (a->any.sa_family == AF_INET)
		return ntohl(a->v4.sin_addr.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr);
}

/* "127.0.0.1:9901", "[::1]:9901". */
static int parse_address(const char *text, union tcp_address *a)
{
	const char *colon = strrchr(text, ':');
	size_t bytes = colon ? (size_t)(colon - text) : 0;
	int is_v6 = bytes > 2 && text[0] == '[' && colon[-1] == ']';
	char host[INET6_ADDRSTRLEN];
	uint64_t port;

	*a = (union tcp_address){0};
	if (!colon || admin_parse_number(colon + 1, 1, 65535, &port) != 0)
		return -EINVAL;
	text += is_v6;
	bytes -= is_v6 ? 2 : 0;
	if (bytes >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, bytes);
	host[bytes] = '\0';
	if (is_v6) {
		a->v6.sin6_family = AF_INET6;
		a->v6.sin6_port = htons((uint16_t)port);
		return inet_pton(AF_INET6, host, &a->v6.sin6_addr) == 1 ? 0 : -EINVAL;
	}
	a->v4.sin_family = AF_INET;
	a->v4.sin_port = htons((uint16_t)port);
	return inet_pton(AF_INET, host, &a->v4.sin_addr) == 1 ? 0 : -EINVAL;
}

int admin_bind_tcp(const char *address, char *why, size_t why_size)
{
	union tcp_address a;
	int fd, rc, one = 1;

	if (parse_address(address, &a) != 0 || !is_loopback(&a)) {
		snprintf(why, why_size,
			 "'%.64s' is no loopback address with a port, as 127.0.0.1:9901 or "
			 "[::1]:9901",
			 address);
		return -EINVAL;
	}
	fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0 &&
	    bind(fd, &a.any, a.any.sa_family == AF_INET ? sizeof(a.v4) : sizeof(a.v6)) == 0 &&
	    listen(fd, ADMIN_BACKLOG) == 0)
		return fd;
	rc = -errno;
	snprintf(why, why_size, "address %.64s: %s", address, strerror(-rc));
	if (fd >= 0)
		close(fd);
	return rc;
}
