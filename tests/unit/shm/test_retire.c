/* SPDX-License-Identifier: Apache-2.0 */
/* Names that leave the policy make room, but only once nobody writes their counters. */
#include "shm/publish.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "shm/names.h"
#include "shm/registry.h"
#include "shm/retire.h"
#include "tests/unit/shm/sample_image.h"
#include "tests/unit/shm/suite.h"

static struct region region;
static char why[160];

/* The sample with its endpoints on other ports: seven names, all of them new. */
static int publish_ports(uint16_t step, int reader_dead)
{
	static const char *const cluster[SAMPLE_ENDPOINTS] = {
		"orders", "orders", "payments", "payments", "dns6", "dns6", "cache"};
	struct sample *s = sample_make(SAMPLE_MAGLEV, 1);
	char *strings = (char *)s + s->header.strings.off;
	char name[ENDPOINT_NAME_BYTES];
	uint64_t generation;
	int error;

	for (uint32_t i = 0; i < SAMPLE_ENDPOINTS; i++) {
		struct image_endpoint *e = &s->endpoints[i];
		uint32_t port = i < 2 || i > 3 ? 10u + step : 100u + 2u * step + i;

		/* As many digits as before, so that the strings stay where they are. */
		e->port = htons((uint16_t)port);
		endpoint_name(&e->ip, e->family, e->port, name);
		if (strlen(name) != strlen(&strings[e->name]))
			abort();
		strcpy(&strings[e->name], name);
		e->key = endpoint_key(cluster[i], name);
	}
	image_seal(&s->header, 0);
	error = publish(&region, &s->header, reader_dead, &generation);
	if (error == -EINVAL && image_check(s, s->header.length, why, sizeof(why)))
		printf("%s\n", why);
	free(s);
	return error;
}

static uint32_t slot_of(uint16_t step)
{
	char name[ENDPOINT_NAME_BYTES];

	snprintf(name, sizeof(name), "10.2.0.11:%u", 10 + step);
	return registry_find(region.endpoint_registry, region.shape.endpoint_slots,
			     endpoint_key("orders", name));
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Every worker runs by @generation and has begun a loop just now. */
static void workers_apply(uint64_t generation)
{
	adopt_ack(&region, generation);
	for (uint32_t w = 0; w < region.shape.workers; w++) {
		region.workers[w].state = WORKER_RUNNING;
		region.workers[w].applied_generation = generation;
		region.workers[w].heartbeat_ns = now_ns() + 1;
	}
}

/* 16 slots, so 8 names at most: seven fit, fourteen do not. */
static void start(void)
{
	small_region(&region, "retire");
	publisher_begin(&region);
	CU_ASSERT_EQUAL_FATAL(publish_ports(0, 0), 0);
	workers_apply(1);
}

static void names_of_the_active_policy_stay(void)
{
	start();
	CU_ASSERT_EQUAL(publish_ports(1, 0), -ENOSPC);
	CU_ASSERT_NOT_EQUAL(slot_of(0), REGISTRY_NONE);
	CU_ASSERT_EQUAL(active_generation(region.header->active), 1);
	region_close(&region);
}

/* An image whose endpoints are all gone, published as generation 2. */
static void publish_without_endpoints(void)
{
	struct sample *s = sample_make(SAMPLE_MAGLEV, 1);
	uint64_t generation;

	for (uint32_t i = 0; i < SAMPLE_CLUSTERS; i++) {
		s->clusters[i].first_endpoint = 0;
		s->clusters[i].endpoint_count = 0;
		s->clusters[i].table_first = 0;
		s->clusters[i].table_count = 0;
		s->clusters[i].weight_sum = 0;
	}
	/* Cut the endpoints, tables and points out. */
	memmove(s->endpoints, (uint8_t *)s + s->header.strings.off, SAMPLE_STRING_BYTES);
	s->header.endpoints.count = 0;
	s->header.tables = s->header.points = (struct image_span){s->header.endpoints.off, 0};
	s->header.strings.off = s->header.endpoints.off;
	s->header.length = s->header.strings.off + SAMPLE_STRING_BYTES;
	image_seal(&s->header, 0);
	CU_ASSERT_EQUAL_FATAL(publish(&region, &s->header, 0, &generation), 0);
	free(s);
}

static void names_that_left_make_room_after_a_loop_of_every_worker(void)
{
	uint32_t old;

	start();
	old = slot_of(0);
	publish_without_endpoints();
	CU_ASSERT_EQUAL(slot_of(0), old);
	CU_ASSERT_EQUAL(publish_ports(1, 0), -ENOSPC); /* still decided by */
	workers_apply(2);
	CU_ASSERT_EQUAL(publish_ports(1, 0), -EBUSY); /* removed, not yet quiet */
	CU_ASSERT_EQUAL(slot_of(0), REGISTRY_NONE);
	CU_ASSERT_EQUAL(publish_ports(1, 0), -EBUSY);
	workers_apply(2);
	region.workers[1].heartbeat_ns = 1; /* the other worker is in that loop still */
	CU_ASSERT_EQUAL(publish_ports(1, 0), -EBUSY);
	workers_apply(2);
	CU_ASSERT_EQUAL(publish_ports(1, 0), 0);
	CU_ASSERT_NOT_EQUAL(slot_of(1), REGISTRY_NONE);
	region_close(&region);
}

/* A resting connection is closed by the counters, and may still count a late packet. */
static void a_name_that_a_connection_refers_to_stays(void)
{
	struct conn *conn;
	uint32_t slot;

	start();
	slot = slot_of(0);
	conn = &region_connections(&region, 1)[region.shape.connections_per_worker - 1];
	conn->endpoint = (uint16_t)slot;
	conn->state = CONN_RESTING;
	publish_without_endpoints();
	for (unsigned int i = 0; i < 3; i++) {
		workers_apply(2);
		(void)publish_ports(1, 0);
	}
	CU_ASSERT_EQUAL(slot_of(0), slot);
	conn->state = CONN_FREE;
	CU_ASSERT_EQUAL(publish_ports(2, 0), -EBUSY);
	CU_ASSERT_EQUAL(slot_of(0), REGISTRY_NONE);
	region_close(&region);
}

static void a_name_that_comes_back_in_time_keeps_its_counters(void)
{
	uint32_t slot;

	start();
	slot = slot_of(0);
	region_endpoint_counters(&region, 0, slot)->started = 42;
	publish_without_endpoints();
	workers_apply(2);
	CU_ASSERT_EQUAL(publish_ports(0, 0), 0);
	CU_ASSERT_EQUAL(slot_of(0), slot);
	CU_ASSERT_EQUAL(region_endpoint_counters(&region, 0, slot)->started, 42);
	region_close(&region);
}

static void a_new_name_starts_with_zero_counters(void)
{
	start();
	for (uint32_t slot = 0; slot < region.shape.endpoint_slots; slot++) {
		struct call_counters *calls = region_endpoint_counters(&region, 1, slot);

		if (registry_key(&region.endpoint_registry[slot]) != REGISTRY_FREE)
			calls->opened = calls->closed = calls->to_client_bytes = 7;
	}
	publish_without_endpoints();
	CU_ASSERT_EQUAL(publish_ports(1, 1), 0); /* nobody runs: at once */
	for (uint32_t slot = 0; slot < region.shape.endpoint_slots; slot++)
		CU_ASSERT_EQUAL(region_endpoint_counters(&region, 1, slot)->to_client_bytes, 0);
	region_close(&region);
}

struct block {
	void *at;
	size_t bytes;
};

/* All that is kept of a name: everybody's words, and those of the last worker. */
static unsigned int blocks_of(enum state_kind kind, uint32_t slot, struct block blocks[4])
{
	const uint32_t w = region.shape.workers - 1;
	unsigned int n = 0;

#define BLOCK(pointer)                        \
	blocks[n++] = (struct block)          \
	{                                     \
		(pointer), sizeof(*(pointer)) \
	}
	switch (kind) {
	case STATE_LISTENER:
		BLOCK(&region.listener_state[slot]);
		BLOCK(region_listener_counters(&region, w, slot));
		break;
	case STATE_CLUSTER:
		BLOCK(&region.cluster_state[slot]);
		BLOCK(region_cluster_counters(&region, w, slot));
		BLOCK(region_policy_counters(&region, w, slot));
		BLOCK(region_cluster_outcomes(&region, w, slot));
		break;
	default:
		BLOCK(&region.endpoint_state[slot]);
		BLOCK(region_endpoint_counters(&region, w, slot));
		BLOCK(region_endpoint_outcomes(&region, w, slot));
		break;
	}
#undef BLOCK
	return n;
}

static void fill(enum state_kind kind, uint32_t slot)
{
	struct block blocks[4];
	unsigned int count = blocks_of(kind, slot, blocks);

	for (unsigned int i = 0; i < count; i++)
		memset(blocks[i].at, 0xff, blocks[i].bytes);
}

static int every_byte_is(enum state_kind kind, uint32_t slot, uint8_t value)
{
	struct block blocks[4];
	unsigned int count = blocks_of(kind, slot, blocks);

	for (unsigned int i = 0; i < count; i++) {
		const uint8_t *bytes = blocks[i].at;

		for (size_t k = 0; k < blocks[i].bytes; k++) {
			if (bytes[k] != value)
				return 0;
		}
	}
	return 1;
}

static uint32_t first_live(const struct registry *registry)
{
	uint32_t slot = 0;

	while (registry_key(&registry->entries[slot]) == REGISTRY_FREE)
		slot++;
	return slot;
}

static void a_recycled_slot_holds_no_state_and_its_neighbour_keeps_its_own(void)
{
	start();
	for (int i = 0; i < STATE_KINDS; i++) {
		const enum state_kind kind = (enum state_kind)i;
		struct registry registry = retire_load(&region, kind);
		const uint32_t slot = first_live(&registry);
		const uint32_t neighbour = (slot + 1) % registry.slots;

		fill(kind, slot);
		fill(kind, neighbour);
		registry_remove(&registry, slot, 1);
		retire_unnamed(&region, kind, &registry, 1, 0);
		CU_ASSERT_EQUAL(registry.entries[slot].generation, 0);
		CU_ASSERT(every_byte_is(kind, slot, 0));
		CU_ASSERT(every_byte_is(kind, neighbour, 0xff));
	}
	region_close(&region);
}

/* The words that say that something of the name is still under way. */
static uint64_t *busy_word(unsigned int which, uint32_t slot)
{
	switch (which) {
	case 0:
		return &region.listener_state[slot].bulkhead.word;
	case 1:
		return &region.cluster_state[slot].bulkhead.word;
	case 2:
		return &region.cluster_state[slot].attempts_in_flight;
	case 3:
		return &region.cluster_state[slot].retries_in_flight;
	default:
		return &region.endpoint_state[slot].in_flight;
	}
}

static void a_name_with_something_in_flight_stays(void)
{
	static const enum state_kind kinds[] = {STATE_LISTENER, STATE_CLUSTER, STATE_CLUSTER,
						STATE_CLUSTER, STATE_ENDPOINT};

	for (unsigned int i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct registry registry;
		uint32_t slot;

		start();
		registry = retire_load(&region, kinds[i]);
		slot = first_live(&registry);
		region.header->active = 9 << 2;
		workers_apply(9);
		*busy_word(i, slot) = 1;
		retire_unnamed(&region, kinds[i], &registry, 9, 0);
		CU_ASSERT(registry_key(&registry.entries[slot]) > REGISTRY_REMOVED);
		*busy_word(i, slot) = 0;
		retire_unnamed(&region, kinds[i], &registry, 9, 0);
		CU_ASSERT(registry_key(&registry.entries[slot]) <= REGISTRY_REMOVED);
		region_close(&region);
	}
}

/* Its successor counts anew, so a leaked word must not pin a name for ever. */
static void what_a_dead_dataplane_left_in_flight_holds_nothing(void)
{
	uint32_t slot;

	start();
	slot = slot_of(0);
	region.endpoint_state[slot].in_flight = 1;
	publish_without_endpoints();
	CU_ASSERT_EQUAL(publish_ports(1, 1), 0);
	CU_ASSERT_EQUAL(slot_of(0), REGISTRY_NONE);
	CU_ASSERT_EQUAL(region.endpoint_state[slot].in_flight, 0);
	region_close(&region);
}

/* Between two attempts: the entry names no endpoint, the call that of its last attempt. */
static void a_waiting_call_holds_the_endpoint_of_its_last_attempt(void)
{
	struct conn *conn;
	uint32_t slot;

	start();
	slot = slot_of(0);
	conn = region_connections(&region, 0);
	conn->endpoint = CALL_NO_SLOT;
	conn->call.endpoint = (uint16_t)slot;
	conn->state = CONN_WAITING;
	publish_without_endpoints();
	workers_apply(2);
	(void)publish_ports(1, 0);
	CU_ASSERT_EQUAL(slot_of(0), slot);
	conn->call.endpoint = CALL_NO_SLOT; /* queued: no attempt yet, so it holds none */
	workers_apply(2);
	(void)publish_ports(1, 0);
	CU_ASSERT_EQUAL(slot_of(0), REGISTRY_NONE);
	region_close(&region);
}

static void parked_and_stopped_workers_hold_nothing_back(void)
{
	start();
	publish_without_endpoints();
	workers_apply(2);
	region.workers[0].state = WORKER_PARKED;
	region.workers[1].state = WORKER_STOPPED;
	region.workers[0].applied_generation = region.workers[1].applied_generation = 1;
	region.workers[0].heartbeat_ns = region.workers[1].heartbeat_ns = 1;
	CU_ASSERT_EQUAL(publish_ports(1, 0), 0);
	region_close(&region);
}

/* Every reload replaces every endpoint, a thousand times over. */
static void endless_turnover_never_fills_the_registry(void)
{
	uint64_t generation = 1;

	start();
	for (uint16_t i = 1; i < 1000; i++) {
		uint64_t empty;

		publish_without_endpoints();
		empty = ++generation;
		workers_apply(empty);
		(void)publish_ports(i % 80, 0);
		workers_apply(empty);
		if (active_generation(region.header->active) == empty)
			CU_ASSERT_EQUAL_FATAL(publish_ports(i % 80, 0), 0);
		generation = active_generation(region.header->active);
		workers_apply(generation);
	}
	region_close(&region);
}

/* Two names of one key are refused by registry_claim(); a text without the key is no name. */
static void a_name_that_was_written_over_is_put_back(void)
{
	struct registry_entry before;
	uint32_t slot;

	start();
	slot = slot_of(0);
	before = region.endpoint_registry[slot];
	memset(region.endpoint_registry[slot].name, 'x', sizeof(before.name));
	CU_ASSERT_EQUAL(publish_ports(0, 0), 0);
	CU_ASSERT_EQUAL(slot_of(0), slot);
	CU_ASSERT_STRING_EQUAL(region.endpoint_registry[slot].name, before.name);
	region_close(&region);
}

/* The whole registry but the names in force, at random. */
static void damage_others(void)
{
	for (uint32_t slot = 0; slot < region.shape.endpoint_slots; slot++) {
		struct registry_entry *e = &region.endpoint_registry[slot];

		if (e->key > REGISTRY_REMOVED)
			continue;
		e->key = UINT64_C(0x9e3779b97f4a7c15) * (slot + 1);
		e->generation = slot % 2 ? UINT64_MAX : 0;
		memset(e->name, 'x', sizeof(e->name));
	}
}

static void what_is_nobodys_name_makes_room(void)
{
	start();
	damage_others();
	region.endpoint_registry[(slot_of(0) + 1) % 16].key = REGISTRY_REMOVED;
	CU_ASSERT_EQUAL(publish_ports(0, 0), -EBUSY);
	workers_apply(1);
	CU_ASSERT_EQUAL(publish_ports(0, 0), 0);
	CU_ASSERT_NOT_EQUAL(slot_of(0), REGISTRY_NONE);
	region_close(&region);

	start();
	damage_others();
	CU_ASSERT_EQUAL(publish_ports(1, 1), -ENOSPC); /* the seven in force stay */
	CU_ASSERT_EQUAL(publish_ports(0, 1), 0);
	region_close(&region);
}

static const struct test tests[] = {
	TEST(names_of_the_active_policy_stay),
	TEST(names_that_left_make_room_after_a_loop_of_every_worker),
	TEST(a_name_that_a_connection_refers_to_stays),
	TEST(a_name_that_comes_back_in_time_keeps_its_counters),
	TEST(a_new_name_starts_with_zero_counters),
	TEST(a_recycled_slot_holds_no_state_and_its_neighbour_keeps_its_own),
	TEST(a_name_with_something_in_flight_stays),
	TEST(what_a_dead_dataplane_left_in_flight_holds_nothing),
	TEST(a_waiting_call_holds_the_endpoint_of_its_last_attempt),
	TEST(parked_and_stopped_workers_hold_nothing_back),
	TEST(endless_turnover_never_fills_the_registry),
	TEST(a_name_that_was_written_over_is_put_back),
	TEST(what_is_nobodys_name_makes_room),
};

int main(void)
{
	return suite_run("retire", tests, sizeof(tests) / sizeof(tests[0]));
}
