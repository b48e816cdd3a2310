/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/conn/wheel.h"

#include <assert.h>

enum { SLOT_MASK = WHEEL_SLOTS - 1, WORDS = WHEEL_SLOTS / 64 };
_Static_assert((WHEEL_SLOTS & SLOT_MASK) == 0, "slots are found by masking");

void wheel_init(struct wheel *w, struct conn *entries, struct conn_own *own, uint64_t now_ns)
{
	w->entries = entries;
	w->own = own;
	w->tick = now_ns >> WHEEL_TICK_SHIFT;
	for (uint32_t i = 0; i < WHEEL_SLOTS; i++)
		w->heads[i] = CONN_NONE;
	for (uint32_t i = 0; i < WORDS; i++)
		w->occupied[i] = 0;
}

/* Ticks from the next slot to fire to the one that serves a deadline. */
static uint64_t distance_of(const struct wheel *w, uint64_t deadline_ns)
{
	uint64_t tick = deadline_ns >> WHEEL_TICK_SHIFT;

	if (tick <= w->tick)
		return 0;
	return tick - w->tick < WHEEL_SLOTS ? tick - w->tick : WHEEL_SLOTS - 1;
}

void wheel_insert(struct wheel *w, uint32_t number)
{
	struct conn_own *own = &w->own[number];
	uint64_t distance = distance_of(w, w->entries[number].deadline_ns);
	uint32_t slot = (uint32_t)(w->tick + distance) & SLOT_MASK;
	uint32_t head = w->heads[slot];

	assert(own->list == CONN_LIST_NONE);
	own->list = (uint16_t)(CONN_LIST_WHEEL + slot);
	own->prev = CONN_NONE;
	own->next = head;
	if (head != CONN_NONE)
		w->own[head].prev = number;
	else
		w->occupied[slot / 64] |= 1ull << (slot % 64);
	w->heads[slot] = number;
}

void wheel_remove(struct wheel *w, uint32_t number)
{
	struct conn_own *own = &w->own[number];
	uint32_t slot = own->list - (uint32_t)CONN_LIST_WHEEL;

	assert(own->list >= CONN_LIST_WHEEL && slot < WHEEL_SLOTS);
	if (own->next != CONN_NONE)
		w->own[own->next].prev = own->prev;
	if (own->prev != CONN_NONE)
		w->own[own->prev].next = own->next;
	else
		w->heads[slot] = own->next;
	if (w->heads[slot] == CONN_NONE)
		w->occupied[slot / 64] &= ~(1ull << (slot % 64));
	own->list = CONN_LIST_NONE;
}

int wheel_is_early_enough(const struct wheel *w, uint32_t number)
{
	const uint16_t list = w->own[number].list;

	if (list < CONN_LIST_WHEEL)
		return 0;
	return ((list - (uint32_t)CONN_LIST_WHEEL - w->tick) & SLOT_MASK) <=
	       distance_of(w, w->entries[number].deadline_ns);
}

/* Ticks from the next slot to fire to the first occupied one; WHEEL_SLOTS when none is. */
static uint32_t distance_to_occupied(const struct wheel *w)
{
	uint32_t start = (uint32_t)w->tick & SLOT_MASK;
	uint64_t bits = w->occupied[start / 64] & (~0ull << (start % 64));
	uint32_t word = start / 64;

	/* The last round looks at the first word again, for its slots before the start. */
	for (uint32_t i = 0; i <= WORDS; i++) {
		if (bits)
			return (word * 64 + (uint32_t)__builtin_ctzll(bits) - start) & SLOT_MASK;
		word = (word + 1) % WORDS;
		bits = w->occupied[word];
	}
	return WHEEL_SLOTS;
}

/*
 * More than a whole round late: every slot is due. Whole rounds are skipped, so that slots
 * keep their order and an entry that is put back is not visited once for each of them.
 */
static void skip_rounds(struct wheel *w, uint64_t now_tick)
{
	uint64_t rounds = (now_tick - w->tick) / WHEEL_SLOTS;

	if (rounds > 1)
		w->tick += (rounds - 1) * WHEEL_SLOTS;
}

/* Its time has come, or nobody can have meant it. */
static int is_due(uint64_t deadline_ns, uint64_t now_ns)
{
	return deadline_ns <= now_ns ||
	       (deadline_ns - now_ns > WHEEL_FARTHEST_NS && deadline_ns != UINT64_MAX);
}

uint32_t wheel_expire(struct wheel *w, uint64_t now_ns, struct conn **expired, uint32_t max)
{
	uint64_t now_tick = now_ns >> WHEEL_TICK_SHIFT;
	uint32_t n = 0;
	uint32_t looked_at = 0;

	if (now_tick <= w->tick)
		return 0;
	skip_rounds(w, now_tick);
	while (w->tick < now_tick) {
		uint32_t distance = distance_to_occupied(w);
		uint32_t number;

		if (distance >= now_tick - w->tick) {
			w->tick = now_tick;
			break;
		}
		w->tick += distance;
		while ((number = w->heads[w->tick & SLOT_MASK]) != CONN_NONE) {
			struct conn *c = &w->entries[number];
			uint32_t next = w->own[number].next;

			if (looked_at++ == max)
				return n;
			if (next != CONN_NONE) {
				__builtin_prefetch(&w->entries[next].deadline_ns);
				__builtin_prefetch(&w->own[next]);
			}
			wheel_remove(w, number);
			if (is_due(c->deadline_ns, now_ns))
				expired[n++] = c;
			else
				wheel_insert(w, number);
		}
		w->tick++;
	}
	return n;
}

uint64_t wheel_next_ns(const struct wheel *w)
{
	uint32_t distance = distance_to_occupied(w);

	if (distance == WHEEL_SLOTS)
		return UINT64_MAX;
	return (w->tick + distance + 1) << WHEEL_TICK_SHIFT;
}
