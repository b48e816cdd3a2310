/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/conn/tcp_side.h"

#define NS_PER_MS 1000000ull

/* Fender's own repeat of a SYN that nobody has answered. */
#define SYN_REPEAT_NS (300 * NS_PER_MS)

/* Without a request timeout: as long as common stacks repeat their SYN-ACK (five times, 63 s). */
#define HANDSHAKE_NS (64000 * NS_PER_MS)

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t after(uint64_t from_ns, uint32_t ms)
{
	return ms ? from_ns + ms * NS_PER_MS : UINT64_MAX;
}

static uint64_t request_until(const struct conn *c, const struct image_timeouts *t)
{
	return earlier(after(c->created_ns, t->request_ms),
		       after(c->created_ns, t->max_duration_ms));
}

static uint64_t connect_until(const struct conn *c, const struct image_timeouts *t)
{
	return after(c->call.attempt_ns, t->connect_ms);
}

/* When a SYN that is not answered has failed. */
static uint64_t attempt_until(const struct conn *c, const struct image_timeouts *t)
{
	return earlier(connect_until(c, t), request_until(c, t));
}

uint64_t tcp_syn_sent_until(const struct conn *c, const struct image_timeouts *t)
{
	uint64_t until = attempt_until(c, t);

	if (c->flags & CONN_SYN_REPEATED)
		return until;
	return earlier(until, c->call.attempt_ns + SYN_REPEAT_NS);
}

uint64_t tcp_syn_rcvd_until(const struct conn *c, const struct image_timeouts *t)
{
	uint64_t until = request_until(c, t);

	return t->request_ms ? until : earlier(until, c->call.attempt_ns + HANDSHAKE_NS);
}

/* The shorter timeout for a connection that one side may have left. */
static int is_half_closed(const struct conn *c)
{
	return c->state == CONN_CLOSING || (c->flags & CONN_RST_SEEN);
}

uint64_t tcp_quiet_until(const struct conn *c, uint64_t now_ns, const struct image_timeouts *t)
{
	uint64_t until = after(now_ns, t->idle_tcp_ms);

	if (is_half_closed(c))
		until = earlier(until, after(now_ns, t->half_closed_ms));
	/* created_ns is on a line of its own: touched only where it matters. */
	if (t->max_duration_ms)
		until = earlier(until, after(c->created_ns, t->max_duration_ms));
	return until;
}

uint64_t tcp_verdict_until(const struct conn *c, uint64_t now_ns, const struct image_timeouts *t)
{
	return earlier(after(now_ns, t->verdict_after_ms), tcp_quiet_until(c, now_ns, t));
}

static enum tcp_timer syn_sent_expired(struct conn *c, uint64_t now_ns,
				       const struct image_timeouts *t)
{
	int repeats =
		!(c->flags & CONN_SYN_REPEATED) && now_ns >= c->call.attempt_ns + SYN_REPEAT_NS;

	if (attempt_until(c, t) <= now_ns)
		return request_until(c, t) < connect_until(c, t) ? TCP_TIMER_REQUEST
								 : TCP_TIMER_CONNECT;
	if (repeats)
		c->flags |= CONN_SYN_REPEATED;
	c->deadline_ns = tcp_syn_sent_until(c, t);
	return repeats ? TCP_TIMER_REPEAT_SYN : TCP_TIMER_NOTHING;
}

static enum tcp_timer synchronized_expired(struct conn *c, uint64_t now_ns,
					   const struct image_timeouts *t)
{
	if (tcp_verdict(c, TCP_EV_SUCCESS)) {
		c->deadline_ns = tcp_quiet_until(c, now_ns, t);
		return TCP_TIMER_VERDICT;
	}
	if (t->max_duration_ms && after(c->created_ns, t->max_duration_ms) <= now_ns)
		return TCP_TIMER_MAX_DURATION;
	if (is_half_closed(c) && after(0, t->half_closed_ms) <= after(0, t->idle_tcp_ms))
		return TCP_TIMER_HALF_CLOSED;
	return TCP_TIMER_IDLE;
}

enum tcp_timer tcp_track_expired(struct conn *c, uint64_t now_ns, const struct image_timeouts *t)
{
	if (c->deadline_ns > now_ns)
		return TCP_TIMER_NOTHING;
	switch ((enum conn_state)c->state) {
	case CONN_SYN_SENT:
		return syn_sent_expired(c, now_ns, t);
	case CONN_SYN_RCVD:
		c->deadline_ns = tcp_syn_rcvd_until(c, t);
		return c->deadline_ns > now_ns ? TCP_TIMER_NOTHING : TCP_TIMER_IDLE;
	case CONN_ESTABLISHED:
	case CONN_CLOSING:
		return synchronized_expired(c, now_ns, t);
	case CONN_WAITING:
		return TCP_TIMER_NOTHING;
	case CONN_RESTING:
	case CONN_TOMBSTONE:
	case CONN_FREE:
		break;
	}
	return TCP_TIMER_REST_OVER;
}
