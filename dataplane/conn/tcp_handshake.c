/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/conn/tcp_side.h"

/* Challenge ACKs that one SYN may meet: one is usual, more when our reset was lost. */
enum { MAX_CHALLENGES = 3, NO_WSCALE = 0xff, MAX_WSCALE = 14 };

void tcp_track_open(struct conn *c, const struct tcp_segment *syn, uint64_t now_ns,
		    const struct image_timeouts *t)
{
	c->isn = syn->seq;
	c->fwd_end = syn->seq + 1;
	c->rev_ack = syn->seq + 1;
	c->fwd_window = syn->window;
	c->fwd_wscale = syn->wscale;
	c->created_ns = now_ns;
	c->deadline_ns = tcp_syn_sent_until(c, t);
}

void tcp_track_attempt(struct conn *c, const struct image_timeouts *t)
{
	c->flags = 0;
	c->challenges = 0;
	c->deadline_ns = tcp_syn_sent_until(c, t);
}

/* Scaling is in force when both sides offer it (RFC 7323 2.2). */
static void agree_on_scaling(struct conn *c, uint8_t theirs)
{
	if (c->fwd_wscale == NO_WSCALE || theirs == NO_WSCALE) {
		c->fwd_wscale = 0;
		c->rev_wscale = 0;
		return;
	}
	c->fwd_wscale = c->fwd_wscale < MAX_WSCALE ? c->fwd_wscale : MAX_WSCALE;
	c->rev_wscale = theirs < MAX_WSCALE ? theirs : MAX_WSCALE;
}

/* A SYN-ACK of our SYN. Until the client has answered, the latest one counts. */
static struct tcp_result accepted(struct conn *c, const struct tcp_segment *s,
				  const struct image_timeouts *t)
{
	uint32_t events = c->flags & CONN_SYN_ACKED ? 0 : TCP_EV_SYN_ACKED;

	c->flags |= CONN_SYN_ACKED;
	c->state = CONN_SYN_RCVD;
	c->rev_end = s->seq + 1 + s->bytes;
	c->fwd_ack = s->seq + 1;
	c->rev_window = s->window;
	agree_on_scaling(c, s->wscale);
	c->deadline_ns = tcp_syn_rcvd_until(c, t);
	return tcp_pass(events);
}

static struct tcp_result client_left(struct conn *c, uint64_t now_ns)
{
	struct tcp_result r = tcp_pass(tcp_verdict(c, TCP_EV_NEUTRAL));

	r.reason = REASON_CLIENT_GONE;
	r.events |= tcp_over(c, now_ns);
	return r;
}

static struct tcp_result endpoint_reset(struct conn *c, uint64_t now_ns, enum reason reason)
{
	struct tcp_result r = tcp_pass(tcp_verdict(c, TCP_EV_FAILURE));

	r.reason = reason;
	r.events |= tcp_over(c, now_ns);
	return r;
}

/*
 * From the client in SYN-SENT: its retransmissions and its change of mind. A SYN with another
 * ISN waits: were it to replace this attempt, anyone who guesses the client's port could end
 * it (RFC 5961 4). An honest client's retransmission comes after the attempt.
 */
static struct tcp_result syn_sent_client(struct conn *c, const struct tcp_segment *s,
					 uint64_t now_ns)
{
	if (s->flags & TCP_RST)
		return s->seq == c->fwd_end ? client_left(c, now_ns)
					    : tcp_refuse(TCP_DROP, REASON_TCP_WINDOW);
	if ((s->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN && s->seq == c->isn)
		return tcp_pass(0);
	return tcp_refuse(TCP_DROP, REASON_TCP_STATE);
}

static struct tcp_result syn_sent_endpoint(struct conn *c, const struct tcp_segment *s,
					   uint64_t now_ns, const struct image_timeouts *t)
{
	int acks_syn = (s->flags & TCP_ACK) && s->ack == c->isn + 1;

	if (s->flags & TCP_RST)
		return acks_syn ? endpoint_reset(c, now_ns, REASON_CONNECT_REFUSED)
				: tcp_refuse(TCP_DROP, REASON_TCP_WINDOW);
	if (!(s->flags & TCP_ACK))
		return tcp_refuse(TCP_DROP, REASON_TCP_STATE);
	if (s->flags & TCP_SYN)
		return acks_syn ? accepted(c, s, t) : tcp_refuse(TCP_RESET_IT, REASON_TCP_STATE);
	/* An older connection of this port speaks: RFC 5961 4, RFC 9293 3.10.7.3. */
	if (!acks_syn && c->challenges < MAX_CHALLENGES) {
		c->challenges++;
		return tcp_refuse(TCP_CHALLENGED, REASON_SNAT_REUSE_CHALLENGE);
	}
	return tcp_refuse(TCP_DROP, REASON_TCP_STATE);
}

struct tcp_result tcp_syn_sent(struct conn *c, enum direction dir, const struct tcp_segment *s,
			       uint64_t now_ns, const struct image_timeouts *t)
{
	return dir == FORWARD ? syn_sent_client(c, s, now_ns) : syn_sent_endpoint(c, s, now_ns, t);
}

/*
 * Queued, or between two attempts: the client's retransmissions change nothing, its reset ends the
 * wait. Another SYN waits as in SYN-SENT.
 */
struct tcp_result tcp_waiting(struct conn *c, enum direction dir, const struct tcp_segment *s)
{
	struct tcp_result r = tcp_refuse(TCP_CONSUME, REASON_NONE);

	if (dir == REVERSE)
		return tcp_refuse(TCP_DROP, REASON_TCP_STATE);
	if (s->flags & TCP_RST) {
		if (s->seq != c->fwd_end)
			return tcp_refuse(TCP_DROP, REASON_TCP_WINDOW);
		r.events = tcp_verdict(c, TCP_EV_NEUTRAL);
		r.reason = REASON_CLIENT_GONE;
		return r;
	}
	if ((s->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN && s->seq == c->isn)
		return r;
	return tcp_refuse(TCP_DROP, REASON_TCP_STATE);
}

/* The endpoint of an attempt that was given up: what it opened late is closed again. */
struct tcp_result tcp_tombstone(enum direction dir, const struct tcp_segment *s)
{
	const uint8_t both = TCP_SYN | TCP_ACK;

	return tcp_refuse(dir == REVERSE && (s->flags & both) == both ? TCP_RESET_IT : TCP_DROP,
			  REASON_TCP_STATE);
}

/* The client's answer to the SYN-ACK, which may carry data or even its FIN. */
static struct tcp_result establish(struct conn *c, const struct tcp_segment *s, uint64_t now_ns,
				   const struct image_timeouts *t)
{
	struct tcp_side me = tcp_side(c, FORWARD);
	struct tcp_side peer = tcp_side(c, REVERSE);
	uint32_t events = TCP_EV_ESTABLISHED;
	struct tcp_result r;

	if (!(s->flags & TCP_ACK) || !is_plausible(&me, &peer, s) ||
	    seq_diff(s->ack, c->fwd_ack) < 0)
		return tcp_refuse(TCP_DROP, REASON_TCP_STATE);
	c->state = CONN_ESTABLISHED;
	if (t->verdict_after_ms == 0)
		events |= tcp_verdict(c, TCP_EV_SUCCESS);
	c->deadline_ns = tcp_verdict_until(c, now_ns, t);
	r = tcp_synchronized(c, FORWARD, s, now_ns, t);
	r.events |= events;
	return r;
}

static struct tcp_result syn_rcvd_client(struct conn *c, const struct tcp_segment *s,
					 uint64_t now_ns, const struct image_timeouts *t)
{
	if (s->flags & TCP_RST)
		return tcp_reset(c, FORWARD, s, now_ns, t);
	if (!(s->flags & TCP_SYN))
		return establish(c, s, now_ns, t);
	if (!(s->flags & TCP_ACK) && s->seq == c->isn)
		return tcp_pass(0);
	return tcp_refuse(TCP_DROP, REASON_TCP_STATE);
}

/* Nothing but its SYN-ACK, pure ACKs and resets may come before the client has answered. */
static struct tcp_result syn_rcvd_endpoint(struct conn *c, const struct tcp_segment *s,
					   uint64_t now_ns, const struct image_timeouts *t)
{
	int acks_syn = (s->flags & TCP_ACK) && s->ack == c->isn + 1;

	/* A client whose SYN-ACK was lost believes a reset that acknowledges its SYN. */
	if (s->flags & TCP_RST)
		return acks_syn ? endpoint_reset(c, now_ns, REASON_UPSTREAM_RESET)
				: tcp_reset(c, REVERSE, s, now_ns, t);
	if (!(s->flags & TCP_ACK))
		return tcp_refuse(TCP_DROP, REASON_TCP_STATE);
	if (s->flags & TCP_SYN)
		return acks_syn ? accepted(c, s, t) : tcp_refuse(TCP_RESET_IT, REASON_TCP_STATE);
	if (s->bytes || (s->flags & TCP_FIN))
		return tcp_refuse(TCP_DROP, REASON_TCP_STATE);
	return tcp_pass(0);
}

struct tcp_result tcp_syn_rcvd(struct conn *c, enum direction dir, const struct tcp_segment *s,
			       uint64_t now_ns, const struct image_timeouts *t)
{
	return dir == FORWARD ? syn_rcvd_client(c, s, now_ns, t)
			      : syn_rcvd_endpoint(c, s, now_ns, t);
}
