/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection table of one worker: entries in shared memory (shm/conn.h), an
 * index of both keys, a free list, the list of resting entries and the timer
 * wheel. One thread, its owner. No allocation after start.
 *
 * Anything may be written over the entries at any time. Lists, index and what an entry holds are
 * therefore private (struct conn_own, 32 bytes an entry): a damaged entry is not found, or
 * misroutes its own packets, and is ended by its timer or by conn_is_sound(), but it leaves the
 * table as it was.
 *
 * Index: buckets of one cache line with eight 16-bit signatures and entry numbers;
 * a full bucket continues in an overflow bucket. At most half of the places are used
 * (35 to 70 bytes an entry). Both keys of a connection are in it, of a waiting one the forward
 * key and of a tombstone the reverse key; the number's lowest bit is the direction. Keys are hashed
 * with the region's random seed (XXH3), so that a stranger cannot aim at one bucket.
 */
#ifndef FENDER_DATAPLANE_CONN_TABLE_H
#define FENDER_DATAPLANE_CONN_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "dataplane/packet.h"
#include "dataplane/conn/wheel.h"

struct conn_bucket;

struct conn_table {
	struct conn *entries;
	struct conn_own *own; /* one an entry */
	uint32_t capacity;
	uint32_t used; /* entries not free */
	struct conn_bucket *buckets;
	uint32_t bucket_mask;
	uint32_t overflow_free;
	uint64_t seed;
	uint32_t free_head;
	uint32_t resting_head; /* oldest */
	uint32_t resting_tail;
	uint32_t resting;
	uint32_t tombstones;
	uint64_t resting_until_ns; /* deadline of the tail */
	struct wheel wheel;
	uint64_t index_bytes;
	uint64_t own_bytes;
};

/* What a look-up found: entry number << 1 | direction, or LOOKUP_NONE. */
enum { LOOKUP_NONE = 0xffffffffu, LOOKUP_BURST = 64 };

/**
 * conn_table_open() - take memory for the index
 * @entries: @capacity entries, 64-byte aligned, in shared memory; not touched: conn_table_adopt()
 *           (conn/adopt.h) is due before the table is used
 * @now_ns: start of the wheel
 * Return: 0 or -ENOMEM. Memory is private, with transparent hugepages where they are allowed.
 */
int conn_table_open(struct conn_table *t, struct conn *entries, uint32_t capacity, uint64_t seed,
		    uint64_t now_ns);

/* The same, with the entries zeroed: an empty table, ready for use. */
int conn_table_init(struct conn_table *t, struct conn *entries, uint32_t capacity, uint64_t seed,
		    uint64_t now_ns);
/* Its memory; the entries stay as they are. */
void conn_table_free(struct conn_table *t);

/**
 * conn_lookup_bulk() - find the connections of up to LOOKUP_BURST keys
 * @keys: keys[i] may be NULL: result LOOKUP_NONE
 * @results: n results
 *
 * Staged with prefetch: hashes, buckets, entries. Resting entries are found too.
 */
void conn_lookup_bulk(const struct conn_table *t, const struct flow_key *const *keys, uint32_t n,
		      uint32_t *results);

/* One key. For rare paths. */
uint32_t conn_lookup(const struct conn_table *t, const struct flow_key *key);

/* Take a free entry, zeroed (so its state is CONN_FREE), or NULL. Not yet in the index. */
struct conn *conn_alloc(struct conn_table *t);

/**
 * conn_insert() - put both keys of a filled entry into the index
 * Keys, IPv6 addresses and state are set by the caller except that state is stored here, last.
 * Return: 0; -EEXIST a key is there already; -ENOSPC no overflow bucket. On failure the entry is
 * still the caller's: give it back by conn_release().
 */
int conn_insert(struct conn_table *t, struct conn *c, enum conn_state state);

/* A call that waits (CONN_WAITING): only its forward key. Otherwise like conn_insert(). */
int conn_insert_forward(struct conn_table *t, struct conn *c);

/*
 * A waiting entry's attempt begins: its reverse key, filled in by now. On failure, as of
 * conn_insert(), it waits as before.
 */
int conn_insert_reverse(struct conn_table *t, struct conn *c, enum conn_state state);

/**
 * conn_bury() - the attempt of an entry is given up
 * @c: in the index with both keys; CONN_WAITING with its forward key afterwards
 * @tombstone: fresh from conn_alloc(); CONN_TOMBSTONE with the reverse key, the port and the next
 *             hop of the attempt. The caller schedules its end. It holds nothing of the call.
 */
void conn_bury(struct conn_table *t, struct conn *c, struct conn *tombstone);

/* Can conn_alloc() take an entry, if need be after the release of a resting one? */
static inline int conn_has_room(const struct conn_table *t)
{
	return t->used < t->capacity || t->resting != 0;
}

/* Take its keys out of the index (those that are in), all lists off, and free the entry. */
void conn_release(struct conn_table *t, struct conn *c);

/*
 * Start resting: from whatever list to the tail of the resting list until @deadline_ns. The rest
 * is the same for all, so the list is ordered. The state is the caller's to set.
 */
void conn_rest(struct conn_table *t, struct conn *c, uint64_t deadline_ns);

/* The longest-resting entry, or NULL. */
struct conn *conn_oldest_resting(const struct conn_table *t);

/*
 * (Re)schedule by c->deadline_ns: needed when it moves to earlier; later ones are lazy. Costs
 * nothing when the entry waits in a slot that is early enough already.
 */
void conn_schedule(struct conn_table *t, struct conn *c);

/**
 * conn_expire() - entries whose deadline has passed, resting ones first
 * @expired: room for @max (at least 2) pointers. They are on no list: the caller schedules, rests
 *           or releases each
 *
 * Looks at no more than @max entries. Those whose deadline has moved are put back by themselves
 * and count as looked at, so fewer than @max, even none, does not mean that nothing is left:
 * conn_next_ns() tells. Never early, at most WHEEL_TICK_NS late (resting: not at all).
 * Return: number of entries in @expired.
 */
uint32_t conn_expire(struct conn_table *t, uint64_t now_ns, struct conn **expired, uint32_t max);

/* Earliest time something may be due (wheel or resting list), UINT64_MAX when empty. */
uint64_t conn_next_ns(const struct conn_table *t);

static inline uint32_t conn_number(const struct conn_table *t, const struct conn *c)
{
	return (uint32_t)(c - t->entries);
}

static inline struct conn_own *conn_own(const struct conn_table *t, const struct conn *c)
{
	return &t->own[conn_number(t, c)];
}

/* The entry holds @port (host order) of the pool of its snat_address and protocol; 0: none. */
void conn_hold_port(struct conn_table *t, const struct conn *c, uint16_t port);

/*
 * Whether the state of an entry that is in the index can be true: it fits the keys and the list
 * that the table has it on. What is not was written over; its owner ends it.
 */
int conn_is_sound(const struct conn_table *t, const struct conn *c);

/* Whether the keys of an entry still are those that the index has it under. */
int conn_is_found(const struct conn_table *t, const struct conn *c);

/* Is it in use: not free, and not just taken? */
static inline int conn_is_live(const struct conn_table *t, uint32_t number)
{
	return t->own[number].indexed != 0;
}

/* The keys of a connection with their IPv6 addresses. */
void conn_forward_key(const struct conn *c, struct flow_key *key);
void conn_reverse_key(const struct conn *c, struct flow_key *key);

#endif
