/* SPDX-License-Identifier: Apache-2.0 */
/* Finding, making and recycling entries. */
#include "dataplane/net/neighbour_entry.h"

#include <errno.h>
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { WAYS = NEIGHBOUR_CANDIDATES / 2, SETS = NEIGHBOUR_ENTRIES / WAYS };

#define USED_GRAIN_NS    1000000000ull /* used_ns is stored no more often than this */
#define RECYCLE_CLASS(n) ((uint64_t)(n) << 60)

void neighbour_touch(struct neighbour *n, uint64_t now_ns)
{
	uint64_t used = __atomic_load_n(&n->used_ns, __ATOMIC_RELAXED);

	if (used == 0 || neighbour_passed(now_ns, used, USED_GRAIN_NS))
		__atomic_store_n(&n->used_ns, now_ns ? now_ns : 1, __ATOMIC_RELAXED);
}

void neighbour_key_make(const struct neighbour_table *t, uint8_t interface, const uint8_t ip[16],
			struct neighbour_key *key)
{
	uint64_t hash;

	memcpy(key->w, ip, 16);
	key->w[2] = interface;
	hash = XXH3_64bits_withSeed(key->w, sizeof(key->w), t->seed);
	key->set[0] = hash % SETS;
	key->set[1] = (hash >> 32) % SETS;
	if (key->set[1] == key->set[0])
		key->set[1] ^= 1;
}

uint16_t neighbour_candidate(const struct neighbour_key *key, uint32_t i)
{
	return (uint16_t)(key->set[i / WAYS] * WAYS + i % WAYS);
}

int neighbour_holds(const struct neighbour *n, const struct neighbour_key *key, uint64_t *word)
{
	uint64_t before = word_load(n);

	if (word_state(before) == NEIGHBOUR_FREE || word_state(before) == NEIGHBOUR_BUSY)
		return 0;
	for (int i = 0; i < 3; i++)
		if (__atomic_load_n(&n->key[i], __ATOMIC_ACQUIRE) != key->w[i])
			return 0;
	*word = word_load(n);
	return word_generation(*word) == word_generation(before) &&
	       word_state(*word) != NEIGHBOUR_BUSY;
}

/* What recycling a taken entry costs: the smallest goes first; UINT64_MAX stays. */
static uint64_t recycle_cost(const struct neighbour *n, uint64_t word, uint64_t now_ns)
{
	uint64_t used = __atomic_load_n(&n->used_ns, __ATOMIC_RELAXED);
	uint64_t confirmed = __atomic_load_n(&n->confirmed_ns, __ATOMIC_RELAXED);

	switch (word_state(word)) {
	case NEIGHBOUR_INCOMPLETE:
	case NEIGHBOUR_FAILED:
		return RECYCLE_CLASS(1) + used;
	case NEIGHBOUR_REACHABLE:
	case NEIGHBOUR_STALE:
	case NEIGHBOUR_KERNEL:
		if (used == 0)
			return RECYCLE_CLASS(1) + confirmed;
		if (neighbour_passed(now_ns, used, NEIGHBOUR_RECENT_NS))
			return RECYCLE_CLASS(2) + used;
		return UINT64_MAX;
	default:
		return UINT64_MAX;
	}
}

/* The cheapest candidate with its word, or NULL. Of free ones: in the emptier set. */
static struct neighbour *cheapest(struct neighbour_table *t, const struct neighbour_key *key,
				  uint64_t now_ns, uint64_t *word)
{
	uint64_t best_cost = UINT64_MAX;
	struct neighbour *best = NULL;

	for (uint32_t set = 0; set < 2; set++) {
		uint64_t words[WAYS], taken = 0;

		for (uint32_t i = 0; i < WAYS; i++) {
			words[i] = word_load(&t->entries[neighbour_candidate(key, set * WAYS + i)]);
			taken += word_state(words[i]) != NEIGHBOUR_FREE;
		}
		for (uint32_t i = 0; i < WAYS; i++) {
			struct neighbour *n = &t->entries[neighbour_candidate(key, set * WAYS + i)];
			uint64_t cost = word_state(words[i]) == NEIGHBOUR_FREE
						? taken
						: recycle_cost(n, words[i], now_ns);

			if (cost < best_cost) {
				best_cost = cost;
				best = n;
				*word = words[i];
			}
		}
	}
	return best;
}

static struct neighbour *take_cheapest(struct neighbour_table *t, const struct neighbour_key *key,
				       uint64_t now_ns, uint8_t *generation)
{
	for (int tries = 0; tries < NEIGHBOUR_SWAP_TRIES; tries++) {
		uint64_t word;
		struct neighbour *n = cheapest(t, key, now_ns, &word);

		if (!n)
			return NULL;
		*generation = (uint8_t)(word_generation(word) + 1);
		if (word_swap(n, &word, word_make(0, *generation, NEIGHBOUR_BUSY, 0)))
			return n;
	}
	return NULL;
}

struct neighbour *neighbour_insert(struct neighbour_table *t, const struct neighbour_key *key,
				   uint64_t mac, enum neighbour_state state, uint64_t now_ns,
				   uint8_t *generation)
{
	struct neighbour *n = take_cheapest(t, key, now_ns, generation);

	if (!n)
		return NULL;
	for (int i = 0; i < 3; i++)
		__atomic_store_n(&n->key[i], key->w[i], __ATOMIC_RELEASE);
	__atomic_store_n(&n->confirmed_ns, now_ns, __ATOMIC_RELAXED);
	__atomic_store_n(&n->asked_ns, now_ns - NEIGHBOUR_RETRY_NS, __ATOMIC_RELAXED);
	__atomic_store_n(&n->used_ns, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&n->word, word_make(mac, *generation, state, 0), __ATOMIC_RELEASE);
	return n;
}

struct neighbour_table *neighbour_table_create(uint64_t seed)
{
	struct neighbour_table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->seed = seed;
	t->memory = calloc(NEIGHBOUR_ENTRIES + 1, sizeof(struct neighbour));
	if (!t->memory) {
		free(t);
		return NULL;
	}
	t->entries = (void *)((char *)t->memory + (64 - (uintptr_t)t->memory % 64));
	return t;
}

void neighbour_table_destroy(struct neighbour_table *t)
{
	if (!t)
		return;
	free(t->memory);
	free(t);
}

int neighbour_set_static(struct neighbour_table *t, uint8_t interface, const uint8_t ip[16],
			 const uint8_t mac[6])
{
	struct neighbour_key key;
	uint8_t generation;
	int known = 0;

	neighbour_key_make(t, interface, ip, &key);
	for (uint32_t i = 0; i < NEIGHBOUR_CANDIDATES; i++) {
		struct neighbour *n = &t->entries[neighbour_candidate(&key, i)];
		uint64_t word;

		for (int tries = 0; tries < NEIGHBOUR_SWAP_TRIES && neighbour_holds(n, &key, &word);
		     tries++) {
			uint64_t fixed = word_make(mac_pack(mac), word_generation(word),
						   NEIGHBOUR_STATIC, 0);

			known = 1;
			if (word_swap(n, &word, fixed))
				break;
		}
	}
	if (known || neighbour_insert(t, &key, mac_pack(mac), NEIGHBOUR_STATIC, 0, &generation))
		return 0;
	return -ENOSPC;
}

uint16_t neighbour_find(struct neighbour_table *t, uint8_t interface, const uint8_t ip[16],
			uint64_t now_ns, uint8_t *generation)
{
	struct neighbour *n;
	struct neighbour_key key;
	uint64_t word;

	neighbour_key_make(t, interface, ip, &key);
	for (uint32_t i = 0; i < NEIGHBOUR_CANDIDATES; i++) {
		n = &t->entries[neighbour_candidate(&key, i)];
		if (neighbour_holds(n, &key, &word)) {
			neighbour_touch(n, now_ns);
			*generation = word_generation(word);
			return neighbour_candidate(&key, i);
		}
	}
	n = neighbour_insert(t, &key, 0, NEIGHBOUR_INCOMPLETE, now_ns, generation);
	if (!n)
		return NEIGHBOUR_NONE;
	neighbour_touch(n, now_ns);
	return (uint16_t)(n - t->entries);
}

int neighbour_address(const struct neighbour_table *t, uint16_t number, uint8_t generation,
		      uint8_t *interface, uint8_t ip[16])
{
	const struct neighbour *n;
	uint64_t word, key[3];

	if (number >= NEIGHBOUR_ENTRIES)
		return -1;
	n = &t->entries[number];
	word = word_load(n);
	if (word_generation(word) != generation || word_state(word) == NEIGHBOUR_FREE ||
	    word_state(word) == NEIGHBOUR_BUSY)
		return -1;
	for (int i = 0; i < 3; i++)
		key[i] = __atomic_load_n(&n->key[i], __ATOMIC_ACQUIRE);
	word = word_load(n);
	if (word_generation(word) != generation || word_state(word) == NEIGHBOUR_BUSY)
		return -1;
	memcpy(ip, key, 16);
	*interface = (uint8_t)key[2];
	return 0;
}
