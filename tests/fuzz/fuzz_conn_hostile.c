/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection table whose entries are written over while it works. Input: records of 8 bytes
 * (operation, entry, offset, mask of 4 bytes there, value). Whatever is written, the table must
 * stay whole: at the end everything is released and it is as empty as at the beginning.
 */
#include <stdint.h>

#include "tests/unit/dataplane/table_world.h"

enum { CAPACITY = 24, RECORD = 8, EXPIRED = 4 };
enum operation { OPEN, WAIT, ATTEMPT, BURY, REST, SCHEDULE, RELEASE, EXPIRE, FIND, OPERATIONS };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct conn entries[CAPACITY];
static uint64_t now_ns;

static void must(int holds)
{
	if (!holds)
		abort();
}

static void write_over(const uint8_t *record)
{
	const size_t words = sizeof(struct conn) / 4;
	uint8_t *at = (uint8_t *)&entries[record[1] % CAPACITY] + record[2] % words * 4;

	for (int i = 0; i < 4; i++)
		if (record[3] >> i & 1)
			at[i] = record[4 + i];
}

static void open_one(const uint8_t *record, int waits)
{
	struct conn *c = conn_alloc(&table);

	if (!c)
		return;
	set_keys(c, record[1]);
	c->deadline_ns = now_ns + record[2] * (SECOND / 8);
	if (waits ? conn_insert_forward(&table, c) : conn_insert(&table, c, CONN_SYN_SENT))
		conn_release(&table, c);
	else
		conn_schedule(&table, c);
}

static void bury(struct conn *c)
{
	struct conn *tombstone;

	/* The port, which a worker asks, is only there with both keys. */
	if (conn_own(&table, c)->indexed != 3)
		return;
	tombstone = conn_alloc(&table);
	if (!tombstone)
		return;
	conn_bury(&table, c, tombstone);
	conn_schedule(&table, tombstone);
}

static void expire(uint64_t ns)
{
	struct conn *expired[EXPIRED];
	uint32_t n;

	now_ns += ns;
	n = conn_expire(&table, now_ns, expired, EXPIRED);
	must(n <= EXPIRED);
	for (uint32_t i = 0; i < n; i++) {
		must(expired[i] >= entries && expired[i] < entries + CAPACITY);
		conn_release(&table, expired[i]);
	}
	(void)conn_next_ns(&table);
}

static void operate(const uint8_t *record)
{
	const uint32_t number = record[1] % CAPACITY;
	struct conn *c = &entries[number];

	switch ((enum operation)(record[0] % OPERATIONS)) {
	case OPEN:
		open_one(record, 0);
		return;
	case WAIT:
		open_one(record, 1);
		return;
	case EXPIRE:
		expire(record[2] * (SECOND / 4));
		return;
	case FIND:
		(void)find_id(record[1], record[2] & 1 ? REVERSE : FORWARD);
		return;
	default:
		break;
	}
	if (!conn_is_live(&table, number))
		return;
	(void)conn_is_sound(&table, c);
	(void)conn_is_found(&table, c);
	switch ((enum operation)(record[0] % OPERATIONS)) {
	case ATTEMPT:
		(void)conn_insert_reverse(&table, c, CONN_SYN_SENT);
		break;
	case BURY:
		bury(c);
		break;
	case REST:
		c->state = CONN_RESTING;
		conn_rest(&table, c, now_ns + SECOND);
		break;
	case SCHEDULE:
		conn_schedule(&table, c);
		break;
	default:
		conn_release(&table, c);
		break;
	}
}

static void is_empty(uint32_t overflow)
{
	uint32_t n = 0;

	for (uint32_t i = table.free_head; i != CONN_NONE && n <= CAPACITY; i = table.own[i].next)
		n++;
	must(n == CAPACITY && table.used == 0 && table.resting == 0 && table.tombstones == 0);
	must(table.resting_head == CONN_NONE && table.resting_tail == CONN_NONE);
	must(conn_next_ns(&table) == UINT64_MAX);
	must(signatures_in_use() == 0 && overflow_free() == overflow);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t overflow;

	now_ns = SECOND;
	must(conn_table_init(&table, entries, CAPACITY, 0x5eed, now_ns) == 0);
	overflow = overflow_free();
	for (; size >= RECORD; data += RECORD, size -= RECORD) {
		if (data[0] & 0x80)
			write_over(data);
		else
			operate(data);
	}
	for (uint32_t i = 0; i < CAPACITY; i++)
		if (conn_is_live(&table, i))
			conn_release(&table, &entries[i]);
	is_empty(overflow);
	conn_table_free(&table);
	return 0;
}
