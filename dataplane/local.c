/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/local.h"

#include "dataplane/forward.h"
#include "dataplane/net/neighbour.h"
#include "dataplane/net/route.h"
#include "dataplane/origin.h"
#include "dataplane/worker_state.h"

#include <string.h>

#include <rte_mbuf.h>

static void echo(struct worker *w, uint8_t interface, struct packet *p, struct rte_mbuf *frame)
{
	const struct image_ip to = flow_destination(&p->key);
	struct rte_mbuf *answer;
	uint8_t *out;
	size_t size;

	if (!route_is_ours(w->policy->image, interface, p->key.k.family, to.b)) {
		drop(w, frame, REASON_NOT_OURS);
		return;
	}
	answer = origin_begin(w, &out, &size);
	if (answer && origin_built(w, answer, build_echo_reply(out, size, p)))
		forward_link(w, interface, answer, p->data + 6);
	consume(w, frame);
}

static void neighbour(struct worker *w, uint8_t interface, struct packet *p, struct rte_mbuf *frame)
{
	const struct port *port = &w->shared->ports->port[interface];
	struct neighbour_message m;
	struct rte_mbuf *answer;
	uint8_t family = p->kind == PACKET_ARP ? FAMILY_V4 : FAMILY_V6;
	uint8_t *out;
	size_t size;
	int ours;

	if (neighbour_message_read(p, &m)) {
		drop(w, frame, REASON_MALFORMED);
		return;
	}
	/* Somebody claims an address of ours: not believed, and no entry is made. */
	if (m.has_mac && !route_is_ours(w->policy->image, interface, family, m.sender_ip)) {
		ours = m.is_request &&
		       route_is_ours(w->policy->image, interface, family, m.target_ip);
		neighbour_learn(w->shared->neighbours, interface, m.sender_ip, m.sender_mac, ours,
				m.override, m.solicited, w->now_ns);
	}
	if (!m.is_request) {
		consume(w, frame);
		return;
	}
	if (!route_is_ours(w->policy->image, interface, family, m.target_ip)) {
		drop(w, frame, REASON_NOT_OURS);
		return;
	}
	answer = origin_begin(w, &out, &size);
	if (answer && origin_built(w, answer, build_advertise_answer(out, size, p, port->mac)))
		forward_link(w, interface, answer, out);
	consume(w, frame);
}

void local_packet(struct worker *w, uint8_t interface, struct packet *p, struct rte_mbuf *frame)
{
	if (unlikely(interface_is_shared(w, interface))) {
		drop(w, frame, REASON_NOT_OURS); /* the kernel answers there */
		return;
	}
	if (p->kind == PACKET_ECHO)
		echo(w, interface, p, frame);
	else
		neighbour(w, interface, p, frame);
}
