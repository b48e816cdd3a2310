/* SPDX-License-Identifier: Apache-2.0 */
/* Connections whose time has come. */
#ifndef FENDER_DATAPLANE_TIMERS_H
#define FENDER_DATAPLANE_TIMERS_H

struct conn;
struct worker;

/* Handle up to EXPIRE_BURST expired deadlines. Return how many, so that a full batch is busy. */
unsigned int timers_run(struct worker *w);

/*
 * End an open connection for no fault of either side: without a verdict it is cancelled, TCP's ends
 * are reset. It rests (TCP) or is gone (UDP, and a call that waits).
 */
void timers_end(struct worker *w, struct conn *c);

#endif
