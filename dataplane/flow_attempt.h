/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attempts of a call: entry, SNAT port and next hop of one, and what becomes of one that failed. An
 * attempt that is given up for another leaves a tombstone with its port and reverse key behind;
 * the call stays in its entry.
 */
#ifndef FENDER_DATAPLANE_FLOW_ATTEMPT_H
#define FENDER_DATAPLANE_FLOW_ATTEMPT_H

#include "dataplane/packet.h"
#include "dataplane/policy/call.h"

struct worker;

/* A free entry, if need be that of the connection which has rested longest; NULL without one. */
struct conn *flow_attempt_entry(struct worker *w);

/* What the engine asks about a client, but for the listener; @cluster: position, or VIEW_NONE. */
struct call_request flow_attempt_request(const struct worker *w, const struct flow_key *client,
					 uint32_t cluster);
/* The same of an entry's client. */
struct call_request flow_attempt_request_of(const struct worker *w, const struct conn *c);

/*
 * Make an entry ready for an endpoint (position): reverse key, next hop, port, checksum deltas.
 * REASON_NONE, or why not; then it has no port. The index is the caller's.
 */
enum reason flow_attempt_prepare(struct worker *w, struct conn *c, uint32_t endpoint);

/* The port returns: a prepared attempt does not take place, or a connection's entry goes. */
void flow_attempt_abandon(struct worker *w, struct conn *c);

/* It does: the endpoint has one more connection open. */
void flow_attempt_count_opened(struct worker *w, const struct conn *c);

/* Largest MSS that fits both interfaces of a connection. */
uint16_t flow_attempt_mss_max(const struct worker *w, uint8_t in, uint8_t out, uint8_t family);

/* The stored SYN of a waiting entry goes to an endpoint. What cannot be sent ends the call. */
void flow_attempt_send(struct worker *w, struct conn *c, uint32_t endpoint);

/**
 * flow_attempt_failed() - the endpoint refused, or did not answer, the SYN of @c
 * Return: 1 when the call goes on, with @c waiting or another attempt sent; 0 when this was its
 * verdict: the caller tells the client and ends the connection.
 */
int flow_attempt_failed(struct worker *w, struct conn *c, enum reason reason);

#endif
