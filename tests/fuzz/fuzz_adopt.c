/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as what a dead dataplane left in its connection table: its successor takes it over,
 * then meets every entry in the ways a worker does. Input: records of 8 bytes (entry, offset in it,
 * mask for 4 bytes there), applied to a table of good connections.
 */
#include <stdint.h>

#include "tests/unit/dataplane/adopt_world.h"

enum { CAPACITY = 16, RECORD = 8, GOOD = 12 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct conn entries[CAPACITY];
static struct heir_world world;

static void must(int holds)
{
	if (!holds)
		abort();
}

static void fill(void)
{
	static const enum conn_state states[] = {CONN_SYN_SENT, CONN_SYN_RCVD, CONN_ESTABLISHED,
						 CONN_CLOSING,  CONN_RESTING,  CONN_TOMBSTONE};

	for (uint32_t id = 0; id < GOOD; id++) {
		struct conn *c = heir_open(&world, id, CONN_ESTABLISHED);

		c->state = (uint8_t)states[id / 2];
	}
}

static void spoil(const uint8_t *data, size_t size)
{
	for (; size >= RECORD; data += RECORD, size -= RECORD) {
		const size_t words = sizeof(struct conn) / 4;
		uint8_t *at = (uint8_t *)&entries[data[0] % CAPACITY] +
			      ((size_t)data[1] << 8 | data[2]) % words * 4;

		for (int i = 0; i < 4; i++)
			at[i] ^= data[4 + i];
	}
}

static uint32_t live(void)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < CAPACITY; i++)
		n += entries[i].state != CONN_FREE;
	return n;
}

/* A segment and a timer for each that is left, as flow.c and timers.c would. */
static void use(struct conn *c)
{
	static const struct image_timeouts timeouts = {
		.connect_ms = 1000, .request_ms = 15000, .idle_tcp_ms = 3600000};
	const struct tcp_segment segment = {
		.seq = c->rev_ack, .ack = c->fwd_ack, .flags = TCP_ACK, .window = 100};
	struct flow_key key;

	conn_reverse_key(c, &key);
	must(conn_lookup(&world.table, &key) == (conn_number(&world.table, c) << 1 | REVERSE));
	if (c->fwd.proto == PROTO_TCP) {
		(void)tcp_track(c, FORWARD, &segment, HEIR_NOW, &timeouts);
		(void)tcp_track(c, REVERSE, &segment, HEIR_NOW, &timeouts);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct conn before[CAPACITY];
	struct conn *expired[CAPACITY];

	heir_create(&world, entries, CAPACITY);
	fill();
	spoil(data, size);
	must(heir_succeed(&world) == 0);
	must(world.table.used == live() && world.carried_on == live());
	memcpy(before, entries, sizeof(before));
	must(heir_succeed(&world) == 0);
	must(memcmp(before, entries, sizeof(before)) == 0);
	conn_expire(&world.table, HEIR_NOW + 1, expired, CAPACITY);
	for (uint32_t i = 0; i < CAPACITY; i++)
		if (entries[i].state != CONN_FREE)
			use(&entries[i]);
	for (uint32_t i = 0; i < CAPACITY; i++)
		if (entries[i].state != CONN_FREE)
			conn_release(&world.table, &entries[i]);
	must(world.table.used == 0);
	heir_destroy(&world);
	return 0;
}
