/* SPDX-License-Identifier: Apache-2.0 */
/* fault_server's control sockets: a line in, a line out. */
#ifndef FENDER_TESTS_TOOLS_FAULT_CONTROL_H
#define FENDER_TESTS_TOOLS_FAULT_CONTROL_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { LINE_BYTES = 256, ANSWER_BYTES = 1024, MAX_CONTROL_CONNS = 32 };

enum kind { KIND_TCP, KIND_UDP, KIND_CONN, KIND_CONTROL, KIND_CONTROL_CONN, KIND_CONTROL_UDP };

/* What epoll names. */
struct source {
	enum kind kind;
	int fd;
};

struct control_conn {
	struct source source;
	int used;
	size_t bytes;
	char line[LINE_BYTES];
};

/* Do what the line says; both without a newline. */
typedef void control_obey(const char *line, char *answer, size_t room);

static inline socklen_t address_bytes(const struct sockaddr_storage *at)
{
	return at->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

/* "1.2.3.4:80" or "[::1]:80". 0 or -1. */
static inline int parse_address(const char *text, struct sockaddr_storage *at)
{
	struct sockaddr_in *in = (struct sockaddr_in *)at;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)at;
	const char *colon = strrchr(text, ':');
	char host[INET6_ADDRSTRLEN + 2], *end;
	unsigned long port = colon ? strtoul(colon + 1, &end, 10) : 0;
	size_t bytes = colon ? (size_t)(colon - text) : 0;

	if (port == 0 || port > 65535 || *end != '\0' || bytes >= sizeof(host))
		return -1;
	memset(at, 0, sizeof(*at));
	memcpy(host, text, bytes);
	host[bytes] = '\0';
	if (bytes > 2 && host[0] == '[' && host[bytes - 1] == ']') {
		host[bytes - 1] = '\0';
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)port);
		return inet_pton(AF_INET6, host + 1, &in6->sin6_addr) == 1 ? 0 : -1;
	}
	in->sin_family = AF_INET;
	in->sin_port = htons((uint16_t)port);
	return inet_pton(AF_INET, host, &in->sin_addr) == 1 ? 0 : -1;
}

/* Bound, and listening when it is a stream. The socket, or -1 with errno set. */
static inline int bound_socket(const struct sockaddr *at, socklen_t bytes, int type)
{
	int fd = socket(at->sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1, error;

	if (fd < 0)
		return -1;
	/* A datagram socket would share its port with a stranger's. */
	if (type == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (at->sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, at, bytes) || (type == SOCK_STREAM && listen(fd, 16384))) {
		error = errno;
		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

static inline int control_watch(int epoll, struct source *source)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = source};

	return source->fd < 0 ? -1 : epoll_ctl(epoll, EPOLL_CTL_ADD, source->fd, &event);
}

/* @where: a path, or IP:PORT for both TCP and UDP. 0, or -1 with errno set. */
static inline int control_open(struct source both[2], int epoll, const char *where)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct sockaddr_storage at;

	both[0] = (struct source){KIND_CONTROL, -1};
	both[1] = (struct source){KIND_CONTROL_UDP, -1};
	if (parse_address(where, &at) == 0) {
		const struct sockaddr *address = (const struct sockaddr *)&at;

		both[0].fd = bound_socket(address, address_bytes(&at), SOCK_STREAM);
		both[1].fd = bound_socket(address, address_bytes(&at), SOCK_DGRAM);
		return control_watch(epoll, &both[0]) || control_watch(epoll, &both[1]) ? -1 : 0;
	}
	errno = ENAMETOOLONG;
	if (strlen(where) >= sizeof(un.sun_path))
		return -1;
	strcpy(un.sun_path, where);
	unlink(where);
	both[0].fd = bound_socket((const struct sockaddr *)&un, sizeof(un), SOCK_STREAM);
	return control_watch(epoll, &both[0]);
}

/* One more than MAX_CONTROL_CONNS is closed at once. */
static inline void control_accept(const struct source *listener, int epoll)
{
	static struct control_conn pool[MAX_CONTROL_CONNS];
	int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	uint32_t i = 0;

	if (fd < 0)
		return;
	while (i < MAX_CONTROL_CONNS && pool[i].used)
		i++;
	if (i < MAX_CONTROL_CONNS) {
		pool[i] = (struct control_conn){.source = {KIND_CONTROL_CONN, fd}, .used = 1};
		if (control_watch(epoll, &pool[i].source) == 0)
			return;
		pool[i].used = 0;
	}
	close(fd);
}

static inline size_t control_answer(char *line, char *answer, control_obey *obey)
{
	size_t bytes = strlen(line);

	if (bytes != 0 && line[bytes - 1] == '\r')
		line[bytes - 1] = '\0';
	obey(line, answer, ANSWER_BYTES - 1);
	return (size_t)snprintf(answer + strlen(answer), 2, "\n") + strlen(answer) - 1;
}

/* Whole lines are obeyed; one longer than LINE_BYTES ends the connection. */
static inline void control_read(struct control_conn *c, control_obey *obey)
{
	ssize_t got = recv(c->source.fd, c->line + c->bytes, sizeof(c->line) - c->bytes, 0);
	char answer[ANSWER_BYTES], *end;

	if (got > 0)
		c->bytes += (size_t)got;
	while (got > 0 && (end = memchr(c->line, '\n', c->bytes)) != NULL) {
		size_t bytes;

		*end++ = '\0';
		bytes = control_answer(c->line, answer, obey);
		if (send(c->source.fd, answer, bytes, MSG_NOSIGNAL) < 0)
			got = 0;
		c->bytes -= (size_t)(end - c->line);
		memmove(c->line, end, c->bytes);
	}
	if (got > 0 && c->bytes < sizeof(c->line))
		return;
	if (got < 0 && errno == EAGAIN)
		return;
	close(c->source.fd);
	c->used = 0;
}

static inline void control_receive(const struct source *source, control_obey *obey)
{
	struct sockaddr_storage from;
	socklen_t from_bytes = sizeof(from);
	char line[LINE_BYTES], answer[ANSWER_BYTES];
	ssize_t got = recvfrom(source->fd, line, sizeof(line) - 1, 0, (struct sockaddr *)&from,
			       &from_bytes);
	size_t bytes;

	if (got < 0)
		return;
	line[got] = '\0';
	line[strcspn(line, "\n")] = '\0';
	bytes = control_answer(line, answer, obey);
	sendto(source->fd, answer, bytes, 0, (const struct sockaddr *)&from, from_bytes);
}

#endif
