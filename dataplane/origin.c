/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/origin.h"

#include "dataplane/forward.h"
#include "dataplane/net/route.h"
#include "dataplane/transmit.h"
#include "dataplane/worker_state.h"

#include <string.h>

#include <rte_mbuf.h>

struct rte_mbuf *origin_begin(struct worker *w, uint8_t **out, size_t *size)
{
	struct rte_mbuf *frame = rte_pktmbuf_alloc(w->shared->ports->pool);

	if (!frame) {
		counter_add(&w->packets->originated, 1);
		drop_count(w, REASON_NO_BUFFER);
		return NULL;
	}
	*out = rte_pktmbuf_mtod(frame, uint8_t *);
	*size = rte_pktmbuf_tailroom(frame);
	return frame;
}

int origin_built(struct worker *w, struct rte_mbuf *frame, uint16_t bytes)
{
	if (bytes == 0) {
		rte_pktmbuf_free(frame);
		return 0;
	}
	counter_add(&w->packets->originated, 1);
	frame->data_len = bytes;
	frame->pkt_len = bytes;
	return 1;
}

static int may_answer(struct worker *w)
{
	uint64_t second = w->now_ns / 1000000000u;

	if (second != w->origin_second) {
		w->origin_second = second;
		w->origin_left = ORIGIN_PER_SECOND;
	}
	if (w->origin_left == 0)
		return 0;
	w->origin_left--;
	return 1;
}

/* An answer that was due but is over the limit: made and dropped, so that it shows. */
static void over_limit(struct worker *w)
{
	counter_add(&w->packets->originated, 1);
	drop_count(w, REASON_ORIGIN_LIMIT);
}

void origin_rst(struct worker *w, uint8_t interface, const struct packet *p)
{
	struct rte_mbuf *frame;
	uint8_t *out;
	size_t size;

	if (p->tcp_flags & TCP_RST)
		return;
	if (!may_answer(w)) {
		over_limit(w);
		return;
	}
	frame = origin_begin(w, &out, &size);
	if (!frame)
		return;
	if (origin_built(w, frame, build_rst_answer(out, size, p)))
		forward_link(w, interface, frame, p->data + 6);
}

void origin_icmp_error(struct worker *w, uint8_t interface, const struct packet *p,
		       enum icmp_error error, uint16_t mtu)
{
	const struct adopted *a = w->policy;
	const uint8_t *from =
		p->key.k.family == FAMILY_V4 ? a->own4[interface] : a->own6[interface];
	static const uint8_t none[16];
	struct rte_mbuf *frame;
	uint8_t *out;
	size_t size;

	if (memcmp(from, none, sizeof(none)) == 0)
		return;
	if (!may_answer(w)) {
		over_limit(w);
		return;
	}
	frame = origin_begin(w, &out, &size);
	if (!frame)
		return;
	if (origin_built(w, frame, build_icmp_error(out, size, p, error, mtu, from)))
		forward_link(w, interface, frame, p->data + 6);
}

void origin_rst_to_endpoint(struct worker *w, struct conn *c, uint32_t seq)
{
	uint8_t *out;
	size_t size;
	struct rte_mbuf *frame = origin_begin(w, &out, &size);

	if (!frame)
		return;
	if (origin_built(w, frame, build_rst_to_endpoint(out, size, c, seq)))
		forward_built(w, frame, c, FORWARD);
}

void origin_rst_to_client(struct worker *w, struct conn *c)
{
	uint8_t *out;
	size_t size;
	struct rte_mbuf *frame = origin_begin(w, &out, &size);

	if (!frame)
		return;
	if (origin_built(w, frame, build_rst_to_client(out, size, c)))
		forward_built(w, frame, c, REVERSE);
}

void origin_stored_syn(struct worker *w, struct conn *c)
{
	uint8_t *out;
	size_t size;
	struct rte_mbuf *frame = origin_begin(w, &out, &size);

	if (!frame)
		return;
	if (origin_built(w, frame, build_stored_syn(out, size, c)))
		forward_built(w, frame, c, FORWARD);
}

void origin_solicit(struct worker *w, uint8_t interface, const uint8_t target[16],
		    const uint8_t *to_mac)
{
	const struct port *port = &w->shared->ports->port[interface];
	const struct image_address *from;
	struct rte_mbuf *frame;
	uint8_t *out;
	size_t size;

	if (interface_is_shared(w, interface)) {
		/* The kernel asks. A full ring counts what it loses; we come again in a second. */
		neighbour_wish_add(&w->shared->region->kernel_neighbours->wishes[w->number],
				   interface, target);
		return;
	}
	from = route_source(w->policy->image, interface,
			    image_ip_is_v4(target) ? FAMILY_V4 : FAMILY_V6, target);
	if (!from)
		return;
	frame = origin_begin(w, &out, &size);
	if (!frame)
		return;
	if (origin_built(w, frame, build_solicit(out, size, port->mac, from->ip.b, target, to_mac)))
		forward_link(w, interface, frame, out);
}

static void announce(struct worker *w, uint8_t interface, const uint8_t ip[16])
{
	uint8_t *out;
	size_t size;
	struct rte_mbuf *frame;

	if (interface_is_shared(w, interface))
		return; /* the kernel has told them */
	frame = origin_begin(w, &out, &size);
	if (!frame)
		return;
	if (origin_built(w, frame,
			 build_advertise(out, size, w->shared->ports->port[interface].mac, ip)))
		forward_link(w, interface, frame, out);
}

/* A listener on addresses that are announced anyway has none of its own to tell. */
static void announce_listener(struct worker *w, const struct image_listener *l)
{
	const struct image_header *image = w->policy->image;
	const struct image_address *address = IMAGE_ARRAY(image, struct image_address, addresses);
	static const uint8_t none[16];

	if (memcmp(l->ip.b + 12, none, 4) == 0 &&
	    (image_ip_is_v4(l->ip.b) || memcmp(l->ip.b, none, 12) == 0))
		return;
	for (uint32_t i = 0; i < image->addresses.count; i++)
		if (memcmp(&address[i].ip, &l->ip, sizeof(l->ip)) == 0)
			return;
	announce(w, (uint8_t)l->interface, l->ip.b);
}

uint32_t origin_announce(struct worker *w)
{
	const struct image_header *image = w->policy->image;
	const struct image_address *address = IMAGE_ARRAY(image, struct image_address, addresses);
	const uint32_t addresses = image->addresses.count;
	const uint32_t all = addresses + image->listeners.count;
	uint32_t n = 0;

	for (; n < ANNOUNCE_BURST && w->announced < all; n++, w->announced++) {
		if (w->announced < addresses && (address[w->announced].flags & ADDRESS_KERNEL))
			continue;
		if (w->announced < addresses)
			announce(w, (uint8_t)address[w->announced].interface,
				 address[w->announced].ip.b);
		else
			announce_listener(w, &w->policy->view.listeners[w->announced - addresses]);
	}
	return n;
}
