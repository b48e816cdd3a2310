/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/flow_open.h"

#include "dataplane/conn/tcp_track.h"
#include "dataplane/conn/udp_track.h"
#include "dataplane/flow.h"
#include "dataplane/forward.h"
#include "dataplane/lb/pick.h"
#include "dataplane/net/route.h"
#include "dataplane/origin.h"
#include "dataplane/pkt/rewrite.h"
#include "dataplane/pkt/tcp_syn.h"
#include "dataplane/worker_state.h"

#include <endian.h>
#include <string.h>

#include <rte_mbuf.h>

/* Resting entries that may be ended early to find one port. */
enum { RECYCLE_FOR_PORT = 16 };

/* A call that is being set up. */
struct opening {
	const struct image_cluster *cluster;
	const struct image_endpoint *endpoint; /* NULL until chosen */
	uint16_t listener_slot;
	uint16_t cluster_slot;
	uint16_t endpoint_slot;
	uint8_t address;   /* position of the SNAT address */
	uint8_t interface; /* the client's */
};

static void count_started(struct worker *w, const struct opening *o)
{
	counter_add(&w->listener_counters[o->listener_slot].calls.started, 1);
	counter_add(&w->cluster_counters[o->cluster_slot].started, 1);
}

/* One rejection: counted on every level that counted the start, the packet dropped. */
static void reject(struct worker *w, const struct opening *o, struct packet *p,
		   struct rte_mbuf *frame, enum reason reason)
{
	struct listener_counters *l = &w->listener_counters[o->listener_slot];

	counter_add(&l->calls.rejected, 1);
	counter_add(&l->rejected[reason], 1);
	counter_add(&w->cluster_counters[o->cluster_slot].rejected, 1);
	if (o->endpoint)
		counter_add(&w->endpoint_counters[o->endpoint_slot].rejected, 1);
	if (p->kind == PACKET_TCP)
		origin_rst(w, o->interface, p);
	drop(w, frame, reason);
}

static int recycle(struct worker *w)
{
	struct conn *oldest = conn_oldest_resting(&w->table);

	if (!oldest)
		return 0;
	counter_add(&w->block->resting_recycled, 1);
	flow_release(w, oldest);
	return 1;
}

static struct conn *entry(struct worker *w)
{
	struct conn *c = conn_alloc(&w->table);

	if (unlikely(!c) && recycle(w))
		c = conn_alloc(&w->table);
	return c;
}

static void set_keys(struct conn *c, const struct packet *p, const struct opening *o)
{
	const struct image_endpoint *e = o->endpoint;

	c->fwd = p->key.k;
	c->rev = (struct conn_key){
		.sport = e->port,
		.interface = (uint8_t)e->interface,
		.proto = p->key.k.proto,
		.family = p->key.k.family,
	};
	if (p->key.k.family == FAMILY_V4) {
		memcpy(&c->rev.src, &e->ip.b[12], 4);
		memcpy(&c->rev.dst, &e->snat.b[12], 4);
	} else {
		memcpy(c->client6, p->key.src6, 16);
		memcpy(c->listener6, p->key.dst6, 16);
		memcpy(c->endpoint6, e->ip.b, 16);
		memcpy(c->snat6, e->snat.b, 16);
	}
	c->listener = o->listener_slot;
	c->cluster = o->cluster_slot;
	c->endpoint = o->endpoint_slot;
	c->snat_address = o->address;
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
	uint16_t port = 0;

	if (!oldest)
		return 0;
	if (oldest->snat_address == q->c->snat_address && oldest->rev.proto == q->c->rev.proto)
		port = be16toh(oldest->rev.dport);
	recycle(q->w);
	return port && !taken(q, port) && snat_ports_take(ports, port) == 0 ? port : 0;
}

static uint16_t deal_port(struct worker *w, struct conn *c)
{
	struct snat_ports *ports = w->snat[c->rev.proto == PROTO_UDP][c->snat_address];
	struct port_question question = {w, c};
	uint16_t port = snat_ports_deal(ports, taken, &question);

	for (int i = 0; unlikely(port == 0) && i < RECYCLE_FOR_PORT; i++)
		port = inherit_port(&question, ports);
	return port;
}

static void start_tracking(struct worker *w, struct conn *c, const struct packet *p, uint8_t wscale,
			   const struct image_timeouts *timeouts)
{
	struct tcp_segment s;

	if (p->kind == PACKET_UDP) {
		udp_track_open(c, w->now_ns, timeouts);
		return;
	}
	tcp_segment_read(p, &s);
	s.wscale = wscale;
	tcp_track_open(c, &s, w->now_ns, timeouts);
	tcp_syn_store(c, p);
}

/* Everything an entry needs; on failure nothing is held. */
static enum reason establish(struct worker *w, const struct opening *o, const struct packet *p,
			     uint8_t wscale, struct conn **out)
{
	struct snat_ports *ports = w->snat[p->kind == PACKET_UDP][o->address];
	struct conn *c = entry(w);
	enum reason reason;
	uint16_t port;

	if (!c)
		return REASON_TABLE_FULL;
	set_keys(c, p, o);
	reason = forward_prepare(w, c);
	if (reason != REASON_NONE)
		goto release;
	port = deal_port(w, c);
	reason = REASON_NO_PORT;
	if (port == 0)
		goto release;
	c->rev.dport = htobe16(port);
	rewrite_prepare(c);
	start_tracking(w, c, p, wscale, &o->cluster->timeouts);
	reason = REASON_TABLE_FULL;
	if (conn_insert(&w->table, c, p->kind == PACKET_TCP ? CONN_SYN_SENT : CONN_ESTABLISHED))
		goto give_port_back;
	conn_schedule(&w->table, c);
	w->table_inserted = 1;
	*out = c;
	return REASON_NONE;

give_port_back:
	snat_ports_return(ports, port);
release:
	conn_release(&w->table, c);
	return reason;
}

static int choose(struct worker *w, struct opening *o, const struct packet *p)
{
	const struct adopted *a = w->policy;
	const struct image_cluster *cluster = o->cluster;
	uint64_t hash = 0;
	uint32_t number, at;

	if (cluster->algorithm == LB_MAGLEV)
		hash = lb_hash(&p->key, cluster->hash_on);
	number = lb_pick(cluster, a->tables + cluster->table_first, &w->cursors[o->cluster_slot],
			 hash, 0);
	if (number == UINT32_MAX)
		return -1;
	at = cluster->first_endpoint + number;
	o->endpoint = &a->endpoints[at];
	o->endpoint_slot = a->endpoint_slot[at];
	o->address = a->endpoint_address[at];
	counter_add(&w->endpoint_counters[o->endpoint_slot].started, 1);
	return 0;
}

static void count_opened(struct worker *w, const struct opening *o)
{
	counter_add(&w->listener_counters[o->listener_slot].calls.opened, 1);
	counter_add(&w->cluster_counters[o->cluster_slot].opened, 1);
	counter_add(&w->endpoint_counters[o->endpoint_slot].opened, 1);
}

uint16_t flow_mss_max(const struct worker *w, uint8_t in, uint8_t out, uint8_t family)
{
	const struct port *port = w->shared->ports->port;
	uint16_t mtu = port[in].mtu < port[out].mtu ? port[in].mtu : port[out].mtu;

	return (uint16_t)(mtu - (family == FAMILY_V4 ? 40 : 60));
}

void flow_open(struct worker *w, uint8_t interface, const struct image_listener *listener,
	       struct packet *p, struct rte_mbuf *frame)
{
	const struct adopted *a = w->policy;
	struct opening o = {
		.listener_slot = a->listener_slot[listener - a->listeners],
		.cluster_slot = a->cluster_slot[listener->cluster],
		.cluster = &a->clusters[listener->cluster],
		.interface = interface,
	};
	struct tcp_syn syn = {0};
	enum reason reason;
	struct conn *c;

	if (p->kind == PACKET_TCP && tcp_syn_read(p, &syn)) {
		drop(w, frame, REASON_MALFORMED);
		return;
	}
	count_started(w, &o);
	if (choose(w, &o, p)) {
		reject(w, &o, p, frame, REASON_NO_ENDPOINT);
		return;
	}
	if (p->kind == PACKET_TCP)
		tcp_syn_clamp(
			p,
			flow_mss_max(w, interface, (uint8_t)o.endpoint->interface, p->key.k.family),
			w->shared->ports->port[interface].may_be_partial);
	reason = establish(w, &o, p, syn.wscale, &c);
	if (reason != REASON_NONE) {
		reject(w, &o, p, frame, reason);
		return;
	}
	count_opened(w, &o);
	flow_count_packet(w, c, FORWARD, p->ip_bytes);
	forward_packet(w, p, frame, c, FORWARD);
}
