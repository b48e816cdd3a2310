/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who waits for permits: one FIFO a bulkhead over all workers.
 *
 * Each worker keeps the calls it owns in a list of its own (struct call.queue_next/prev, in
 * ticket order) and publishes the ticket of the first in a word that it alone writes. A release
 * that owes its permit to the oldest ticket reads the heads, and raises `granted` of the worker
 * with the lowest; that worker takes it in its next turn (it is woken). Nothing here can be full,
 * so no permit can be lost between workers. A worker whose waiter has left in the meantime, or is
 * no longer the oldest, passes the permit on by the same rule; with no waiter left anywhere it
 * gives it back.
 *
 * Order of a waiter: publish the ticket (queue_push), then bulkhead_enter(may_queue); when that
 * admits or refuses, queue_remove. So published tickets >= queued + permits on their way.
 * A waiter that leaves: bulkhead_unqueue(); 1: queue_remove(). 0: every waiter has a permit on its
 * way: whose time is up stays and gets it, whose client is gone is removed all the same. Then
 * one permit too many is on its way; when it meets a waiter that came after, `queued` counts a
 * call too many until a release finds nobody waiting: a place less in the queue for so long.
 * Of a grant: queue_due() names the call, which is removed; with NULL: queue_pass_on().
 */
#ifndef FENDER_DATAPLANE_POLICY_QUEUE_H
#define FENDER_DATAPLANE_POLICY_QUEUE_H

#include "dataplane/policy/bulkhead.h"
#include "shm/call.h"

/* One bulkhead as one worker shows it to the others. A line of its own. */
struct queue_share {
	uint64_t head;    /* ticket of this worker's oldest waiter, 0: none; this worker */
	uint64_t granted; /* permits on their way to it; any worker adds, this worker takes */
	uint64_t pad[6];
};

/* And what it keeps for itself. */
struct queue_own {
	uint32_t first; /* call numbers; CALL_NOBODY: empty */
	uint32_t last;
	uint32_t count;
	uint32_t pad;
};

enum { CALL_NOBODY = 0xffffffffu };

/* A bit a word of slots fits the summary word. */
enum { QUEUE_MAX_SLOTS = 64 * 64 };

/* Queues of one kind (listeners or clusters). Shared by the workers of one process. */
struct queues {
	struct queue_share *share; /* [slot][worker] */
	struct queue_own *own;     /* [worker][slot] */
	/*
	 * [worker][words]: what has grants to look at. Word 0: bit i = word 1 + i has bits; the
	 * words after it: a bit a slot. Whole lines a worker.
	 */
	uint64_t *pending;
	uint32_t slots;
	uint32_t workers;
	uint32_t words;
};

/* Private memory, all empty. @slots: up to QUEUE_MAX_SLOTS. 0, -EINVAL or -ENOMEM. */
int queues_create(struct queues *q, uint32_t slots, uint32_t workers);
void queues_destroy(struct queues *q);

/* The calls of one worker by their number. */
struct calls {
	uint8_t *base; /* of call 0 */
	size_t stride; /* bytes from one call to the next */
};

static inline struct call *call_at(const struct calls *c, uint32_t number)
{
	return (struct call *)(c->base + (size_t)number * c->stride);
}

/* Draw a ticket from *@ticket (shared) and append the call to its worker's list. */
void queue_push(struct queues *q, const struct calls *calls, uint32_t slot, uint32_t worker,
		struct call *call, uint64_t *ticket);
/* Take the call out of its list. O(1). */
void queue_remove(struct queues *q, const struct calls *calls, uint32_t slot, uint32_t worker,
		  struct call *call);

/* The worker's oldest waiter in this queue, or NULL. */
struct call *queue_first(const struct queues *q, const struct calls *calls, uint32_t slot,
			 uint32_t worker);

/*
 * Whose is a grant that @worker took: its oldest waiter. NULL when it has none or another worker
 * shows an older one: pass the grant on with queue_pass_on(). O(workers).
 */
struct call *queue_due(const struct queues *q, const struct calls *calls, uint32_t slot,
		       uint32_t worker);

/* Raise the grants of the worker with the oldest ticket and return it; UINT32_MAX: none seen. */
uint32_t queue_grant(struct queues *q, uint32_t slot);

/**
 * queue_pass_on() - an owed permit goes to the worker with the oldest ticket, or back
 * @s: of which bulkhead_leave() or bulkhead_refill() owed it, or queue_due() had no taker
 * @limit: in force now
 *
 * Return: the worker, to be woken; UINT32_MAX when nobody waits and the permit went back.
 * O(workers), again only when another worker's waiter came or left meanwhile.
 */
uint32_t queue_pass_on(struct queues *q, uint32_t slot, struct bulkhead_state *s, uint32_t limit);

/*
 * Does this worker have grants to look at? One load. Before it sleeps, a worker looks after a
 * seq_cst fence; queue_pass_on()'s caller wakes it after one (idle_arm(), idle_wake()).
 */
int queue_has_grants(const struct queues *q, uint32_t worker);

/*
 * The next slot with grants for this worker and how many, all taken: the caller hands each to
 * queue_due() or passes it on. Return 0 when there is none.
 */
uint32_t queue_take_grants(struct queues *q, uint32_t worker, uint32_t *slot);

#endif
