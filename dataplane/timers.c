/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/timers.h"

#include "dataplane/conn/tcp_track.h"
#include "dataplane/conn/udp_track.h"
#include "dataplane/flow.h"
#include "dataplane/flow_attempt.h"
#include "dataplane/origin.h"
#include "dataplane/waiting.h"
#include "dataplane/worker_state.h"

/* Both sides hear of the end: each gets a reset that lies exactly at its window's edge. */
static void reset_both(struct worker *w, struct conn *c)
{
	origin_rst_to_client(w, c);
	origin_rst_to_endpoint(w, c, c->rev_ack);
}

void timers_end(struct worker *w, struct conn *c)
{
	if (c->state == CONN_WAITING) {
		waiting_over(w, c);
		return;
	}
	if (c->fwd.proto == PROTO_TCP) {
		reset_both(w, c);
		c->state = CONN_RESTING;
	}
	flow_over(w, c);
}

/* The endpoint did not accept in time. */
static void not_connected(struct worker *w, struct conn *c, enum reason reason)
{
	if (flow_attempt_failed(w, c, reason))
		return;
	origin_rst_to_client(w, c);
	c->state = CONN_RESTING;
	flow_over(w, c);
}

static void tcp_expired(struct worker *w, struct conn *c)
{
	switch (tcp_track_expired(c, w->now_ns, flow_timeouts(w, c))) {
	case TCP_TIMER_NOTHING:
		conn_schedule(&w->table, c);
		return;
	case TCP_TIMER_REPEAT_SYN:
		counter_add(&w->block->syn_repeated, 1);
		origin_stored_syn(w, c);
		conn_schedule(&w->table, c);
		return;
	case TCP_TIMER_VERDICT:
		call_succeeded(&w->engine, call_of(w, c));
		call_show(w, c);
		conn_schedule(&w->table, c);
		return;
	case TCP_TIMER_CONNECT:
		not_connected(w, c, REASON_CONNECT_TIMEOUT);
		return;
	case TCP_TIMER_REQUEST:
		not_connected(w, c, REASON_REQUEST_TIMEOUT);
		return;
	case TCP_TIMER_IDLE:
	case TCP_TIMER_HALF_CLOSED:
	case TCP_TIMER_MAX_DURATION:
		timers_end(w, c);
		return;
	case TCP_TIMER_REST_OVER:
		flow_release(w, c);
		return;
	}
}

static void udp_expired(struct worker *w, struct conn *c)
{
	switch (udp_track_expired(c, w->now_ns, flow_timeouts(w, c))) {
	case UDP_TIMER_NO_REPLY:
		call_failed(&w->engine, call_of(w, c), REASON_EXPECT_REPLY);
		call_show(w, c);
		conn_schedule(&w->table, c);
		return;
	case UDP_TIMER_NOTHING:
		conn_schedule(&w->table, c);
		return;
	case UDP_TIMER_OVER:
		timers_end(w, c);
		return;
	}
}

unsigned int timers_run(struct worker *w)
{
	struct conn *expired[EXPIRE_BURST];
	uint32_t n = conn_expire(&w->table, w->now_ns, expired, EXPIRE_BURST);

	for (uint32_t i = 0; i < n; i++) {
		struct conn *c = expired[i];

		/* What was written over ends here at the latest, so that nothing leaks. */
		if (unlikely(c->deadline_ns > w->now_ns || !conn_is_sound(&w->table, c)))
			flow_damaged(w, c);
		else if (c->state == CONN_RESTING)
			flow_release(w, c);
		else if (c->state == CONN_WAITING)
			waiting_expired(w, c);
		else if (c->fwd.proto == PROTO_TCP)
			tcp_expired(w, c);
		else
			udp_expired(w, c);
	}
	counter_add(&w->block->wheel_fired, n);
	return n;
}
