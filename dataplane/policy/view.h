/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the policies decide by and on: a checked image bound to the slots of a state registry,
 * and the state words. The dataplane's adopted policy is one (dataplane/adopted.h), the
 * simulator makes its own. Pure data, no owner here.
 */
#ifndef FENDER_DATAPLANE_POLICY_VIEW_H
#define FENDER_DATAPLANE_POLICY_VIEW_H

#include "shm/counters.h"
#include "shm/events.h"
#include "shm/histogram.h"
#include "shm/image.h"
#include "shm/state.h"

enum { VIEW_NONE = 0xffff };

/* Immutable. */
struct policy_view {
	const struct image_header *image;
	const struct image_listener *listeners;
	const struct image_cluster *clusters;
	const struct image_endpoint *endpoints;
	const uint16_t *tables;
	const uint64_t *points;
	/* position in the image -> slot */
	const uint16_t *listener_slot;
	const uint16_t *cluster_slot;
	const uint16_t *endpoint_slot;
	/* slot -> position in the image, VIEW_NONE when it has left the policy */
	const uint16_t *listener_at;
	const uint16_t *cluster_at;
	const uint16_t *endpoint_at;
};

/* The state of all names, by slot, and what one worker alone writes. */
struct policy_state {
	struct listener_state *listeners;
	struct cluster_state *clusters;
	struct endpoint_state *endpoints;
	struct source_line *sources;
	uint32_t source_lines; /* a power of two */
	uint32_t listener_slots;
	uint32_t cluster_slots;
	uint32_t endpoint_slots;
	uint32_t workers;
	struct event_ring *events; /* NULL: none */
	/* [worker][slot] */
	struct outcomes *cluster_outcomes;
	struct outcomes *endpoint_outcomes;
	/* This worker's, by slot. */
	struct listener_counters *listener_counters;
	struct call_counters *cluster_counters;
	struct call_counters *endpoint_counters;
	struct policy_counters *policy_counters;
	struct histograms histograms;
};

/* A fast generator of one thread (xorshift64*); the seed makes a run repeatable. */
struct random {
	uint64_t state; /* not 0 */
};

static inline uint64_t random_next(struct random *r)
{
	r->state ^= r->state >> 12;
	r->state ^= r->state << 25;
	r->state ^= r->state >> 27;
	return r->state * 0x2545f4914f6cdd1dull;
}

/* Uniform in [0, n), n > 0; no division. */
static inline uint32_t random_below(struct random *r, uint32_t n)
{
	return (uint32_t)((random_next(r) >> 32) * n >> 32);
}

#endif
