/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scripted exchanges. Every script runs with several pairs of initial sequence numbers, some
 * of which wrap within the first bytes. Sequence numbers are written relative to the sender's
 * ISN, acknowledgements relative to the receiver's.
 */
#ifndef FENDER_TESTS_TCP_SCRIPT_H
#define FENDER_TESTS_TCP_SCRIPT_H

#include "dataplane/conn/tcp_track.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>

#define MS 1000000ull

static const struct image_timeouts defaults = {
	.connect_ms = 1000,
	.request_ms = 15000,
	.idle_tcp_ms = 3600000,
	.half_closed_ms = 60000,
	.verdict_after_ms = 1000,
};

enum who { CLIENT = FORWARD, ENDPOINT = REVERSE, CLOCK };
enum { S = TCP_SYN, A = TCP_ACK, F = TCP_FIN, R = TCP_RST, P = TCP_PSH };
enum { WINDOW = 1000, WSCALE = 2, BYTES_IN_WINDOW = WINDOW << WSCALE };

/* What a segment, or an expired deadline, must give. */
struct row {
	uint32_t at_ms;
	enum who who;
	uint8_t flags;
	uint32_t seq;
	uint32_t ack;
	uint32_t bytes;
	enum tcp_action action;
	enum reason reason;
	uint32_t events; /* SOONER aside: checked against the deadline */
	enum conn_state state;
	enum tcp_timer timer;
};

#define FROM(ms, who, flags, seq, ack, bytes, action, why, events, state)                          \
	{                                                                                          \
		ms, who, flags, seq, ack, bytes, TCP_##action, REASON_##why, events, CONN_##state, \
			0                                                                          \
	}
#define PASS(ms, who, flags, seq, ack, bytes, state) \
	FROM(ms, who, flags, seq, ack, bytes, FORWARD, NONE, 0, state)
#define EVENT(ms, who, flags, seq, ack, bytes, events, state) \
	FROM(ms, who, flags, seq, ack, bytes, FORWARD, NONE, events, state)
#define DROP(ms, who, flags, seq, ack, bytes, why, state) \
	FROM(ms, who, flags, seq, ack, bytes, DROP, why, 0, state)
#define TIMER(ms, what, state)                                                 \
	{                                                                      \
		ms, CLOCK, 0, 0, 0, 0, 0, 0, 0, CONN_##state, TCP_TIMER_##what \
	}

#define SYN_ACKED TCP_EV_SYN_ACKED
#define UP        TCP_EV_ESTABLISHED
#define SUCCESS   TCP_EV_SUCCESS
#define FAILURE   TCP_EV_FAILURE
#define NEUTRAL   TCP_EV_NEUTRAL
#define OVER      TCP_EV_OVER

/* The two segments that complete a handshake at 10 and 20 ms. */
#define HANDSHAKE                                                 \
	EVENT(10, ENDPOINT, S | A, 0, 1, 0, SYN_ACKED, SYN_RCVD), \
		EVENT(20, CLIENT, A, 1, 1, 0, UP, ESTABLISHED)
/* And a request with its answer: the verdict. */
#define ANSWERED                                                    \
	HANDSHAKE, PASS(30, CLIENT, P | A, 1, 1, 100, ESTABLISHED), \
		EVENT(40, ENDPOINT, P | A, 1, 101, 200, SUCCESS, ESTABLISHED)

struct script {
	const char *name;
	const struct image_timeouts *timeouts; /* NULL: defaults */
	struct row rows[24];                   /* up to the first without a state */
};

/* What an exchange has said so far. */
struct progress {
	struct conn c;
	uint32_t verdicts;
	uint32_t over;
};

static int run_timer(struct progress *p, const struct row *row, const struct image_timeouts *t)
{
	enum tcp_timer timer = tcp_track_expired(&p->c, row->at_ms * MS, t);

	if (timer == TCP_TIMER_VERDICT)
		p->verdicts++;
	return timer == row->timer && p->c.state == row->state;
}

static int run_segment(struct progress *p, const struct row *row, const uint32_t isn[2],
		       const struct image_timeouts *t)
{
	enum direction dir = row->who == CLIENT ? FORWARD : REVERSE;
	uint32_t seq = isn[dir] + row->seq, ack = row->flags & TCP_ACK ? isn[!dir] + row->ack : 0;
	struct tcp_segment s = {seq, ack, row->bytes, WINDOW, row->flags, WSCALE};
	uint64_t before_ns = p->c.deadline_ns;
	struct tcp_result r = tcp_track(&p->c, dir, &s, row->at_ms * MS, t);
	int sooner = p->c.deadline_ns < before_ns && !(r.events & TCP_EV_OVER);
	uint32_t verdicts = r.events & (TCP_EV_SUCCESS | TCP_EV_FAILURE | TCP_EV_NEUTRAL);

	if (p->over && r.events)
		return 0;
	p->verdicts += (uint32_t)__builtin_popcount(verdicts);
	p->over += (r.events & TCP_EV_OVER) != 0;
	return r.action == row->action && r.reason == row->reason && p->c.state == row->state &&
	       (r.events & ~(uint32_t)TCP_EV_SOONER) == row->events &&
	       !(r.events & TCP_EV_SOONER) == !sooner;
}

static void run_script(const struct script *script, const uint32_t isn[2])
{
	const struct image_timeouts *t = script->timeouts ? script->timeouts : &defaults;
	struct tcp_segment syn = {isn[0], 0, 0, WINDOW, TCP_SYN, WSCALE};
	struct progress p;

	memset(&p, 0, sizeof(p));
	tcp_track_open(&p.c, &syn, 0, t);
	p.c.state = CONN_SYN_SENT;
	for (const struct row *row = script->rows; row->state != CONN_FREE; row++) {
		int ok = row->who == CLOCK ? run_timer(&p, row, t) : run_segment(&p, row, isn, t);

		CU_ASSERT(ok);
		if (!ok) {
			fprintf(stderr, "\n\"%s\", row %d (isn %#x %#x): state %u\n", script->name,
				(int)(row - script->rows), isn[0], isn[1], p.c.state);
			return;
		}
	}
	CU_ASSERT(p.verdicts <= 1);
	CU_ASSERT_EQUAL(p.verdicts != 0, (p.c.flags & CONN_VERDICT) != 0);
	CU_ASSERT(!p.over || p.verdicts);
}

static inline void run_scripts(const struct script *scripts, size_t count)
{
	static const uint32_t isns[][2] = {{1000, 5000},
					   {0xffffffffu, 0xfffffff0u},
					   {0xffffff9cu, 0x7fffffffu},
					   {0x7ffffff0u, 0xffffff00u},
					   {0, 0xffffff38u}};

	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < sizeof(isns) / sizeof(isns[0]); k++)
			run_script(&scripts[i], isns[k]);
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
