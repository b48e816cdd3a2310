/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MESSAGE_BYTES = 512 };

/* Return 1 when @name is an address, which is in n->to then. */
static int set_address(struct notify *n, const char *name)
{
	size_t bytes = strlen(name);

	if ((name[0] != '/' && name[0] != '@') || bytes < 2 || bytes >= sizeof(n->to.sun_path))
		return 0;
	n->to.sun_family = AF_UNIX;
	memcpy(n->to.sun_path, name, bytes);
	if (name[0] == '@')
		n->to.sun_path[0] = '\0';
	n->to_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + bytes);
	return 1;
}

static uint64_t watchdog_of_environment(void)
{
	const char *us = getenv("WATCHDOG_USEC");
	const char *pid = getenv("WATCHDOG_PID");

	if (!us || (pid && strtol(pid, NULL, 10) != getpid()))
		return 0;
	return strtoull(us, NULL, 10);
}

int notify_open(struct notify *n)
{
	const char *name = getenv("NOTIFY_SOCKET");

	*n = (struct notify){.fd = -1};
	if (!name || !name[0])
		return 0;
	if (!set_address(n, name))
		return -EINVAL;
	n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (n->fd < 0)
		return -errno;
	n->watchdog_us = watchdog_of_environment();
	return 0;
}

void notify_send(const struct notify *n, const char *format, ...)
{
	char message[MESSAGE_BYTES];
	va_list values;
	int bytes;

	if (n->fd < 0)
		return;
	va_start(values, format);
	bytes = vsnprintf(message, sizeof(message), format, values);
	va_end(values);
	if (bytes < 0)
		return;
	if (bytes >= MESSAGE_BYTES)
		bytes = MESSAGE_BYTES - 1;
	(void)!sendto(n->fd, message, (size_t)bytes, MSG_NOSIGNAL, (const struct sockaddr *)&n->to,
		      n->to_bytes);
}

void notify_close(struct notify *n)
{
	if (n->fd >= 0)
		close(n->fd);
	n->fd = -1;
}
