/* SPDX-License-Identifier: Apache-2.0 */
/* Entries of the neighbour table; internal to neighbour*.c. */
#ifndef FENDER_DATAPLANE_NET_NEIGHBOUR_ENTRY_H
#define FENDER_DATAPLANE_NET_NEIGHBOUR_ENTRY_H

#include <stdint.h>
#include <string.h>

#include "dataplane/net/neighbour.h"

enum {
	NEIGHBOUR_BUSY = 15,      /* a state: its key is being replaced */
	NEIGHBOUR_SWAP_TRIES = 4, /* before giving way to whoever changes the entry */
};

#define NEIGHBOUR_MAC_MASK 0xffffffffffffull

/*
 * Written by any worker. The key belongs to the generation in word: a writer swaps word to
 * NEIGHBOUR_BUSY, stores the key, then word; a reader compares word before and after. confirmed_ns,
 * asked_ns and used_ns may be those of the generation before for a moment: at worst one
 * question too many or too late.
 */
struct neighbour {
	uint64_t word; /* mac:48 | generation:8 | state:4 | questions:4 */
	uint64_t key[3];
	uint64_t confirmed_ns;
	uint64_t asked_ns;
	uint64_t used_ns; /* 0: by no packet of ours */
	uint64_t pad;
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct neighbour) == 64, "one line an entry");

struct neighbour_table {
	uint64_t seed;
	void *memory;
	struct neighbour *entries;
};

/* What is looked for, and the two sets of entries it may be in. */
struct neighbour_key {
	uint64_t w[3];
	uint32_t set[2];
};

static inline uint64_t word_make(uint64_t mac, uint8_t generation, uint8_t state, uint8_t questions)
{
	return mac | (uint64_t)generation << 48 | (uint64_t)state << 56 | (uint64_t)questions << 60;
}

static inline uint8_t word_generation(uint64_t word)
{
	return (uint8_t)(word >> 48);
}

static inline uint8_t word_state(uint64_t word)
{
	return word >> 56 & 15;
}

static inline uint8_t word_questions(uint64_t word)
{
	return (uint8_t)(word >> 60);
}

static inline uint64_t mac_pack(const uint8_t mac[6])
{
	uint64_t packed = 0;

	memcpy(&packed, mac, 6);
	return packed;
}

/* Acquire: pairs with the release of whoever stored the word, so that the key is there. */
static inline uint64_t word_load(const struct neighbour *n)
{
	return __atomic_load_n(&n->word, __ATOMIC_ACQUIRE);
}

/* On failure *expected is the word found. */
static inline int word_swap(struct neighbour *n, uint64_t *expected, uint64_t desired)
{
	return __atomic_compare_exchange_n(&n->word, expected, desired, 0, __ATOMIC_ACQ_REL,
					   __ATOMIC_ACQUIRE);
}

/* Has @period passed? Another worker's clock reading may be ahead of ours. */
static inline int neighbour_passed(uint64_t now_ns, uint64_t since_ns, uint64_t period_ns)
{
	return (int64_t)(now_ns - since_ns) >= (int64_t)period_ns;
}

/* Note that a packet of ours uses the entry. */
void neighbour_touch(struct neighbour *n, uint64_t now_ns);

void neighbour_key_make(const struct neighbour_table *t, uint8_t interface, const uint8_t ip[16],
			struct neighbour_key *key);

/* Number of the i-th of NEIGHBOUR_CANDIDATES entries that may hold @key. */
uint16_t neighbour_candidate(const struct neighbour_key *key, uint32_t i);

/* Is @n the entry of @key? *word receives what a swap must expect. */
int neighbour_holds(const struct neighbour *n, const struct neighbour_key *key, uint64_t *word);

/*
 * Put @key in place of the cheapest candidate. Two workers may do so for the same key at once;
 * then it has two entries until one is recycled: both are asked for, both learn.
 */
struct neighbour *neighbour_insert(struct neighbour_table *t, const struct neighbour_key *key,
				   uint64_t mac, enum neighbour_state state, uint64_t now_ns,
				   uint8_t *generation);

#endif
