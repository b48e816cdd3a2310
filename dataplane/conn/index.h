/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index of a connection table: hash of a key -> entry number and direction.
 * Internal to table.c, lookup.c and index.c.
 *
 * A bucket is one cache line of eight places. A place is in use when its signature, 16
 * bits of the hash that the bucket number does not contain, is not zero. Full buckets
 * continue in overflow buckets; only the last bucket of a chain may have a free place
 * that is not refilled at once, so chains are as short as their content allows.
 */
#ifndef FENDER_DATAPLANE_CONN_INDEX_H
#define FENDER_DATAPLANE_CONN_INDEX_H

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "dataplane/conn/table.h"

enum { BUCKET_PLACES = 8 };

struct conn_bucket {
	uint16_t signature[BUCKET_PLACES];
	uint32_t value[BUCKET_PLACES]; /* entry number << 1 | direction */
	uint32_t next;                 /* overflow bucket, 0: none; links the free ones too */
	uint32_t pad[3];
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct conn_bucket) == 64, "one cache line");
_Static_assert(offsetof(struct conn, fwd) == 0 &&
		       offsetof(struct conn, rev) == sizeof(struct conn_key),
	       "a key is found by its direction");
_Static_assert(sizeof(struct flow_key) == 48, "hashed whole, without holes");

/* An IPv4 key is hashed without the addresses of IPv6, which are zero. */
static inline uint64_t index_hash(const struct conn_table *t, const struct flow_key *key)
{
	if (__builtin_expect(key->k.family == FAMILY_V4, 1))
		return XXH3_64bits_withSeed(&key->k, sizeof(key->k), t->seed);
	return XXH3_64bits_withSeed(key, sizeof(*key), t->seed);
}

/* The key of an entry in one direction, hashed. */
uint64_t index_hash_entry(const struct conn_table *t, const struct conn *c, enum direction dir);

static inline struct conn_bucket *index_bucket(const struct conn_table *t, uint64_t hash)
{
	return &t->buckets[hash & t->bucket_mask];
}

static inline uint16_t index_signature(uint64_t hash)
{
	uint16_t signature = (uint16_t)(hash >> 48);

	return signature ? signature : 1;
}

/* Bit i: place i has this signature; 0 finds free places. */
static inline uint32_t index_match(const struct conn_bucket *b, uint16_t signature)
{
#if defined(__SSE2__)
	__m128i all = _mm_load_si128((const __m128i *)b->signature);
	__m128i equal = _mm_cmpeq_epi16(all, _mm_set1_epi16((short)signature));

	return (uint32_t)_mm_movemask_epi8(_mm_packs_epi16(equal, _mm_setzero_si128()));
#else
	uint32_t bits = 0;

	for (uint32_t i = 0; i < BUCKET_PLACES; i++)
		bits |= (uint32_t)(b->signature[i] == signature) << i;
	return bits;
#endif
}

/* Whether the entry and direction that an index value names carry this key. */
static inline int index_is(const struct conn_table *t, uint32_t value, const struct flow_key *key)
{
	const struct conn *c = &t->entries[value >> 1];
	uint64_t a[2], b[2];

	/* By address: which direction comes next is not to be guessed by the processor. */
	memcpy(a, (const uint8_t *)c + (value & 1) * sizeof(struct conn_key), sizeof(a));
	memcpy(b, &key->k, sizeof(b));
	if ((a[0] ^ b[0]) | (a[1] ^ b[1]))
		return 0;
	if (__builtin_expect(key->k.family == FAMILY_V4, 1))
		return 1;
	if (value & 1)
		return !memcmp(c->endpoint6, key->src6, 16) && !memcmp(c->snat6, key->dst6, 16);
	return !memcmp(c->client6, key->src6, 16) && !memcmp(c->listener6, key->dst6, 16);
}

/* Value of a key from bucket @b onwards, LOOKUP_NONE without it. */
static inline uint32_t index_find(const struct conn_table *t, const struct conn_bucket *b,
				  uint16_t signature, const struct flow_key *key)
{
	for (;;) {
		uint32_t match = index_match(b, signature);

		for (; match; match &= match - 1) {
			uint32_t value = b->value[__builtin_ctz(match)];

			if (index_is(t, value, key))
				return value;
		}
		if (__builtin_expect(b->next == 0, 1))
			return LOOKUP_NONE;
		b = &t->buckets[b->next];
	}
}

/*
 * Zeroed private memory of *@bytes, raised to whole pages, all of them touched; on huge pages where
 * they are allowed. NULL without memory; munmap() ends it.
 */
void *index_memory(uint64_t *bytes);

/* Memory for the buckets, by t->capacity. Return 0 or -ENOMEM. */
int index_create(struct conn_table *t);
void index_destroy(struct conn_table *t);

/* Add a value whose key is not there. Return 0 or -ENOSPC. */
int index_add(struct conn_table *t, uint64_t hash, uint32_t value);

/* Take a value out. It is there. */
void index_delete(struct conn_table *t, uint64_t hash, uint32_t value);

/* Put another value, of an entry with the same key, in the place of one that is there. */
void index_replace(struct conn_table *t, uint64_t hash, uint32_t value, uint32_t by);

#endif
