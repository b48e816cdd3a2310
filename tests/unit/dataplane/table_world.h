/* SPDX-License-Identifier: Apache-2.0 */
/* One connection table and connections that are told apart by a number. */
#ifndef FENDER_TESTS_UNIT_DATAPLANE_TABLE_WORLD_H
#define FENDER_TESTS_UNIT_DATAPLANE_TABLE_WORLD_H

#include "dataplane/conn/index.h"

#include <CUnit/Basic.h>
#include <stdlib.h>

#define SECOND 1000000000ull

static struct conn_table table;
static inline void open_table(uint32_t capacity)
{
	struct conn *entries = aligned_alloc(64, (size_t)capacity * sizeof(*entries));

	if (!entries)
		abort();
	/* What was there before does not matter. */
	memset(entries, 0xa5, (size_t)capacity * sizeof(*entries));
	CU_ASSERT_EQUAL_FATAL(conn_table_init(&table, entries, capacity, 0x5eed, SECOND), 0);
}

static inline void close_table(void)
{
	conn_table_free(&table);
	free(table.entries);
}

/* Connection @id: every id has keys of its own; every third is IPv6. */
static inline void set_keys(struct conn *c, uint32_t id)
{
	int v6 = id % 3 == 0;

	c->fwd = (struct conn_key){.sport = (uint16_t)id,
				   .dport = 80,
				   .proto = PROTO_TCP,
				   .family = v6 ? FAMILY_V6 : FAMILY_V4};
	c->rev = c->fwd;
	c->rev.sport = 8080;
	c->rev.dport = (uint16_t)(id * 7);
	if (v6) {
		/* Same halves of keys for many: only the addresses tell them apart. */
		c->fwd.sport = 1;
		c->rev.dport = 2;
		memcpy(c->client6 + 12, &id, 4);
		memset(c->listener6, 0x11, 16);
		memset(c->endpoint6, 0x22, 16);
		memcpy(c->snat6, &id, 4);
	} else {
		c->fwd.src = id * 2654435761u;
		c->fwd.dst = 7;
		c->rev.src = 8;
		c->rev.dst = id;
	}
}

/* An entry that must be there. */
static inline struct conn *take(void)
{
	struct conn *c = conn_alloc(&table);

	if (!c)
		abort();
	return c;
}

static inline struct conn *open_id(uint32_t id)
{
	struct conn *c = take();

	set_keys(c, id);
	CU_ASSERT_EQUAL(conn_insert(&table, c, CONN_SYN_SENT), 0);
	return c;
}

static inline uint32_t find(const struct conn *keys, enum direction dir)
{
	struct flow_key key;

	if (dir == FORWARD)
		conn_forward_key(keys, &key);
	else
		conn_reverse_key(keys, &key);
	return conn_lookup(&table, &key);
}

static inline uint32_t find_id(uint32_t id, enum direction dir)
{
	struct conn c;

	memset(&c, 0, sizeof(c));
	set_keys(&c, id);
	return find(&c, dir);
}

static inline uint32_t overflow_free(void)
{
	uint32_t n = 0;

	for (uint32_t b = table.overflow_free; b; b = table.buckets[b].next)
		n++;
	return n;
}

static inline uint32_t signatures_in_use(void)
{
	uint64_t places = table.index_bytes / sizeof(struct conn_bucket) * BUCKET_PLACES;
	uint32_t n = 0;

	for (uint64_t i = 0; i < places; i++)
		n += table.buckets[i / BUCKET_PLACES].signature[i % BUCKET_PLACES] != 0;
	return n;
}

#endif
