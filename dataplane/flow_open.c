/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/flow_open.h"

#include "dataplane/conn/tcp_track.h"
#include "dataplane/conn/udp_track.h"
#include "dataplane/flow.h"
#include "dataplane/flow_attempt.h"
#include "dataplane/forward.h"
#include "dataplane/origin.h"
#include "dataplane/pkt/tcp_syn.h"
#include "dataplane/waiting.h"
#include "dataplane/worker_state.h"

#include <string.h>

#include <rte_mbuf.h>

/* A client's first packet. */
struct opening {
	struct packet *p;
	struct rte_mbuf *frame;
	uint8_t interface;
	uint8_t wscale; /* of a SYN */
};

/* The call was rejected, which is counted: tell the client, drop the packet. */
static void refuse(struct worker *w, const struct opening *o, enum reason reason)
{
	if (o->p->kind == PACKET_TCP)
		origin_rst(w, o->interface, o->p);
	drop(w, o->frame, reason);
}

/* The table is full: the call is counted like any other, but can do nothing that needs an entry. */
static void open_without_entry(struct worker *w, const struct opening *o,
			       struct call_request *request)
{
	struct call scratch = {.number = CALL_NOBODY};
	struct call_step step;

	request->no_queue = 1;
	step = call_start(&w->engine, &scratch, request);
	if (step.next == CALL_REJECTED) {
		refuse(w, o, step.reason);
		return;
	}
	call_not_sent(&w->engine, &scratch, REASON_TABLE_FULL);
	refuse(w, o, REASON_TABLE_FULL);
}

static uint16_t listener_slot(const struct worker *w, const struct image_listener *listener)
{
	const struct policy_view *v = &w->policy->view;

	return v->listener_slot[listener - v->listeners];
}

static void set_client(struct worker *w, struct conn *c, const struct packet *p,
		       const struct image_listener *listener)
{
	const struct policy_view *v = &w->policy->view;

	c->fwd = p->key.k;
	if (p->key.k.family == FAMILY_V6) {
		memcpy(c->client6, p->key.src6, 16);
		memcpy(c->listener6, p->key.dst6, 16);
	}
	c->listener = listener_slot(w, listener);
	c->cluster = v->cluster_slot[listener->cluster];
	c->endpoint = CALL_NO_SLOT;
}

/* Keep the SYN: it may be sent again. @out: the interface it leaves by, if that is known. */
static void track_syn(struct worker *w, struct conn *c, const struct opening *o, uint8_t out)
{
	struct tcp_segment s;

	tcp_syn_clamp(o->p, flow_attempt_mss_max(w, o->interface, out, c->fwd.family),
		      w->shared->ports->port[o->interface].may_be_partial);
	tcp_segment_read(o->p, &s);
	s.wscale = o->wscale;
	tcp_track_open(c, &s, w->now_ns, flow_timeouts(w, c));
	tcp_syn_store(c, o->p);
}

/* The first attempt: the client's packet itself goes to the endpoint. */
static enum reason send(struct worker *w, struct conn *c, const struct opening *o,
			uint32_t endpoint)
{
	int tcp = o->p->kind == PACKET_TCP;
	enum reason reason = forward_prepare(w, c, REVERSE);

	if (reason == REASON_NONE)
		reason = flow_attempt_prepare(w, c, endpoint);
	if (reason != REASON_NONE)
		return reason;
	if (tcp)
		track_syn(w, c, o, c->rev.interface);
	else
		udp_track_open(c, w->now_ns, flow_timeouts(w, c));
	if (conn_insert(&w->table, c, tcp ? CONN_SYN_SENT : CONN_ESTABLISHED)) {
		flow_attempt_abandon(w, c);
		return REASON_TABLE_FULL;
	}
	conn_schedule(&w->table, c);
	w->table_inserted = 1;
	call_sent(&w->engine, call_of(w, c));
	call_show(w, c);
	flow_opened(w, c);
	flow_attempt_count_opened(w, c);
	flow_count_packet(w, c, FORWARD, o->p->ip_bytes);
	forward_packet(w, o->p, o->frame, c, FORWARD);
	return REASON_NONE;
}

/* No attempt yet: the SYN stays with us. */
static enum reason wait_for_turn(struct worker *w, struct conn *c, const struct opening *o,
				 const struct call_step *step)
{
	enum reason reason = forward_prepare(w, c, REVERSE);

	if (reason != REASON_NONE)
		return reason;
	track_syn(w, c, o, o->interface);
	if (conn_insert_forward(&w->table, c))
		return REASON_TABLE_FULL;
	w->table_inserted = 1;
	flow_opened(w, c);
	waiting_step(w, c, step);
	consume(w, o->frame);
	return REASON_NONE;
}

static void start(struct worker *w, struct conn *c, const struct opening *o,
		  const struct call_request *request)
{
	struct call_step step = call_start(&w->engine, call_of(w, c), request);
	enum reason reason = step.reason;

	call_show(w, c);

	switch (step.next) {
	case CALL_SEND:
		reason = send(w, c, o, step.endpoint);
		break;
	case CALL_WAIT:
	case CALL_BACK_OFF:
		reason = wait_for_turn(w, c, o, &step);
		break;
	case CALL_REJECTED:
	case CALL_FAILED:
		conn_release(&w->table, c);
		refuse(w, o, reason);
		return;
	}
	if (unlikely(reason != REASON_NONE)) {
		call_not_sent(&w->engine, call_of(w, c), reason);
		conn_release(&w->table, c);
		refuse(w, o, reason);
	}
}

void flow_open(struct worker *w, uint8_t interface, const struct image_listener *listener,
	       struct packet *p, struct rte_mbuf *frame)
{
	struct opening o = {.p = p, .frame = frame, .interface = interface};
	struct call_request request;
	struct tcp_syn syn = {0};
	enum reason reason;
	struct conn *c;

	if (p->kind == PACKET_TCP && tcp_syn_read(p, &syn)) {
		drop(w, frame, REASON_MALFORMED);
		return;
	}
	if (unlikely(limiter_judges(&w->limiter, interface))) {
		reason = limiter_start(&w->limiter, p, listener_slot(w, listener));
		if (reason != REASON_NONE) {
			drop(w, frame, reason); /* in silence, as the XDP program does */
			return;
		}
	}
	o.wscale = syn.wscale;
	request = flow_attempt_request(w, &p->key, listener->cluster);
	request.listener = (uint32_t)(listener - w->policy->view.listeners);
	request.no_queue = p->kind == PACKET_UDP;
	request.no_verdict =
		p->kind == PACKET_UDP &&
		w->policy->view.clusters[listener->cluster].timeouts.expect_reply_ms == 0;
	c = flow_attempt_entry(w);
	if (unlikely(!c)) {
		open_without_entry(w, &o, &request);
		return;
	}
	set_client(w, c, p, listener);
	limiter_open(&w->limiter, conn_number(&w->table, c), interface);
	start(w, c, &o, &request);
}
