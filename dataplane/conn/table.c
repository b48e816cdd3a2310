/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/conn/table.h"

#include <assert.h>
#include <errno.h>

#include "dataplane/conn/index.h"
#include "dataplane/conn/table_parts.h"

/* The free list: single links, last in first out, so that entries are warm when taken. */
void table_free_push(struct conn_table *t, struct conn *c)
{
	c->list = CONN_LIST_FREE;
	c->next = t->free_head;
	t->free_head = conn_number(t, c);
}

/*
 * The oldest resting entry has changed. The next release will most likely be of the new one: its
 * buckets are fetched now, and the lines of the one behind it, so that at each step both have
 * had the time of a whole connection to arrive.
 */
static void resting_warm(const struct conn_table *t)
{
	const struct conn *oldest, *second;

	if (t->resting_head == CONN_NONE)
		return;
	oldest = &t->entries[t->resting_head];
	__builtin_prefetch(index_bucket(t, index_hash_entry(t, oldest, FORWARD)), 1);
	__builtin_prefetch(index_bucket(t, index_hash_entry(t, oldest, REVERSE)), 1);
	if (oldest->next == CONN_NONE)
		return;
	second = &t->entries[oldest->next];
	__builtin_prefetch(second, 1);
	__builtin_prefetch(&second->created_ns, 1);
}

static void resting_remove(struct conn_table *t, struct conn *c)
{
	c->list = CONN_LIST_NONE;
	t->resting--;
	if (c->next != CONN_NONE)
		t->entries[c->next].prev = c->prev;
	else
		t->resting_tail = c->prev;
	if (c->prev != CONN_NONE) {
		t->entries[c->prev].next = c->next;
	} else {
		t->resting_head = c->next;
		resting_warm(t);
	}
}

static void leave_list(struct conn_table *t, struct conn *c)
{
	if (c->list >= CONN_LIST_WHEEL)
		wheel_remove(&t->wheel, t->entries, conn_number(t, c));
	else if (c->list == CONN_LIST_RESTING)
		resting_remove(t, c);
}

int conn_table_open(struct conn_table *t, struct conn *entries, uint32_t capacity, uint64_t seed,
		    uint64_t now_ns)
{
	assert(((uintptr_t)entries & 63) == 0 && capacity <= LOOKUP_NONE / 2);
	*t = (struct conn_table){
		.entries = entries,
		.capacity = capacity,
		.seed = seed,
		.free_head = CONN_NONE,
		.resting_head = CONN_NONE,
		.resting_tail = CONN_NONE,
	};
	wheel_init(&t->wheel, now_ns);
	return index_create(t);
}

int conn_table_init(struct conn_table *t, struct conn *entries, uint32_t capacity, uint64_t seed,
		    uint64_t now_ns)
{
	int rc = conn_table_open(t, entries, capacity, seed, now_ns);

	if (rc)
		return rc;
	memset(entries, 0, (size_t)capacity * sizeof(*entries));
	for (uint32_t i = capacity; i-- > 0;)
		table_free_push(t, &entries[i]);
	return 0;
}

void conn_table_free(struct conn_table *t)
{
	index_destroy(t);
}

struct conn *conn_alloc(struct conn_table *t)
{
	struct conn *c, *following;

	if (t->free_head == CONN_NONE)
		return NULL;
	c = &t->entries[t->free_head];
	t->free_head = c->next;
	if (t->free_head != CONN_NONE) {
		following = &t->entries[t->free_head];
		__builtin_prefetch(&following->created_ns, 1);
		__builtin_prefetch(following, 1);
		__builtin_prefetch(&following->fwd_end, 1);
		__builtin_prefetch(following->client6, 1);
	}
	t->used++;
	memset(c, 0, sizeof(*c));
	return c;
}

/* Add one key of an entry. Return 0, -EEXIST or -ENOSPC. */
static int insert_key(struct conn_table *t, const struct conn *c, enum direction dir, uint64_t hash)
{
	struct flow_key key;

	if (dir == FORWARD)
		conn_forward_key(c, &key);
	else
		conn_reverse_key(c, &key);
	if (index_find(t, index_bucket(t, hash), index_signature(hash), &key) != LOOKUP_NONE)
		return -EEXIST;
	return index_add(t, hash, conn_number(t, c) << 1 | dir);
}

/* Pairs with an acquire load by whoever walks the entries: what it sees live is whole. */
static void set_state(struct conn *c, enum conn_state state)
{
	__atomic_store_n(&c->state, (uint8_t)state, __ATOMIC_RELEASE);
}

static int insert_both(struct conn_table *t, const struct conn *c)
{
	uint64_t rev_hash = index_hash_entry(t, c, REVERSE);
	uint64_t fwd_hash = index_hash_entry(t, c, FORWARD);
	int rc;

	/* The look-up that missed has warmed the forward bucket; nobody has asked for this one. */
	__builtin_prefetch(index_bucket(t, rev_hash), 1);
	rc = insert_key(t, c, FORWARD, fwd_hash);
	if (rc)
		return rc;
	rc = insert_key(t, c, REVERSE, rev_hash);
	if (rc)
		index_delete(t, fwd_hash, conn_number(t, c) << 1 | FORWARD);
	return rc;
}

int conn_insert(struct conn_table *t, struct conn *c, enum conn_state state)
{
	int rc;

	assert(c->state == CONN_FREE && c->list == CONN_LIST_NONE && state != CONN_FREE);
	rc = insert_both(t, c);
	if (rc == 0)
		set_state(c, state);
	return rc;
}

int table_index(struct conn_table *t, const struct conn *c, enum conn_state state)
{
	if (state == CONN_TOMBSTONE)
		return insert_key(t, c, REVERSE, index_hash_entry(t, c, REVERSE));
	return insert_both(t, c);
}

int conn_insert_forward(struct conn_table *t, struct conn *c)
{
	int rc;

	assert(c->state == CONN_FREE && c->list == CONN_LIST_NONE);
	rc = insert_key(t, c, FORWARD, index_hash_entry(t, c, FORWARD));
	if (rc == 0)
		set_state(c, CONN_WAITING);
	return rc;
}

int conn_insert_reverse(struct conn_table *t, struct conn *c, enum conn_state state)
{
	int rc;

	assert(c->state == CONN_WAITING);
	rc = insert_key(t, c, REVERSE, index_hash_entry(t, c, REVERSE));
	if (rc == 0)
		set_state(c, state);
	return rc;
}

void conn_bury(struct conn_table *t, struct conn *c, struct conn *tombstone)
{
	uint32_t value = conn_number(t, c) << 1 | REVERSE;
	uint32_t by = conn_number(t, tombstone) << 1 | REVERSE;

	assert(c->state != CONN_WAITING && c->state != CONN_TOMBSTONE &&
	       tombstone->state == CONN_FREE);
	tombstone->fwd = c->fwd;
	tombstone->rev = c->rev;
	memcpy(tombstone->endpoint6, c->endpoint6, 16);
	memcpy(tombstone->snat6, c->snat6, 16);
	tombstone->snat_address = c->snat_address;
	tombstone->listener = c->listener;
	tombstone->cluster = c->cluster;
	tombstone->endpoint = c->endpoint;
	tombstone->neighbour_fwd = c->neighbour_fwd;
	tombstone->neighbour_fwd_gen = c->neighbour_fwd_gen;
	index_replace(t, index_hash_entry(t, c, REVERSE), value, by);
	set_state(c, CONN_WAITING);
	set_state(tombstone, CONN_TOMBSTONE);
	t->tombstones++;
}

static void unindex(struct conn_table *t, struct conn *c)
{
	uint64_t fwd_hash = index_hash_entry(t, c, FORWARD);
	uint64_t rev_hash = index_hash_entry(t, c, REVERSE);
	uint32_t value = conn_number(t, c) << 1;
	uint8_t state = c->state;

	__builtin_prefetch(index_bucket(t, fwd_hash), 1);
	__builtin_prefetch(index_bucket(t, rev_hash), 1);
	/* Whoever walks the entries sees this one free before anything of it changes. */
	__atomic_store_n(&c->state, (uint8_t)CONN_FREE, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	leave_list(t, c);
	if (state != CONN_TOMBSTONE)
		index_delete(t, fwd_hash, value | FORWARD);
	else
		t->tombstones--;
	if (state != CONN_WAITING)
		index_delete(t, rev_hash, value | REVERSE);
}

void conn_release(struct conn_table *t, struct conn *c)
{
	assert(c->list != CONN_LIST_FREE && t->used > 0);
	if (c->state != CONN_FREE)
		unindex(t, c);
	else
		leave_list(t, c);
	t->used--;
	table_free_push(t, c);
}

void conn_rest(struct conn_table *t, struct conn *c, uint64_t deadline_ns)
{
	leave_list(t, c);
	c->deadline_ns = deadline_ns;
	c->list = CONN_LIST_RESTING;
	c->next = CONN_NONE;
	c->prev = t->resting_tail;
	if (t->resting_tail != CONN_NONE)
		t->entries[t->resting_tail].next = conn_number(t, c);
	else
		t->resting_head = conn_number(t, c);
	t->resting_tail = conn_number(t, c);
	t->resting++;
}

struct conn *conn_oldest_resting(const struct conn_table *t)
{
	return t->resting_head == CONN_NONE ? NULL : &t->entries[t->resting_head];
}

void conn_schedule(struct conn_table *t, struct conn *c)
{
	if (wheel_is_early_enough(&t->wheel, c))
		return;
	leave_list(t, c);
	wheel_insert(&t->wheel, t->entries, conn_number(t, c));
}

uint32_t conn_expire(struct conn_table *t, uint64_t now_ns, struct conn **expired, uint32_t max)
{
	/* Half of a call is kept for the wheel, so that neither list can starve the other. */
	uint32_t resting_max = max - max / 2;
	uint32_t n = 0;

	while (n < resting_max && t->resting_head != CONN_NONE) {
		struct conn *c = &t->entries[t->resting_head];

		if (c->deadline_ns > now_ns)
			break;
		resting_remove(t, c);
		expired[n++] = c;
	}
	return n + wheel_expire(&t->wheel, t->entries, now_ns, expired + n, max - n);
}

uint64_t conn_next_ns(const struct conn_table *t)
{
	uint64_t wheel_ns = wheel_next_ns(&t->wheel);
	uint64_t resting_ns = UINT64_MAX;

	if (t->resting_head != CONN_NONE)
		resting_ns = t->entries[t->resting_head].deadline_ns;
	return wheel_ns < resting_ns ? wheel_ns : resting_ns;
}
