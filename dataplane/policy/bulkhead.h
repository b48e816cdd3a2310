/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Permits: in_flight:32 left:16 queued:16 in one word, no leases. left counts, modulo 2^16, who
 * left the queue; it is zeroed when nothing is in flight or queued.
 *
 * in_flight <= limit after every admission, over all workers. While anything is queued no
 * newcomer is admitted. A release passes its permit on when somebody is queued: in_flight stays,
 * queued falls, and the permit is owed to the oldest ticket (queue.h delivers it).
 *
 * The limit comes with every call, so it may change at any time: up, then bulkhead_refill() until
 * it returns 0; down, then nobody is admitted until in_flight is below it. Every change of the
 * word is one compare-and-swap, tried again only after another worker's succeeded.
 */
#ifndef FENDER_DATAPLANE_POLICY_BULKHEAD_H
#define FENDER_DATAPLANE_POLICY_BULKHEAD_H

#include "dataplane/policy/view.h"

static inline uint32_t bulkhead_in_flight(uint64_t word)
{
	return (uint32_t)(word >> 32);
}

static inline uint32_t bulkhead_queued(uint64_t word)
{
	return (uint16_t)word;
}

/* in_flight and queued alone: what can be counted anew from the calls. */
static inline uint64_t bulkhead_counts(uint64_t word)
{
	return word & ~UINT64_C(0xffff0000);
}

/* To compare: has anybody left the queue since? Acquire: heads read later are no older. */
static inline uint16_t bulkhead_left(const struct bulkhead_state *s)
{
	return (uint16_t)(__atomic_load_n(&s->word, __ATOMIC_ACQUIRE) >> 16);
}

enum bulkhead_admission {
	BULKHEAD_ADMIT,
	BULKHEAD_QUEUE, /* counted as queued: the caller's ticket must have been published before */
	BULKHEAD_FULL,  /* no permit; max_queue is 0, or !may_queue and there is room to queue */
	BULKHEAD_QUEUE_FULL,
};

/* Would bulkhead_enter() admit at once? A pure read. */
int bulkhead_looks_free(const struct bulkhead_state *s, const struct image_bulkhead *rules);

/**
 * bulkhead_enter() - take a permit or a place in the queue
 * @rules: max_concurrent 0 admits always, past a queue of older rules too
 * @may_queue: 0 (a breaker's probe, or the first try before a ticket was published): never QUEUE
 */
enum bulkhead_admission bulkhead_enter(struct bulkhead_state *s, const struct image_bulkhead *rules,
				       int may_queue);

/*
 * Give a permit back. @limit: in force now (0: no bound); above it the permit is destroyed even
 * when somebody is queued. Return 1 when the permit is owed to the oldest ticket, 0 when it is
 * free. Without a permit out, nothing changes.
 */
int bulkhead_leave(struct bulkhead_state *s, uint32_t limit);

/*
 * An owed permit for which nobody was found. *@seen: bulkhead_left() before the search. Return 1
 * when it is owed still: search again; 0 when it is free, or destroyed above the limit. Who has
 * left since may have taken another's place out of `queued`, of one that the search came too
 * early for: *@seen is then renewed and nothing else changes.
 */
int bulkhead_give_back(struct bulkhead_state *s, uint32_t limit, uint16_t *seen);

/* Leave the queue without a permit. 0: nobody is without, a permit is on its way (queue.h). */
int bulkhead_unqueue(struct bulkhead_state *s);

/*
 * The limit was raised, or queue and free permits stand side by side: turn one queued into
 * in_flight. Return 1 when a permit is owed to the oldest ticket; call until 0.
 */
int bulkhead_refill(struct bulkhead_state *s, uint32_t limit);

#endif
