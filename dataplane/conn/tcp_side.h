/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sequence arithmetic and one side's view of a connection. Internal to tcp_track.c and
 * tcp_handshake.c. "Me" is the side that sent the segment, "peer" the one it goes to.
 */
#ifndef FENDER_DATAPLANE_CONN_TCP_SIDE_H
#define FENDER_DATAPLANE_CONN_TCP_SIDE_H

#include "dataplane/conn/tcp_track.h"

/* The fields of struct conn that belong to one side. */
struct tcp_side {
	uint32_t *end;
	uint32_t *ack;
	uint32_t *fin;
	uint16_t *window;
	uint8_t wscale;
	uint16_t fin_seen; /* enum conn_flag */
	uint16_t fin_acked;
};

static inline struct tcp_side tcp_side(struct conn *c, enum direction dir)
{
	if (dir == FORWARD)
		return (struct tcp_side){&c->fwd_end,       &c->fwd_ack,   &c->fwd_fin,
					 &c->fwd_window,    c->fwd_wscale, CONN_FIN_FWD,
					 CONN_FIN_FWD_ACKED};
	return (struct tcp_side){&c->rev_end,   &c->rev_ack,  &c->rev_fin,       &c->rev_window,
				 c->rev_wscale, CONN_FIN_REV, CONN_FIN_REV_ACKED};
}

/* a - b modulo 2^32: positive when a comes after b. */
static inline int32_t seq_diff(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b);
}

/* The largest window a side can announce. */
static inline uint32_t max_window(const struct tcp_side *side)
{
	return 65535u << (side->wscale & 31);
}

/* The sequence number after a segment without SYN. */
static inline uint32_t segment_end(const struct tcp_segment *s)
{
	return s->seq + s->bytes + (s->flags & TCP_FIN ? 1 : 0);
}

/*
 * RFC 9293 3.4 and RFC 5961 5, with the largest possible window in the place of the current
 * one, which we may not know: a receiver may shrink it. Segments that fail pass, for the ends to
 * judge, but teach us nothing.
 */
static inline int is_plausible(const struct tcp_side *me, const struct tcp_side *peer,
			       const struct tcp_segment *s)
{
	uint32_t window = max_window(peer);

	return seq_diff(segment_end(s), *peer->ack + window + 1) <= 0 &&
	       seq_diff(s->seq, *peer->ack - window) >= 0 && seq_diff(s->ack, *peer->end) <= 0 &&
	       seq_diff(s->ack, *me->ack - max_window(me)) >= 0;
}

enum reset_place { RESET_EXACT, RESET_INSIDE, RESET_OUTSIDE };

/*
 * Where a reset lies (RFC 5961 3). The receiver's next expected byte is somewhere between what it
 * last acknowledged and what was sent; the two ends of that are what honest resets carry.
 */
static inline enum reset_place reset_place(const struct tcp_side *me, const struct tcp_side *peer,
					   uint32_t seq)
{
	uint32_t window = (uint32_t)*peer->window << (peer->wscale & 31);

	if (seq == *peer->ack || seq == *me->end)
		return RESET_EXACT;
	if (seq_diff(seq, *peer->ack) < 0)
		return RESET_OUTSIDE;
	if (seq_diff(seq, *peer->ack + window) <= 0 || seq_diff(seq, *me->end) <= 0)
		return RESET_INSIDE;
	return RESET_OUTSIDE;
}

static inline struct tcp_result tcp_pass(uint32_t events)
{
	return (struct tcp_result){TCP_FORWARD, REASON_NONE, events};
}

static inline struct tcp_result tcp_refuse(enum tcp_action action, enum reason reason)
{
	return (struct tcp_result){action, reason, 0};
}

/* The event of a verdict, unless there was one already. */
static inline uint32_t tcp_verdict(struct conn *c, enum tcp_event event)
{
	if (c->flags & CONN_VERDICT)
		return 0;
	c->flags |= CONN_VERDICT;
	return event;
}

static inline uint32_t tcp_over(struct conn *c, uint64_t now_ns)
{
	c->state = CONN_RESTING;
	c->deadline_ns = now_ns + TCP_REST_NS;
	return TCP_EV_OVER;
}

/* A segment on a connection whose SYN the endpoint accepted. */
struct tcp_result tcp_synchronized(struct conn *c, enum direction dir, const struct tcp_segment *s,
				   uint64_t now_ns, const struct image_timeouts *t);
/* A reset on such a connection. */
struct tcp_result tcp_reset(struct conn *c, enum direction dir, const struct tcp_segment *s,
			    uint64_t now_ns, const struct image_timeouts *t);

/* tcp_handshake.c */
struct tcp_result tcp_syn_sent(struct conn *c, enum direction dir, const struct tcp_segment *s,
			       uint64_t now_ns, const struct image_timeouts *t);
struct tcp_result tcp_waiting(struct conn *c, enum direction dir, const struct tcp_segment *s);
struct tcp_result tcp_tombstone(enum direction dir, const struct tcp_segment *s);
struct tcp_result tcp_syn_rcvd(struct conn *c, enum direction dir, const struct tcp_segment *s,
			       uint64_t now_ns, const struct image_timeouts *t);

/* tcp_timer.c: deadlines. UINT64_MAX where the policy sets none. */
uint64_t tcp_syn_sent_until(const struct conn *c, const struct image_timeouts *t);
uint64_t tcp_syn_rcvd_until(const struct conn *c, const struct image_timeouts *t);
/* Of an established or closing connection that is silent from now on. */
uint64_t tcp_quiet_until(const struct conn *c, uint64_t now_ns, const struct image_timeouts *t);
uint64_t tcp_verdict_until(const struct conn *c, uint64_t now_ns, const struct image_timeouts *t);

#endif
