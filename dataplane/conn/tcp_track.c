/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/conn/tcp_side.h"

#include <endian.h>
#include <string.h>

static uint32_t read32(const uint8_t *at)
{
	uint32_t v;

	memcpy(&v, at, sizeof(v));
	return be32toh(v);
}

void tcp_segment_read(const struct packet *p, struct tcp_segment *s)
{
	const uint8_t *header = p->data + p->l4;

	*s = (struct tcp_segment){
		.seq = read32(header + 4),
		.ack = read32(header + 8),
		.bytes = (uint32_t)(p->bytes - p->payload),
		.window = (uint16_t)(header[14] << 8 | header[15]),
		.flags = p->tcp_flags,
		.wscale = 0xff,
	};
}

struct tcp_result tcp_reset(struct conn *c, enum direction dir, const struct tcp_segment *s,
			    uint64_t now_ns, const struct image_timeouts *t)
{
	struct tcp_side me = tcp_side(c, dir);
	struct tcp_side peer = tcp_side(c, (enum direction) !dir);
	struct tcp_result r;
	uint64_t until;

	switch (reset_place(&me, &peer, s->seq)) {
	case RESET_OUTSIDE:
		return tcp_refuse(TCP_DROP, REASON_TCP_WINDOW);
	case RESET_INSIDE:
		/* The receiver answers with a challenge ACK; an honest sender resets exactly. */
		c->flags |= CONN_RST_SEEN;
		until = tcp_quiet_until(c, now_ns, t);
		if (until < c->deadline_ns)
			c->deadline_ns = until;
		return tcp_pass(0);
	case RESET_EXACT:
		break;
	}
	r = tcp_pass(tcp_verdict(c, dir == REVERSE ? TCP_EV_FAILURE : TCP_EV_NEUTRAL));
	if (r.events)
		r.reason = dir == REVERSE ? REASON_UPSTREAM_RESET : REASON_CLIENT_GONE;
	r.events |= tcp_over(c, now_ns);
	return r;
}

/*
 * A SYN on a connection that stands. From the client it passes: the endpoint answers with a
 * challenge ACK, and a client that has really started anew resets the old connection by its
 * answer (RFC 5961 4). Were both ends to have forgotten it, the shorter timeout ends it.
 */
static struct tcp_result syn_again(struct conn *c, enum direction dir, const struct tcp_segment *s,
				   uint64_t now_ns, const struct image_timeouts *t)
{
	uint64_t until;

	if (dir == REVERSE && (s->flags & TCP_ACK))
		return s->ack == c->isn + 1 ? tcp_pass(0)
					    : tcp_refuse(TCP_RESET_IT, REASON_TCP_STATE);
	if (dir == REVERSE || (s->flags & TCP_ACK))
		return tcp_refuse(TCP_DROP, REASON_TCP_STATE);
	if (s->seq != c->isn) {
		c->flags |= CONN_RST_SEEN;
		until = tcp_quiet_until(c, now_ns, t);
		if (until < c->deadline_ns)
			c->deadline_ns = until;
	}
	return tcp_pass(0);
}

static void close_side(struct conn *c, const struct tcp_side *me, uint32_t end)
{
	if (c->flags & me->fin_seen)
		return;
	c->flags |= me->fin_seen;
	*me->fin = end;
	c->state = CONN_CLOSING;
}

/* Learn from a plausible segment. */
static void advance(struct conn *c, const struct tcp_side *me, const struct tcp_side *peer,
		    const struct tcp_segment *s)
{
	uint32_t end = segment_end(s);

	if (seq_diff(end, *me->end) > 0) {
		*me->end = end;
		c->flags &= (uint16_t)~CONN_RST_SEEN;
	}
	if (seq_diff(s->ack, *me->ack) > 0) {
		*me->ack = s->ack;
		c->flags &= (uint16_t)~CONN_RST_SEEN;
	}
	*me->window = s->window;
	if (s->flags & TCP_FIN)
		close_side(c, me, end);
	if (c->state == CONN_CLOSING && (c->flags & peer->fin_seen) &&
	    seq_diff(*me->ack, *peer->fin) >= 0)
		c->flags |= peer->fin_acked;
}

struct tcp_result tcp_synchronized(struct conn *c, enum direction dir, const struct tcp_segment *s,
				   uint64_t now_ns, const struct image_timeouts *t)
{
	const uint16_t both = CONN_FIN_FWD_ACKED | CONN_FIN_REV_ACKED;
	struct tcp_side me = tcp_side(c, dir);
	struct tcp_side peer = tcp_side(c, (enum direction) !dir);
	uint32_t events = 0;
	uint64_t until;

	if (!(s->flags & TCP_ACK))
		return tcp_refuse(TCP_DROP, REASON_TCP_STATE);
	if (is_plausible(&me, &peer, s)) {
		advance(c, &me, &peer, s);
		if (dir == REVERSE && !(c->flags & CONN_VERDICT) &&
		    (s->bytes || (s->flags & TCP_FIN)))
			events |= tcp_verdict(c, TCP_EV_SUCCESS);
		if ((c->flags & both) == both)
			return tcp_pass(events | tcp_over(c, now_ns));
	}
	until = tcp_quiet_until(c, now_ns, t);
	/* Before the verdict, the deadline is the verdict's: traffic does not move it. */
	if ((c->flags & CONN_VERDICT) || until < c->deadline_ns)
		c->deadline_ns = until;
	return tcp_pass(events);
}

/*
 * Over, but remembered: what helps both ends to finish passes (FINs, ACKs, resets and data that
 * had been sent before), new data does not. A new SYN starts a new connection, whatever its
 * sequence number: the endpoint sees it from another port, so RFC 6191's care for old segments is
 * needed only against a duplicate of the SYN itself.
 */
static struct tcp_result resting(struct conn *c, enum direction dir, const struct tcp_segment *s)
{
	struct tcp_side me = tcp_side(c, dir);
	struct tcp_side peer = tcp_side(c, (enum direction) !dir);
	int synchronized = c->flags & CONN_SYN_ACKED;

	if (s->flags & TCP_RST) {
		int fits = synchronized     ? reset_place(&me, &peer, s->seq) != RESET_OUTSIDE
			   : dir == FORWARD ? s->seq == c->fwd_end
					    : (s->flags & TCP_ACK) && s->ack == c->isn + 1;

		return fits ? tcp_pass(0) : tcp_refuse(TCP_DROP, REASON_TCP_WINDOW);
	}
	if (s->flags & TCP_SYN) {
		if (dir == REVERSE && (s->flags & TCP_ACK))
			return tcp_refuse(TCP_RESET_IT, REASON_TCP_STATE);
		if (dir == FORWARD && !(s->flags & TCP_ACK) && !(synchronized && s->seq == c->isn))
			return tcp_refuse(TCP_NEW, REASON_NONE);
		return tcp_refuse(TCP_DROP, REASON_TCP_STATE);
	}
	if (!(s->flags & TCP_ACK) || !synchronized)
		return tcp_refuse(TCP_DROP, REASON_TCP_STATE);
	if (s->bytes && seq_diff(segment_end(s), *me.end) > 0)
		return tcp_refuse(TCP_DROP, REASON_TCP_STATE);
	return tcp_pass(0);
}

static struct tcp_result judge(struct conn *c, enum direction dir, const struct tcp_segment *s,
			       uint64_t now_ns, const struct image_timeouts *t)
{
	/* No stack sends SYN with FIN or RST. */
	if ((s->flags & TCP_SYN) && (s->flags & (TCP_FIN | TCP_RST)))
		return tcp_refuse(TCP_DROP, REASON_TCP_STATE);
	switch ((enum conn_state)c->state) {
	case CONN_SYN_SENT:
		return tcp_syn_sent(c, dir, s, now_ns, t);
	case CONN_SYN_RCVD:
		return tcp_syn_rcvd(c, dir, s, now_ns, t);
	case CONN_ESTABLISHED:
	case CONN_CLOSING:
		if (s->flags & TCP_RST)
			return tcp_reset(c, dir, s, now_ns, t);
		if (s->flags & TCP_SYN)
			return syn_again(c, dir, s, now_ns, t);
		return tcp_synchronized(c, dir, s, now_ns, t);
	case CONN_RESTING:
		return resting(c, dir, s);
	case CONN_WAITING:
		return tcp_waiting(c, dir, s);
	case CONN_TOMBSTONE:
		return tcp_tombstone(dir, s);
	case CONN_FREE:
		break;
	}
	return tcp_refuse(TCP_DROP, REASON_TCP_STATE);
}

struct tcp_result tcp_track(struct conn *c, enum direction dir, const struct tcp_segment *s,
			    uint64_t now_ns, const struct image_timeouts *t)
{
	uint64_t before_ns = c->deadline_ns;
	struct tcp_result r = judge(c, dir, s, now_ns, t);

	if (c->deadline_ns < before_ns && !(r.events & TCP_EV_OVER))
		r.events |= TCP_EV_SOONER;
	return r;
}
