/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/timers.h"

#include "dataplane/conn/tcp_track.h"
#include "dataplane/conn/udp_track.h"
#include "dataplane/flow.h"
#include "dataplane/origin.h"
#include "dataplane/worker_state.h"

/* The call's verdict at the end of its connection, where none was taken before. */
static void verdict_if_open(struct worker *w, struct conn *c)
{
	if (c->flags & CONN_VERDICT)
		return;
	c->flags |= CONN_VERDICT;
	flow_cancelled(w, c);
}

static void failed(struct worker *w, struct conn *c, enum reason reason)
{
	c->flags |= CONN_VERDICT;
	flow_failed(w, c, reason);
}

/* Both sides hear of the end: each gets a reset that lies exactly at its window's edge. */
static void reset_both(struct worker *w, struct conn *c)
{
	origin_rst_to_client(w, c);
	origin_rst_to_endpoint(w, c, c->rev_ack);
}

void timers_end(struct worker *w, struct conn *c)
{
	verdict_if_open(w, c);
	if (c->fwd.proto == PROTO_TCP) {
		reset_both(w, c);
		c->state = CONN_RESTING;
	}
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
		flow_succeeded(w, c);
		conn_schedule(&w->table, c);
		return;
	case TCP_TIMER_CONNECT:
		failed(w, c, REASON_CONNECT_TIMEOUT);
		origin_rst_to_client(w, c);
		break;
	case TCP_TIMER_REQUEST:
		failed(w, c, REASON_REQUEST_TIMEOUT);
		origin_rst_to_client(w, c);
		break;
	case TCP_TIMER_IDLE:
	case TCP_TIMER_HALF_CLOSED:
	case TCP_TIMER_MAX_DURATION:
		timers_end(w, c);
		return;
	case TCP_TIMER_REST_OVER:
		flow_release(w, c);
		return;
	}
	c->state = CONN_RESTING;
	flow_over(w, c);
}

static void udp_expired(struct worker *w, struct conn *c)
{
	if (c->deadline_ns > w->now_ns) {
		conn_schedule(&w->table, c);
		return;
	}
	timers_end(w, c);
}

unsigned int timers_run(struct worker *w)
{
	struct conn *expired[EXPIRE_BURST];
	uint32_t n = conn_expire(&w->table, w->now_ns, expired, EXPIRE_BURST);

	for (uint32_t i = 0; i < n; i++) {
		struct conn *c = expired[i];

		if (c->state == CONN_RESTING)
			flow_release(w, c);
		else if (c->fwd.proto == PROTO_TCP)
			tcp_expired(w, c);
		else
			udp_expired(w, c);
	}
	counter_add(&w->block->wheel_fired, n);
	return n;
}
