/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/dataplane/table_world.h"

#include <errno.h>

#include "tests/unit/dataplane/suite.h"

static struct conn *wait_id(uint32_t id)
{
	struct conn *c = take();

	set_keys(c, id);
	CU_ASSERT_EQUAL(conn_insert_forward(&table, c), 0);
	return c;
}

static void waiting_entry_has_its_forward_key_alone(void)
{
	for (uint32_t id = 3; id <= 4; id++) {
		struct conn *c;

		open_table(64);
		c = wait_id(id);
		CU_ASSERT_EQUAL(c->state, CONN_WAITING);
		CU_ASSERT_EQUAL(find_id(id, FORWARD), conn_number(&table, c) << 1);
		CU_ASSERT_EQUAL(find_id(id, REVERSE), LOOKUP_NONE);
		CU_ASSERT_EQUAL(signatures_in_use(), 1);
		c->deadline_ns = 5 * SECOND;
		conn_schedule(&table, c);
		CU_ASSERT_NOT_EQUAL(conn_next_ns(&table), UINT64_MAX);
		conn_release(&table, c);
		CU_ASSERT_EQUAL(signatures_in_use(), 0);
		CU_ASSERT_EQUAL(table.used, 0);
		CU_ASSERT_EQUAL(conn_next_ns(&table), UINT64_MAX);
		close_table();
	}
}

static void forward_key_of_another_is_refused_to_a_waiting_entry(void)
{
	struct conn *c;

	open_table(64);
	(void)wait_id(4);
	c = take();
	set_keys(c, 4);
	CU_ASSERT_EQUAL(conn_insert_forward(&table, c), -EEXIST);
	CU_ASSERT_EQUAL(c->state, CONN_FREE);
	conn_release(&table, c);
	CU_ASSERT_EQUAL(signatures_in_use(), 1);
	close_table();
}

static void attempt_of_a_waiting_entry_adds_its_reverse_key(void)
{
	struct conn *c, *other;

	open_table(64);
	other = open_id(4);
	c = wait_id(5);
	c->rev = other->rev;
	CU_ASSERT_EQUAL(conn_insert_reverse(&table, c, CONN_SYN_SENT), -EEXIST);
	CU_ASSERT_EQUAL(c->state, CONN_WAITING);
	CU_ASSERT_EQUAL(find_id(4, REVERSE) >> 1, conn_number(&table, other));
	set_keys(c, 5);
	CU_ASSERT_EQUAL(conn_insert_reverse(&table, c, CONN_SYN_SENT), 0);
	CU_ASSERT_EQUAL(c->state, CONN_SYN_SENT);
	CU_ASSERT_EQUAL(find_id(5, FORWARD), conn_number(&table, c) << 1 | FORWARD);
	CU_ASSERT_EQUAL(find_id(5, REVERSE), conn_number(&table, c) << 1 | REVERSE);
	conn_release(&table, c);
	conn_release(&table, other);
	CU_ASSERT_EQUAL(signatures_in_use(), 0);
	close_table();
}

/* The reverse key of @c that attempt number @attempt has. */
static void set_attempt(struct conn *c, uint32_t attempt)
{
	c->rev.src = 0x100 + attempt;
	c->rev.dst = 0x200;
	memset(c->endpoint6, c->rev.family == FAMILY_V6 ? (int)attempt : 0, 16);
}

static void buried_attempt_keeps_its_reverse_key_and_port(void)
{
	for (uint32_t id = 3; id <= 4; id++) {
		struct conn *c, *tombstone, first;

		open_table(64);
		c = open_id(id);
		c->snat_address = 7;
		c->cluster = 3;
		c->neighbour_fwd = 9;
		c->neighbour_fwd_gen = 2;
		c->call.held = 1;
		first = *c;
		tombstone = take();
		conn_bury(&table, c, tombstone);
		CU_ASSERT_EQUAL(c->state, CONN_WAITING);
		CU_ASSERT_EQUAL(tombstone->state, CONN_TOMBSTONE);
		CU_ASSERT_EQUAL(table.tombstones, 1);
		CU_ASSERT_EQUAL(find(&first, FORWARD), conn_number(&table, c) << 1 | FORWARD);
		CU_ASSERT_EQUAL(find(&first, REVERSE),
				conn_number(&table, tombstone) << 1 | REVERSE);
		CU_ASSERT_EQUAL(tombstone->rev.dport, first.rev.dport);
		CU_ASSERT_EQUAL(tombstone->snat_address, 7);
		CU_ASSERT_EQUAL(tombstone->cluster, 3);
		CU_ASSERT_EQUAL(tombstone->neighbour_fwd, 9);
		CU_ASSERT_EQUAL(tombstone->neighbour_fwd_gen, 2);
		CU_ASSERT_EQUAL(tombstone->call.held, 0);
		set_attempt(c, 1);
		CU_ASSERT_EQUAL(conn_insert_reverse(&table, c, CONN_SYN_SENT), 0);
		CU_ASSERT_EQUAL(find(c, REVERSE), conn_number(&table, c) << 1 | REVERSE);
		CU_ASSERT_EQUAL(signatures_in_use(), 3);
		conn_release(&table, id == 3 ? c : tombstone);
		CU_ASSERT_EQUAL(find(&first, REVERSE) != LOOKUP_NONE, id == 3);
		conn_release(&table, id == 3 ? tombstone : c);
		CU_ASSERT_EQUAL(table.tombstones, 0);
		CU_ASSERT_EQUAL(signatures_in_use(), 0);
		CU_ASSERT_EQUAL(table.used, 0);
		close_table();
	}
}

static void buried_again_and_again_in_one_chain(void)
{
	enum { ATTEMPTS = 60 };
	struct conn *tombstone[ATTEMPTS], *c;
	uint32_t spare;

	open_table(64);
	spare = overflow_free();
	c = wait_id(4);
	for (uint32_t i = 0; i < ATTEMPTS; i++) {
		/* All reverse keys in bucket 0: the replaced value is often in an overflow bucket.
		 */
		do
			set_attempt(c, (uint32_t)c->rev.src + 1);
		while (index_hash_entry(&table, c, REVERSE) & table.bucket_mask);
		CU_ASSERT_EQUAL_FATAL(conn_insert_reverse(&table, c, CONN_SYN_SENT), 0);
		tombstone[i] = take();
		conn_bury(&table, c, tombstone[i]);
		CU_ASSERT_EQUAL(table.tombstones, i + 1);
		for (uint32_t k = 0; k <= i; k++)
			CU_ASSERT_EQUAL(find(tombstone[k], REVERSE),
					conn_number(&table, tombstone[k]) << 1 | REVERSE);
	}
	CU_ASSERT_EQUAL(find_id(4, FORWARD), conn_number(&table, c) << 1);
	for (uint32_t i = 0; i < ATTEMPTS; i++)
		conn_release(&table, tombstone[(i * 7) % ATTEMPTS]);
	conn_release(&table, c);
	CU_ASSERT_EQUAL(signatures_in_use(), 0);
	CU_ASSERT_EQUAL(overflow_free(), spare);
	close_table();
}

static void room_is_a_free_entry_or_one_that_rests(void)
{
	struct conn *c;

	open_table(2);
	CU_ASSERT_TRUE(conn_has_room(&table));
	c = open_id(4);
	CU_ASSERT_TRUE(conn_has_room(&table));
	(void)open_id(5);
	CU_ASSERT_FALSE(conn_has_room(&table));
	conn_rest(&table, c, 2 * SECOND);
	CU_ASSERT_TRUE(conn_has_room(&table));
	conn_release(&table, c);
	(void)wait_id(6);
	CU_ASSERT_FALSE(conn_has_room(&table));
	close_table();
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(waiting_entry_has_its_forward_key_alone),
		SUITE_TEST(forward_key_of_another_is_refused_to_a_waiting_entry),
		SUITE_TEST(attempt_of_a_waiting_entry_adds_its_reverse_key),
		SUITE_TEST(buried_attempt_keeps_its_reverse_key_and_port),
		SUITE_TEST(buried_again_and_again_in_one_chain),
		SUITE_TEST(room_is_a_free_entry_or_one_that_rests),
		CU_TEST_INFO_NULL,
	};

	return suite_run("table_attempts", tests);
}
