/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/dataplane/table_world.h"

#include <errno.h>

static uint64_t random_state;

static uint32_t random32(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 16);
}

static struct conn *add(uint32_t id)
{
	struct conn *c = conn_alloc(&table);

	if (!c)
		return NULL;
	set_keys(c, id);
	CU_ASSERT_EQUAL(conn_insert(&table, c, CONN_SYN_SENT), 0);
	return c;
}

static void empty_table_finds_nothing(void)
{
	const struct flow_key *keys[3] = {NULL};
	struct flow_key key = {.k = {.family = FAMILY_V4}};
	uint32_t results[3] = {0, 0, 0};
	struct conn *expired[4];

	open_table(64);
	keys[1] = &key;
	conn_lookup_bulk(&table, keys, 3, results);
	for (int i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(results[i], LOOKUP_NONE);
	conn_lookup_bulk(&table, keys, 0, results);
	CU_ASSERT_EQUAL(conn_lookup(&table, &key), LOOKUP_NONE);
	CU_ASSERT_PTR_NULL(conn_oldest_resting(&table));
	CU_ASSERT_EQUAL(conn_next_ns(&table), UINT64_MAX);
	CU_ASSERT_EQUAL(conn_expire(&table, 100 * SECOND, expired, 4), 0);
	close_table();
}

static void one_connection_is_found_both_ways(void)
{
	for (uint32_t id = 3; id <= 4; id++) {
		struct conn *c;

		open_table(64);
		c = open_id(id);
		CU_ASSERT_EQUAL(find_id(id, FORWARD), conn_number(&table, c) << 1 | FORWARD);
		CU_ASSERT_EQUAL(find_id(id, REVERSE), conn_number(&table, c) << 1 | REVERSE);
		CU_ASSERT_EQUAL(find_id(id + 3, FORWARD), LOOKUP_NONE);
		CU_ASSERT_EQUAL(c->state, CONN_SYN_SENT);
		CU_ASSERT_EQUAL(table.used, 1);
		conn_release(&table, c);
		CU_ASSERT_EQUAL(c->state, CONN_FREE);
		CU_ASSERT_EQUAL(find_id(id, FORWARD), LOOKUP_NONE);
		CU_ASSERT_EQUAL(find_id(id, REVERSE), LOOKUP_NONE);
		CU_ASSERT_EQUAL(table.used, 0);
		CU_ASSERT_EQUAL(signatures_in_use(), 0);
		close_table();
	}
}

static void full_table_refuses_one_more_and_keeps_the_others(void)
{
	const uint32_t capacity = 1000;

	open_table(capacity);
	for (uint32_t id = 1; id <= capacity; id++)
		(void)open_id(id);
	CU_ASSERT_PTR_NULL(conn_alloc(&table));
	CU_ASSERT_EQUAL(table.used, capacity);
	for (uint32_t id = 1; id <= capacity; id++) {
		CU_ASSERT_NOT_EQUAL(find_id(id, FORWARD), LOOKUP_NONE);
		CU_ASSERT_NOT_EQUAL(find_id(id, REVERSE), LOOKUP_NONE);
	}
	conn_release(&table, &table.entries[find_id(500, FORWARD) >> 1]);
	CU_ASSERT_PTR_NOT_NULL(add(capacity + 1));
	CU_ASSERT_PTR_NULL(conn_alloc(&table));
	close_table();
}

static void large_index_starts_on_a_huge_page(void)
{
	for (int i = 0; i < 4; i++) {
		struct conn_bucket *last;

		open_table(80 * 1024);
		CU_ASSERT(table.index_bytes >= 2 * 1024 * 1024);
		CU_ASSERT_EQUAL((uintptr_t)table.buckets % (2 * 1024 * 1024), 0);
		last = table.buckets + table.index_bytes / sizeof(*last) - 1;
		CU_ASSERT_EQUAL(last->signature[0], 0); /* mapped to its end */
		for (uint32_t id = 1; id <= 1000; id++)
			(void)open_id(id);
		CU_ASSERT_EQUAL(signatures_in_use(), 2000);
		close_table();
	}
}

static void entry_taken_again_is_zeroed(void)
{
	static const struct conn zero;
	struct conn *c;

	open_table(1);
	c = open_id(6);
	memset(c->syn_options, 0xff, sizeof(c->syn_options));
	c->deadline_ns = 5 * SECOND;
	conn_schedule(&table, c);
	conn_release(&table, c);
	CU_ASSERT_PTR_EQUAL(conn_alloc(&table), c);
	CU_ASSERT_EQUAL(memcmp(c, &zero, sizeof(zero)), 0);
	CU_ASSERT_EQUAL(conn_next_ns(&table), UINT64_MAX);
	close_table();
}

static void either_key_of_another_is_refused(void)
{
	struct conn *first, *c;

	open_table(64);
	first = open_id(4);
	for (int which = 0; which < 2; which++) {
		c = take();
		set_keys(c, 5);
		if (which == 0)
			c->fwd = first->fwd;
		else
			c->rev = first->rev;
		CU_ASSERT_EQUAL(conn_insert(&table, c, CONN_SYN_SENT), -EEXIST);
		CU_ASSERT_EQUAL(c->state, CONN_FREE);
		CU_ASSERT_EQUAL(signatures_in_use(), 2);
		conn_release(&table, c);
		CU_ASSERT_EQUAL(find_id(5, which ? FORWARD : REVERSE), LOOKUP_NONE);
		CU_ASSERT_EQUAL(find_id(4, FORWARD) >> 1, conn_number(&table, first));
		CU_ASSERT_EQUAL(find_id(4, REVERSE) >> 1, conn_number(&table, first));
	}
	c = take();
	set_keys(c, 5);
	c->rev = c->fwd; /* both ways the same: could not be told apart */
	CU_ASSERT_EQUAL(conn_insert(&table, c, CONN_SYN_SENT), -EEXIST);
	conn_release(&table, c);
	CU_ASSERT_EQUAL(signatures_in_use(), 2);
	CU_ASSERT_EQUAL(table.used, 1);
	close_table();
}

/* Give @c keys whose forward hash falls into bucket 0. */
static void set_colliding_keys(struct conn *c, uint32_t *next_id)
{
	do {
		memset(&c->client6, 0, 64);
		set_keys(c, (*next_id)++);
	} while (index_hash_entry(&table, c, FORWARD) & table.bucket_mask);
}

static void chains_grow_and_shrink(void)
{
	enum { COUNT = 100 };
	struct conn *live[COUNT];
	uint32_t id = 1, spare, n = COUNT;

	random_state = 99;
	open_table(256);
	spare = overflow_free();
	for (uint32_t i = 0; i < COUNT; i++) {
		live[i] = take();
		set_colliding_keys(live[i], &id);
		CU_ASSERT_EQUAL_FATAL(conn_insert(&table, live[i], CONN_SYN_SENT), 0);
	}
	CU_ASSERT(overflow_free() <= spare - (COUNT / BUCKET_PLACES));
	while (n > 0) {
		uint32_t at = random32() % n;

		for (uint32_t i = 0; i < n; i++) {
			CU_ASSERT_EQUAL(find(live[i], FORWARD), conn_number(&table, live[i]) << 1);
			CU_ASSERT_EQUAL(find(live[i], REVERSE),
					conn_number(&table, live[i]) << 1 | 1);
		}
		conn_release(&table, live[at]);
		live[at] = live[--n];
		CU_ASSERT_EQUAL(signatures_in_use(), 2 * n);
	}
	CU_ASSERT_EQUAL(overflow_free(), spare);
	close_table();
}

/* Change the four bytes at @part of a key until bucket and signature are as @hash has them. */
static void collide(struct conn *c, enum direction dir, uint64_t hash, void *part)
{
	uint64_t mask = table.bucket_mask | 0xffffull << 48;
	uint32_t n;

	memcpy(&n, part, 4);
	do {
		n++;
		memcpy(part, &n, 4);
	} while ((index_hash_entry(&table, c, dir) ^ hash) & mask);
}

static void equal_bucket_and_signature_do_not_make_equal_keys(void)
{
	open_table(64);
	for (int part = 0; part < 8; part++) {
		enum direction dir = part % 4 < 2 ? FORWARD : REVERSE;
		struct conn *c = open_id(part < 4 ? 3 : 4); /* IPv6, IPv4 */
		struct conn other = *c;
		void *parts[] = {other.client6,  other.listener6, other.endpoint6,
				 other.snat6,    &other.fwd.src,  &other.fwd.sport,
				 &other.rev.dst, &other.rev.sport};

		collide(&other, dir, index_hash_entry(&table, c, dir), parts[part]);
		CU_ASSERT_EQUAL(find(&other, dir), LOOKUP_NONE);
		CU_ASSERT_EQUAL(find(c, dir) >> 1, conn_number(&table, c));
		conn_release(&table, c);
	}
	close_table();
}

static void without_overflow_buckets_an_insert_fails_cleanly(void)
{
	enum { CAPACITY = 1024 };
	struct conn *live[CAPACITY];
	uint32_t id = 1, spare, n = 0;
	int rc = 0;

	open_table(CAPACITY);
	spare = overflow_free();
	while (n < CAPACITY) {
		struct conn *c = take();

		set_colliding_keys(c, &id);
		rc = conn_insert(&table, c, CONN_SYN_SENT);
		if (rc) {
			uint32_t used = signatures_in_use();

			CU_ASSERT_EQUAL(used, 2 * n);
			CU_ASSERT_EQUAL(find(c, FORWARD), LOOKUP_NONE);
			conn_release(&table, c);
			break;
		}
		live[n++] = c;
	}
	CU_ASSERT_EQUAL(rc, -ENOSPC);
	CU_ASSERT_EQUAL(overflow_free(), 0);
	CU_ASSERT(n >= spare * BUCKET_PLACES / 2);
	for (uint32_t i = 0; i < n; i++)
		CU_ASSERT_EQUAL(find(live[i], FORWARD), conn_number(&table, live[i]) << 1);
	for (uint32_t i = 0; i < n; i++)
		conn_release(&table, live[i]);
	CU_ASSERT_EQUAL(overflow_free(), spare);
	CU_ASSERT_EQUAL(signatures_in_use(), 0);
	close_table();
}

enum { MODEL_IDS = 9000, MODEL_CAPACITY = 3000 };
static struct conn *model[MODEL_IDS];

/* Compare a burst of random ids, known and unknown, with the model. */
static int burst_matches(void)
{
	struct flow_key key[LOOKUP_BURST];
	const struct flow_key *keys[LOOKUP_BURST];
	uint32_t results[LOOKUP_BURST], expected[LOOKUP_BURST] = {0};
	uint32_t n = random32() % (LOOKUP_BURST + 1);

	for (uint32_t i = 0; i < n; i++) {
		uint32_t id = random32() % MODEL_IDS;
		uint32_t dir = random32() & 1;
		struct conn c;

		memset(&c, 0, sizeof(c));
		set_keys(&c, id);
		keys[i] = random32() % 16 ? &key[i] : NULL;
		expected[i] = keys[i] && model[id] ? conn_number(&table, model[id]) << 1 | dir
						   : (uint32_t)LOOKUP_NONE;
		if (dir == FORWARD)
			conn_forward_key(&c, &key[i]);
		else
			conn_reverse_key(&c, &key[i]);
	}
	conn_lookup_bulk(&table, keys, n, results);
	return memcmp(results, expected, n * sizeof(results[0])) == 0;
}

static void random_operations_match_a_model(void)
{
	uint32_t live = 0, mismatches = 0;

	memset(model, 0, sizeof(model));
	random_state = 0x1234567;
	open_table(MODEL_CAPACITY);
	for (uint32_t op = 0; op < 400000; op++) {
		uint32_t id = random32() % MODEL_IDS;
		/* Waves: the table is filled to the last entry and emptied again and again. */
		uint32_t grows = (op / 20000) % 2 == 0 ? 7 : 2;

		if (model[id] && random32() % 10 >= grows) {
			conn_release(&table, model[id]);
			model[id] = NULL;
			live--;
		} else if (!model[id] && random32() % 10 < grows) {
			model[id] = add(id);
			mismatches += !model[id] != (live == MODEL_CAPACITY);
			live += model[id] != NULL;
		}
		if (op % 64 == 0)
			mismatches += !burst_matches();
		mismatches += table.used != live;
	}
	CU_ASSERT_EQUAL(mismatches, 0);
	for (uint32_t id = 0; id < MODEL_IDS; id++)
		if (model[id])
			conn_release(&table, model[id]);
	CU_ASSERT_EQUAL(signatures_in_use(), 0);
	CU_ASSERT_EQUAL(table.used, 0);
	close_table();
}

static void resting_entries_end_in_order(void)
{
	struct conn *c[4], *expired[8];

	open_table(8);
	for (uint32_t i = 0; i < 4; i++) {
		c[i] = open_id(10 + i);
		c[i]->deadline_ns = 3600 * SECOND;
		conn_schedule(&table, c[i]);
		conn_rest(&table, c[i], (2 + i) * SECOND);
	}
	CU_ASSERT_EQUAL(table.resting, 4);
	CU_ASSERT_PTR_EQUAL(conn_oldest_resting(&table), c[0]);
	CU_ASSERT_EQUAL(conn_next_ns(&table), 2 * SECOND);
	CU_ASSERT_EQUAL(find_id(10, FORWARD), conn_number(&table, c[0]) << 1);
	/* One from the middle, one from each end. */
	conn_release(&table, c[1]);
	CU_ASSERT_EQUAL(conn_expire(&table, 2 * SECOND - 1, expired, 8), 0);
	CU_ASSERT_EQUAL(conn_expire(&table, 2 * SECOND, expired, 8), 1);
	CU_ASSERT_PTR_EQUAL(expired[0], c[0]);
	conn_release(&table, c[0]);
	conn_release(&table, c[3]);
	CU_ASSERT_PTR_EQUAL(conn_oldest_resting(&table), c[2]);
	c[3] = open_id(20); /* behind the one that is the last now */
	conn_rest(&table, c[3], 6 * SECOND);
	CU_ASSERT_EQUAL(table.resting, 2);
	CU_ASSERT_EQUAL(conn_expire(&table, 100 * SECOND, expired, 8), 2);
	CU_ASSERT_PTR_EQUAL(expired[0], c[2]);
	CU_ASSERT_PTR_EQUAL(expired[1], c[3]);
	conn_release(&table, c[3]);
	CU_ASSERT_PTR_NULL(conn_oldest_resting(&table));
	CU_ASSERT_EQUAL(table.resting, 0);
	conn_release(&table, c[2]);
	CU_ASSERT_EQUAL(conn_next_ns(&table), UINT64_MAX);
	CU_ASSERT_EQUAL(table.used, 0);
	close_table();
}

static void neither_wheel_nor_resting_list_starves(void)
{
	struct conn *expired[4];
	uint32_t resting = 0;

	open_table(64);
	for (uint32_t i = 0; i < 64; i++) {
		struct conn *c = open_id(100 + i);

		c->deadline_ns = 2 * SECOND;
		if (i % 2)
			conn_rest(&table, c, c->deadline_ns);
		else
			conn_schedule(&table, c);
	}
	CU_ASSERT_EQUAL(conn_expire(&table, 3 * SECOND, expired, 4), 4);
	for (int i = 0; i < 4; i++)
		resting += conn_number(&table, expired[i]) % 2;
	CU_ASSERT_EQUAL(resting, 2);
	CU_ASSERT(conn_next_ns(&table) <= 3 * SECOND);
	close_table();
}

static void earlier_deadlines_move_and_later_ones_wait(void)
{
	struct conn *expired[4], *c;
	uint64_t due;

	open_table(64);
	c = open_id(1);
	c->deadline_ns = 10 * SECOND;
	conn_schedule(&table, c);
	due = conn_next_ns(&table);
	CU_ASSERT(due > 10 * SECOND && due <= 10 * SECOND + WHEEL_TICK_NS);
	c->deadline_ns = 20 * SECOND; /* lazily: nothing is moved */
	conn_schedule(&table, c);
	CU_ASSERT_EQUAL(conn_next_ns(&table), due);
	c->deadline_ns = 5 * SECOND;
	conn_schedule(&table, c);
	CU_ASSERT(conn_next_ns(&table) <= 5 * SECOND + WHEEL_TICK_NS);
	c->deadline_ns = 6 * SECOND;
	CU_ASSERT_EQUAL(conn_expire(&table, 5 * SECOND + WHEEL_TICK_NS, expired, 4), 0);
	CU_ASSERT_EQUAL(conn_expire(&table, 6 * SECOND + WHEEL_TICK_NS, expired, 4), 1);
	CU_ASSERT_PTR_EQUAL(expired[0], c);
	CU_ASSERT_EQUAL(conn_next_ns(&table), UINT64_MAX);
	conn_schedule(&table, c); /* in the past: due again */
	CU_ASSERT_EQUAL(conn_expire(&table, 7 * SECOND, expired, 4), 1);
	conn_rest(&table, c, 8 * SECOND);
	c->deadline_ns = 9 * SECOND;
	conn_schedule(&table, c); /* from the resting list to the wheel */
	CU_ASSERT_EQUAL(table.resting, 0);
	CU_ASSERT_EQUAL(conn_expire(&table, 10 * SECOND, expired, 4), 1);
	close_table();
}

int main(void)
{
	CU_initialize_registry();
	CU_pSuite s = CU_add_suite("table", NULL, NULL);

	CU_ADD_TEST(s, empty_table_finds_nothing);
	CU_ADD_TEST(s, one_connection_is_found_both_ways);
	CU_ADD_TEST(s, full_table_refuses_one_more_and_keeps_the_others);
	CU_ADD_TEST(s, large_index_starts_on_a_huge_page);
	CU_ADD_TEST(s, entry_taken_again_is_zeroed);
	CU_ADD_TEST(s, either_key_of_another_is_refused);
	CU_ADD_TEST(s, chains_grow_and_shrink);
	CU_ADD_TEST(s, equal_bucket_and_signature_do_not_make_equal_keys);
	CU_ADD_TEST(s, without_overflow_buckets_an_insert_fails_cleanly);
	CU_ADD_TEST(s, random_operations_match_a_model);
	CU_ADD_TEST(s, resting_entries_end_in_order);
	CU_ADD_TEST(s, neither_wheel_nor_resting_list_starves);
	CU_ADD_TEST(s, earlier_deadlines_move_and_later_ones_wait);
	CU_basic_set_mode(CU_BRM_NORMAL);
	CU_basic_run_tests();
	unsigned int failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed != 0;
}
