/* SPDX-License-Identifier: Apache-2.0 */
/* A backend that fails on command: see usage_text in fault_mode.h. One process, one thread, one
 * epoll. */
#include "tests/tools/fault_control.h"
#include "tests/tools/fault_heap.h"
#include "tests/tools/fault_mode.h"
#include "tests/tools/tool.h"

#include <getopt.h>
#include <linux/filter.h>
#include <netinet/tcp.h>
#include <sys/resource.h>

enum { MAX_LISTENS = 16, MAX_CONTROLS = 4, MAX_EVENTS = 256, MAX_DATAGRAM = 9216 };

struct conn {
	struct source source;
	enum fate fate;
	int waits;     /* in the heap; freed there when it has closed meanwhile */
	uint8_t *rest; /* not yet taken by the socket */
	size_t rest_bytes;
	struct conn *next;
	struct conn *prev;
};

struct datagram {
	struct source *via;
	struct sockaddr_storage from;
	socklen_t from_bytes;
	uint8_t control[64]; /* the address it was sent to */
	size_t control_bytes;
	size_t bytes;
	uint8_t data[];
};

#define STATS(X)       \
	X(connections) \
	X(answered)    \
	X(delayed)     \
	X(hung)        \
	X(reset)       \
	X(open)        \
	X(datagrams)   \
	X(replies)     \
	X(silent)      \
	X(bytes)

static struct {
	const char *name;
	struct fault_mode mode;
	int epoll;
	int is_open;    /* listening sockets exist */
	int blackholed; /* and have the filter */
	uint64_t flap_ns;
	struct sockaddr_storage at[MAX_LISTENS];
	struct source tcp[MAX_LISTENS];
	struct source udp[MAX_LISTENS];
	uint32_t listens;
	int no_tcp;
	int no_udp;
	struct conn *conns;
	int drop; /* all of them, when no event of them is at hand */
	struct heap heap;
	uint32_t random;
	struct {
#define X(name) uint64_t name;
		STATS(X)
#undef X
	} stats;
} server;

static void die(const char *what)
{
	fprintf(stderr, "fault_server: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void watch(struct source *source, uint32_t events, int operation)
{
	struct epoll_event event = {.events = events, .data.ptr = source};

	if (epoll_ctl(server.epoll, operation, source->fd, &event))
		die("epoll");
}

static void conn_close(struct conn *c, int reset)
{
	const struct linger linger = {.l_onoff = 1, .l_linger = 0};

	if (reset) {
		setsockopt(c->source.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
		server.stats.reset++;
	}
	close(c->source.fd);
	server.stats.open--;
	if (c->next)
		c->next->prev = c->prev;
	if (c->prev)
		c->prev->next = c->next;
	else
		server.conns = c->next;
	free(c->rest);
	c->rest = NULL;
	c->source.fd = -1;
	if (!c->waits)
		free(c);
}

/* What the socket does not take is kept, and nothing is read until it is gone. 0 or -1. */
static int conn_send(struct conn *c, const void *data, size_t bytes)
{
	ssize_t sent = send(c->source.fd, data, bytes, MSG_NOSIGNAL);

	if (sent < 0 && errno != EAGAIN)
		return -1;
	sent = sent < 0 ? 0 : sent;
	if ((size_t)sent == bytes)
		return 0;
	c->rest_bytes = bytes - (size_t)sent;
	c->rest = malloc(c->rest_bytes);
	if (!c->rest)
		return -1;
	memcpy(c->rest, (const uint8_t *)data + sent, c->rest_bytes);
	watch(&c->source, EPOLLOUT, EPOLL_CTL_MOD);
	return 0;
}

static void conn_flush(struct conn *c)
{
	uint8_t *rest = c->rest;
	int error;

	c->rest = NULL;
	watch(&c->source, EPOLLIN, EPOLL_CTL_MOD);
	error = conn_send(c, rest, c->rest_bytes);
	free(rest);
	if (error)
		conn_close(c, 0);
}

static void conn_read(struct conn *c)
{
	uint8_t buffer[16384];
	ssize_t bytes = recv(c->source.fd, buffer, sizeof(buffer), 0);

	if (bytes < 0 && errno == EAGAIN)
		return;
	if (bytes <= 0) {
		conn_close(c, 0);
	} else if (c->fate == FATE_RESET_AFTER_DATA) {
		conn_close(c, 1);
	} else if (c->fate == FATE_ANSWER) {
		server.stats.bytes += (uint64_t)bytes;
		if (conn_send(c, buffer, (size_t)bytes))
			conn_close(c, 0);
	}
}

/* Tell it the name; from now on it is echoed. */
static void conn_answer(struct conn *c)
{
	char line[LINE_BYTES];
	int bytes = snprintf(line, sizeof(line), "%s\n", server.name);

	c->fate = FATE_ANSWER;
	watch(&c->source, EPOLLIN, EPOLL_CTL_MOD);
	server.stats.answered++;
	if (conn_send(c, line, (size_t)bytes))
		conn_close(c, 0);
}

static void conn_delay(struct conn *c)
{
	if (server.heap.count == MAX_WAITING) {
		conn_close(c, 1);
		return;
	}
	server.stats.delayed++;
	c->waits = 1;
	heap_push(&server.heap,
		  (struct waiter){.due_ns = now_ns() + server.mode.delay_ns, .conn = c});
}

static void conn_accepted(int fd)
{
	struct conn *c = calloc(1, sizeof(*c));
	int on = 1;

	if (!c) {
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	c->source = (struct source){KIND_CONN, fd};
	c->fate = fate_of(&server.mode, ++server.stats.connections, xorshift(&server.random));
	c->next = server.conns;
	if (c->next)
		c->next->prev = c;
	server.conns = c;
	server.stats.open++;
	/* One that waits is not read: what it sends meanwhile is echoed later. */
	watch(&c->source, c->fate == FATE_DELAY ? EPOLLHUP : EPOLLIN, EPOLL_CTL_ADD);
	if (c->fate == FATE_ANSWER)
		conn_answer(c);
	else if (c->fate == FATE_RESET)
		conn_close(c, 1);
	else if (c->fate == FATE_DELAY)
		conn_delay(c);
	else if (c->fate == FATE_HANG)
		server.stats.hung++;
}

static void accept_all(const struct source *listener)
{
	int fd;

	while ((fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
		conn_accepted(fd);
}

static void datagram_answer(struct datagram *d)
{
	char line[LINE_BYTES];
	int bytes = snprintf(line, sizeof(line), "%s\n", server.name);
	struct iovec parts[] = {{line, (size_t)bytes}, {d->data, d->bytes}};
	const struct msghdr message = {
		.msg_name = &d->from,
		.msg_namelen = d->from_bytes,
		.msg_iov = parts,
		.msg_iovlen = 2,
		.msg_control = d->control,
		.msg_controllen = d->control_bytes,
	};

	if (d->via->fd >= 0 && sendmsg(d->via->fd, &message, 0) >= 0)
		server.stats.replies++;
	free(d);
}

static void datagram_came(struct datagram *d)
{
	enum fate fate = fate_of(&server.mode, ++server.stats.datagrams, xorshift(&server.random));

	if (fate == FATE_ANSWER && server.mode.door != DOOR_BLACKHOLE) {
		datagram_answer(d);
	} else if (fate == FATE_DELAY && server.heap.count < MAX_WAITING) {
		heap_push(&server.heap, (struct waiter){.due_ns = now_ns() + server.mode.delay_ns,
							.datagram = d});
	} else {
		server.stats.silent++;
		free(d);
	}
}

static void receive_all(struct source *via)
{
	for (uint32_t i = 0; i < MAX_EVENTS; i++) {
		struct datagram *d = calloc(1, sizeof(*d) + MAX_DATAGRAM);
		struct iovec part = {d ? d->data : NULL, MAX_DATAGRAM};
		struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
		ssize_t bytes;

		if (!d)
			return;
		message.msg_name = &d->from;
		message.msg_namelen = sizeof(d->from);
		message.msg_control = d->control;
		message.msg_controllen = sizeof(d->control);
		bytes = recvmsg(via->fd, &message, 0);
		if (bytes < 0) {
			free(d);
			return;
		}
		d->via = via;
		d->bytes = (size_t)bytes;
		d->from_bytes = message.msg_namelen;
		d->control_bytes = message.msg_controllen;
		datagram_came(d);
	}
}

static void answer_due(void)
{
	while (server.heap.count != 0 && server.heap.at[0].due_ns <= now_ns()) {
		struct waiter w = heap_pop(&server.heap);

		if (w.datagram) {
			datagram_answer(w.datagram);
			continue;
		}
		w.conn->waits = 0;
		if (w.conn->source.fd < 0)
			free(w.conn);
		else
			conn_answer(w.conn);
	}
}

/* Who knocked before a command or a flap meets the mode of before. */
static void meet_all(void)
{
	for (uint32_t i = 0; i < server.listens; i++) {
		if (server.tcp[i].fd >= 0)
			accept_all(&server.tcp[i]);
		if (server.udp[i].fd >= 0)
			receive_all(&server.udp[i]);
	}
}

static void door_close(void)
{
	for (uint32_t i = 0; i < server.listens; i++) {
		struct source *const both[] = {&server.tcp[i], &server.udp[i]};

		for (uint32_t k = 0; k < 2; k++) {
			if (both[k]->fd >= 0)
				close(both[k]->fd);
			both[k]->fd = -1;
		}
	}
	server.is_open = 0;
	server.blackholed = 0;
}

static int open_one(struct source *source, uint32_t i, int type)
{
	const struct sockaddr_storage *at = &server.at[i];
	int on = 1;

	source->fd = bound_socket((const struct sockaddr *)at, address_bytes(at), type);
	if (source->fd < 0)
		return -1;
	/* Answers leave from the address that was asked. */
	if (type == SOCK_DGRAM && at->ss_family == AF_INET6)
		setsockopt(source->fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
	else if (type == SOCK_DGRAM)
		setsockopt(source->fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
	watch(source, EPOLLIN, EPOLL_CTL_ADD);
	return 0;
}

static int door_open(void)
{
	for (uint32_t i = 0; i < server.listens; i++) {
		if ((!server.no_tcp && open_one(&server.tcp[i], i, SOCK_STREAM)) ||
		    (!server.no_udp && open_one(&server.udp[i], i, SOCK_DGRAM))) {
			int error = errno;

			door_close();
			errno = error;
			return -1;
		}
	}
	server.is_open = 1;
	return 0;
}

/* On a listening socket a filter sees the SYNs; this one keeps no byte of any. */
static int set_blackhole(int on)
{
	struct sock_filter drop = {.code = BPF_RET | BPF_K, .k = 0};
	const struct sock_fprog program = {.len = 1, .filter = &drop};
	int none = 0;

	for (uint32_t i = 0; i < server.listens && !server.no_tcp; i++) {
		if (setsockopt(server.tcp[i].fd, SOL_SOCKET,
			       on ? SO_ATTACH_FILTER : SO_DETACH_FILTER,
			       on ? (const void *)&program : &none,
			       on ? sizeof(program) : sizeof(none)))
			return -1;
	}
	server.blackholed = on;
	return 0;
}

/* Return 0 or -1 with errno set. */
static int apply_mode(void)
{
	const int is_dark = server.mode.door == DOOR_BLACKHOLE;

	server.flap_ns = server.mode.door == DOOR_FLAPPING ? now_ns() + server.mode.period_ns : 0;
	if (server.mode.door == DOOR_CLOSED || server.mode.door == DOOR_FLAPPING) {
		door_close();
		return 0;
	}
	if (!server.is_open && door_open())
		return -1;
	return is_dark == server.blackholed ? 0 : set_blackhole(is_dark);
}

static void flap(void)
{
	if (server.flap_ns == 0 || now_ns() < server.flap_ns)
		return;
	server.flap_ns += server.mode.period_ns;
	meet_all();
	if (server.is_open)
		door_close();
	else if (door_open())
		die("flap: listen");
}

static void print_stats(char *out, size_t room)
{
	int n = 0;

#define X(name) n += snprintf(out + n, room - (size_t)n, #name " %lu ", server.stats.name);
	STATS(X)
#undef X
	snprintf(out + n, room - (size_t)n, "mode %s", server.mode.text);
}

/* @line without its newline; the answer without one too. */
static void obey(const char *line, char *answer, size_t room)
{
	uint64_t open;

	meet_all();
	open = server.stats.open;
	if (strncmp(line, "mode ", 5) == 0 && parse_mode(line + 5, &server.mode) == 0) {
		if (apply_mode())
			snprintf(answer, room, "error %s: %s", line, strerror(errno));
		else
			snprintf(answer, room, "ok %s", line);
	} else if (strcmp(line, "stats") == 0) {
		print_stats(answer, room);
	} else if (strcmp(line, "clear") == 0) {
		memset(&server.stats, 0, sizeof(server.stats));
		server.stats.open = open;
		snprintf(answer, room, "ok clear");
	} else if (strcmp(line, "drop") == 0) {
		server.drop = 1;
		snprintf(answer, room, "ok drop %lu", open);
	} else {
		snprintf(answer, room, "error not understood: %.*s", LINE_BYTES / 2, line);
	}
}

static void handle(struct source *source, uint32_t events)
{
	switch (source->kind) {
	case KIND_TCP:
		accept_all(source);
		break;
	case KIND_UDP:
		receive_all(source);
		break;
	case KIND_CONN: {
		struct conn *c = (struct conn *)source;

		if (events & EPOLLOUT && c->rest)
			conn_flush(c);
		else
			conn_read(c);
		break;
	}
	case KIND_CONTROL:
		control_accept(source, server.epoll);
		break;
	case KIND_CONTROL_CONN:
		control_read((struct control_conn *)source, obey);
		break;
	case KIND_CONTROL_UDP:
		control_receive(source, obey);
		break;
	}
}

/* Milliseconds until the earliest waiter or flap, rounded up; -1: none. */
static int patience_ms(void)
{
	uint64_t due_ns = server.heap.count ? server.heap.at[0].due_ns : UINT64_MAX;
	uint64_t now = now_ns();

	if (server.flap_ns != 0 && server.flap_ns < due_ns)
		due_ns = server.flap_ns;
	if (due_ns == UINT64_MAX)
		return -1;
	return due_ns <= now ? 0 : (int)((due_ns - now) / 1000000 + 1);
}

static void drop_all(void)
{
	struct conn *next;

	for (struct conn *c = server.conns; c; c = next) {
		next = c->next;
		conn_close(c, 1);
	}
	server.drop = 0;
}

static void serve(void)
{
	struct epoll_event events[MAX_EVENTS];

	for (;;) {
		int n = epoll_wait(server.epoll, events, MAX_EVENTS, patience_ms());

		for (int i = 0; i < n; i++)
			handle(events[i].data.ptr, events[i].events);
		if (server.drop)
			drop_all();
		answer_due();
		flap();
	}
}

static void usage(const char *why, const char *what)
{
	fprintf(stderr, "fault_server: %s: %s\n\n%s", why, what, usage_text);
	exit(2);
}

static void add_listen(const char *text)
{
	const uint32_t i = server.listens;

	if (i == MAX_LISTENS || parse_address(text, &server.at[i]))
		usage("not an address, or too many", text);
	server.tcp[i] = (struct source){KIND_TCP, -1};
	server.udp[i] = (struct source){KIND_UDP, -1};
	server.listens++;
}

static void option(int name)
{
	static struct source controls[MAX_CONTROLS][2];
	static uint32_t used;

	switch (name) {
	case 'l':
		add_listen(optarg);
		break;
	case 'n':
		if (strlen(optarg) + 2 > LINE_BYTES)
			usage("name too long", optarg);
		server.name = optarg;
		break;
	case 'm':
		if (parse_mode(optarg, &server.mode))
			usage("not a mode", optarg);
		break;
	case 'c':
		if (used == MAX_CONTROLS)
			usage("too many", optarg);
		if (control_open(controls[used++], server.epoll, optarg))
			die(optarg);
		break;
	case 't':
		server.no_udp = 1;
		break;
	case 'u':
		server.no_tcp = 1;
		break;
	case 'h':
		fputs(usage_text, stdout);
		exit(0);
	default:
		usage("unknown option", "see below");
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"listen", required_argument, NULL, 'l'},  {"name", required_argument, NULL, 'n'},
		{"mode", required_argument, NULL, 'm'},    {"tcp", no_argument, NULL, 't'},
		{"control", required_argument, NULL, 'c'}, {"udp", no_argument, NULL, 'u'},
		{"help", no_argument, NULL, 'h'},          {0},
	};
	struct rlimit files;
	int name;

	server.name = "fault";
	server.random = (uint32_t)now_ns() | 1;
	parse_mode("accept", &server.mode);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	server.heap.at = calloc(MAX_WAITING, sizeof(*server.heap.at));
	server.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!server.heap.at || server.epoll < 0)
		die("start");
	while ((name = getopt_long(argc, argv, "", options, NULL)) != -1)
		option(name);
	if (server.listens == 0 || optind != argc)
		usage("needs --listen", optind == argc ? "none given" : argv[optind]);
	if (apply_mode())
		die("listen");
	printf("ready %s\n", server.name);
	fflush(stdout);
	serve();
}
