/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/transmit.h"

#include "dataplane/worker_state.h"

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

/* How often a full transmit ring is offered the rest of a burst before it is dropped. */
enum { TX_TRIES = 4 };

static void drop_rest(struct worker *w, struct rte_mbuf **frames, uint32_t n, enum reason reason)
{
	if (n == 0)
		return;
	if (unlikely(w->capturing) && reason == REASON_RING_FULL)
		for (uint32_t i = 0; i < n; i++)
			capture_verdict(w, frames[i], reason);
	rte_pktmbuf_free_bulk(frames, n);
	counter_add(&w->packets->dropped[reason], n);
}

static void flush_port(struct worker *w, uint8_t interface)
{
	struct transmit *tx = &w->tx[interface];
	const struct port *port = &w->shared->ports->port[interface];
	struct port_queue queue = port->queue[w->number];
	struct interface_counters *counters = &w->interfaces[interface];
	uint32_t count = tx->count, sent = 0;
	uint64_t bytes = tx->bytes;

	if (unlikely(w->capturing))
		capture_sending(w, interface, tx->frame, count);
	if (!port->started) {
		if (unlikely(w->capturing))
			capture_sent(w, 0, REASON_TX_ERROR);
		drop_rest(w, tx->frame, count, REASON_TX_ERROR);
		tx->count = tx->bytes = 0;
		return;
	}
	for (int tries = 0; sent < count && tries < TX_TRIES; tries++)
		sent += rte_eth_tx_burst(queue.port, queue.queue, &tx->frame[sent],
					 (uint16_t)(count - sent));
	if (unlikely(w->capturing))
		capture_sent(w, sent, REASON_TX_FULL);
	if (sent < count) {
		for (uint32_t i = sent; i < count; i++)
			bytes -= rte_pktmbuf_pkt_len(tx->frame[i]);
		counter_add(&counters->tx_full, count - sent);
		drop_rest(w, &tx->frame[sent], count - sent, REASON_TX_FULL);
	}
	counter_add(&counters->tx_packets, sent);
	counter_add(&counters->tx_bytes, bytes);
	counter_add(&w->packets->transmitted, sent);
	tx->count = tx->bytes = 0;
}

/*
 * Only this worker adds to the ring, so what is free now stays free. The frames are counted before
 * they can be seen: a receiver has never counted in what was not counted out.
 */
static void flush_ring(struct worker *w, struct rte_ring *ring, struct handoff *h, uint32_t to)
{
	uint32_t room = rte_ring_free_count(ring);
	uint32_t n = h->count < room ? h->count : room;

	counter_add(&w->packets->handed_out, n);
	rte_ring_sp_enqueue_bulk(ring, (void *const *)h->frame, n, NULL);
	drop_rest(w, &h->frame[n], h->count - n, REASON_RING_FULL);
	h->count = 0;
	idle_wake(&w->shared->worker[to]->idle);
}

static void to_queue(struct worker *w, uint32_t other, struct rte_mbuf *frame)
{
	struct handoff *h = &w->to_queue[other];

	h->frame[h->count++] = frame;
	if (h->count == BURST)
		flush_ring(w, w->shared->worker[other]->from_decider[w->number], h, other);
}

void transmit(struct worker *w, uint8_t interface, struct rte_mbuf *frame)
{
	struct transmit *tx = &w->tx[interface];
	const struct port *port = &w->shared->ports->port[interface];

	if (unlikely(w->number >= port->queues)) {
		frame->port = interface;
		to_queue(w, w->number % port->queues, frame);
		return;
	}
	tx->bytes += rte_pktmbuf_pkt_len(frame);
	tx->frame[tx->count++] = frame;
	if (tx->count == TX_BURST)
		flush_port(w, interface);
}

void transmit_handed_in(struct worker *w, struct rte_mbuf **frames, uint32_t n)
{
	counter_add(&w->packets->handed_in, n);
	for (uint32_t i = 0; i < n; i++)
		transmit(w, (uint8_t)frames[i]->port, frames[i]);
}

void transmit_to_owner(struct worker *w, uint32_t owner, struct rte_mbuf *frame)
{
	struct handoff *h = &w->to_owner[owner];

	h->frame[h->count++] = frame;
	if (h->count == BURST)
		flush_ring(w, w->shared->worker[owner]->from_receiver[w->number], h, owner);
}

void transmit_flush(struct worker *w)
{
	for (uint32_t i = 0; i < w->shared->ports->count; i++)
		if (w->tx[i].count)
			flush_port(w, (uint8_t)i);
	for (uint32_t i = 0; i < w->shared->workers; i++) {
		struct worker *other = w->shared->worker[i];

		if (w->to_owner[i].count)
			flush_ring(w, other->from_receiver[w->number], &w->to_owner[i], i);
		if (w->to_queue[i].count)
			flush_ring(w, other->from_decider[w->number], &w->to_queue[i], i);
	}
}
