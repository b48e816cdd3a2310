/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/forward.h"

#include "dataplane/net/neighbour.h"
#include "dataplane/net/route.h"
#include "dataplane/origin.h"
#include "dataplane/pkt/rewrite.h"
#include "dataplane/transmit.h"
#include "dataplane/worker_state.h"

#include <errno.h>
#include <string.h>

#include <rte_mbuf.h>

enum { ETHER_BYTES = 14, VLAN_BYTES = 4, VLAN_ETHERTYPE = 0x8100 };

/* Ethernet header of an interface: tag in or out as it wants, our MAC as the source. */
void forward_link(struct worker *w, uint8_t interface, struct rte_mbuf *frame, const uint8_t mac[6])
{
	const struct port *port = &w->shared->ports->port[interface];
	uint8_t to[6];
	uint8_t *head;

	memcpy(to, mac, sizeof(to));
	if (unlikely(port->vlan)) {
		head = (uint8_t *)rte_pktmbuf_prepend(frame, VLAN_BYTES);
		if (!head) {
			drop(w, frame, REASON_NO_BUFFER);
			return;
		}
		head[12] = VLAN_ETHERTYPE >> 8;
		head[13] = VLAN_ETHERTYPE & 0xff;
		head[14] = (uint8_t)(port->vlan >> 8);
		head[15] = (uint8_t)port->vlan;
	}
	head = rte_pktmbuf_mtod(frame, uint8_t *);
	memcpy(head, to, 6);
	memcpy(head + 6, port->mac, 6);
	transmit(w, interface, frame);
}

/* Take the tag off a received frame, so that everything behind works on untagged ones. */
static void untag(struct packet *p, struct rte_mbuf *frame)
{
	memmove(p->data + VLAN_BYTES, p->data, 12);
	rte_pktmbuf_adj(frame, VLAN_BYTES);
}

static void wait_for(struct worker *w, uint8_t interface, struct rte_mbuf *frame, uint16_t number,
		     uint8_t generation)
{
	uint32_t same = 0;

	for (uint32_t i = 0; i < w->pending_count; i++)
		same += w->pending[i].neighbour == number;
	if (w->pending_count == PENDING_MAX || same >= PENDING_PER_NEIGHBOUR) {
		drop(w, frame, REASON_NEIGHBOUR_QUEUE);
		return;
	}
	w->pending[w->pending_count++] = (struct pending){
		.frame = frame,
		.neighbour = number,
		.generation = generation,
		.interface = interface,
	};
}

static void ask(struct worker *w, uint16_t number, const struct neighbour_view *view)
{
	uint8_t interface;
	uint8_t ip[16];

	if (neighbour_address(w->shared->neighbours, number, view->generation, &interface, ip))
		return;
	origin_solicit(w, interface, ip, view->ask == 2 ? view->mac : NULL);
}

/*
 * Send a frame to a next hop, or drop it when that does not answer. The frame is still the
 * caller's after -EAGAIN, when it must wait for the address, and -ESTALE, when the entry belongs to
 * another address by now.
 */
static int send_to(struct worker *w, uint8_t interface, struct rte_mbuf *frame, uint16_t number,
		   uint8_t generation)
{
	struct neighbour_cached *cached = &w->cache[number % NEIGHBOUR_CACHE];
	struct neighbour_view view;
	int rc;

	if (likely(cached->stamp == w->loop && cached->number == number &&
		   cached->generation == generation)) {
		forward_link(w, interface, frame, cached->mac);
		return 0;
	}
	rc = neighbour_resolve(w->shared->neighbours, number, generation, w->now_ns, &view);
	if (rc == -ESTALE)
		return rc;
	if (view.ask)
		ask(w, number, &view);
	if (rc == 0) {
		cached->stamp = w->loop;
		cached->number = number;
		cached->generation = generation;
		memcpy(cached->mac, view.mac, sizeof(cached->mac));
		forward_link(w, interface, frame, view.mac);
	} else if (rc == -EAGAIN) {
		return rc;
	} else {
		drop(w, frame, REASON_NEIGHBOUR);
	}
	return 0;
}

enum reason forward_prepare(struct worker *w, struct conn *c, enum direction dir)
{
	uint8_t interface = interface_of(w, c, opposite(dir));
	uint8_t next_hop[16], generation = 0;
	struct flow_key from;
	struct image_ip to;
	uint16_t number;

	/* Towards whoever sends the packets of the other direction. */
	if (dir == FORWARD)
		conn_reverse_key(c, &from);
	else
		conn_forward_key(c, &from);
	to = flow_source(&from);
	if (route_next_hop(w->policy->image, interface, c->fwd.family, to.b, next_hop))
		return REASON_NO_ROUTE;
	number = neighbour_find(w->shared->neighbours, interface, next_hop, w->now_ns, &generation);
	if (number == NEIGHBOUR_NONE)
		return REASON_NEIGHBOUR;
	if (dir == FORWARD) {
		c->neighbour_fwd = number;
		c->neighbour_fwd_gen = generation;
	} else {
		c->neighbour_rev = number;
		c->neighbour_rev_gen = generation;
	}
	return REASON_NONE;
}

void forward_built(struct worker *w, struct rte_mbuf *frame, struct conn *c, enum direction dir)
{
	uint8_t interface = interface_of(w, c, opposite(dir));
	enum reason reason;

	for (int tries = 0; tries < 2; tries++) {
		uint16_t number = dir == FORWARD ? c->neighbour_fwd : c->neighbour_rev;
		uint8_t generation = dir == FORWARD ? c->neighbour_fwd_gen : c->neighbour_rev_gen;

		int rc = send_to(w, interface, frame, number, generation);

		if (likely(rc == 0))
			return;
		if (rc == -EAGAIN) {
			wait_for(w, interface, frame, number, generation);
			return;
		}
		reason = forward_prepare(w, c, dir);
		if (reason != REASON_NONE) {
			drop(w, frame, reason);
			return;
		}
	}
	drop(w, frame, REASON_NEIGHBOUR);
}

/* Does it fit the interface it leaves by? Return 1 when it was dropped. */
static int too_big(struct worker *w, struct packet *p, struct rte_mbuf *frame, const struct conn *c,
		   enum direction dir)
{
	uint8_t in = interface_of(w, c, dir);
	uint8_t out = interface_of(w, c, opposite(dir));
	uint16_t mtu = w->shared->ports->port[out].mtu;

	if (unlikely(p->ip_bytes > mtu)) {
		origin_icmp_error(w, in, p, ICMP_ERROR_TOO_BIG, mtu);
		drop(w, frame, REASON_TOO_BIG);
		return 1;
	}
	return 0;
}

/* Cut what lies behind the packet (padding, data cut off a SYN), take a tag off, and send. */
static void send_rewritten(struct worker *w, struct packet *p, struct rte_mbuf *frame,
			   struct conn *c, enum direction dir)
{
	if (frame->data_len > p->bytes)
		rte_pktmbuf_trim(frame, (uint16_t)(frame->data_len - p->bytes));
	if (unlikely(p->tagged))
		untag(p, frame);
	forward_built(w, frame, c, dir);
}

void forward_packet(struct worker *w, struct packet *p, struct rte_mbuf *frame, struct conn *c,
		    enum direction dir)
{
	uint8_t in = interface_of(w, c, dir);

	if (too_big(w, p, frame, c, dir))
		return;
	rewrite_packet(p, c, dir, w->shared->ports->port[in].may_be_partial);
	send_rewritten(w, p, frame, c, dir);
}

void forward_icmp_error(struct worker *w, struct packet *p, struct rte_mbuf *frame, struct conn *c,
			enum direction dir)
{
	if (too_big(w, p, frame, c, dir))
		return;
	rewrite_icmp_error(p, c, dir);
	send_rewritten(w, p, frame, c, dir);
}

void forward_pending(struct worker *w)
{
	uint32_t count = w->pending_count;

	if (likely(count == 0))
		return;
	/* Those that must still wait close up, in their order. */
	w->pending_count = 0;
	for (uint32_t i = 0; i < count; i++) {
		struct pending one = w->pending[i];

		switch (send_to(w, one.interface, one.frame, one.neighbour, one.generation)) {
		case 0:
			break;
		case -EAGAIN:
			w->pending[w->pending_count++] = one;
			break;
		default:
			drop(w, one.frame, REASON_NEIGHBOUR);
		}
	}
}
