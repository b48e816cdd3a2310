/* SPDX-License-Identifier: Apache-2.0 */
/* Connections of listeners and endpoints that left the policy: they end when their drain is over.
 */
#ifndef FENDER_DATAPLANE_DRAIN_H
#define FENDER_DATAPLANE_DRAIN_H

struct worker;

/* A policy was taken: see what it drains. */
void drain_policy(struct worker *w);

/* When a drain is over: look at the next DRAIN_BURST entries. Return how many were looked at. */
unsigned int drain_run(struct worker *w);

#endif
