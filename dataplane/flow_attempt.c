/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/flow_attempt.h"

#include "dataplane/conn/tcp_track.h"
#include "dataplane/flow.h"
#include "dataplane/forward.h"
#include "dataplane/lb/candidates.h"
#include "dataplane/origin.h"
#include "dataplane/pkt/rewrite.h"
#include "dataplane/pkt/tcp_syn.h"
#include "dataplane/waiting.h"
#include "dataplane/worker_state.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

/* Resting entries that may be ended early to find one port. */
enum { RECYCLE_FOR_PORT = 16 };

static int recycle(struct worker *w)
{
	struct conn *oldest = conn_oldest_resting(&w->table);

	if (!oldest)
		return 0;
	counter_add(&w->block->resting_recycled, 1);
	flow_release(w, oldest);
	return 1;
}

struct conn *flow_attempt_entry(struct worker *w)
{
	struct conn *c = conn_alloc(&w->table);

	if (unlikely(!c) && recycle(w))
		c = conn_alloc(&w->table);
	if (likely(c))
		*call_of(w, c) = (struct call){.number = conn_number(&w->table, c)};
	return c;
}

struct call_request flow_attempt_request(const struct worker *w, const struct flow_key *client,
					 uint32_t cluster)
{
	struct call_request request = {0};
	const struct image_cluster *c;

	if (cluster == VIEW_NONE)
		return request;
	c = &w->policy->view.clusters[cluster];
	if (c->algorithm == LB_MAGLEV || c->algorithm == LB_RING_HASH ||
	    c->algorithm == LB_RENDEZVOUS)
		request.hash = lb_hash(client, c->hash_on);
	if (c->bulkhead.scope == SCOPE_SOURCE)
		request.source = lb_hash(client, HASH_ON_SOURCE_IP);
	return request;
}

struct call_request flow_attempt_request_of(const struct worker *w, const struct conn *c)
{
	struct flow_key client;

	conn_forward_key(c, &client);
	return flow_attempt_request(w, &client, w->policy->view.cluster_at[cluster_slot_of(w, c)]);
}

static void set_endpoint(struct worker *w, struct conn *c, uint32_t at)
{
	const struct image_endpoint *e = &w->policy->view.endpoints[at];

	c->rev = (struct conn_key){
		.sport = e->port,
		.interface = (uint8_t)e->interface,
		.proto = c->fwd.proto,
		.family = c->fwd.family,
	};
	if (c->fwd.family == FAMILY_V4) {
		memcpy(&c->rev.src, &e->ip.b[12], 4);
		memcpy(&c->rev.dst, &e->snat.b[12], 4);
	} else {
		memcpy(c->endpoint6, e->ip.b, 16);
		memcpy(c->snat6, e->snat.b, 16);
	}
	c->endpoint = w->policy->view.endpoint_slot[at];
	c->snat_address = w->policy->endpoint_address[at];
}

struct port_question {
	struct worker *w;
	struct conn *c;
};

static int taken(void *ctx, uint16_t port)
{
	struct port_question *q = ctx;
	struct flow_key key;

	q->c->rev.dport = htobe16(port);
	conn_reverse_key(q->c, &key);
	return conn_lookup(&q->w->table, &key) != LOOKUP_NONE;
}

/*
 * The oldest resting connection ends early; its port serves the new one when it is of the same
 * pool and free towards this endpoint. Others may still use it: it need not be free altogether.
 */
static uint16_t inherit_port(struct port_question *q, struct snat_ports *ports)
{
	const struct conn *oldest = conn_oldest_resting(&q->w->table);
	const struct conn_own *ours = conn_own(&q->w->table, q->c), *its;
	uint16_t port = 0;

	if (!oldest)
		return 0;
	its = conn_own(&q->w->table, oldest);
	if (its->snat_address == ours->snat_address && its->udp == ours->udp)
		port = its->port;
	recycle(q->w);
	return port && !taken(q, port) && snat_ports_take(ports, port) == 0 ? port : 0;
}

static struct snat_ports *pool_of(const struct worker *w, const struct conn_own *own)
{
	return w->snat[own->udp][own->snat_address];
}

static uint16_t deal_port(struct worker *w, struct conn *c)
{
	struct snat_ports *ports = pool_of(w, conn_own(&w->table, c));
	struct port_question question = {w, c};
	uint16_t port = snat_ports_deal(ports, taken, &question);

	for (int i = 0; unlikely(port == 0) && i < RECYCLE_FOR_PORT; i++)
		port = inherit_port(&question, ports);
	return port;
}

enum reason flow_attempt_prepare(struct worker *w, struct conn *c, uint32_t endpoint)
{
	struct conn_own *own = conn_own(&w->table, c);
	enum reason reason;
	uint16_t port;

	if (unlikely(own->port))
		return REASON_DAMAGED; /* another attempt of it is under way */
	/* The policy has changed while it waited: listener and cluster speak the other one now. */
	if (unlikely(w->policy->view.endpoints[endpoint].family != c->fwd.family))
		return REASON_DRAINING;
	set_endpoint(w, c, endpoint);
	reason = forward_prepare(w, c, FORWARD);
	if (reason != REASON_NONE)
		return reason;
	own->snat_address = w->policy->endpoint_address[endpoint];
	own->udp = c->fwd.proto == PROTO_UDP;
	port = deal_port(w, c);
	if (port == 0)
		return REASON_NO_PORT;
	own->port = port;
	c->rev.dport = htobe16(port);
	w->snat_epoch += w->snat_epoch == UINT32_MAX ? 2 : 1;
	snat_owner_take(&w->shared->ports->owners, c, w->snat_epoch);
	rewrite_prepare(c);
	return REASON_NONE;
}

void flow_attempt_abandon(struct worker *w, struct conn *c)
{
	struct conn_own *own = conn_own(&w->table, c);
	const uint16_t port = own->port;

	if (port == 0)
		return;
	own->port = 0;
	if (!snat_ports_return(pool_of(w, own), port))
		return;
	c->rev.dport = htobe16(port);
	c->rev.proto = own->udp ? PROTO_UDP : PROTO_TCP;
	c->snat_address = own->snat_address;
	snat_owner_clear(&w->shared->ports->owners, c);
}

void flow_attempt_count_opened(struct worker *w, const struct conn *c)
{
	counter_add(&w->engine.state.endpoint_counters[call_of(w, c)->endpoint].opened, 1);
}

uint16_t flow_attempt_mss_max(const struct worker *w, uint8_t in, uint8_t out, uint8_t family)
{
	const struct port *port = w->shared->ports->port;
	uint16_t mtu = port[in].mtu < port[out].mtu ? port[in].mtu : port[out].mtu;

	return (uint16_t)(mtu - (family == FAMILY_V4 ? 40 : 60));
}

static enum reason insert(struct worker *w, struct conn *c, uint32_t endpoint)
{
	enum reason reason = flow_attempt_prepare(w, c, endpoint);

	if (reason != REASON_NONE)
		return reason;
	if (conn_insert_reverse(&w->table, c, CONN_SYN_SENT)) {
		flow_attempt_abandon(w, c);
		return REASON_TABLE_FULL;
	}
	return REASON_NONE;
}

void flow_attempt_send(struct worker *w, struct conn *c, uint32_t endpoint)
{
	enum reason reason = insert(w, c, endpoint);

	if (reason != REASON_NONE) {
		call_not_sent(&w->engine, call_of(w, c), reason);
		waiting_over(w, c);
		return;
	}
	w->table_inserted = 1;
	call_sent(&w->engine, call_of(w, c));
	call_show(w, c);
	flow_attempt_count_opened(w, c);
	tcp_syn_clamp_stored(c, flow_attempt_mss_max(w, interface_of(w, c, FORWARD),
						     interface_of(w, c, REVERSE), c->fwd.family));
	tcp_track_attempt(c, flow_timeouts(w, c));
	conn_schedule(&w->table, c);
	origin_stored_syn(w, c);
}

/* Leave the port and the reverse key of an attempt behind, for what its endpoint may still send. */
static void bury(struct worker *w, struct conn *c)
{
	struct conn *tombstone = flow_attempt_entry(w);

	assert(tombstone); /* conn_has_room() said so */
	counter_add(&w->engine.state.endpoint_counters[call_of(w, c)->endpoint].closed, 1);
	conn_bury(&w->table, c, tombstone);
	c->endpoint = CALL_NO_SLOT;
	c->flags = 0;
	tombstone->deadline_ns = w->now_ns + 2000000ull * flow_timeouts(w, c)->connect_ms;
	conn_schedule(&w->table, tombstone);
	/* A packet of this burst may have been looked up already. */
	w->table_inserted = 1;
	w->table_released = 1;
}

int flow_attempt_failed(struct worker *w, struct conn *c, enum reason reason)
{
	struct call_request request = flow_attempt_request_of(w, c);
	struct call_step step;

	/* Without a port there is no attempt, whatever the entry says. */
	request.no_retry = !conn_has_room(&w->table) || conn_own(&w->table, c)->port == 0;
	step = call_attempt_failed(&w->engine, call_of(w, c), &request, reason);
	call_show(w, c);
	if (step.next == CALL_FAILED || step.next == CALL_REJECTED) {
		c->flags |= CONN_VERDICT;
		return 0;
	}
	bury(w, c);
	waiting_step(w, c, &step);
	return 1;
}
