/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/conn/index.h"

#include <assert.h>
#include <errno.h>
#include <sys/mman.h>

enum { HUGEPAGE_BYTES = 2 * 1024 * 1024 };

/*
 * Two keys an entry and at most half of the places in use: eight places for every two
 * entries. Keys fall on buckets as by chance (their hash is seeded), so at that load 2.1 %
 * of the buckets overflow; one overflow bucket for every eight is six times that.
 */
enum { ENTRIES_PER_BUCKET = 2, BUCKETS_PER_OVERFLOW = 8, MIN_OVERFLOW = 16 };

uint64_t index_hash_entry(const struct conn_table *t, const struct conn *c, enum direction dir)
{
	const struct conn_key *k = dir == FORWARD ? &c->fwd : &c->rev;
	struct flow_key key;

	if (__builtin_expect(k->family == FAMILY_V4, 1))
		return XXH3_64bits_withSeed(k, sizeof(*k), t->seed);
	if (dir == FORWARD)
		conn_forward_key(c, &key);
	else
		conn_reverse_key(c, &key);
	return index_hash(t, &key);
}

/* Zeroed private memory that starts on a huge page when it is as large as one. */
static void *take_memory(uint64_t bytes)
{
	uint64_t reserve = bytes >= HUGEPAGE_BYTES ? bytes + HUGEPAGE_BYTES : bytes;
	uint8_t *p =
		mmap(NULL, reserve, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t before;

	if (p == MAP_FAILED)
		return NULL;
	if (reserve == bytes)
		return p;
	before = -(uintptr_t)p & (HUGEPAGE_BYTES - 1);
	if (before)
		munmap(p, before);
	if (before < HUGEPAGE_BYTES)
		munmap(p + before + bytes, HUGEPAGE_BYTES - before);
	/* Refused where the kernel has no huge pages: small ones work too, only slower. */
	(void)madvise(p + before, bytes, MADV_HUGEPAGE);
	return p + before;
}

void *index_memory(uint64_t *bytes)
{
	void *p;

	*bytes = (*bytes + 4095) & ~4095ull;
	p = take_memory(*bytes);
	/* Touches every page now: none is taken while packets flow. */
	return p ? memset(p, 0, *bytes) : NULL;
}

int index_create(struct conn_table *t)
{
	uint32_t buckets = 1;
	uint32_t overflow;
	uint32_t wanted = t->capacity / ENTRIES_PER_BUCKET + t->capacity % ENTRIES_PER_BUCKET;
	uint64_t total;

	while (buckets < wanted)
		buckets *= 2;
	overflow = buckets / BUCKETS_PER_OVERFLOW + MIN_OVERFLOW;
	total = (uint64_t)buckets + overflow;
	t->bucket_mask = buckets - 1;
	t->index_bytes = total * sizeof(struct conn_bucket);
	t->buckets = index_memory(&t->index_bytes);
	if (!t->buckets)
		return -ENOMEM;
	t->overflow_free = 0;
	for (uint32_t i = (uint32_t)total - 1; i >= buckets; i--) {
		t->buckets[i].next = t->overflow_free;
		t->overflow_free = i;
	}
	return 0;
}

void index_destroy(struct conn_table *t)
{
	if (t->buckets)
		munmap(t->buckets, t->index_bytes);
	t->buckets = NULL;
}

int index_add(struct conn_table *t, uint64_t hash, uint32_t value)
{
	struct conn_bucket *b = index_bucket(t, hash);
	uint32_t unused, place;

	while (b->next)
		b = &t->buckets[b->next];
	unused = index_match(b, 0);
	if (!unused) {
		uint32_t number = t->overflow_free;

		if (number == 0)
			return -ENOSPC;
		t->overflow_free = t->buckets[number].next;
		t->buckets[number].next = 0;
		b->next = number;
		b = &t->buckets[number];
		unused = index_match(b, 0);
	}
	place = (uint32_t)__builtin_ctz(unused);
	b->value[place] = value;
	b->signature[place] = index_signature(hash);
	return 0;
}

/* The place of a value in one bucket, BUCKET_PLACES when it is elsewhere. */
static uint32_t place_of(const struct conn_bucket *b, uint16_t signature, uint32_t value)
{
	for (uint32_t match = index_match(b, signature); match; match &= match - 1) {
		uint32_t place = (uint32_t)__builtin_ctz(match);

		if (b->value[place] == value)
			return place;
	}
	return BUCKET_PLACES;
}

void index_replace(struct conn_table *t, uint64_t hash, uint32_t value, uint32_t by)
{
	struct conn_bucket *b = index_bucket(t, hash);
	uint16_t signature = index_signature(hash);
	uint32_t place;

	while ((place = place_of(b, signature, value)) == BUCKET_PLACES) {
		assert(b->next != 0);
		b = &t->buckets[b->next];
	}
	b->value[place] = by;
}

void index_delete(struct conn_table *t, uint64_t hash, uint32_t value)
{
	struct conn_bucket *b = index_bucket(t, hash);
	struct conn_bucket *before = NULL, *last;
	uint16_t signature = index_signature(hash);
	uint32_t place, used;

	while ((place = place_of(b, signature, value)) == BUCKET_PLACES) {
		assert(b->next != 0);
		before = b;
		b = &t->buckets[b->next];
	}
	for (last = b; last->next; last = &t->buckets[last->next])
		before = last;
	/* The hole is filled from the chain's last bucket, which has something to give. */
	if (last != b) {
		used = ~index_match(last, 0) & 0xff;
		uint32_t from = (uint32_t)__builtin_ctz(used);

		b->value[place] = last->value[from];
		b->signature[place] = last->signature[from];
		b = last;
		place = from;
	}
	b->signature[place] = 0;
	if (before && index_match(b, 0) == 0xff) {
		uint32_t number = before->next;

		before->next = 0;
		b->next = t->overflow_free;
		t->overflow_free = number;
	}
}
