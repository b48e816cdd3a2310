/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/conn/index.h"

#include <assert.h>

void conn_forward_key(const struct conn *c, struct flow_key *key)
{
	key->k = c->fwd;
	memcpy(key->src6, c->client6, 16);
	memcpy(key->dst6, c->listener6, 16);
}

void conn_reverse_key(const struct conn *c, struct flow_key *key)
{
	key->k = c->rev;
	memcpy(key->src6, c->endpoint6, 16);
	memcpy(key->dst6, c->snat6, 16);
}

uint32_t conn_lookup(const struct conn_table *t, const struct flow_key *key)
{
	uint64_t hash = index_hash(t, key);

	return index_find(t, index_bucket(t, hash), index_signature(hash), key);
}

/* What will be read of the entry that a bucket's first match names. */
static inline void prefetch_entry(const struct conn_table *t, uint32_t value, int is_v6)
{
	const struct conn *c = &t->entries[value >> 1];

	__builtin_prefetch(c);
	__builtin_prefetch(&c->fwd_end);
	if (__builtin_expect(is_v6, 0))
		__builtin_prefetch(c->client6);
}

void conn_lookup_bulk(const struct conn_table *t, const struct flow_key *const *keys, uint32_t n,
		      uint32_t *results)
{
	const struct conn_bucket *bucket[LOOKUP_BURST];
	uint16_t signature[LOOKUP_BURST];

	assert(n <= LOOKUP_BURST);
	for (uint32_t i = 0; i < n; i++) {
		uint64_t hash;

		if (__builtin_expect(!keys[i], 0))
			continue;
		hash = index_hash(t, keys[i]);
		bucket[i] = index_bucket(t, hash);
		signature[i] = index_signature(hash);
		__builtin_prefetch(bucket[i]);
	}
	for (uint32_t i = 0; i < n; i++) {
		uint32_t match;

		if (__builtin_expect(!keys[i], 0))
			continue;
		match = index_match(bucket[i], signature[i]);
		if (__builtin_expect(match != 0, 1))
			prefetch_entry(t, bucket[i]->value[__builtin_ctz(match)],
				       keys[i]->k.family != FAMILY_V4);
		else if (bucket[i]->next)
			__builtin_prefetch(&t->buckets[bucket[i]->next]);
	}
	for (uint32_t i = 0; i < n; i++) {
		const struct conn *c;

		results[i] = keys[i] ? index_find(t, bucket[i], signature[i], keys[i])
				     : (uint32_t)LOOKUP_NONE;
		if (results[i] == LOOKUP_NONE)
			continue;
		/* Handshakes and ends move timers and lists. */
		c = &t->entries[results[i] >> 1];
		if (c->state != CONN_ESTABLISHED)
			__builtin_prefetch(&c->created_ns, 1);
	}
}
