/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Properties of the TCP tracker over random schedules. A failing seed is printed; run the binary
 * with it as the only argument to replay it alone.
 */
#include "dataplane/conn/tcp_track.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MS 1000000ull

enum { SCHEDULES = 20000, STEPS = 150 };

static uint64_t only_seed;
static uint64_t random_state;

static uint32_t random32(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)((random_state * 2685821657736338717ull) >> 32);
}

static uint32_t below(uint32_t n)
{
	return random32() % n;
}

static void seed_random(uint64_t seed)
{
	random_state = seed * 0x9e3779b97f4a7c15ull + 0x1234567;
}

/* Often one that wraps soon. */
static uint32_t random_isn(void)
{
	return below(2) ? random32() : 0u - below(3000);
}

static struct image_timeouts random_timeouts(void)
{
	static const uint32_t connect[] = {50, 1000, 5000}, request[] = {0, 800, 15000};
	static const uint32_t idle[] = {200, 60000, 3600000}, half_closed[] = {0, 300, 60000};
	static const uint32_t duration[] = {0, 0, 5000}, verdict[] = {0, 1000, 100000};

	return (struct image_timeouts){
		.connect_ms = connect[below(3)],
		.request_ms = request[below(3)],
		.idle_tcp_ms = idle[below(3)],
		.half_closed_ms = half_closed[below(3)],
		.max_duration_ms = duration[below(3)],
		.verdict_after_ms = verdict[below(3)],
	};
}

/* A connection as its caller sees it, with what must hold of it. */
struct life {
	struct conn c;
	struct image_timeouts t;
	uint64_t now_ns;
	uint32_t verdicts, syn_acked, established, over;
	int released;
	const char *broken; /* the first property that did not hold */
};

static void must(struct life *l, int holds, const char *what)
{
	if (!holds && !l->broken)
		l->broken = what;
}

static void rest(struct life *l)
{
	l->c.state = CONN_RESTING;
	l->c.deadline_ns = l->now_ns + TCP_REST_NS;
	l->over++;
}

/* One firing, with what a caller does. */
static void fire(struct life *l)
{
	int had_verdict = l->c.flags & CONN_VERDICT;

	switch (tcp_track_expired(&l->c, l->now_ns, &l->t)) {
	case TCP_TIMER_NOTHING:
		must(l, l->c.deadline_ns > l->now_ns, "nothing expired: the deadline lies ahead");
		return;
	case TCP_TIMER_REPEAT_SYN:
		must(l, l->c.state == CONN_SYN_SENT && !l->syn_acked, "repeat only in SYN-SENT");
		return;
	case TCP_TIMER_VERDICT:
		must(l, !had_verdict && l->established, "the clock's verdict is the first");
		l->verdicts++;
		return;
	case TCP_TIMER_CONNECT:
	case TCP_TIMER_REQUEST:
		must(l, !had_verdict && !l->syn_acked, "an attempt fails in SYN-SENT");
		break;
	case TCP_TIMER_IDLE:
		must(l, had_verdict || !l->established, "silence ends what has a verdict");
		break;
	case TCP_TIMER_HALF_CLOSED:
	case TCP_TIMER_MAX_DURATION:
		must(l, had_verdict, "the verdict comes before the end");
		break;
	case TCP_TIMER_REST_OVER:
		must(l, l->over == 1, "rest follows one end");
		l->released = 1;
		return;
	}
	if (!had_verdict) {
		l->c.flags |= CONN_VERDICT;
		l->verdicts++;
	}
	rest(l);
}

static void fire_due(struct life *l)
{
	for (int i = 0; !l->released && l->c.deadline_ns <= l->now_ns; i++) {
		fire(l);
		if (i > 8) {
			must(l, 0, "timers of one instant come to an end");
			return;
		}
	}
}

static uint32_t around(uint32_t expected, uint32_t sent)
{
	switch (below(6)) {
	case 0:
		return random32();
	case 1:
		return expected + below(200);
	case 2:
		return expected - below(200);
	case 3:
		return sent;
	default:
		return expected;
	}
}

static struct tcp_segment random_segment(const struct conn *c, enum direction dir)
{
	static const uint8_t flags[] = {TCP_SYN,           TCP_SYN | TCP_ACK, TCP_SYN | TCP_ACK,
					TCP_ACK,           TCP_ACK,           TCP_ACK,
					TCP_ACK | TCP_PSH, TCP_FIN | TCP_ACK, TCP_FIN | TCP_ACK,
					TCP_RST,           TCP_RST | TCP_ACK, 0,
					TCP_FIN | TCP_SYN};
	int forward = dir == FORWARD;
	struct tcp_segment s = {
		.seq = around(forward ? c->rev_ack : c->fwd_ack, forward ? c->fwd_end : c->rev_end),
		.ack = around(forward ? c->rev_end : c->fwd_end, forward ? c->fwd_ack : c->rev_ack),
		.bytes = below(3) ? 0 : below(1400),
		.window = (uint16_t)random32(),
		.flags = flags[below(sizeof(flags))],
		.wscale = below(4) ? (uint8_t)below(15) : 0xff,
	};

	if (below(20) == 0)
		s.flags = (uint8_t)below(64);
	if ((s.flags & TCP_SYN) && forward && below(2))
		s.seq = c->isn;
	return s;
}

static void send_random(struct life *l)
{
	enum direction dir = (enum direction)below(2);
	struct tcp_segment s = random_segment(&l->c, dir);
	int was_resting = l->c.state == CONN_RESTING;
	uint64_t before_ns = l->c.deadline_ns;
	struct tcp_result r = tcp_track(&l->c, dir, &s, l->now_ns, &l->t);
	uint32_t verdicts = r.events & (TCP_EV_SUCCESS | TCP_EV_FAILURE | TCP_EV_NEUTRAL);

	must(l, !was_resting || r.events == 0, "no event after the end");
	must(l, !was_resting || l->c.deadline_ns == before_ns, "the rest has a fixed end");
	must(l, r.action != TCP_NEW || was_resting, "new only on what is over");
	must(l, r.action == TCP_FORWARD || r.action == TCP_NEW || r.reason != REASON_NONE,
	     "whatever does not pass has a reason");
	must(l, !(r.events & (TCP_EV_FAILURE | TCP_EV_NEUTRAL)) || r.reason != REASON_NONE,
	     "failures have a reason");
	must(l, !(r.events & TCP_EV_OVER) == (l->c.state != CONN_RESTING || was_resting),
	     "over and resting are one");
	must(l,
	     !(r.events & TCP_EV_SOONER) ==
		     (l->c.deadline_ns >= before_ns || (r.events & TCP_EV_OVER) != 0),
	     "an earlier deadline is announced");
	l->verdicts += (uint32_t)__builtin_popcount(verdicts);
	l->syn_acked += (r.events & TCP_EV_SYN_ACKED) != 0;
	l->established += (r.events & TCP_EV_ESTABLISHED) != 0;
	l->over += (r.events & TCP_EV_OVER) != 0;
	if (r.action == TCP_NEW)
		l->released = 1;
}

static void begin(struct life *l, uint64_t seed)
{
	struct tcp_segment syn = {.flags = TCP_SYN, .window = 1000, .wscale = 7};

	seed_random(seed);
	memset(l, 0, sizeof(*l));
	syn.seq = random_isn();
	l->t = random_timeouts();
	l->now_ns = 1000 * MS;
	l->c.call.attempt_ns = l->now_ns;
	tcp_track_open(&l->c, &syn, l->now_ns, &l->t);
	l->c.state = CONN_SYN_SENT;
}

static const char *random_life(uint64_t seed)
{
	static const uint32_t pauses_ms[] = {0, 0, 0, 1, 1, 10, 10, 100, 400, 2500};
	struct life l;

	begin(&l, seed);
	for (int i = 0; i < STEPS && !l.released && !l.broken; i++) {
		l.now_ns += pauses_ms[below(10)] * MS;
		fire_due(&l);
		if (!l.released)
			send_random(&l);
		must(&l, l.verdicts <= 1, "one verdict at most");
		must(&l, l.syn_acked <= 1 && l.established <= l.syn_acked, "one handshake");
		must(&l, !(l.c.flags & CONN_VERDICT) == (l.verdicts == 0),
		     "flag and verdict agree");
	}
	/* Silence: the timers alone must bring it to its end. */
	for (int i = 0; !l.released && !l.broken; i++) {
		must(&l, l.c.deadline_ns != UINT64_MAX && i < 10, "silence leads to the end");
		if (l.c.deadline_ns > l.now_ns)
			l.now_ns = l.c.deadline_ns;
		fire_due(&l);
	}
	must(&l, l.verdicts == 1, "one verdict");
	must(&l, l.over == 1, "one end");
	return l.broken;
}

/* Honest ends over a network that loses, repeats and overtakes, on both sides of the tracker. */

enum { WINDOW_BYTES = 4000, SEGMENT = 1000, MAX_FLYING = 512, RTO_MS = 200 };

struct end {
	uint32_t iss, irs;
	uint32_t una, nxt, last; /* last: after the last byte and the FIN */
	uint32_t rcv;
	int open, connected, fin_received;
	uint64_t progress_ms;
};

struct flying {
	struct tcp_segment s;
	uint64_t at_ms;
	enum direction dir;
	int tracked; /* has passed the tracker */
};

struct world {
	struct end end[2]; /* by the direction of what they send */
	struct life l;
	struct flying flying[MAX_FLYING];
	uint32_t count;
	uint64_t now_ms;
};

static int32_t diff(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b);
}

static void launch(struct world *w, enum direction dir, struct tcp_segment s, int tracked)
{
	uint32_t copies = below(100) < 15 ? 0 : below(100) < 5 ? 2 : 1;

	for (uint32_t i = 0; i < copies && w->count < MAX_FLYING; i++)
		w->flying[w->count++] = (struct flying){s, w->now_ms + 1 + below(25), dir, tracked};
}

/* A receiver may take back window that it has announced: what was sent into it still comes. */
static void send(struct world *w, enum direction dir, uint8_t flags, uint32_t seq, uint32_t bytes)
{
	struct tcp_segment s = {
		.seq = seq,
		.ack = flags & TCP_ACK ? w->end[dir].rcv : 0,
		.bytes = bytes,
		.window = (uint16_t)below(WINDOW_BYTES + 1),
		.flags = flags,
		.wscale = flags & TCP_SYN ? 0 : 0xff,
	};

	launch(w, dir, s, 0);
}

/* Data and FIN from nxt as far as the window allows. */
static void send_data(struct world *w, enum direction dir)
{
	struct end *me = &w->end[dir];

	while (me->connected && diff(me->last, me->nxt) > 0 &&
	       diff(me->nxt, me->una) < WINDOW_BYTES) {
		uint32_t left = me->last - me->nxt - 1;
		uint32_t bytes = left < SEGMENT ? left : SEGMENT;
		uint8_t fin = bytes == left ? TCP_FIN : 0;

		send(w, dir, TCP_ACK | fin, me->nxt, bytes);
		me->nxt += bytes + (fin != 0);
	}
}

static void send_syn(struct world *w, enum direction dir)
{
	send(w, dir, dir == FORWARD ? TCP_SYN : TCP_SYN | TCP_ACK, w->end[dir].iss, 0);
}

static void receive(struct world *w, enum direction from, const struct tcp_segment *s)
{
	enum direction dir = (enum direction) !from;
	struct end *me = &w->end[dir];

	if (s->flags & TCP_SYN) {
		if (!me->open || !me->connected) {
			me->irs = s->seq;
			me->rcv = s->seq + 1;
			me->open = 1;
		}
		if (dir == REVERSE && !me->connected) {
			send_syn(w, dir);
			return;
		}
		if (dir == FORWARD && !me->connected) {
			me->connected = 1;
			me->una = s->ack;
			me->progress_ms = w->now_ms;
		}
		send(w, dir, TCP_ACK, me->nxt, 0);
		send_data(w, dir);
		return;
	}
	if (dir == REVERSE && me->open && !me->connected && s->ack == me->iss + 1) {
		me->connected = 1;
		me->una = s->ack;
	}
	if (!me->connected)
		return;
	if (diff(s->ack, me->una) > 0) {
		me->una = s->ack;
		me->progress_ms = w->now_ms;
		if (diff(me->nxt, me->una) < 0)
			me->nxt = me->una;
	}
	if (s->bytes || (s->flags & TCP_FIN)) {
		if (s->seq == me->rcv) {
			me->rcv += s->bytes + (s->flags & TCP_FIN ? 1 : 0);
			me->fin_received |= s->flags & TCP_FIN;
		}
		send(w, dir, TCP_ACK, me->nxt, 0);
	}
	send_data(w, dir);
}

static void track(struct world *w, const struct flying *f)
{
	struct life *l = &w->l;
	int was_resting = l->c.state == CONN_RESTING;
	struct tcp_result r;

	l->now_ns = w->now_ms * MS;
	r = tcp_track(&l->c, f->dir, &f->s, l->now_ns, &l->t);
	must(l, r.action == TCP_FORWARD || was_resting, "honest segments pass");
	must(l, !(r.events & (TCP_EV_FAILURE | TCP_EV_NEUTRAL)), "honest ends succeed");
	l->verdicts += (r.events & TCP_EV_SUCCESS) != 0;
	l->syn_acked += (r.events & TCP_EV_SYN_ACKED) != 0;
	l->established += (r.events & TCP_EV_ESTABLISHED) != 0;
	l->over += (r.events & TCP_EV_OVER) != 0;
	if (r.action == TCP_FORWARD)
		launch(w, f->dir, f->s, 1);
}

static void clocks(struct world *w)
{
	struct life *l = &w->l;

	for (int d = FORWARD; d <= REVERSE; d++) {
		struct end *me = &w->end[d];

		if (!me->open || w->now_ms < me->progress_ms + RTO_MS)
			continue;
		me->progress_ms = w->now_ms;
		if (!me->connected) {
			send_syn(w, (enum direction)d);
		} else if (diff(me->last, me->una) > 0) {
			me->nxt = me->una;
			send_data(w, (enum direction)d);
		}
	}
	l->now_ns = w->now_ms * MS;
	if (l->c.state != CONN_RESTING && l->c.deadline_ns <= l->now_ns) {
		fire(l);
		must(l, !l->over, "no timeout ends an honest connection");
	}
}

static int is_done(const struct world *w)
{
	for (int d = FORWARD; d <= REVERSE; d++)
		if (!w->end[d].fin_received || w->end[d].una != w->end[d].last)
			return 0;
	return 1;
}

static void begin_honest(struct world *w, uint64_t seed)
{
	seed_random(seed);
	memset(w, 0, sizeof(*w));
	w->now_ms = 1000;
	for (int d = FORWARD; d <= REVERSE; d++) {
		struct end *me = &w->end[d];

		me->iss = random_isn();
		me->una = me->nxt = me->iss + 1;
		/* None, few or many bytes; now and then the end has nothing to say but its FIN. */
		me->last = me->nxt + (below(3) ? below(20 * SEGMENT) : 0) + 1;
		me->progress_ms = w->now_ms;
	}
	w->l.t = (struct image_timeouts){.connect_ms = 60000,
					 .request_ms = 120000,
					 .idle_tcp_ms = 60000,
					 .half_closed_ms = 60000,
					 .verdict_after_ms = 1000};
	struct tcp_segment syn = {w->end[FORWARD].iss, 0, 0, WINDOW_BYTES, TCP_SYN, 0};

	w->l.c.call.attempt_ns = w->now_ms * MS;
	tcp_track_open(&w->l.c, &syn, w->now_ms * MS, &w->l.t);
	w->l.c.state = CONN_SYN_SENT;
	w->end[FORWARD].open = 1;
	launch(w, FORWARD, syn, 1);
}

static const char *honest_life(uint64_t seed)
{
	static struct world w;

	begin_honest(&w, seed);
	for (; w.now_ms < 61000 && !w.l.broken && !is_done(&w); w.now_ms++) {
		clocks(&w);
		for (uint32_t i = 0; i < w.count; i++) {
			struct flying f = w.flying[i];

			if (f.at_ms > w.now_ms)
				continue;
			w.flying[i--] = w.flying[--w.count];
			if (f.tracked)
				receive(&w, f.dir, &f.s);
			else
				track(&w, &f);
		}
	}
	must(&w.l, is_done(&w), "both ends finish");
	must(&w.l, w.l.c.state == CONN_RESTING && w.l.over == 1, "the tracker sees the end");
	must(&w.l, w.l.verdicts == 1, "one verdict");
	must(&w.l, w.l.syn_acked == 1 && w.l.established == 1, "one handshake");
	return w.l.broken;
}

static void run_seeds(const char *name, const char *(*run)(uint64_t seed), uint64_t count)
{
	uint64_t first = only_seed ? only_seed : 1;
	uint64_t last = only_seed ? only_seed : count;

	for (uint64_t seed = first; seed <= last; seed++) {
		const char *broken = run(seed);

		CU_ASSERT_PTR_NULL(broken);
		if (broken) {
			fprintf(stderr, "\n%s, seed %llu: not so: %s\n", name,
				(unsigned long long)seed, broken);
			return;
		}
	}
}

static void any_schedule_has_one_verdict_and_one_end(void)
{
	run_seeds("random schedule", random_life, SCHEDULES);
}

static void honest_ends_are_never_hindered(void)
{
	run_seeds("honest ends", honest_life, 2000);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		only_seed = strtoull(argv[1], NULL, 0);
	CU_initialize_registry();
	CU_pSuite s = CU_add_suite("tcp_random", NULL, NULL);

	CU_ADD_TEST(s, any_schedule_has_one_verdict_and_one_end);
	CU_ADD_TEST(s, honest_ends_are_never_hindered);
	CU_basic_set_mode(CU_BRM_NORMAL);
	CU_basic_run_tests();
	unsigned int failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed != 0;
}
