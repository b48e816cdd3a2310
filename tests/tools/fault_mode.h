/* SPDX-License-Identifier: Apache-2.0 */
/* What fault_server does to its clients: the words of its control line. */
#ifndef FENDER_TESTS_TOOLS_FAULT_MODE_H
#define FENDER_TESTS_TOOLS_FAULT_MODE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage_text[] =
	"usage: fault_server --listen IP:PORT [--listen ...] [--name NAME] [--mode MODE]\n"
	"                    [--control PATH|IP:PORT [--control ...]] [--tcp | --udp]\n"
	"\n"
	"Serves TCP and UDP on every --listen (up to 16; [IP6]:PORT). A TCP connection is told\n"
	"NAME and a newline, then what it sends comes back. A datagram comes back behind NAME\n"
	"and a newline.\n"
	"\n"
	"MODE       new TCP connections                     datagrams\n"
	"accept     are served                              are answered\n"
	"delay T    are served T after they came            are answered T later\n"
	"hang       are accepted, read, never answered      are swallowed\n"
	"reset      are reset at once                       are swallowed\n"
	"reset data are reset at their first bytes          are swallowed\n"
	"refuse     meet no socket: the kernel's RST        ... ICMP port unreachable\n"
	"blackhole  SYNs are dropped (a socket filter)      are swallowed\n"
	"flap T     refuse for T, accept for T, and so on\n"
	"one-in N [FAULT]   every Nth is answered, the rest meet FAULT\n"
	"fail P% [FAULT]    at random P% meet FAULT, the rest are answered\n"
	"FAULT is reset (also when none is named), reset data, hang, delay T; T is 50us, 200ms, "
	"1s.\n"
	"Connections that are open keep what they met when the mode changes.\n"
	"\n"
	"The control socket (a Unix stream, or TCP and UDP) takes a line and answers with one:\n"
	"mode MODE | stats | clear (the statistics) | drop (reset all connections)\n";

/* What one connection or datagram meets. */
enum fate { FATE_ANSWER = 0, FATE_DELAY, FATE_HANG, FATE_RESET, FATE_RESET_AFTER_DATA };

enum door { DOOR_OPEN = 0, DOOR_CLOSED, DOOR_BLACKHOLE, DOOR_FLAPPING };

struct fault_mode {
	enum door door;
	enum fate fate;
	uint64_t delay_ns;
	uint64_t period_ns;    /* flapping */
	uint32_t every;        /* one in so many is answered, the rest meet fate; 0: off */
	uint32_t fail_percent; /* so many meet fate, the rest are answered; 0: off */
	char text[64];
};

/* "200ms", "1s", "50us". Return 0 when it is none, or nothing. */
static inline uint64_t parse_duration(const char *text)
{
	static const struct {
		const char *unit;
		uint64_t ns;
	} units[] = {{"us", 1000}, {"ms", 1000000}, {"s", 1000000000}};
	char *end;
	unsigned long n = text && *text >= '0' && *text <= '9' ? strtoul(text, &end, 10) : 0;

	for (size_t i = 0; n != 0 && n <= 1000000 && i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(end, units[i].unit) == 0)
			return n * units[i].ns;
	return 0;
}

/* A whole number in 1..max, followed by @suffix; 0 when it is none. */
static inline uint32_t parse_count(const char *text, const char *suffix, uint32_t max)
{
	char *end;
	unsigned long n = text && *text >= '0' && *text <= '9' ? strtoul(text, &end, 10) : 0;

	return n != 0 && n <= max && strcmp(end, suffix) == 0 ? (uint32_t)n : 0;
}

/* FAULT: reset | reset data | hang | delay TIME; the rest of a line. 0 or -1. */
static inline int parse_fate(const char *word, char **rest, struct fault_mode *m)
{
	const char *argument;

	if (strcmp(word, "hang") == 0) {
		m->fate = FATE_HANG;
	} else if (strcmp(word, "delay") == 0) {
		m->fate = FATE_DELAY;
		m->delay_ns = parse_duration(strtok_r(NULL, " ", rest));
		if (m->delay_ns == 0)
			return -1;
	} else if (strcmp(word, "reset") == 0) {
		argument = strtok_r(NULL, " ", rest);
		if (argument && strcmp(argument, "data") != 0)
			return -1;
		m->fate = argument ? FATE_RESET_AFTER_DATA : FATE_RESET;
	} else {
		return -1;
	}
	return strtok_r(NULL, " ", rest) ? -1 : 0;
}

/* The fault of those that are not answered; reset when none is named. */
static inline int parse_others(char **rest, struct fault_mode *m)
{
	const char *word = strtok_r(NULL, " ", rest);

	m->fate = FATE_RESET;
	return word ? parse_fate(word, rest, m) : 0;
}

/* 0, or -1 and *m is unchanged. */
static inline int parse_mode(const char *text, struct fault_mode *m)
{
	struct fault_mode new = {0};
	char copy[sizeof(new.text)], *rest, *word;
	int error = 0;

	if (strlen(text) >= sizeof(copy))
		return -1;
	strcpy(new.text, text);
	strcpy(copy, text);
	word = strtok_r(copy, " ", &rest);
	if (!word)
		return -1;
	if (strcmp(word, "one-in") == 0) {
		new.every = parse_count(strtok_r(NULL, " ", &rest), "", 1000000);
		error = new.every ? parse_others(&rest, &new) : -1;
	} else if (strcmp(word, "fail") == 0) {
		new.fail_percent = parse_count(strtok_r(NULL, " ", &rest), "%", 100);
		error = new.fail_percent ? parse_others(&rest, &new) : -1;
	} else if (strcmp(word, "flap") == 0) {
		new.door = DOOR_FLAPPING;
		new.period_ns = parse_duration(strtok_r(NULL, " ", &rest));
		error = new.period_ns && !strtok_r(NULL, " ", &rest) ? 0 : -1;
	} else if (strcmp(word, "hang") && strcmp(word, "delay") && strcmp(word, "reset")) {
		new.door = strcmp(word, "refuse") == 0      ? DOOR_CLOSED
			   : strcmp(word, "blackhole") == 0 ? DOOR_BLACKHOLE
							    : DOOR_OPEN;
		error = (new.door == DOOR_OPEN &&strcmp(word, "accept") != 0) ||
			strtok_r(NULL, " ", &rest);
	} else {
		error = parse_fate(word, &rest, &new);
	}
	if (error)
		return -1;
	*m = new;
	return 0;
}

/* What number @n (from 1) meets. @random: any. */
static inline enum fate fate_of(const struct fault_mode *m, uint64_t n, uint32_t random)
{
	if (m->every != 0 && n % m->every == 0)
		return FATE_ANSWER;
	if (m->fail_percent != 0 && (uint32_t)((uint64_t)random * 100 >> 32) >= m->fail_percent)
		return FATE_ANSWER;
	return m->fate;
}

#endif
