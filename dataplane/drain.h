/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections of listeners and endpoints that left the policy: what does not end by itself is
 * ended, spread over their drain.
 */
#ifndef FENDER_DATAPLANE_DRAIN_H
#define FENDER_DATAPLANE_DRAIN_H

struct worker;

/* A policy was taken: see what it drains. */
void drain_policy(struct worker *w);

/* End all that is open, from the next drain_run() on. */
void drain_all(struct worker *w);

/* When ends are due: look at the next DRAIN_BURST entries. Return how many were looked at. */
unsigned int drain_run(struct worker *w);

#endif
