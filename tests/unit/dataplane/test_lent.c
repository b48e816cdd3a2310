/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/conn/lent.h"

#include "tests/unit/dataplane/adopt_world.h"

#include "tests/unit/dataplane/suite.h"

/* As many workers as wanted take over what a dataplane of another number left. */
enum { CAPACITY = 128, MOST = 16 };

static struct conn entries[MOST][CAPACITY];
static struct heir_world worlds[MOST];
static struct snat_ports **pools[2][MOST];
static struct lent_ports lent;
static uint8_t owners[OWNER_BUCKETS];
static uint32_t workers;

static int never_taken(void *ctx, uint16_t port)
{
	return 0;
}

static void open_worlds(uint32_t count)
{
	workers = count;
	shard_owners(owners, count);
	for (uint32_t i = 0; i < count; i++) {
		struct heir_world *w = &worlds[i];

		memset(entries[i], 0, sizeof(entries[i]));
		heir_create(w, entries[i], CAPACITY);
		heir_free_ports(w);
		conn_table_free(&w->table);
		if (conn_table_open(&w->table, entries[i], CAPACITY, HEIR_SEED, HEIR_NOW))
			abort();
		w->image.interfaces[1].snat_port_low = HEIR_LOW;
		w->image.interfaces[1].snat_port_high = HEIR_HIGH;
		for (int udp = 0; udp < 2; udp++) {
			for (int a = 0; a < HEIR_ADDRESSES; a++)
				w->snat[udp][a] = snat_ports_create(HEIR_LOW, HEIR_HIGH, owners,
								    (uint8_t)i, HEIR_SEED);
			pools[udp][i] = w->snat[udp];
		}
		w->heir.owners = owners;
		w->heir.worker = i;
		w->heir.others[0] = pools[0];
		w->heir.others[1] = pools[1];
		w->heir.lent = &lent;
	}
}

static void close_worlds(void)
{
	for (uint32_t i = 0; i < workers; i++)
		heir_destroy(&worlds[i]);
	lent_ports_free(&lent);
}

/* A connection of client @id by @port, where its worker's table lies. */
static struct conn *put(uint32_t id, uint16_t port, enum conn_state state)
{
	struct heir_world *w = &worlds[0];
	struct conn c = {
		.fwd = {.src = htobe32(0x0a4d0102),
			.dst = htobe32(0x0a4d0101),
			.sport = htobe16((uint16_t)(1024 + id)),
			.dport = htobe16(80),
			.proto = PROTO_TCP,
			.family = FAMILY_V4},
		.rev = {.src = htobe32(0x0a4d020b),
			.sport = htobe16((uint16_t)(8080 + id)),
			.dport = htobe16(port),
			.interface = 1,
			.proto = PROTO_TCP,
			.family = FAMILY_V4},
		.state = (uint8_t)state,
		.listener = 1,
		.cluster = 2,
		.endpoint = 3,
		.deadline_ns = HEIR_NOW + 1000000000ull,
		.call = {.listener = 1, .cluster = 2, .endpoint = 3, .marks = CALL_OPEN},
	};
	struct flow_key client;
	struct conn *entry;

	memcpy(&c.rev.dst, &w->image.addresses[0].ip.b[12], 4);
	conn_forward_key(&c, &client);
	entry = entries[owners[shard_client_bucket(&client)]];
	while (entry->state != CONN_FREE)
		entry++;
	*entry = c;
	return entry;
}

static void adopt_all(struct conn_adopted *sum)
{
	*sum = (struct conn_adopted){0};
	for (uint32_t i = 0; i < workers; i++) {
		CU_ASSERT_EQUAL(
			conn_table_adopt(&worlds[i].table, &worlds[i].heir, &worlds[i].adopted), 0);
		sum->open += worlds[i].adopted.open;
		sum->resting += worlds[i].adopted.resting;
		sum->unreadable += worlds[i].adopted.unreadable;
	}
}

static uint32_t owner_of(const struct conn *c, enum direction dir)
{
	struct flow_key key;

	if (dir == FORWARD)
		conn_forward_key(c, &key);
	else
		conn_reverse_key(c, &key);
	return shard_owner(owners, lent.count ? &lent : NULL, &worlds[0].image.header,
			   key.k.interface, &key);
}

static int is_lent_to_another(uint32_t worker, uint16_t port)
{
	const uint8_t to = lent_ports_worker(&lent, 0, 0, port);

	return to != LENT_TO_NOBODY && to != worker;
}

/* Of every connection both look-ups lead to the worker that has it. */
static void both_ways_lead_to_one_worker(void)
{
	for (uint32_t count = 1; count <= MOST; count++) {
		struct conn_adopted sum;

		open_worlds(count);
		for (uint32_t id = 0; id < 100; id++)
			put(id, (uint16_t)(HEIR_LOW + 2 * id), CONN_ESTABLISHED);
		adopt_all(&sum);
		CU_ASSERT_EQUAL(sum.open, 100);
		CU_ASSERT_EQUAL(lent.count != 0, count > 1);
		for (uint32_t w = 0; w < count; w++) {
			for (uint32_t i = 0; i < CAPACITY; i++) {
				const struct conn *c = &entries[w][i];

				if (c->state == CONN_FREE)
					continue;
				CU_ASSERT_EQUAL(owner_of(c, FORWARD), w);
				CU_ASSERT_EQUAL(owner_of(c, REVERSE), w);
			}
		}
		close_worlds();
	}
}

/* All its ports twice over, so that some are shared: never one that is lent. */
static void lent_port_is_never_dealt(void)
{
	struct conn_adopted sum;

	open_worlds(2);
	for (uint32_t id = 0; id < 60; id++)
		put(id, (uint16_t)(HEIR_LOW + id), CONN_ESTABLISHED);
	adopt_all(&sum);
	CU_ASSERT(lent.count > 0);
	for (uint32_t w = 0; w < 2; w++) {
		for (int i = 0; i < 600; i++) {
			uint16_t port = snat_ports_deal(worlds[w].snat[0][0], never_taken, NULL);

			CU_ASSERT_NOT_EQUAL(port, 0);
			CU_ASSERT_EQUAL(owners[port % OWNER_BUCKETS], w);
			CU_ASSERT_FALSE(is_lent_to_another(w, port));
		}
	}
	close_worlds();
}

static uint32_t client_of(uint32_t worker)
{
	for (uint32_t id = 0;; id++) {
		const struct flow_key key = {.k = {.src = htobe32(0x0a4d0102),
						   .sport = htobe16((uint16_t)(1024 + id)),
						   .proto = PROTO_TCP,
						   .family = FAMILY_V4}};

		if (owners[shard_client_bucket(&key)] == worker)
			return id;
	}
}

/* One port, several endpoints, clients of two workers: one of them keeps it. */
static void shared_port_goes_to_one_worker(void)
{
	for (uint32_t bucket = 0; bucket < 2; bucket++) {
		struct conn_adopted sum;
		struct conn *a, *b;

		open_worlds(2);
		a = put(client_of(0), (uint16_t)(HEIR_LOW + bucket), CONN_ESTABLISHED);
		b = put(client_of(1), (uint16_t)(HEIR_LOW + bucket), CONN_ESTABLISHED);
		adopt_all(&sum);
		CU_ASSERT_EQUAL(sum.open, 1);
		CU_ASSERT_EQUAL(sum.unreadable, 1);
		CU_ASSERT_EQUAL(owner_of(a->state ? a : b, REVERSE), a->state ? 0 : 1);
		close_worlds();
	}
}

static void one_worker_may_have_it_for_several_endpoints(void)
{
	const uint16_t foreign = HEIR_LOW + 1; /* worker 1's bucket */
	struct conn_adopted sum;
	uint32_t id;
	struct conn *a, *b;

	open_worlds(2);
	id = client_of(0);
	a = put(id, foreign, CONN_ESTABLISHED);
	b = put(id, foreign, CONN_RESTING);
	b->fwd.dport = htobe16(81);
	b->rev.sport = htobe16(9999);
	adopt_all(&sum);
	CU_ASSERT_EQUAL(sum.open + sum.resting, 2);
	CU_ASSERT_EQUAL(lent.count, 1);
	CU_ASSERT_EQUAL(owner_of(b, REVERSE), 0);
	CU_ASSERT_EQUAL(conn_own(&worlds[0].table, a)->port, foreign);
	CU_ASSERT_EQUAL(snat_ports_return(worlds[0].snat[0][0], foreign), 0);
	conn_release(&worlds[0].table, a);
	conn_release(&worlds[0].table, b);
	close_worlds();
}

static void ports_outside_the_range_are_refused(void)
{
	static const uint16_t ports[] = {0, 1, HEIR_LOW - 1, HEIR_HIGH + 1, HEIR_HIGH + 2, 65535};

	for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
		struct conn_adopted sum;

		open_worlds(2);
		put(client_of(0), ports[i], CONN_ESTABLISHED);
		put(client_of(1), ports[i], CONN_TOMBSTONE);
		adopt_all(&sum);
		CU_ASSERT_EQUAL(sum.unreadable, 2);
		CU_ASSERT_EQUAL(lent.count, 0);
		close_worlds();
	}
}

static CU_TestInfo tests[] = {
	SUITE_TEST(both_ways_lead_to_one_worker),
	SUITE_TEST(lent_port_is_never_dealt),
	SUITE_TEST(shared_port_goes_to_one_worker),
	SUITE_TEST(one_worker_may_have_it_for_several_endpoints),
	SUITE_TEST(ports_outside_the_range_are_refused),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	return suite_run("lent", tests);
}
