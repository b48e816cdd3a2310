/* SPDX-License-Identifier: Apache-2.0 */
/* Frames on their way out: buffers a port, and rings to the worker that has the queue. */
#ifndef FENDER_DATAPLANE_TRANSMIT_H
#define FENDER_DATAPLANE_TRANSMIT_H

#include <stdint.h>

struct worker;
struct rte_mbuf;

/* Queue a complete frame for @interface; counts it as transmitted, handed out or dropped. */
void transmit(struct worker *w, uint8_t interface, struct rte_mbuf *frame);

/* Frames handed in by another worker for a queue of this one; frame->port is the interface. */
void transmit_handed_in(struct worker *w, struct rte_mbuf **frames, uint32_t n);

/* Hand a received frame to worker @owner (gathered; leaves at the next flush). */
void transmit_to_owner(struct worker *w, uint32_t owner, struct rte_mbuf *frame);

/* Give everything gathered to the ports and rings. */
void transmit_flush(struct worker *w);

#endif
