/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls without an attempt under way (CONN_WAITING): queued for a permit, or backing off. Their
 * SYN is in the entry.
 */
#ifndef FENDER_DATAPLANE_WAITING_H
#define FENDER_DATAPLANE_WAITING_H

#include "dataplane/policy/call.h"

struct conn;
struct worker;

/* Do what the engine says of a waiting entry: send, wait on, or end it (the client is reset). */
void waiting_step(struct worker *w, struct conn *c, const struct call_step *step);

/* Its deadline has come; it is on no list. */
void waiting_expired(struct worker *w, struct conn *c);

/* The call ended, which is counted: reset the client, release the entry. */
void waiting_over(struct worker *w, struct conn *c);

/*
 * Permits that came and breakers that opened: up to WAITING_BURST calls of each. Return how many
 * there were. Once a loop.
 */
unsigned int waiting_run(struct worker *w);

#endif
