/* SPDX-License-Identifier: Apache-2.0 */
/* A paced sender of datagrams, and a sink that counts them.
 *
 *   udp_blast send IP PORT SOURCE_PORT PAYLOAD PACKETS_PER_SECOND THREADS
 *   udp_blast sink PORT ...
 *
 * Both run until SIGTERM and print then what they did, the sink a line a port. The threads of a
 * sender share the flow: each has a socket of the same five-tuple and a CPU of its own. A sender
 * that was held up sends what it missed, but no more than of a quarter of a second.
 */
#include "tests/tools/tool.h"

#include <arpa/inet.h>
#include <netinet/udp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	MAX_THREADS = 16,
	MAX_PORTS = 16,
	MAX_PAYLOAD = 9000,
	MAX_SEND = 65000, /* bytes the kernel cuts into datagrams, UDP_SEGMENT */
	MAX_SEGMENTS = 64,
	SINK_BATCH = 64,
	SINK_BUFFER = 8 << 20,
	TICK_NS = 1000000,
};
#define SECOND_NS ((uint64_t)1000000000)

struct sender {
	pthread_t thread;
	int fd;
	unsigned int cpu;
	size_t payload;
	uint64_t per_second;
	uint64_t sent;
	uint64_t failed;
};

struct sink {
	int fd;
	const char *port;
	uint64_t packets;
	uint64_t bytes;
};

static int over;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void check(int rc, const char *what)
{
	if (rc < 0)
		die(what);
}

static uint64_t number(const char *text, uint64_t max)
{
	char *end;
	unsigned long long n = strtoull(text, &end, 10);

	if (*end || end == text || !n || n > max) {
		fprintf(stderr, "%s: 1 to %llu, please\n", text, (unsigned long long)max);
		exit(2);
	}
	return n;
}

static socklen_t address(struct sockaddr_storage *out, const char *ip, uint16_t port)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, ip, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		return sizeof(*v4);
	}
	if (inet_pton(AF_INET6, ip, &v6->sin6_addr) != 1)
		die(ip);
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	return sizeof(*v6);
}

static int open_flow(char **argv, int segment)
{
	int one = 1;
	struct sockaddr_storage to, from;
	socklen_t bytes = address(&to, argv[0], (uint16_t)number(argv[1], UINT16_MAX));
	const char *any = to.ss_family == AF_INET ? "0.0.0.0" : "::";
	int fd = socket(to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	check(fd, "socket");
	address(&from, any, (uint16_t)number(argv[2], UINT16_MAX));
	check(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)), "SO_REUSEPORT");
	check(setsockopt(fd, SOL_UDP, UDP_SEGMENT, &segment, sizeof(segment)), "UDP_SEGMENT");
	check(bind(fd, (struct sockaddr *)&from, bytes), "bind");
	check(connect(fd, (struct sockaddr *)&to, bytes), "connect");
	return fd;
}

static void stay_on(unsigned int nth)
{
	cpu_set_t allowed, one;
	int cpus;

	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		return;
	cpus = CPU_COUNT(&allowed);
	CPU_ZERO(&one);
	for (int cpu = 0, seen = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &allowed) && seen++ == (int)nth % cpus)
			CPU_SET(cpu, &one);
	(void)sched_setaffinity(0, sizeof(one), &one);
}

static void send_some(struct sender *s, uint64_t packets)
{
	static const uint8_t data[MAX_SEND];
	uint64_t most = MAX_SEND / s->payload;

	if (most > MAX_SEGMENTS)
		most = MAX_SEGMENTS;
	while (packets) {
		uint64_t n = packets < most ? packets : most;

		if (send(s->fd, data, n * s->payload, 0) < 0)
			s->failed += n; /* an ICMP error of before, mostly */
		s->sent += n;
		packets -= n;
	}
}

static void *run_sender(void *arg)
{
	struct sender *s = arg;
	uint64_t began = now_ns();
	uint64_t skipped = 0;

	stay_on(s->cpu);
	while (!__atomic_load_n(&over, __ATOMIC_RELAXED)) {
		struct timespec tick = {0, TICK_NS};
		uint64_t elapsed = now_ns() - began;
		uint64_t due = elapsed / SECOND_NS * s->per_second +
			       elapsed % SECOND_NS * s->per_second / SECOND_NS - s->sent - skipped;
		uint64_t missed = due > s->per_second / 4 + 1 ? due - s->per_second / 4 - 1 : 0;

		skipped += missed;
		send_some(s, due - missed);
		nanosleep(&tick, NULL);
	}
	return NULL;
}

static void wait_for_the_end(void)
{
	sigset_t set;
	int sig;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigwait(&set, &sig);
	__atomic_store_n(&over, 1, __ATOMIC_RELAXED);
}

static void send_until_told(char **argv)
{
	struct sender senders[MAX_THREADS] = {0};
	size_t payload = number(argv[3], MAX_PAYLOAD);
	uint64_t per_second = number(argv[4], 100000000);
	unsigned int threads = (unsigned int)number(argv[5], MAX_THREADS);
	uint64_t sent = 0;
	uint64_t failed = 0;

	for (unsigned int i = 0; i < threads; i++) {
		senders[i] = (struct sender){
			.fd = open_flow(argv, (int)payload),
			.cpu = i,
			.payload = payload,
			.per_second = (per_second + i) / threads,
		};
		if (pthread_create(&senders[i].thread, NULL, run_sender, &senders[i]))
			die("pthread_create");
	}
	wait_for_the_end();
	for (unsigned int i = 0; i < threads; i++) {
		pthread_join(senders[i].thread, NULL);
		sent += senders[i].sent;
		failed += senders[i].failed;
	}
	printf("%llu %llu\n", (unsigned long long)(sent - failed), (unsigned long long)failed);
}

static void open_sink(struct sink *s, const char *port)
{
	int bytes = SINK_BUFFER;
	struct sockaddr_storage at;
	socklen_t length = address(&at, "::", (uint16_t)number(port, UINT16_MAX));

	s->port = port;
	s->fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0); /* and IPv4, mapped */
	check(s->fd, "socket");
	if (setsockopt(s->fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)))
		perror("SO_RCVBUFFORCE");
	check(bind(s->fd, (struct sockaddr *)&at, length), "bind");
}

/* Lengths alone are read: MSG_TRUNC says them without a buffer. */
static void drain(struct sink *s)
{
	struct mmsghdr messages[SINK_BATCH] = {0};
	int n = recvmmsg(s->fd, messages, SINK_BATCH, MSG_DONTWAIT | MSG_TRUNC, NULL);

	for (int i = 0; i < n; i++) {
		s->packets++;
		s->bytes += messages[i].msg_len;
	}
}

struct sinks {
	int epoll;
	struct sink at[MAX_PORTS];
};

static void *run_sinks(void *arg)
{
	struct sinks *sinks = arg;
	struct epoll_event ready[MAX_PORTS];

	while (!__atomic_load_n(&over, __ATOMIC_RELAXED)) {
		int n = epoll_wait(sinks->epoll, ready, MAX_PORTS, 50);

		for (int i = 0; i < n; i++)
			drain(ready[i].data.ptr);
	}
	return NULL;
}

static void sink_until_told(int ports, char **argv)
{
	struct sinks sinks = {.epoll = epoll_create1(EPOLL_CLOEXEC)};
	pthread_t thread;

	check(sinks.epoll, "epoll_create1");
	for (int i = 0; i < ports; i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.ptr = &sinks.at[i]};

		open_sink(&sinks.at[i], argv[i]);
		check(epoll_ctl(sinks.epoll, EPOLL_CTL_ADD, sinks.at[i].fd, &event), "epoll_ctl");
	}
	if (pthread_create(&thread, NULL, run_sinks, &sinks))
		die("pthread_create");
	wait_for_the_end();
	pthread_join(thread, NULL);
	for (int i = 0; i < ports; i++)
		printf("%s %llu %llu\n", sinks.at[i].port, (unsigned long long)sinks.at[i].packets,
		       (unsigned long long)sinks.at[i].bytes);
}

int main(int argc, char **argv)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (argc == 8 && !strcmp(argv[1], "send"))
		send_until_told(argv + 2);
	else if (argc > 2 && argc <= 2 + MAX_PORTS && !strcmp(argv[1], "sink"))
		sink_until_told(argc - 2, argv + 2);
	else {
		fprintf(stderr, "usage: udp_blast send IP PORT SOURCE_PORT PAYLOAD "
				"PACKETS_PER_SECOND THREADS\n"
				"       udp_blast sink PORT ...\n");
		return 2;
	}
	return 0;
}
