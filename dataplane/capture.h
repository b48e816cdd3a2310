/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `fender capture`: what a worker received, decided and sent, as records in shared memory
 * (shm/capture.h). While nobody captures, w->capturing is 0 and none of this is called.
 *
 * A received frame is copied before anything changes it and recorded when its burst is decided,
 * so that its record says what became of it. With several workers it is recorded by the one that
 * decides.
 */
#ifndef FENDER_DATAPLANE_CAPTURE_H
#define FENDER_DATAPLANE_CAPTURE_H

#include <stdint.h>

#include "shm/reasons.h"

struct capture;
struct rte_mbuf;
struct worker;

struct capture *capture_create(void);
void capture_free(struct capture *c);

/* Each turn: sets w->capturing by the control line and the time. */
void capture_look(struct worker *w);

/* Frames of a burst, at most BURST until capture_decided(). */
void capture_received(struct worker *w, uint8_t interface, struct rte_mbuf **frames, uint32_t n);
/* The burst is decided: record it. */
void capture_decided(struct worker *w);

/* What became of a frame; REASON_NONE: consumed. The first verdict counts. */
void capture_verdict(struct worker *w, struct rte_mbuf *frame, enum reason reason);
/* It goes to another worker. */
void capture_forget(struct worker *w, const struct rte_mbuf *frame);

/* At most TX_BURST frames, before they are given to a port; after it: the first @sent left. */
void capture_sending(struct worker *w, uint8_t interface, struct rte_mbuf **frames, uint32_t n);
void capture_sent(struct worker *w, uint32_t sent, enum reason reason);

#endif
