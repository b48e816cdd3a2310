/* SPDX-License-Identifier: Apache-2.0 */
/* What a service manager is told: datagrams as sd_notify(3) describes them. */
#ifndef FENDER_CONTROLPLANE_NOTIFY_H
#define FENDER_CONTROLPLANE_NOTIFY_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

struct notify {
	int fd; /* -1: nobody wants to know */
	struct sockaddr_un to;
	socklen_t to_bytes;
	uint64_t watchdog_us; /* we are killed after so long without WATCHDOG=1; 0: never */
};

/*
 * By NOTIFY_SOCKET (a path, or an abstract name after '@'), WATCHDOG_USEC and WATCHDOG_PID of the
 * environment. Return 0, also when there is no socket; -errno, then fd is -1 too.
 */
int notify_open(struct notify *n);

/* Send lines, "READY=1\nSTATUS=…", at most 512 bytes; never blocks, what is lost is lost. */
void notify_send(const struct notify *n, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

void notify_close(struct notify *n);

#endif
