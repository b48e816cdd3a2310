/* SPDX-License-Identifier: Apache-2.0 */
/* Thousands of connections that are never silent for long, and the echo server for them.
 *
 *   echo_storm serve PORT
 *   echo_storm hold IP PORT COUNT PAUSE_MS
 *
 * `hold` opens COUNT connections and keeps them. On each it sends a message nobody else sends,
 * waits for exactly these bytes, pauses, and begins the next turn. A connection that ends or
 * answers with other bytes is counted and not opened again. Each line on the standard input is
 * answered by one line of JSON; `mark` begins a new span, for which `moved` counts the
 * connections that began and finished a turn in it and `longest_ms` is the longest turn that
 * finished in it. The end of the input ends the program, which closes all by FIN.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	MAX_CONNS = 60000,
	MAX_PAUSE_MS = 3600000,
	CONNECTING_MAX = 200, /* at once */
	EVENTS = 256,
	MESSAGE_BYTES = 64,
	BUFFER_BYTES = 65536,
	BACKLOG = 16384,
	LEAVE_MS = 10000,
	LEAVE_BURST = 64, /* connections a millisecond */
	INPUT = -1,       /* epoll's word for the standard input; else a connection's number */
};

enum state { IDLE, CONNECTING, WAITING, PAUSING, ENDED };

struct conn {
	int fd;
	enum state state;
	uint32_t turn;
	uint32_t got; /* bytes of this turn's answer */
	uint64_t began_ms;
	uint64_t moved_span; /* the last in which a turn began and finished */
	int next;            /* who pauses after this one, or -1 */
};

static struct storm {
	struct conn *conns;
	int count;
	int opened; /* begun */
	int connecting;
	int first, last; /* who pauses; as all pause equally long, in the order of their ends */
	int epoll;
	uint64_t pause_ms;
	struct sockaddr_storage to;
	socklen_t to_bytes;
	uint64_t span, span_began_ms;
	uint64_t turns, reset, closed, wrong, unconnected, moved, longest_ms;
	int error; /* of the last connection that failed otherwise than by a reset */
} storm = {.first = -1, .last = -1};

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int number(const char *text, int least, int most)
{
	char *rest;
	long value = strtol(text, &rest, 10);

	if (rest == text || *rest != '\0' || value < least || value > most) {
		fprintf(stderr, "echo_storm: %s: a number from %d to %d is wanted\n", text, least,
			most);
		exit(2);
	}
	return (int)value;
}

static uint16_t port_of(const char *text)
{
	return htons((uint16_t)number(text, 1, 65535));
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void allow_many_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		die("getrlimit");
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		die("setrlimit");
}

static void watch(int epoll, int op, int fd, int word, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.fd = word};

	if (epoll_ctl(epoll, op, fd, &event) != 0)
		die("epoll_ctl");
}

/* -- serve ---------------------------------------------------------------- */

static void accept_all(int epoll, int listener)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0)
		watch(epoll, EPOLL_CTL_ADD, fd, fd, EPOLLIN);
}

static void echo(int fd)
{
	char buffer[BUFFER_BYTES];
	ssize_t n = recv(fd, buffer, sizeof(buffer), 0);

	if (n < 0 && errno == EAGAIN)
		return;
	/* A client has one message under way: the socket has room for it. */
	if (n <= 0 || send(fd, buffer, (size_t)n, MSG_NOSIGNAL) != n)
		close(fd);
}

static _Noreturn void serve(const char *port)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = port_of(port)};
	int listener = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0), epoll = epoll_create1(0);
	struct epoll_event events[EVENTS];

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
	if (bind(listener, (struct sockaddr *)&any, sizeof(any)) != 0 ||
	    listen(listener, BACKLOG) != 0)
		die("listen");
	watch(epoll, EPOLL_CTL_ADD, listener, listener, EPOLLIN);
	for (;;) {
		int n = epoll_wait(epoll, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.fd == listener)
				accept_all(epoll, listener);
			else
				echo(events[i].data.fd);
		}
	}
}

/* -- hold ----------------------------------------------------------------- */

static void message(const struct conn *c, uint8_t *text)
{
	uint32_t word = (uint32_t)(c - storm.conns) * 2654435761u ^ c->turn;

	for (int i = 0; i < MESSAGE_BYTES; i++) {
		word = word * 1664525u + 1013904223u;
		text[i] = (uint8_t)(word >> 24);
	}
}

static void end(struct conn *c, uint64_t *counter)
{
	storm.connecting -= c->state == CONNECTING;
	c->state = ENDED;
	close(c->fd);
	++*counter;
}

static void fail(struct conn *c, int error)
{
	if (c->state == CONNECTING) {
		storm.error = error;
		end(c, &storm.unconnected);
	} else if (error == ECONNRESET || error == EPIPE) {
		end(c, &storm.reset);
	} else {
		storm.error = error;
		end(c, &storm.wrong);
	}
}

static void begin_turn(struct conn *c)
{
	uint8_t text[MESSAGE_BYTES];

	c->turn++;
	c->got = 0;
	c->began_ms = now_ms();
	c->state = WAITING;
	message(c, text);
	if (send(c->fd, text, sizeof(text), MSG_NOSIGNAL) != (ssize_t)sizeof(text))
		fail(c, errno);
}

static void end_turn(struct conn *c)
{
	int number = (int)(c - storm.conns);
	uint64_t now = now_ms();

	storm.turns++;
	if (now - c->began_ms > storm.longest_ms)
		storm.longest_ms = now - c->began_ms;
	if (c->began_ms >= storm.span_began_ms && c->moved_span != storm.span) {
		c->moved_span = storm.span;
		storm.moved++;
	}
	c->state = PAUSING;
	c->began_ms = now;
	c->next = -1;
	if (storm.last >= 0)
		storm.conns[storm.last].next = number;
	else
		storm.first = number;
	storm.last = number;
}

static void take(struct conn *c)
{
	uint8_t want[MESSAGE_BYTES], text[MESSAGE_BYTES + 1];
	ssize_t n = recv(c->fd, text, sizeof(text), 0);

	if (n < 0) {
		if (errno != EAGAIN)
			fail(c, errno);
		return;
	}
	if (n == 0) {
		end(c, &storm.closed);
		return;
	}
	message(c, want);
	if (c->state != WAITING || (size_t)n > MESSAGE_BYTES - c->got ||
	    memcmp(text, want + c->got, (size_t)n) != 0) {
		end(c, &storm.wrong);
		return;
	}
	c->got += (uint32_t)n;
	if (c->got == MESSAGE_BYTES)
		end_turn(c);
}

static void connected(struct conn *c)
{
	int error = 0;
	socklen_t bytes = sizeof(error);

	getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &bytes);
	if (error) {
		fail(c, error);
		return;
	}
	storm.connecting--;
	watch(storm.epoll, EPOLL_CTL_MOD, c->fd, (int)(c - storm.conns), EPOLLIN);
	begin_turn(c);
}

static void open_next(void)
{
	int number = storm.opened++;
	struct conn *c = &storm.conns[number];

	c->fd = socket(storm.to.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (c->fd < 0)
		die("socket");
	c->state = CONNECTING;
	storm.connecting++;
	if (connect(c->fd, (struct sockaddr *)&storm.to, storm.to_bytes) != 0 &&
	    errno != EINPROGRESS)
		fail(c, errno);
	else
		watch(storm.epoll, EPOLL_CTL_ADD, c->fd, number, EPOLLOUT);
}

/* Whose pause is over begins. Returns how long the next one has, at most a second. */
static int end_pauses(void)
{
	uint64_t now = now_ms();

	while (storm.first >= 0) {
		struct conn *c = &storm.conns[storm.first];

		if (c->state == PAUSING && c->began_ms + storm.pause_ms > now)
			return (int)(c->began_ms + storm.pause_ms - now);
		storm.first = c->next;
		if (storm.first < 0)
			storm.last = -1;
		if (c->state == PAUSING) /* else it ended meanwhile */
			begin_turn(c);
	}
	return 1000;
}

static void report(void)
{
	uint64_t ended = storm.reset + storm.closed + storm.wrong + storm.unconnected;
	uint64_t open = (uint64_t)storm.opened - (uint64_t)storm.connecting - ended;

	printf("{\"count\":%d,\"open\":%llu,\"connecting\":%d,\"turns\":%llu,\"moved\":%llu,"
	       "\"longest_ms\":%llu,\"reset\":%llu,\"closed\":%llu,\"wrong\":%llu,"
	       "\"unconnected\":%llu,\"error\":\"%s\"}\n",
	       storm.count, (unsigned long long)open, storm.connecting,
	       (unsigned long long)storm.turns, (unsigned long long)storm.moved,
	       (unsigned long long)storm.longest_ms, (unsigned long long)storm.reset,
	       (unsigned long long)storm.closed, (unsigned long long)storm.wrong,
	       (unsigned long long)storm.unconnected, storm.error ? strerror(storm.error) : "");
	fflush(stdout);
}

/* Its last answer may still come; then the other end closes. */
static int is_over(const struct conn *c)
{
	uint8_t text[BUFFER_BYTES];
	ssize_t n;

	while ((n = recv(c->fd, text, sizeof(text), 0)) > 0)
		;
	return n == 0 || errno != EAGAIN;
}

/*
 * All end by FIN, which is repeated when it is lost, and not at once: closed with an answer unread
 * a connection ends by one RST, and ten thousand at a time overrun whoever forwards.
 */
static _Noreturn void leave(void)
{
	const uint64_t end_ms = now_ms() + LEAVE_MS;
	struct epoll_event events[EVENTS];
	int left = 0;

	for (int i = 0; i < storm.opened; i++) {
		if (storm.conns[i].state == CONNECTING || storm.conns[i].state == ENDED)
			continue;
		shutdown(storm.conns[i].fd, SHUT_WR);
		left++;
		if (left % LEAVE_BURST == 0)
			usleep(1000);
	}
	epoll_ctl(storm.epoll, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
	while (left > 0 && now_ms() < end_ms) {
		int n = epoll_wait(storm.epoll, events, EVENTS, 100);

		for (int i = 0; i < n; i++) {
			struct conn *c = &storm.conns[events[i].data.fd];

			if (c->state == CONNECTING || c->state == ENDED || is_over(c)) {
				left -= c->state != CONNECTING && c->state != ENDED;
				c->state = ENDED;
				close(c->fd);
			}
		}
	}
	exit(0);
}

/* The caller sends a line and waits for the answer: what comes is whole lines. */
static void obey(void)
{
	char text[256];
	ssize_t n = read(STDIN_FILENO, text, sizeof(text) - 1);

	if (n <= 0)
		leave();
	text[n] = '\0';
	if (strncmp(text, "mark", 4) == 0) {
		storm.span++;
		storm.span_began_ms = now_ms();
		storm.moved = storm.longest_ms = 0;
	}
	report();
}

static void parse_address(const char *ip, const char *port)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&storm.to;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&storm.to;

	if (inet_pton(AF_INET, ip, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = port_of(port);
		storm.to_bytes = sizeof(*v4);
	} else if (inet_pton(AF_INET6, ip, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = port_of(port);
		storm.to_bytes = sizeof(*v6);
	} else {
		fprintf(stderr, "echo_storm: %s is no address\n", ip);
		exit(2);
	}
}

static void step(const struct epoll_event *event)
{
	struct conn *c;

	if (event->data.fd == INPUT) {
		obey();
		return;
	}
	c = &storm.conns[event->data.fd];
	if (c->state == CONNECTING)
		connected(c);
	else if (c->state != ENDED)
		take(c);
}

static _Noreturn void hold(void)
{
	struct epoll_event events[EVENTS];

	storm.epoll = epoll_create1(0);
	storm.span = 1;
	watch(storm.epoll, EPOLL_CTL_ADD, STDIN_FILENO, INPUT, EPOLLIN);
	for (;;) {
		int n, wait_ms;

		while (storm.opened < storm.count && storm.connecting < CONNECTING_MAX)
			open_next();
		wait_ms = end_pauses();
		n = epoll_wait(storm.epoll, events, EVENTS, wait_ms);
		for (int i = 0; i < n; i++)
			step(&events[i]);
	}
}

int main(int argc, char **argv)
{
	allow_many_files();
	if (argc == 3 && strcmp(argv[1], "serve") == 0)
		serve(argv[2]);
	if (argc != 6 || strcmp(argv[1], "hold") != 0) {
		fprintf(stderr, "usage: echo_storm serve PORT | hold IP PORT COUNT PAUSE_MS\n");
		return 2;
	}
	parse_address(argv[2], argv[3]);
	storm.count = number(argv[4], 1, MAX_CONNS);
	storm.pause_ms = (uint64_t)number(argv[5], 0, MAX_PAUSE_MS);
	storm.conns = calloc((size_t)storm.count, sizeof(*storm.conns));
	if (!storm.conns)
		die("calloc");
	hold();
}
