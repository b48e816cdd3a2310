/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/dataplane/adopt_world.h"

#include "tests/unit/dataplane/suite.h"

enum { CAPACITY = 256, RANDOM_ROUNDS = 300 };

static struct conn entries[CAPACITY];
static struct heir_world world;

static void open_world(void)
{
	heir_create(&world, entries, CAPACITY);
}

static uint32_t find(const struct conn *c, enum direction dir)
{
	struct flow_key key;

	if (dir == FORWARD)
		conn_forward_key(c, &key);
	else
		conn_reverse_key(c, &key);
	return conn_lookup(&world.table, &key);
}

static void is_found(const struct conn *c, int forward, int reverse)
{
	const uint32_t value = conn_number(&world.table, c) << 1;

	CU_ASSERT_EQUAL(find(c, FORWARD), forward ? value : LOOKUP_NONE);
	CU_ASSERT_EQUAL(find(c, REVERSE), reverse ? value + 1 : LOOKUP_NONE);
}

static uint32_t length_of_free_list(void)
{
	uint32_t n = 0;

	for (uint32_t i = world.table.free_head; i != CONN_NONE; i = world.table.own[i].next)
		n++;
	return n;
}

/* What holds of every table, whatever it was made from. */
static void is_sound(void)
{
	const struct conn_table *t = &world.table;
	uint32_t live = 0, resting = 0, uses = 0;

	for (uint32_t i = 0; i < t->capacity; i++)
		live += entries[i].state != CONN_FREE;
	for (uint32_t i = t->resting_head; i != CONN_NONE; i = world.table.own[i].next) {
		resting++;
		if (t->own[i].next != CONN_NONE)
			CU_ASSERT(entries[i].deadline_ns <= entries[t->own[i].next].deadline_ns);
	}
	for (int proto = 0; proto < 2; proto++)
		for (int i = 0; i < HEIR_ADDRESSES; i++)
			uses += HEIR_HIGH - HEIR_LOW + 1 -
				snat_ports_free_count(world.snat[proto][i]);
	CU_ASSERT_EQUAL(t->used, live);
	CU_ASSERT_EQUAL(t->resting, resting);
	CU_ASSERT_EQUAL(length_of_free_list(), t->capacity - live);
	CU_ASSERT_EQUAL(world.adopted.open + world.adopted.resting, live);
	CU_ASSERT_EQUAL(world.carried_on, live);
	CU_ASSERT(uses <= live);
}

static void empty_table_stays_empty(void)
{
	open_world();
	CU_ASSERT_EQUAL(heir_succeed(&world), 0);
	CU_ASSERT_EQUAL(world.table.used, 0);
	CU_ASSERT_EQUAL(world.carried_on, 0);
	CU_ASSERT_PTR_EQUAL(conn_alloc(&world.table), &entries[0]);
	heir_destroy(&world);
}

/* One row a state: what is left of it. */
static void every_state_is_carried_on_or_ended(void)
{
	static const struct {
		enum conn_state state;
		int stays, forward, reverse, held;
	} rows[] = {
		{CONN_SYN_SENT, 1, 1, 1, 1},    {CONN_SYN_RCVD, 1, 1, 1, 1},
		{CONN_ESTABLISHED, 1, 1, 1, 1}, {CONN_CLOSING, 1, 1, 1, 1},
		{CONN_RESTING, 1, 1, 1, 0},     {CONN_TOMBSTONE, 1, 0, 1, 0},
		{CONN_WAITING, 0, 0, 0, 0},     {(enum conn_state)77, 0, 0, 0, 0},
	};

	for (uint32_t id = 0; id < 2 * sizeof(rows) / sizeof(rows[0]); id++) {
		const uint32_t row = id / 2;
		struct conn *c;

		open_world();
		c = heir_open(&world, id, CONN_ESTABLISHED);
		c->state = (uint8_t)rows[row].state;
		CU_ASSERT_EQUAL(heir_succeed(&world), 0);
		CU_ASSERT_EQUAL(c->state, rows[row].stays ? rows[row].state : CONN_FREE);
		CU_ASSERT_EQUAL(world.adopted.waiting, rows[row].state == CONN_WAITING);
		CU_ASSERT_EQUAL(world.table.tombstones, rows[row].state == CONN_TOMBSTONE);
		is_found(c, rows[row].forward, rows[row].reverse);
		if (rows[row].stays)
			CU_ASSERT_EQUAL(c->call.held != 0, rows[row].held);
		is_sound();
		heir_destroy(&world);
	}
}

static void udp_flow_is_carried_on(void)
{
	struct conn *c;

	open_world();
	c = heir_fill(&world, 6, PROTO_UDP);
	CU_ASSERT_EQUAL(conn_insert(&world.table, c, CONN_ESTABLISHED), 0);
	CU_ASSERT_EQUAL(heir_succeed(&world), 0);
	is_found(c, 1, 1);
	CU_ASSERT_EQUAL(snat_ports_free_count(world.snat[1][0]), HEIR_HIGH - HEIR_LOW);
	CU_ASSERT_EQUAL(snat_ports_free_count(world.snat[0][0]), HEIR_HIGH - HEIR_LOW + 1);
	heir_destroy(&world);
}

static void what_is_derived_is_derived_anew(void)
{
	for (uint32_t id = 4; id <= 5; id++) {
		struct conn before, *c;

		open_world();
		c = heir_open(&world, id, CONN_ESTABLISHED);
		before = *c;
		c->l3_delta ^= 1;
		c->l4_delta ^= 2;
		c->call.number = 99;
		c->neighbour_fwd = c->neighbour_rev = 7;
		c->next = c->prev = c->list = 0xdeadbeef;
		c->fwd_wscale = 200;
		c->rev_wscale = 7;
		CU_ASSERT_EQUAL(heir_succeed(&world), 0);
		CU_ASSERT_EQUAL(c->l3_delta, before.l3_delta);
		CU_ASSERT_EQUAL(c->l4_delta, before.l4_delta);
		CU_ASSERT_EQUAL(c->call.number, conn_number(&world.table, c));
		CU_ASSERT_EQUAL(c->neighbour_fwd, NEIGHBOUR_NONE);
		CU_ASSERT_EQUAL(c->fwd_wscale, 14);
		CU_ASSERT_EQUAL(c->rev_wscale, 7);
		is_sound();
		heir_destroy(&world);
	}
}

static void call_without_a_verdict_feeds_nothing_any_more(void)
{
	const uint8_t unfed = CALL_NO_VERDICT | CALL_NO_CLUSTER_EPOCH | CALL_NO_ENDPOINT_EPOCH;
	struct conn *open, *judged;

	open_world();
	open = heir_open(&world, 1, CONN_ESTABLISHED);
	judged = heir_open(&world, 2, CONN_ESTABLISHED);
	judged->call.marks = CALL_OPEN;
	CU_ASSERT_EQUAL(heir_succeed(&world), 0);
	CU_ASSERT_EQUAL(open->call.marks, CALL_OPEN | CALL_STARTED | unfed);
	CU_ASSERT_EQUAL(judged->call.marks, CALL_OPEN);
	heir_destroy(&world);
}

static void a_new_syn_may_offer_no_scaling(void)
{
	struct conn *c;

	open_world();
	c = heir_open(&world, 1, CONN_SYN_SENT);
	c->fwd_wscale = 0xff;
	CU_ASSERT_EQUAL(heir_succeed(&world), 0);
	CU_ASSERT_EQUAL(c->fwd_wscale, 0xff);
	heir_destroy(&world);
}

static void resting_entries_end_in_order_of_time(void)
{
	static const uint32_t seconds[] = {2, 0, 1, 1};
	struct conn *expired[8];

	open_world();
	for (uint32_t i = 0; i < 4; i++) {
		struct conn *c = heir_open(&world, i, CONN_ESTABLISHED);

		c->state = CONN_RESTING;
		conn_rest(&world.table, c, HEIR_NOW + seconds[i] * 1000000000ull - i);
	}
	CU_ASSERT_EQUAL(heir_succeed(&world), 0);
	CU_ASSERT_EQUAL(world.adopted.resting, 4);
	is_sound();
	CU_ASSERT_EQUAL(conn_expire(&world.table, HEIR_NOW, expired, 8), 1);
	CU_ASSERT_PTR_EQUAL(expired[0], &entries[1]);
	CU_ASSERT_EQUAL(conn_expire(&world.table, HEIR_NOW + 1000000000, expired, 8), 2);
	CU_ASSERT_PTR_EQUAL(expired[0], &entries[3]);
	heir_destroy(&world);
}

static void no_rest_is_longer_than_a_rest(void)
{
	struct conn *c;

	open_world();
	c = heir_open(&world, 1, CONN_ESTABLISHED);
	c->state = CONN_RESTING;
	c->deadline_ns = UINT64_MAX;
	CU_ASSERT_EQUAL(heir_succeed(&world), 0);
	CU_ASSERT_EQUAL(conn_next_ns(&world.table), HEIR_NOW + TCP_REST_NS);
	heir_destroy(&world);
}

static void deadlines_that_passed_meanwhile_expire(void)
{
	struct conn *expired[8], *c;

	open_world();
	c = heir_open(&world, 1, CONN_ESTABLISHED);
	c->deadline_ns = HEIR_NOW - 1;
	heir_open(&world, 2, CONN_ESTABLISHED)->deadline_ns = UINT64_MAX;
	CU_ASSERT_EQUAL(heir_succeed(&world), 0);
	CU_ASSERT_EQUAL(conn_expire(&world.table, HEIR_NOW + 2 * WHEEL_TICK_NS, expired, 8), 1);
	CU_ASSERT_PTR_EQUAL(expired[0], c);
	heir_destroy(&world);
}

static void doing_it_again_changes_nothing(void)
{
	static struct conn before[CAPACITY];

	open_world();
	for (uint32_t id = 0; id < 100; id++)
		heir_open(&world, id, CONN_ESTABLISHED)->state =
			id % 3 == 0 ? CONN_RESTING : CONN_ESTABLISHED;
	CU_ASSERT_EQUAL(heir_succeed(&world), 0);
	memcpy(before, entries, sizeof(before));
	CU_ASSERT_EQUAL(heir_succeed(&world), 0);
	CU_ASSERT_EQUAL(memcmp(before, entries, sizeof(before)), 0);
	CU_ASSERT_EQUAL(world.carried_on, 100);
	heir_destroy(&world);
}

static void full_table_is_carried_on_and_stays_full(void)
{
	open_world();
	for (uint32_t id = 0; id < CAPACITY; id++)
		heir_open(&world, id, CONN_ESTABLISHED);
	CU_ASSERT_EQUAL(heir_succeed(&world), 0);
	CU_ASSERT_EQUAL(world.adopted.open, CAPACITY);
	CU_ASSERT_PTR_NULL(conn_alloc(&world.table));
	for (uint32_t i = 0; i < CAPACITY; i++)
		is_found(&entries[i], 1, 1);
	for (uint32_t i = 0; i < CAPACITY; i++)
		conn_release(&world.table, &entries[i]);
	CU_ASSERT_EQUAL(world.table.used, 0);
	heir_destroy(&world);
}

/* Stored before its state: nobody has seen it. */
static void half_made_entry_is_free(void)
{
	struct conn *c;

	open_world();
	c = heir_fill(&world, 3, PROTO_TCP);
	CU_ASSERT_EQUAL(heir_succeed(&world), 0);
	CU_ASSERT_EQUAL(world.adopted.unreadable, 0);
	is_found(c, 0, 0);
	is_sound();
	heir_destroy(&world);
}

static void connection_that_was_ending_rests(void)
{
	struct conn *c;

	open_world();
	c = heir_open(&world, 3, CONN_ESTABLISHED);
	c->state = CONN_RESTING; /* and its call was not over yet */
	CU_ASSERT_EQUAL(heir_succeed(&world), 0);
	CU_ASSERT_EQUAL(c->call.held, 0);
	CU_ASSERT_EQUAL(c->call.marks, 0);
	CU_ASSERT_EQUAL(world.adopted.resting, 1);
	heir_destroy(&world);
}

/* One row a lie. */
static void spoil_interface(struct conn *c)
{
	c->fwd.interface = 2;
}
static void spoil_other_interface(struct conn *c)
{
	c->rev.interface = 0;
}
static void spoil_proto(struct conn *c)
{
	c->fwd.proto = 1;
}
static void spoil_one_proto(struct conn *c)
{
	c->rev.proto = PROTO_UDP;
}
static void spoil_family(struct conn *c)
{
	c->fwd.family = c->rev.family = 9;
}
static void spoil_one_family(struct conn *c)
{
	c->rev.family = FAMILY_V6;
}
static void spoil_pad(struct conn *c)
{
	c->rev.pad = 1;
}
static void spoil_listener(struct conn *c)
{
	c->listener = HEIR_SLOTS;
}
static void spoil_cluster(struct conn *c)
{
	c->cluster = UINT16_MAX;
}
static void spoil_endpoint(struct conn *c)
{
	c->endpoint = CALL_NO_SLOT;
}
static void spoil_snat_address(struct conn *c)
{
	c->snat_address = HEIR_ADDRESSES;
}
static void spoil_other_address(struct conn *c)
{
	c->snat_address = 1;
}
static void spoil_snat(struct conn *c)
{
	c->rev.dst ^= 1;
}
static void spoil_port(struct conn *c)
{
	c->rev.dport = htobe16(HEIR_HIGH + 1);
}
static void spoil_no_port(struct conn *c)
{
	c->rev.dport = 0;
}
static void spoil_options(struct conn *c)
{
	c->syn_option_bytes = 44;
}
static void spoil_call(struct conn *c)
{
	c->call.listener = 9;
}
static void spoil_call_endpoint(struct conn *c)
{
	c->call.endpoint = 9;
}
static void spoil_held(struct conn *c)
{
	c->call.held = CALL_CLUSTER_QUEUED;
}
static void spoil_reason(struct conn *c)
{
	c->call.reason = UINT16_MAX;
}
static void spoil_marks(struct conn *c)
{
	c->call.marks = 0;
}

static void contradictions_are_dropped(void)
{
	static void (*const rows[])(struct conn *) = {
		spoil_interface,    spoil_other_interface,
		spoil_proto,        spoil_one_proto,
		spoil_family,       spoil_one_family,
		spoil_pad,          spoil_listener,
		spoil_cluster,      spoil_endpoint,
		spoil_snat_address, spoil_other_address,
		spoil_snat,         spoil_port,
		spoil_no_port,      spoil_options,
		spoil_call,         spoil_call_endpoint,
		spoil_held,         spoil_reason,
		spoil_marks,
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct conn *c, *other;

		open_world();
		c = heir_open(&world, 4, CONN_ESTABLISHED);
		other = heir_open(&world, 6, CONN_ESTABLISHED);
		rows[i](c);
		CU_ASSERT_EQUAL(heir_succeed(&world), 0);
		CU_ASSERT_EQUAL(c->state, CONN_FREE);
		CU_ASSERT_EQUAL(world.adopted.unreadable, 1);
		is_found(other, 1, 1);
		is_sound();
		heir_destroy(&world);
	}
}

static void second_entry_of_a_key_is_dropped(void)
{
	struct conn *c, *twin;

	open_world();
	c = heir_open(&world, 4, CONN_ESTABLISHED);
	twin = conn_alloc(&world.table);
	*twin = *c;
	CU_ASSERT_EQUAL(heir_succeed(&world), 0);
	CU_ASSERT_EQUAL(world.adopted.open, 1);
	CU_ASSERT_EQUAL(world.adopted.unreadable, 1);
	is_sound();
	heir_destroy(&world);
}

static void entry_of_another_worker_is_dropped(void)
{
	struct conn *c;

	open_world();
	c = heir_open(&world, 4, CONN_ESTABLISHED);
	memset(world.owners, 1, sizeof(world.owners));
	CU_ASSERT_EQUAL(heir_succeed(&world), 0);
	CU_ASSERT_EQUAL(c->state, CONN_FREE);
	heir_destroy(&world);
}

static uint64_t next_random(void)
{
	static uint64_t state = 88172645463325252ull;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* Entries of random bytes, and good ones of which some bytes were changed. */
static void spoil_randomly(int round)
{
	uint8_t *bytes = (uint8_t *)entries;

	if (round % 3 == 0)
		for (size_t i = 0; i < sizeof(entries); i++)
			bytes[i] = (uint8_t)next_random();
	for (int i = 0; i < 200; i++)
		bytes[next_random() % sizeof(entries)] ^= (uint8_t)next_random();
	for (uint32_t i = 0; i < CAPACITY; i++)
		if (next_random() % 2)
			entries[i].state = (uint8_t)(next_random() % 9);
}

static void random_bytes_make_a_sound_table(void)
{
	for (int round = 0; round < RANDOM_ROUNDS; round++) {
		struct conn *expired[16];

		open_world();
		for (uint32_t id = 0; id < CAPACITY; id++)
			heir_open(&world, id, CONN_ESTABLISHED);
		spoil_randomly(round);
		CU_ASSERT_EQUAL(heir_succeed(&world), 0);
		is_sound();
		for (int i = 0; i < CAPACITY; i++)
			conn_expire(&world.table, HEIR_NOW + 5000000000ull, expired, 16);
		for (uint32_t i = 0; i < CAPACITY; i++)
			if (entries[i].state != CONN_FREE)
				conn_release(&world.table, &entries[i]);
		CU_ASSERT_EQUAL(world.table.used, 0);
		heir_destroy(&world);
	}
}

static CU_TestInfo tests[] = {
	SUITE_TEST(empty_table_stays_empty),
	SUITE_TEST(every_state_is_carried_on_or_ended),
	SUITE_TEST(udp_flow_is_carried_on),
	SUITE_TEST(what_is_derived_is_derived_anew),
	SUITE_TEST(call_without_a_verdict_feeds_nothing_any_more),
	SUITE_TEST(a_new_syn_may_offer_no_scaling),
	SUITE_TEST(resting_entries_end_in_order_of_time),
	SUITE_TEST(no_rest_is_longer_than_a_rest),
	SUITE_TEST(deadlines_that_passed_meanwhile_expire),
	SUITE_TEST(doing_it_again_changes_nothing),
	SUITE_TEST(full_table_is_carried_on_and_stays_full),
	SUITE_TEST(half_made_entry_is_free),
	SUITE_TEST(connection_that_was_ending_rests),
	SUITE_TEST(contradictions_are_dropped),
	SUITE_TEST(second_entry_of_a_key_is_dropped),
	SUITE_TEST(entry_of_another_worker_is_dropped),
	SUITE_TEST(random_bytes_make_a_sound_table),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	return suite_run("adopt", tests);
}
