/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/policy/bulkhead.h"

#include "shm/limits.h"

_Static_assert(MAX_QUEUE <= UINT16_MAX, "queued has 16 bits");

static const uint64_t one_permit = UINT64_C(1) << 32;
static const uint64_t one_queued = 1;

static uint16_t left_of(uint64_t word)
{
	return (uint16_t)(word >> 16);
}

/* Nobody holds an owed permit then, so nobody compares left. */
static uint64_t clean_if_empty(uint64_t word)
{
	return bulkhead_in_flight(word) == 0 && bulkhead_queued(word) == 0 ? 0 : word;
}

static int has_room(uint64_t word, uint32_t limit)
{
	return limit == 0 || bulkhead_in_flight(word) < limit;
}

static int admits(uint64_t word, uint32_t limit)
{
	return limit == 0 || (bulkhead_queued(word) == 0 && has_room(word, limit));
}

/*
 * Release publishes what the caller stored before (its ticket); acquire pairs with the release of
 * whoever changed the word before, over any number of swaps: see queue.c.
 */
static int swap(struct bulkhead_state *s, uint64_t *word, uint64_t next)
{
	return __atomic_compare_exchange_n(&s->word, word, next, 1, __ATOMIC_ACQ_REL,
					   __ATOMIC_ACQUIRE);
}

/* @word: as the admission left it. */
static void note_admission(struct bulkhead_state *s, uint64_t word, uint32_t limit)
{
	uint64_t most, over;

	if (limit == 0 || bulkhead_in_flight(word) <= limit)
		return;
	over = bulkhead_in_flight(word) - limit;
	most = __atomic_load_n(&s->overshoot_max, __ATOMIC_RELAXED);
	while (over > most && !__atomic_compare_exchange_n(&s->overshoot_max, &most, over, 1,
							   __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

int bulkhead_looks_free(const struct bulkhead_state *s, const struct image_bulkhead *rules)
{
	return admits(__atomic_load_n(&s->word, __ATOMIC_RELAXED), rules->max_concurrent);
}

enum bulkhead_admission bulkhead_enter(struct bulkhead_state *s, const struct image_bulkhead *rules,
				       int may_queue)
{
	const uint32_t limit = rules->max_concurrent;
	uint64_t word = __atomic_load_n(&s->word, __ATOMIC_RELAXED);

	for (;;) {
		if (admits(word, limit)) {
			if (!swap(s, &word, word + one_permit))
				continue;
			note_admission(s, word + one_permit, limit);
			return BULKHEAD_ADMIT;
		}
		if (rules->max_queue == 0)
			return BULKHEAD_FULL;
		if (bulkhead_queued(word) >= rules->max_queue)
			return BULKHEAD_QUEUE_FULL;
		if (!may_queue)
			return BULKHEAD_FULL;
		if (swap(s, &word, word + one_queued))
			return BULKHEAD_QUEUE;
	}
}

/* One permit less, or one waiter less that it is owed to. */
static int release(struct bulkhead_state *s, uint64_t *word, uint32_t limit, int *owed)
{
	*owed = bulkhead_queued(*word) != 0 && (limit == 0 || bulkhead_in_flight(*word) <= limit);
	return swap(s, word, clean_if_empty(*word - (*owed ? one_queued : one_permit)));
}

int bulkhead_leave(struct bulkhead_state *s, uint32_t limit)
{
	uint64_t word = __atomic_load_n(&s->word, __ATOMIC_RELAXED);
	int owed;

	while (bulkhead_in_flight(word) != 0) {
		if (release(s, &word, limit, &owed))
			return owed;
	}
	return 0;
}

int bulkhead_give_back(struct bulkhead_state *s, uint32_t limit, uint16_t *seen)
{
	/* Pairs with the release of who left. */
	uint64_t word = __atomic_load_n(&s->word, __ATOMIC_ACQUIRE);
	int owed;

	while (bulkhead_in_flight(word) != 0) {
		if (left_of(word) != *seen) {
			*seen = left_of(word);
			return 1;
		}
		if (release(s, &word, limit, &owed))
			return owed;
	}
	return 0;
}

int bulkhead_unqueue(struct bulkhead_state *s)
{
	uint64_t word = __atomic_load_n(&s->word, __ATOMIC_RELAXED);

	while (bulkhead_queued(word) != 0) {
		uint64_t left = (uint16_t)(left_of(word) + 1);
		uint64_t next = (uint64_t)bulkhead_in_flight(word) << 32 | left << 16 |
				(bulkhead_queued(word) - 1);

		if (swap(s, &word, clean_if_empty(next)))
			return 1;
	}
	return 0;
}

int bulkhead_refill(struct bulkhead_state *s, uint32_t limit)
{
	uint64_t word = __atomic_load_n(&s->word, __ATOMIC_RELAXED);

	while (bulkhead_queued(word) != 0 && has_room(word, limit)) {
		uint64_t next = word - one_queued + one_permit;

		if (swap(s, &word, next)) {
			note_admission(s, next, limit);
			return 1;
		}
	}
	return 0;
}
