/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy as the workers use it: the private, validated image and what binds it to
 * this process and region. Immutable once handed out; freed by the main thread when
 * every worker has passed a loop since its successor was handed out, or is parked.
 */
#ifndef FENDER_DATAPLANE_ADOPTED_H
#define FENDER_DATAPLANE_ADOPTED_H

#include "dataplane/limiter_rules.h"
#include "dataplane/policy/view.h"
#include "shm/region.h"

/*
 * The drain of a name that left the policy. Half of its time connections have to end by
 * themselves; the ends of the rest are spread evenly over the other half, so that their clients
 * do not all come back at once.
 */
struct drain_span {
	uint64_t from_ns;
	uint64_t until_ns; /* 0: does not drain */
};

struct adopted {
	struct image_header *image;
	uint64_t generation;
	struct policy_view view; /* of image; its maps are slots of the state registry */
	uint16_t *maps;          /* what they lie in */
	struct limiter_policy *limits;
	/* position of an endpoint's SNAT address among the image's addresses */
	uint8_t *endpoint_address;
	/* positions of clusters whose table was not built from their endpoints: an alarm */
	uint16_t *stale_tables;
	uint32_t stale_count;
	/* slot -> when connections of a name that left the policy end; zero for every other */
	struct drain_span *listener_drain;
	struct drain_span *endpoint_drain;
	uint32_t listener_slots;
	uint32_t endpoint_slots;
	/* Our address on each interface by family, to send errors from; all zero without one. */
	uint8_t own4[MAX_INTERFACES][16];
	uint8_t own6[MAX_INTERFACES][16];
};

/**
 * adopted_create() - bind a validated image (taken over, freed with it)
 * Return: 0; -ENOENT a name has no registry entry; -ENOMEM; of limiter_rules_make(). On failure the
 * image is freed.
 */
int adopted_create(struct adopted **out, struct image_header *image, const struct region *region);

/*
 * What @previous names, or still drains, and @a does not, ends within its cluster's `drain` from
 * @now_ns on. Before @a is handed out.
 */
void adopted_drain(struct adopted *a, const struct adopted *previous, uint64_t now_ns);

/*
 * A connection that was made by an earlier policy: what it names and @a does not ends its cluster's
 * `drain` after @now_ns at the latest. Before @a is handed out.
 */
void adopted_drain_orphan(struct adopted *a, const struct conn *c, uint64_t now_ns);

enum { DRAIN_STEPS = 32 }; /* looks for connections that are to end, over the time they end in */

/*
 * When to look next for connections whose end has come, the last look having been at @after_ns;
 * UINT64_MAX: nothing drains. One pass over the slots.
 */
uint64_t adopted_next_look(const struct adopted *a, uint64_t after_ns);

/*
 * When entry number @entry of a connection table ends: entries that follow each other, as those
 * in use mostly do, are spread evenly. UINT64_MAX: @span does not drain.
 */
uint64_t drain_end_ns(const struct drain_span *span, uint32_t entry);

void adopted_free(struct adopted *a);

#endif
