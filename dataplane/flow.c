/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/flow.h"

#include "dataplane/conn/shard.h"
#include "dataplane/conn/tcp_track.h"
#include "dataplane/conn/udp_track.h"
#include "dataplane/flow_attempt.h"
#include "dataplane/flow_icmp.h"
#include "dataplane/flow_open.h"
#include "dataplane/forward.h"
#include "dataplane/net/route.h"
#include "dataplane/origin.h"
#include "dataplane/pkt/l4_checksum.h"
#include "dataplane/pkt/tcp_syn.h"
#include "dataplane/worker_state.h"

#include <endian.h>

#include <rte_mbuf.h>

/* For connections whose cluster has left the policy: POLICY's defaults. */
static const struct image_timeouts default_timeouts = {
	.connect_ms = 1000,
	.request_ms = 15000,
	.idle_tcp_ms = 3600000,
	.idle_udp_ms = 30000,
	.half_closed_ms = 60000,
	.verdict_after_ms = 1000,
};

const struct image_timeouts *flow_timeouts(const struct worker *w, const struct conn *c)
{
	uint16_t at = w->policy->view.cluster_at[cluster_slot_of(w, c)];

	return at == VIEW_NONE ? &default_timeouts : &w->policy->view.clusters[at].timeouts;
}

void flow_opened(struct worker *w, struct conn *c)
{
	const struct call *call = call_of(w, c);

	counter_add(&w->engine.state.listener_counters[call->listener].calls.opened, 1);
	counter_add(&w->engine.state.cluster_counters[call->cluster].opened, 1);
	conn_own(&w->table, c)->opened = 1;
}

static void count_duration(struct worker *w, const struct call *call)
{
	const uint64_t since_ns = call->started_ns;

	histogram_record(&w->engine.state.histograms, call->cluster, HISTOGRAM_DURATION,
			 w->now_ns > since_ns ? w->now_ns - since_ns : 0);
}

/* What the connection was counted in and holds, once; a tombstone has nothing. */
static void close_call(struct worker *w, struct conn *c)
{
	const struct policy_state *s = &w->engine.state;
	struct conn_own *own = conn_own(&w->table, c);
	struct call *call = call_of(w, c);

	if (!own->opened)
		return;
	own->opened = 0;
	call_end(&w->engine, call);
	call_show(w, c);
	count_duration(w, call);
	counter_add(&s->listener_counters[call->listener].calls.closed, 1);
	counter_add(&s->cluster_counters[call->cluster].closed, 1);
	if (own->port)
		counter_add(&s->endpoint_counters[call->endpoint].closed, 1);
}

void flow_release(struct worker *w, struct conn *c)
{
	close_call(w, c);
	flow_attempt_abandon(w, c);
	conn_release(&w->table, c);
	w->table_released = 1;
}

void flow_damaged(struct worker *w, struct conn *c)
{
	counter_add(&w->damaged, 1);
	counter_add(&w->block->damaged_entries, 1);
	flow_release(w, c);
}

void flow_over(struct worker *w, struct conn *c)
{
	close_call(w, c);
	if (c->state == CONN_RESTING)
		conn_rest(&w->table, c, w->now_ns + TCP_REST_NS);
	else
		flow_release(w, c);
}

void flow_count_packet(struct worker *w, struct conn *c, enum direction dir, uint32_t bytes)
{
	struct call_counters *level[3] = {&listener_of(w, c)->calls, cluster_of(w, c),
					  endpoint_of(w, c)};

	if (dir == FORWARD) {
		c->fwd_packets++;
		c->fwd_bytes += bytes;
		for (int i = 0; i < 3; i++) {
			counter_add(&level[i]->to_endpoint_packets, 1);
			counter_add(&level[i]->to_endpoint_bytes, bytes);
		}
	} else {
		c->rev_packets++;
		c->rev_bytes += bytes;
		for (int i = 0; i < 3; i++) {
			counter_add(&level[i]->to_client_packets, 1);
			counter_add(&level[i]->to_client_bytes, bytes);
		}
	}
}

static void tcp_events(struct worker *w, struct conn *c, const struct tcp_result *r)
{
	const uint32_t told = TCP_EV_SYN_ACKED | TCP_EV_SUCCESS | TCP_EV_FAILURE | TCP_EV_NEUTRAL;
	struct call *call = call_of(w, c);

	if (r->events & TCP_EV_SYN_ACKED)
		call_connected(&w->engine, call, w->now_ns - call->attempt_ns);
	if (r->events & TCP_EV_SUCCESS)
		call_succeeded(&w->engine, call);
	if (r->events & TCP_EV_FAILURE)
		call_failed(&w->engine, call, r->reason);
	if (r->events & TCP_EV_NEUTRAL)
		call_cancelled(&w->engine, call);
	if (r->events & told)
		call_show(w, c);
	if (r->events & TCP_EV_OVER)
		flow_over(w, c);
	else if (r->events & TCP_EV_SOONER)
		conn_schedule(&w->table, c);
}

/*
 * The endpoint remembers an older connection of this port: reset that one, ask again
 * (FACTS 11 of the design: accepted at once).
 */
static void answer_challenge(struct worker *w, struct conn *c, const struct tcp_segment *s)
{
	counter_add(&w->block->challenges_answered, 1);
	origin_rst_to_endpoint(w, c, s->ack);
	origin_stored_syn(w, c);
}

/* A packet that no connection claims and that cannot start one. */
static void unclaimed(struct worker *w, uint8_t interface, struct packet *p, struct rte_mbuf *frame,
		      enum reason reason)
{
	/* What nobody verifies further on must be right before it is answered. */
	if (!l4_checksum_ok(p, w->shared->ports->port[interface].may_be_partial))
		reason = REASON_CHECKSUM;
	else if (p->kind == PACKET_TCP)
		origin_rst(w, interface, p);
	else if (p->kind == PACKET_UDP && reason == REASON_NO_LISTENER)
		origin_icmp_error(w, interface, p, ICMP_ERROR_PORT_UNREACHABLE, 0);
	drop(w, frame, reason);
}

static void no_connection(struct worker *w, uint8_t interface, struct packet *p,
			  struct rte_mbuf *frame)
{
	const struct image_ip to = flow_destination(&p->key);
	int opens = p->kind == PACKET_UDP ||
		    (p->kind == PACKET_TCP &&
		     (p->tcp_flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) == TCP_SYN);
	const struct image_listener *listener;

	if (p->kind == PACKET_ICMP_ERROR) {
		drop(w, frame, REASON_ICMP_UNMATCHED);
		return;
	}
	listener = route_listener(w->policy->image, interface, p->key.k.proto, p->key.k.family,
				  to.b, p->key.k.dport);
	if (listener && opens)
		flow_open(w, interface, listener, p, frame);
	else if (listener)
		unclaimed(w, interface, p, frame, REASON_NO_CONNECTION);
	else if (!route_is_ours(w->policy->image, interface, p->key.k.family, to.b))
		drop(w, frame, REASON_NOT_OURS);
	else
		unclaimed(w, interface, p, frame,
			  shard_is_snat_port(w->policy->image, interface, p->key.k.dport)
				  ? REASON_NO_CONNECTION
				  : REASON_NO_LISTENER);
}

/* The endpoint's reset of a SYN is the client's too, unless another attempt is made. */
static void tcp_refused(struct worker *w, struct packet *p, struct rte_mbuf *frame, struct conn *c)
{
	if (flow_attempt_failed(w, c, REASON_CONNECT_REFUSED)) {
		consume(w, frame);
		return;
	}
	flow_count_packet(w, c, REVERSE, p->ip_bytes);
	forward_packet(w, p, frame, c, REVERSE);
	flow_over(w, c);
}

/* While the call waits: the client's SYN again, or its reset, which ends the call. */
static void tcp_absorbed(struct worker *w, struct rte_mbuf *frame, struct conn *c,
			 const struct tcp_result *r)
{
	consume(w, frame);
	if (r->events & TCP_EV_NEUTRAL)
		flow_over(w, c);
}

/* The first of this direction. */
static void first_payload(struct worker *w, struct conn *c, enum direction dir)
{
	if (dir == FORWARD) {
		c->flags |= CONN_ASKED;
		call_requested(&w->engine, call_of(w, c));
		call_show(w, c);
	} else {
		c->flags |= CONN_REPLIED;
		call_first_byte(&w->engine, call_of(w, c));
	}
}

static void tcp_packet(struct worker *w, uint8_t interface, struct packet *p,
		       struct rte_mbuf *frame, struct conn *c, enum direction dir)
{
	struct tcp_segment s;
	struct tcp_result r;

	tcp_segment_read(p, &s);
	if (unlikely(s.flags & TCP_SYN)) {
		struct tcp_syn syn;

		if (tcp_syn_read(p, &syn)) {
			drop(w, frame, REASON_MALFORMED);
			return;
		}
		s.wscale = syn.wscale;
	}
	r = tcp_track(c, dir, &s, w->now_ns, flow_timeouts(w, c));
	if (unlikely(r.reason == REASON_CONNECT_REFUSED)) {
		tcp_refused(w, p, frame, c);
		return;
	}
	switch (r.action) {
	case TCP_FORWARD:
		if (unlikely(s.flags & TCP_SYN))
			tcp_syn_clamp(p,
				      flow_attempt_mss_max(w, interface_of(w, c, FORWARD),
							   interface_of(w, c, REVERSE),
							   c->fwd.family),
				      w->shared->ports->port[interface].may_be_partial);
		if (unlikely(!(c->flags & (dir == FORWARD ? CONN_ASKED : CONN_REPLIED))) &&
		    s.bytes != 0)
			first_payload(w, c, dir);
		flow_count_packet(w, c, dir, p->ip_bytes);
		forward_packet(w, p, frame, c, dir);
		tcp_events(w, c, &r);
		return;
	case TCP_CHALLENGED:
		answer_challenge(w, c, &s);
		drop(w, frame, REASON_SNAT_REUSE_CHALLENGE);
		break;
	case TCP_CONSUME:
		tcp_absorbed(w, frame, c, &r);
		return;
	case TCP_NEW:
		tcp_events(w, c, &r);
		flow_release(w, c);
		no_connection(w, interface, p, frame);
		return;
	case TCP_RESET_IT:
		origin_rst_to_endpoint(w, c, s.ack);
		drop(w, frame, r.reason);
		break;
	case TCP_DROP:
		drop(w, frame, r.reason);
		break;
	}
	tcp_events(w, c, &r);
}

static void udp_packet(struct worker *w, struct packet *p, struct rte_mbuf *frame, struct conn *c,
		       enum direction dir)
{
	const uint64_t before_ns = c->deadline_ns;
	const int silent = !(c->flags & CONN_REPLIED);

	if (udp_track(c, dir, w->now_ns, flow_timeouts(w, c))) {
		call_succeeded(&w->engine, call_of(w, c));
		call_show(w, c);
	}
	if (unlikely(silent && (c->flags & CONN_REPLIED)))
		call_first_byte(&w->engine, call_of(w, c));
	/* A new policy may end it sooner. */
	if (unlikely(c->deadline_ns < before_ns))
		conn_schedule(&w->table, c);
	flow_count_packet(w, c, dir, p->ip_bytes);
	forward_packet(w, p, frame, c, dir);
}

void flow_packet(struct worker *w, uint8_t interface, struct packet *p, struct rte_mbuf *frame,
		 uint32_t found)
{
	struct conn *c;
	enum direction dir;
	enum reason reason;

	if (unlikely(p->ttl <= 1)) {
		origin_icmp_error(w, interface, p, ICMP_ERROR_TTL, 0);
		drop(w, frame, REASON_TTL);
		return;
	}
	/* Decisions earlier in this burst may have made or ended what the look-up saw. */
	if (unlikely((found == LOOKUP_NONE && w->table_inserted) ||
		     (found != LOOKUP_NONE && w->table_released)))
		found = conn_lookup(&w->table, &p->key);
	if (unlikely(found == LOOKUP_NONE)) {
		no_connection(w, interface, p, frame);
		return;
	}
	c = &w->table.entries[found >> 1];
	dir = (enum direction)(found & 1);
	if (unlikely(c->state != CONN_ESTABLISHED) && unlikely(!conn_is_sound(&w->table, c))) {
		flow_damaged(w, c);
		drop(w, frame, REASON_DAMAGED);
		return;
	}
	if (unlikely(limiter_judges(&w->limiter, interface)) && p->kind != PACKET_ICMP_ERROR) {
		reason = limiter_packet(&w->limiter, p, c, found >> 1, dir);
		if (reason != REASON_NONE) {
			drop(w, frame, reason);
			return;
		}
	}
	if (likely(p->kind == PACKET_TCP))
		tcp_packet(w, interface, p, frame, c, dir);
	else if (p->kind == PACKET_UDP)
		udp_packet(w, p, frame, c, dir);
	else
		flow_icmp(w, p, frame, c, dir);
}
