/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/stats.h"

#include "controlplane/stats_json.h"
#include "shm/registry.h"
#include "tests/unit/controlplane/fixture.h"
#include "tests/unit/dataplane/suite.h"

static struct region region;
static struct image_header *image;
static struct stats stats;

static void begin(void)
{
	image = fixture_compile(FIXTURE_POLICY);
	fixture_region(&region, image);
}

static void teardown(void)
{
	region_close(&region);
	free(image);
}

static void collect(void)
{
	CU_ASSERT_EQUAL_FATAL(stats_collect(&stats, &region, image, 1000000000), 0);
}

static void end(void)
{
	stats_free(&stats);
	teardown();
}

static uint32_t listener_slot(uint32_t i)
{
	return registry_find(region.listener_registry, region.shape.listener_slots,
			     IMAGE_ARRAY(image, struct image_listener, listeners)[i].key);
}

static uint32_t endpoint_slot(uint32_t i)
{
	return registry_find(region.endpoint_registry, region.shape.endpoint_slots,
			     IMAGE_ARRAY(image, struct image_endpoint, endpoints)[i].key);
}

static void a_new_region_is_all_zero_and_the_law_holds(void)
{
	begin();
	collect();
	CU_ASSERT_EQUAL(stats.workers, 2);
	CU_ASSERT_EQUAL(stats.active_generation, 1);
	CU_ASSERT_EQUAL(stats.connection_capacity, 128);
	CU_ASSERT_EQUAL(stats.in_flight, 0);
	CU_ASSERT_EQUAL(stats.dropped, 0);
	CU_ASSERT_TRUE(stats.holds);
	CU_ASSERT_EQUAL(stats.draining_count, 0);
	end();
}

static void counters_are_summed_over_the_workers(void)
{
	uint32_t slot;

	begin();
	slot = listener_slot(1);
	region.workers[0].packets.received = 3;
	region.workers[1].packets.received = 4;
	region.workers[0].packets.dropped[REASON_TTL] = 3;
	region.workers[1].packets.dropped[REASON_TTL] = 4;
	region.workers[0].connections_open = 5;
	region.workers[1].connections_open = 6;
	region_interface_counters(&region, 0, 1)->rx_bytes = 100;
	region_interface_counters(&region, 1, 1)->rx_bytes = 11;
	region_listener_counters(&region, 0, slot)->calls.started = 2;
	region_listener_counters(&region, 1, slot)->calls.started = 5;
	region_listener_counters(&region, 1, slot)->calls.rejected = 1;
	region_listener_counters(&region, 1, slot)->rejected[REASON_NO_PORT] = 1;
	region_endpoint_counters(&region, 1, endpoint_slot(2))->to_client_bytes = 77;
	collect();
	CU_ASSERT_EQUAL(stats.packets.received, 7);
	CU_ASSERT_EQUAL(stats.dropped, 7);
	CU_ASSERT_EQUAL(stats.connections_open, 11);
	CU_ASSERT_EQUAL(stats.interface[0].sum.rx_bytes, 0);
	CU_ASSERT_EQUAL(stats.interface[1].sum.rx_bytes, 111);
	CU_ASSERT_EQUAL(stats.listeners[0].sum.calls.started, 0);
	CU_ASSERT_EQUAL(stats.listeners[1].sum.calls.started, 7);
	CU_ASSERT_EQUAL(stats.listeners[1].sum.rejected[REASON_NO_PORT], 1);
	CU_ASSERT_EQUAL(stats_calls_in_flight(&stats.listeners[1].sum.calls), 6);
	CU_ASSERT_EQUAL(stats.endpoints[2].sum.to_client_bytes, 77);
	CU_ASSERT_EQUAL(stats.endpoints[0].sum.to_client_bytes, 0);
	end();
}

/* Every term of the law, on its own side. */
static void in_flight_is_ways_in_minus_ways_out(void)
{
	struct packet_counters *p;

	begin();
	p = &region.workers[0].packets;
	*p = (struct packet_counters){.received = 1000,
				      .handed_in = 200,
				      .originated = 30,
				      .transmitted = 600,
				      .consumed = 100,
				      .handed_out = 90,
				      .held = 7};
	p->dropped[0] = 20;
	p->dropped[REASON_SLOTS - 1] = 3;
	region.workers[0].state = WORKER_RUNNING;
	collect();
	CU_ASSERT_EQUAL(stats.worker[0].in_flight, 1230 - 820);
	CU_ASSERT_EQUAL(stats.in_flight, 1230 - 820);
	CU_ASSERT_FALSE(stats.worker[0].settled);
	CU_ASSERT_TRUE(stats.holds);
	end();
}

static void the_law_fails_at_rest_and_on_a_packet_too_many(void)
{
	static const struct {
		uint32_t state;
		uint64_t received;
		uint64_t transmitted;
		int holds;
	} rows[] = {
		{WORKER_RUNNING, 10, 9, 1},  {WORKER_RUNNING, 10, 10, 1},
		{WORKER_RUNNING, 10, 11, 0}, {WORKER_PARKED, 10, 10, 1},
		{WORKER_PARKED, 10, 9, 0},   {WORKER_STOPPED, 10, 9, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin();
		region.workers[1].state = rows[i].state;
		region.workers[1].packets.received = rows[i].received;
		region.workers[1].packets.transmitted = rows[i].transmitted;
		collect();
		CU_ASSERT_EQUAL(stats.holds, rows[i].holds);
		end();
	}
}

static void rings_are_judged_at_rest(void)
{
	begin();
	region.workers[0].packets.received = 5;
	region.workers[0].packets.handed_out = 5;
	region.workers[0].state = WORKER_RUNNING;
	collect();
	CU_ASSERT_EQUAL(stats.in_rings, 5);
	CU_ASSERT_TRUE(stats.holds);
	stats_free(&stats);
	region.workers[0].state = WORKER_PARKED;
	collect();
	CU_ASSERT_FALSE(stats.holds);
	end();
}

static void a_name_that_left_is_shown_while_it_has_connections(void)
{
	struct image_header *next = fixture_compile_with("10.1.0.13:53", "10.1.0.14:53");
	struct call_counters *c;
	uint64_t generation;
	struct stats after;

	begin();
	c = region_endpoint_counters(&region, 1, endpoint_slot(2));
	c->opened = 3;
	c->closed = 2;
	CU_ASSERT_EQUAL_FATAL(publish(&region, next, 1, &generation), 0);
	CU_ASSERT_EQUAL_FATAL(stats_collect(&after, &region, next, 1), 0);
	CU_ASSERT_EQUAL_FATAL(after.draining_count, 1);
	CU_ASSERT_EQUAL(after.draining[0].kind, STATS_ENDPOINT);
	CU_ASSERT_STRING_EQUAL(after.draining[0].name, "dns/10.1.0.13:53");
	CU_ASSERT_EQUAL(stats_calls_open(&after.draining[0].sum), 1);
	stats_free(&after);
	c->closed = 3;
	CU_ASSERT_EQUAL_FATAL(stats_collect(&after, &region, next, 1), 0);
	CU_ASSERT_EQUAL(after.draining_count, 0);
	stats_free(&after);
	teardown();
	free(next);
}

static json_int_t number(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	CU_ASSERT_TRUE(json_is_integer(value));
	return json_integer_value(value);
}

static void json_carries_names_and_sums(void)
{
	struct stats_process process = {.state = "up", .pid = 77, .ready = 1};
	json_t *root;
	json_t *row;

	begin();
	region.workers[1].packets.received = 9;
	region.workers[1].packets.dropped[REASON_NO_LISTENER] = 9;
	region.ports[0].link_up = 1;
	region.ports[0].mtu = 1500;
	memcpy(region.ports[0].mac, "\x02\x00\x00\xab\xcd\xef", 6);
	collect();
	root = stats_json(&stats, &process);
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(root, "instance")), "unit");
	CU_ASSERT_EQUAL(number(json_object_get(root, "dataplane"), "pid"), 77);
	row = json_object_get(json_object_get(root, "packets"), "dropped");
	CU_ASSERT_EQUAL(json_object_size(row), 1);
	CU_ASSERT_EQUAL(number(row, "no_listener"), 9);
	row = json_array_get(json_object_get(root, "interfaces"), 0);
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(row, "device")), "af_xdp:fnd1");
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(row, "mac")), "02:00:00:ab:cd:ef");
	CU_ASSERT_TRUE(json_is_true(json_object_get(row, "link")));
	row = json_array_get(json_object_get(root, "endpoints"), 1);
	CU_ASSERT_EQUAL(json_array_size(json_object_get(root, "endpoints")), 3);
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(row, "cluster")), "web");
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(row, "address")), "10.1.0.12:80");
	CU_ASSERT_EQUAL(json_array_size(json_object_get(root, "listeners")), 2);
	json_decref(root);
	end();
}

static CU_TestInfo tests[] = {
	SUITE_TEST(a_new_region_is_all_zero_and_the_law_holds),
	SUITE_TEST(counters_are_summed_over_the_workers),
	SUITE_TEST(in_flight_is_ways_in_minus_ways_out),
	SUITE_TEST(the_law_fails_at_rest_and_on_a_packet_too_many),
	SUITE_TEST(rings_are_judged_at_rest),
	SUITE_TEST(a_name_that_left_is_shown_while_it_has_connections),
	SUITE_TEST(json_carries_names_and_sums),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	return suite_run("stats", tests);
}
