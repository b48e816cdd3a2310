/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/conn/table.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <sys/mman.h>

#include "dataplane/conn/index.h"
#include "dataplane/conn/table_parts.h"

/* conn_own.indexed */
enum {
	KEY_FORWARD = 1 << FORWARD,
	KEY_REVERSE = 1 << REVERSE,
	KEY_BOTH = KEY_FORWARD | KEY_REVERSE
};

/* The free list: single links, last in first out, so that entries are warm when taken. */
void table_free_push(struct conn_table *t, struct conn *c)
{
	struct conn_own *own = conn_own(t, c);

	*own = (struct conn_own){.list = CONN_LIST_FREE, .next = t->free_head};
	t->free_head = conn_number(t, c);
}

/* A hash as far as the index goes by it. */
static uint64_t hash_of(const struct conn_own *own, enum direction dir)
{
	return (uint64_t)own->signature[dir] << 48 | own->bucket[dir];
}

static void warm_bucket(const struct conn_table *t, const struct conn_own *own, enum direction dir)
{
	__builtin_prefetch(&t->buckets[own->bucket[dir]], 1);
}

/*
 * The oldest resting entry has changed. The next release will most likely be of the new one: its
 * buckets are fetched now, and the lines of the one behind it, so that at each step both have
 * had the time of a whole connection to arrive.
 */
static void resting_warm(const struct conn_table *t)
{
	const struct conn_own *oldest;
	const struct conn *second;

	if (t->resting_head == CONN_NONE)
		return;
	oldest = &t->own[t->resting_head];
	warm_bucket(t, oldest, FORWARD);
	warm_bucket(t, oldest, REVERSE);
	if (oldest->next == CONN_NONE)
		return;
	second = &t->entries[oldest->next];
	__builtin_prefetch(&t->own[oldest->next], 1);
	__builtin_prefetch(second, 1);
	__builtin_prefetch(&second->created_ns, 1);
}

static void resting_remove(struct conn_table *t, struct conn_own *own)
{
	own->list = CONN_LIST_NONE;
	t->resting--;
	if (own->next != CONN_NONE)
		t->own[own->next].prev = own->prev;
	else
		t->resting_tail = own->prev;
	if (own->prev != CONN_NONE) {
		t->own[own->prev].next = own->next;
	} else {
		t->resting_head = own->next;
		resting_warm(t);
	}
}

static void leave_list(struct conn_table *t, uint32_t number)
{
	struct conn_own *own = &t->own[number];

	if (own->list >= CONN_LIST_WHEEL)
		wheel_remove(&t->wheel, number);
	else if (own->list == CONN_LIST_RESTING)
		resting_remove(t, own);
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
	t->own_bytes = (uint64_t)capacity * sizeof(*t->own);
	t->own = index_memory(&t->own_bytes);
	if (!t->own)
		return -ENOMEM;
	wheel_init(&t->wheel, entries, t->own, now_ns);
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
	if (t->own)
		munmap(t->own, t->own_bytes);
	t->own = NULL;
}

struct conn *conn_alloc(struct conn_table *t)
{
	struct conn *c, *following;
	struct conn_own *own;

	if (t->free_head == CONN_NONE)
		return NULL;
	c = &t->entries[t->free_head];
	own = &t->own[t->free_head];
	t->free_head = own->next;
	own->list = CONN_LIST_NONE;
	if (t->free_head != CONN_NONE) {
		following = &t->entries[t->free_head];
		__builtin_prefetch(&t->own[t->free_head], 1);
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
	struct conn_own *own = conn_own(t, c);
	struct flow_key key;
	int rc;

	if (dir == FORWARD)
		conn_forward_key(c, &key);
	else
		conn_reverse_key(c, &key);
	if ((own->indexed >> dir & 1) ||
	    index_find(t, index_bucket(t, hash), index_signature(hash), &key) != LOOKUP_NONE)
		return -EEXIST;
	rc = index_add(t, hash, conn_number(t, c) << 1 | dir);
	if (rc)
		return rc;
	own->bucket[dir] = (uint32_t)hash & t->bucket_mask;
	own->signature[dir] = index_signature(hash);
	own->indexed |= (uint8_t)(1u << dir);
	return 0;
}

static void remove_key(struct conn_table *t, const struct conn *c, enum direction dir)
{
	struct conn_own *own = conn_own(t, c);

	if (!(own->indexed >> dir & 1))
		return;
	own->indexed &= (uint8_t) ~(1u << dir);
	index_delete(t, hash_of(own, dir), conn_number(t, c) << 1 | dir);
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
		remove_key(t, c, FORWARD);
	return rc;
}

int conn_insert(struct conn_table *t, struct conn *c, enum conn_state state)
{
	int rc;

	assert(conn_own(t, c)->list == CONN_LIST_NONE && state != CONN_FREE);
	rc = insert_both(t, c);
	if (rc == 0)
		set_state(c, state);
	return rc;
}

int table_index(struct conn_table *t, const struct conn *c, enum conn_state state)
{
	conn_hold_port(t, c, be16toh(c->rev.dport));
	if (state == CONN_TOMBSTONE)
		return insert_key(t, c, REVERSE, index_hash_entry(t, c, REVERSE));
	return insert_both(t, c);
}

int conn_insert_forward(struct conn_table *t, struct conn *c)
{
	int rc;

	assert(conn_own(t, c)->list == CONN_LIST_NONE);
	rc = insert_key(t, c, FORWARD, index_hash_entry(t, c, FORWARD));
	if (rc == 0)
		set_state(c, CONN_WAITING);
	return rc;
}

int conn_insert_reverse(struct conn_table *t, struct conn *c, enum conn_state state)
{
	int rc;

	rc = insert_key(t, c, REVERSE, index_hash_entry(t, c, REVERSE));
	if (rc == 0)
		set_state(c, state);
	return rc;
}

void conn_bury(struct conn_table *t, struct conn *c, struct conn *tombstone)
{
	struct conn_own *from = conn_own(t, c), *to = conn_own(t, tombstone);
	uint32_t value = conn_number(t, c) << 1 | REVERSE;
	uint32_t by = conn_number(t, tombstone) << 1 | REVERSE;

	assert(from->indexed == KEY_BOTH && to->indexed == 0);
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
	index_replace(t, hash_of(from, REVERSE), value, by);
	to->bucket[REVERSE] = from->bucket[REVERSE];
	to->signature[REVERSE] = from->signature[REVERSE];
	to->port = from->port;
	to->snat_address = from->snat_address;
	to->udp = from->udp;
	to->indexed = KEY_REVERSE;
	from->port = 0;
	from->indexed = KEY_FORWARD;
	set_state(c, CONN_WAITING);
	set_state(tombstone, CONN_TOMBSTONE);
	t->tombstones++;
}

static void unindex(struct conn_table *t, struct conn *c)
{
	const struct conn_own *own = conn_own(t, c);

	warm_bucket(t, own, FORWARD);
	warm_bucket(t, own, REVERSE);
	/* Whoever walks the entries sees this one free before anything of it changes. */
	__atomic_store_n(&c->state, (uint8_t)CONN_FREE, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	leave_list(t, conn_number(t, c));
	t->tombstones -= own->indexed == KEY_REVERSE;
	remove_key(t, c, FORWARD);
	remove_key(t, c, REVERSE);
}

void conn_release(struct conn_table *t, struct conn *c)
{
	assert(conn_own(t, c)->list != CONN_LIST_FREE && t->used > 0);
	unindex(t, c);
	t->used--;
	table_free_push(t, c);
}

void conn_hold_port(struct conn_table *t, const struct conn *c, uint16_t port)
{
	struct conn_own *own = conn_own(t, c);

	own->port = port;
	own->snat_address = c->snat_address;
	own->udp = c->rev.proto == PROTO_UDP;
}

int conn_is_sound(const struct conn_table *t, const struct conn *c)
{
	const struct conn_own *own = conn_own(t, c);

	switch (__atomic_load_n(&c->state, __ATOMIC_RELAXED)) {
	case CONN_SYN_SENT:
	case CONN_SYN_RCVD:
	case CONN_ESTABLISHED:
	case CONN_CLOSING:
		return own->indexed == KEY_BOTH && own->list != CONN_LIST_RESTING;
	case CONN_RESTING:
		return own->indexed == KEY_BOTH && own->list < CONN_LIST_WHEEL;
	case CONN_WAITING:
		return own->indexed == KEY_FORWARD;
	case CONN_TOMBSTONE:
		return own->indexed == KEY_REVERSE;
	default:
		return 0;
	}
}

static int is_under(const struct conn_table *t, const struct conn *c, enum direction dir)
{
	const struct conn_own *own = conn_own(t, c);
	uint64_t hash;

	if (!(own->indexed >> dir & 1))
		return 1;
	hash = index_hash_entry(t, c, dir);
	return own->bucket[dir] == ((uint32_t)hash & t->bucket_mask) &&
	       own->signature[dir] == index_signature(hash);
}

int conn_is_found(const struct conn_table *t, const struct conn *c)
{
	return is_under(t, c, FORWARD) && is_under(t, c, REVERSE);
}

void conn_rest(struct conn_table *t, struct conn *c, uint64_t deadline_ns)
{
	const uint32_t number = conn_number(t, c);
	struct conn_own *own = &t->own[number];

	leave_list(t, number);
	c->deadline_ns = deadline_ns;
	t->resting_until_ns = deadline_ns;
	own->list = CONN_LIST_RESTING;
	own->next = CONN_NONE;
	own->prev = t->resting_tail;
	if (t->resting_tail != CONN_NONE)
		t->own[t->resting_tail].next = number;
	else
		t->resting_head = number;
	t->resting_tail = number;
	t->resting++;
}

struct conn *conn_oldest_resting(const struct conn_table *t)
{
	return t->resting_head == CONN_NONE ? NULL : &t->entries[t->resting_head];
}

void conn_schedule(struct conn_table *t, struct conn *c)
{
	const uint32_t number = conn_number(t, c);

	if (wheel_is_early_enough(&t->wheel, number))
		return;
	leave_list(t, number);
	wheel_insert(&t->wheel, number);
}

/* None rests longer than the last that began to. */
static uint64_t rests_until_ns(const struct conn_table *t)
{
	const uint64_t deadline_ns = t->entries[t->resting_head].deadline_ns;

	return deadline_ns < t->resting_until_ns ? deadline_ns : t->resting_until_ns;
}

static int rest_is_over(const struct conn_table *t, uint64_t now_ns)
{
	const uint64_t deadline_ns =
		__atomic_load_n(&t->entries[t->resting_head].deadline_ns, __ATOMIC_RELAXED);

	return deadline_ns <= now_ns || deadline_ns > t->resting_until_ns;
}

uint32_t conn_expire(struct conn_table *t, uint64_t now_ns, struct conn **expired, uint32_t max)
{
	/* Half of a call is kept for the wheel, so that neither list can starve the other. */
	uint32_t resting_max = max - max / 2;
	uint32_t n = 0;

	while (n < resting_max && t->resting_head != CONN_NONE && rest_is_over(t, now_ns)) {
		expired[n++] = &t->entries[t->resting_head];
		resting_remove(t, &t->own[t->resting_head]);
	}
	return n + wheel_expire(&t->wheel, now_ns, expired + n, max - n);
}

uint64_t conn_next_ns(const struct conn_table *t)
{
	uint64_t wheel_ns = wheel_next_ns(&t->wheel);
	uint64_t resting_ns = UINT64_MAX;

	if (t->resting_head != CONN_NONE)
		resting_ns = rests_until_ns(t);
	return wheel_ns < resting_ns ? wheel_ns : resting_ns;
}
