/* SPDX-License-Identifier: Apache-2.0 */
/* The passes over a burst of received frames. */
#ifndef FENDER_DATAPLANE_BURST_H
#define FENDER_DATAPLANE_BURST_H

#include <stdint.h>

struct worker;
struct rte_mbuf;

/**
 * burst_received() - parse, hand to owners, look up, decide, queue for sending
 * @frames: 1..BURST frames received on @interface; all are taken over
 *
 * w->now_ns and w->policy are set. Every frame ends in exactly one counter of the worker.
 * The frames queued for sending leave at the next transmit_flush().
 */
void burst_received(struct worker *w, uint8_t interface, struct rte_mbuf **frames, uint32_t n);

/* The same for frames another worker received and this one owns; frame->port is the interface. */
void burst_handed_in(struct worker *w, struct rte_mbuf **frames, uint32_t n);

#endif
