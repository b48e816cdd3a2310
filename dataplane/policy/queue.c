/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why no permit and no wake-up is lost.
 *
 * Queue: a waiter stores its worker's head, then swaps the bulkhead's word with release. A search
 * for the oldest begins with a load of the word with acquire; all that write the word are swaps,
 * so whichever it reads continues the release sequence of every waiter counted before, and their
 * heads (or later ones of their workers) are seen: a head of 0 is then a waiter that was served
 * or left. The search is no snapshot: it may miss who came while it ran. Those are counted in
 * `queued`, so a search that found nobody is followed by another while queued > 0 - unless
 * somebody who left has taken such a place out. That he did shows in `left`, changed by the same
 * swap: then too the search is done again. So a permit becomes free only if nobody was missed.
 * A head that is read late names a worker without that waiter; it passes the grant on.
 *
 * Grants: the giver adds to granted, then sets the slot's bit, then the summary's, each with
 * release. The taker clears the summary's bit, then the slot's, then takes granted, each with
 * acquire. A bit the taker has cleared was set after the add that it stands for, so the add is
 * seen; a bit set after the clear stays for the next time.
 */
#include "dataplane/policy/queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 64, WORDS_PER_LINE = LINE / 8, NO_WORKER = UINT32_MAX };

static void *lines_create(size_t bytes)
{
	size_t whole = (bytes + LINE - 1) / LINE * LINE;
	void *p = aligned_alloc(LINE, whole);

	return p ? memset(p, 0, whole) : NULL;
}

int queues_create(struct queues *q, uint32_t slots, uint32_t workers)
{
	const size_t cells = (size_t)slots * workers;

	memset(q, 0, sizeof(*q));
	if (slots == 0 || slots > QUEUE_MAX_SLOTS || workers == 0)
		return -EINVAL;
	q->slots = slots;
	q->workers = workers;
	q->words = 1 + (slots + 63) / 64;
	q->words = (q->words + WORDS_PER_LINE - 1) / WORDS_PER_LINE * WORDS_PER_LINE;
	q->share = lines_create(cells * sizeof(*q->share));
	q->own = lines_create(cells * sizeof(*q->own));
	q->pending = lines_create((size_t)workers * q->words * sizeof(*q->pending));
	if (!q->share || !q->own || !q->pending) {
		queues_destroy(q);
		return -ENOMEM;
	}
	for (size_t i = 0; i < cells; i++) {
		q->own[i].first = CALL_NOBODY;
		q->own[i].last = CALL_NOBODY;
	}
	return 0;
}

void queues_destroy(struct queues *q)
{
	free(q->pending);
	free(q->own);
	free(q->share);
	memset(q, 0, sizeof(*q));
}

static struct queue_own *own_of(const struct queues *q, uint32_t slot, uint32_t worker)
{
	return &q->own[(size_t)worker * q->slots + slot];
}

static struct queue_share *share_of(const struct queues *q, uint32_t slot, uint32_t worker)
{
	return &q->share[(size_t)slot * q->workers + worker];
}

/* Relaxed: the swap of the bulkhead's word that follows is the release. */
static void publish_head(struct queues *q, uint32_t slot, uint32_t worker, uint64_t ticket)
{
	__atomic_store_n(&share_of(q, slot, worker)->head, ticket, __ATOMIC_RELAXED);
}

void queue_push(struct queues *q, const struct calls *calls, uint32_t slot, uint32_t worker,
		struct call *call, uint64_t *ticket)
{
	struct queue_own *own = own_of(q, slot, worker);

	call->ticket = __atomic_add_fetch(ticket, 1, __ATOMIC_RELAXED);
	call->queue_next = CALL_NOBODY;
	call->queue_prev = own->last;
	if (own->last == CALL_NOBODY) {
		own->first = call->number;
		publish_head(q, slot, worker, call->ticket);
	} else {
		call_at(calls, own->last)->queue_next = call->number;
	}
	own->last = call->number;
	own->count++;
}

void queue_remove(struct queues *q, const struct calls *calls, uint32_t slot, uint32_t worker,
		  struct call *call)
{
	struct queue_own *own = own_of(q, slot, worker);
	const uint32_t next = call->queue_next;
	const uint32_t prev = call->queue_prev;

	if (next == CALL_NOBODY)
		own->last = prev;
	else
		call_at(calls, next)->queue_prev = prev;
	if (prev == CALL_NOBODY) {
		own->first = next;
		publish_head(q, slot, worker,
			     next == CALL_NOBODY ? 0 : call_at(calls, next)->ticket);
	} else {
		call_at(calls, prev)->queue_next = next;
	}
	own->count--;
	call->queue_next = CALL_NOBODY;
	call->queue_prev = CALL_NOBODY;
	call->ticket = 0;
}

struct call *queue_first(const struct queues *q, const struct calls *calls, uint32_t slot,
			 uint32_t worker)
{
	const struct queue_own *own = own_of(q, slot, worker);

	return own->first == CALL_NOBODY ? NULL : call_at(calls, own->first);
}

/* The worker that shows the lowest ticket now, or NO_WORKER. */
static uint32_t oldest(const struct queues *q, uint32_t slot)
{
	uint64_t lowest = UINT64_MAX;
	uint32_t worker = NO_WORKER;

	for (uint32_t i = 0; i < q->workers; i++) {
		uint64_t head = __atomic_load_n(&share_of(q, slot, i)->head, __ATOMIC_RELAXED);

		if (head != 0 && head < lowest) {
			lowest = head;
			worker = i;
		}
	}
	return worker;
}

struct call *queue_due(const struct queues *q, const struct calls *calls, uint32_t slot,
		       uint32_t worker)
{
	struct call *first = queue_first(q, calls, slot, worker);

	return first && oldest(q, slot) == worker ? first : NULL;
}

static uint64_t *pending_of(const struct queues *q, uint32_t worker)
{
	return &q->pending[(size_t)worker * q->words];
}

static void set_bit(uint64_t *word, uint32_t bit)
{
	__atomic_fetch_or(word, UINT64_C(1) << bit, __ATOMIC_RELEASE);
}

uint32_t queue_grant(struct queues *q, uint32_t slot)
{
	uint32_t worker = oldest(q, slot);

	if (worker == NO_WORKER)
		return worker;
	__atomic_fetch_add(&share_of(q, slot, worker)->granted, 1, __ATOMIC_RELEASE);
	set_bit(&pending_of(q, worker)[1 + slot / 64], slot % 64);
	set_bit(&pending_of(q, worker)[0], slot / 64);
	return worker;
}

uint32_t queue_pass_on(struct queues *q, uint32_t slot, struct bulkhead_state *s, uint32_t limit)
{
	uint16_t seen = bulkhead_left(s);
	uint32_t worker;

	do {
		worker = queue_grant(q, slot);
	} while (worker == NO_WORKER && bulkhead_give_back(s, limit, &seen));
	return worker;
}

int queue_has_grants(const struct queues *q, uint32_t worker)
{
	return __atomic_load_n(&pending_of(q, worker)[0], __ATOMIC_ACQUIRE) != 0;
}

/* Take one slot out of those with grants; UINT32_MAX: none. */
static uint32_t take_slot(struct queues *q, uint32_t worker)
{
	uint64_t *pending = pending_of(q, worker);
	uint64_t summary;

	while ((summary = __atomic_load_n(&pending[0], __ATOMIC_RELAXED)) != 0) {
		uint32_t word = (uint32_t)__builtin_ctzll(summary);
		uint64_t bits;

		__atomic_fetch_and(&pending[0], ~(UINT64_C(1) << word), __ATOMIC_ACQUIRE);
		bits = __atomic_load_n(&pending[1 + word], __ATOMIC_RELAXED);
		if (bits == 0)
			continue;
		__atomic_fetch_and(&pending[1 + word], ~(bits & -bits), __ATOMIC_ACQUIRE);
		if (bits & (bits - 1))
			set_bit(&pending[0], word);
		return word * 64 + (uint32_t)__builtin_ctzll(bits);
	}
	return UINT32_MAX;
}

uint32_t queue_take_grants(struct queues *q, uint32_t worker, uint32_t *slot)
{
	uint32_t taken;

	while ((taken = take_slot(q, worker)) != UINT32_MAX) {
		uint32_t permits = __atomic_exchange_n(&share_of(q, taken, worker)->granted, 0,
						       __ATOMIC_ACQUIRE);
		if (permits) {
			*slot = taken;
			return permits;
		}
	}
	return 0;
}
