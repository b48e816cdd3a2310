/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/shm/migrate_world.h"

enum { RANDOM_ROUNDS = 60 };

/* Every entry lies with its worker, says the same, and is counted as begun there. */
static void is_sound(void)
{
	const uint16_t listener = slot_of(&to, OF_LISTENER, "orders");
	const uint16_t endpoint = slot_of(&to, OF_ENDPOINT, "orders/10.2.0.11:80");

	for (uint32_t w = 0; w < to.shape.workers; w++) {
		uint32_t open = 0;

		for (uint32_t i = 0; i < to.shape.connections_per_worker; i++) {
			const struct conn *c = &region_connections(&to, w)[i];

			if (c->state == CONN_FREE)
				continue;
			open += c->state <= CONN_CLOSING;
			CU_ASSERT_EQUAL(c->listener, listener);
			CU_ASSERT_EQUAL(c->call.endpoint, endpoint);
			CU_ASSERT_EQUAL(c->call.tried[0], endpoint);
			CU_ASSERT_EQUAL(c->call.tried[1], CALL_NO_SLOT);
			CU_ASSERT_EQUAL(region_flow_limits(&to, w)[i].to[0].shape,
					be16toh(c->fwd.sport));
			if (c->state != CONN_TOMBSTONE)
				CU_ASSERT_EQUAL(worker_of(c, to.shape.workers), w);
		}
		CU_ASSERT(region_listener_counters(&to, w, listener)->calls.started >= open);
		CU_ASSERT(region_endpoint_counters(&to, w, endpoint)->opened >= open);
	}
	CU_ASSERT_EQUAL(sum_begun(&to), sum_begun(&from));
}

/* One row a change of shape. */
static void connections_go_on_in_every_shape(void)
{
	const struct {
		struct region_spec before, after;
		uint32_t carried;
	} rows[] = {
		{spec_of(2, 64, 4, 5, 8), spec_of(2, 64, 4, 5, 8), CONNECTIONS},
		{spec_of(1, 64, 4, 5, 8), spec_of(1, 4096, 4, 5, 8), CONNECTIONS},
		{spec_of(1, 64, 4, 5, 8), spec_of(2, 1024, 4, 5, 8), CONNECTIONS},
		{spec_of(2, 1024, 4, 5, 8), spec_of(1, 64, 4, 5, 8), CONNECTIONS},
		{spec_of(2, 1024, 4, 5, 8), spec_of(16, 1024, 4, 5, 8), CONNECTIONS},
		{spec_of(16, 1024, 4, 5, 8), spec_of(3, 1024, 4, 5, 8), CONNECTIONS},
		{spec_of(1, 64, 4, 5, 8), spec_of(1, 64, 1000, 1000, 16000), CONNECTIONS},
		{spec_of(1, 64, 1000, 1000, 16000), spec_of(1, 64, 3, 5, 7), CONNECTIONS},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin(&rows[i].before);
		for (uint32_t id = 0; id < CONNECTIONS; id++) {
			struct conn c = connection(id, CONN_ESTABLISHED);

			add(&c);
		}
		CU_ASSERT_EQUAL(migrate(&rows[i].after), 0);
		CU_ASSERT_EQUAL(out.carried, rows[i].carried);
		CU_ASSERT_EQUAL(out.generation, 4);
		CU_ASSERT_EQUAL(active_generation(to.header->active), 4);
		CU_ASSERT_EQUAL(to.header->region_id, from.header->region_id);
		is_sound();
		end();
	}
}

static void result_is_a_region_that_opens(void)
{
	struct region_spec spec = small_spec(), larger = spec_of(1, 128, 4, 5, 8);
	const struct migration m = {&from, &to, NULL, NULL};
	struct migration whole = m;
	struct region again;

	begin(&spec);
	if (region_create(&to, region_path("opens"), &larger, why, sizeof(why)))
		abort();
	whole.before = &before->header;
	whole.after = &after->header;
	CU_ASSERT_EQUAL(region_migrate(&whole, &out, why, sizeof(why)), 0);
	CU_ASSERT_EQUAL(region_open(&again, region_path("opens"), why, sizeof(why)), 0);
	unlink(region_path("opens"));
	region_close(&again);
	end();
}

static void every_state_goes_on_or_ends(void)
{
	const struct region_spec spec = small_spec();
	struct conn c;

	begin(&spec);
	for (uint32_t state = CONN_SYN_SENT; state <= CONN_TOMBSTONE + 2u; state++) {
		c = connection(state, (enum conn_state)state);
		add(&c);
	}
	CU_ASSERT_EQUAL(migrate(&spec), 0);
	CU_ASSERT_EQUAL(out.carried, 4);
	CU_ASSERT_EQUAL(out.resting, 2);
	CU_ASSERT_EQUAL(out.waiting, 1);
	CU_ASSERT_EQUAL(out.ended[MIGRATE_UNREADABLE], 2);
	is_sound();
	end();
}

/* Full, and full + 1: the open come first, the counters say what is missing. */
static void smaller_table_takes_what_fits(void)
{
	const struct region_spec large = spec_of(1, 256, 4, 5, 8), small = spec_of(1, 64, 4, 5, 8);

	for (uint32_t open = 63; open <= 66; open++) {
		struct conn c;

		begin(&large);
		c = connection(200, CONN_RESTING);
		add(&c);
		for (uint32_t id = 0; id < open; id++) {
			c = connection(id, CONN_ESTABLISHED);
			add(&c);
		}
		CU_ASSERT_EQUAL(migrate(&small), 0);
		CU_ASSERT_EQUAL(out.carried, open < 64 ? open : 64);
		CU_ASSERT_EQUAL(out.resting, open < 64);
		CU_ASSERT_EQUAL(out.ended[MIGRATE_NO_ROOM], open > 64 ? open - 64 : 0);
		is_sound();
		end();
	}
}

static void lose_client_interface(void)
{
	after->interfaces[0].name = sample_string(after, "app2");
}
static void lose_endpoint_interface(void)
{
	after->interfaces[1].name = sample_string(after, "net2");
}
static void lose_ports(void)
{
	after->interfaces[1].snat_port_low = 40000;
}
static void lose_nothing(void)
{
	after->interfaces[0].device = sample_string(after, "eth7");
}

static void what_left_the_policy_ends_its_connections(void)
{
	static const struct {
		void (*change)(void);
		int end;
	} rows[] = {
		{lose_client_interface, MIGRATE_NO_INTERFACE},
		{lose_endpoint_interface, MIGRATE_NO_INTERFACE},
		{lose_ports, MIGRATE_NO_ADDRESS},
		{lose_nothing, -1},
	};
	const struct region_spec spec = small_spec();

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct conn c;

		begin(&spec);
		rows[i].change();
		c = connection(1, CONN_ESTABLISHED);
		add(&c);
		CU_ASSERT_EQUAL(migrate(&spec), 0);
		CU_ASSERT_EQUAL(out.carried, rows[i].end < 0);
		if (rows[i].end >= 0)
			CU_ASSERT_EQUAL(out.ended[rows[i].end], 1);
		/* It was begun, and is under way for whoever looks: dataplane_restart. */
		CU_ASSERT_EQUAL(sum_begun(&to), 1);
		end();
	}
}

/* A name that has left the policy keeps its slot where sizes stay, and its connections anyhow. */
static void names_outside_the_policy_go_on(void)
{
	const struct region_spec spec = small_spec(), other = spec_of(1, 64, 8, 5, 8);

	for (int same = 0; same < 2; same++) {
		struct registry names;
		struct conn c;

		begin(&spec);
		names = registry_load(from.listener_registry, from.shape.listener_slots);
		c = connection(1, CONN_ESTABLISHED);
		c.listener = c.call.listener =
			(uint16_t)registry_claim(&names, name_key("gone"), "gone", 1);
		add(&c);
		CU_ASSERT_EQUAL(migrate(same ? &spec : &other), 0);
		CU_ASSERT_EQUAL(out.carried, 1);
		CU_ASSERT_NOT_EQUAL(slot_of(&to, OF_LISTENER, "gone"), UINT16_MAX);
		if (same)
			CU_ASSERT_EQUAL(slot_of(&to, OF_LISTENER, "gone"), c.listener);
		end();
	}
}

static void name_without_room_ends_its_connections(void)
{
	const struct region_spec spec = spec_of(1, 64, 8, 5, 8), small = spec_of(1, 64, 2, 5, 8);
	struct conn c;

	begin(&spec);
	c = connection(1, CONN_ESTABLISHED);
	add(&c);
	CU_ASSERT_EQUAL(migrate(&small), -ENOSPC);
	CU_ASSERT_NOT_EQUAL(why[0], '\0');
	end();
	begin(&spec);
	for (uint32_t i = 0; i < 4; i++) {
		struct registry names =
			registry_load(from.listener_registry, from.shape.listener_slots);
		const char name[] = {'g', 'o', 'n', 'e', (char)('0' + i), '\0'};

		c = connection(i, CONN_ESTABLISHED);
		c.listener = c.call.listener =
			(uint16_t)registry_claim(&names, name_key(name), name, 1);
		add(&c);
	}
	/* 8 slots, 4 of them usable, 3 for the policy's names. */
	{
		const struct region_spec four = spec_of(1, 64, 4, 5, 8);

		CU_ASSERT_EQUAL(migrate(&four), 0);
	}
	CU_ASSERT_EQUAL(out.carried, 1);
	CU_ASSERT_EQUAL(out.ended[MIGRATE_NO_NAME], 3);
	end();
}

static uint64_t random_state;

static uint64_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static void random_bytes(void *at, size_t bytes)
{
	uint8_t *b = at;

	for (size_t i = 0; i < bytes; i++)
		b[i] = (uint8_t)next_random();
}

/* All of it but what region_open() has checked, whose shape is a private copy. */
static void hostile_source_hurts_nobody(void)
{
	static const struct region_spec other = {"unit", 3, 100, 3, 5, 7, MIN_SLOT_BYTES};
	const struct region_spec spec = small_spec();

	for (uint32_t round = 0; round < RANDOM_ROUNDS; round++) {
		const uint64_t fixed = offsetof(struct region_header, active);
		uint8_t *base;

		random_state = round + 1;
		begin(&spec);
		for (uint32_t id = 0; id < CONNECTIONS; id++) {
			struct conn c = connection(id, (enum conn_state)(1 + id % 7));

			add(&c);
		}
		base = (uint8_t *)from.header;
		if (round % 3 == 0)
			random_bytes(base + fixed, from.bytes - fixed);
		else
			for (uint32_t i = 0; i < 200000; i++)
				random_bytes(base + fixed + next_random() % (from.bytes - fixed),
					     1);
		CU_ASSERT_EQUAL(migrate(round % 2 ? &other : &spec), 0);
		CU_ASSERT(out.carried <= CONNECTIONS);
		end();
	}
}

int main(void)
{
	static const struct test tests[] = {
		TEST(connections_go_on_in_every_shape),
		TEST(result_is_a_region_that_opens),
		TEST(every_state_goes_on_or_ends),
		TEST(smaller_table_takes_what_fits),
		TEST(what_left_the_policy_ends_its_connections),
		TEST(names_outside_the_policy_go_on),
		TEST(name_without_room_ends_its_connections),
		TEST(hostile_source_hurts_nobody),
	};

	return suite_run("migrate", tests, sizeof(tests) / sizeof(tests[0]));
}
