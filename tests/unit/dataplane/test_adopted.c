/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/adopted.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/config.h"
#include "shm/publish.h"
#include "shm/registry.h"
#include "tests/unit/dataplane/suite.h"

#define HEAD                                                                                     \
	"version: 1\n"                                                                           \
	"sidecar: {name: one, workers: 2, connections: 64, max_listeners: 4, max_clusters: 4,\n" \
	"          max_endpoints: 8, policy_slot: 64KiB}\n"                                      \
	"interfaces:\n"                                                                          \
	"  - {name: in, device: 'af_xdp:fa', addresses: [10.1.0.1/24, 10.1.0.2/24]}\n"           \
	"  - {name: out, device: 'af_xdp:fb', addresses: ['fd00::1/64', 10.2.0.1/24, "           \
	"10.3.0.1/24]}\n"

static const char policy[] =
	HEAD "listeners:\n"
	     "  - {name: web, bind: '10.1.0.1:80', interface: in, protocol: tcp, cluster: web}\n"
	     "  - {name: dns, bind: '10.1.0.1:53', interface: in, protocol: udp, cluster: dns}\n"
	     "clusters:\n"
	     "  - {name: web, endpoints: [{address: '10.2.0.11:80'}, {address: '10.3.0.11:80'}]}\n"
	     "  - {name: dns, endpoints: [{address: '10.2.0.53:53'}]}\n"
	     "  - {name: spare, endpoints: [{address: '[fd00::11]:80'}]}\n";

/* Without the listener and the cluster dns, and an endpoint of web. */
static const char smaller[] =
	HEAD "listeners:\n"
	     "  - {name: web, bind: '10.1.0.1:80', interface: in, protocol: tcp, cluster: web}\n"
	     "clusters:\n"
	     "  - {name: web, endpoints: [{address: '10.2.0.11:80'}], timeouts: {drain: 5s}}\n"
	     "  - {name: spare, endpoints: [{address: '[fd00::11]:80'}]}\n";

static struct region region;
static char path[64];

static struct image_header *compiled(const char *text)
{
	struct diagnostics *d = diagnostics_create("policy.yaml");
	struct image_header *image = config_compile(text, strlen(text), d);

	if (!image)
		diagnostics_print(d, stderr);
	diagnostics_free(d);
	CU_ASSERT_PTR_NOT_NULL_FATAL(image);
	return image;
}

static void region_make(void)
{
	struct region_spec spec = {.instance = "one",
				   .workers = 2,
				   .connections = 64,
				   .listeners = 4,
				   .clusters = 4,
				   .endpoints = 8,
				   .slot_bytes = 64 * 1024};
	char why[256];
	int fd;

	snprintf(path, sizeof(path), "/tmp/fender-test-adopted-XXXXXX");
	fd = mkstemp(path);
	CU_ASSERT_FATAL(fd >= 0);
	close(fd);
	CU_ASSERT_EQUAL_FATAL(region_create(&region, path, &spec, why, sizeof(why)), 0);
}

static void region_drop(void)
{
	region_close(&region);
	unlink(path);
}

static struct image_header *published_text(const char *text)
{
	struct image_header *image = compiled(text), *copy = NULL;
	uint64_t generation, refused;
	char why[256];

	publisher_begin(&region);
	CU_ASSERT_EQUAL_FATAL(publish(&region, image, 1, &generation), 0);
	CU_ASSERT_EQUAL_FATAL(adopt(&region, 0, &copy, &refused, why, sizeof(why)), 1);
	free(image);
	return copy;
}

static struct image_header *published(void)
{
	return published_text(policy);
}

static void names_and_slots_map_both_ways(void)
{
	struct adopted *a;
	uint32_t in_policy = 0;

	region_make();
	CU_ASSERT_EQUAL_FATAL(adopted_create(&a, published(), &region), 0);
	CU_ASSERT_EQUAL(a->generation, 1);
	for (uint32_t i = 0; i < a->image->listeners.count; i++) {
		uint16_t slot = a->view.listener_slot[i];

		CU_ASSERT_EQUAL(registry_key(&region.listener_registry[slot]),
				a->view.listeners[i].key);
		CU_ASSERT_EQUAL(a->view.listener_at[slot], i);
	}
	for (uint32_t i = 0; i < a->image->clusters.count; i++) {
		uint16_t slot = a->view.cluster_slot[i];

		CU_ASSERT_EQUAL(registry_key(&region.cluster_registry[slot]),
				a->view.clusters[i].key);
		CU_ASSERT_EQUAL(a->view.cluster_at[slot], i);
	}
	for (uint32_t i = 0; i < a->image->endpoints.count; i++) {
		uint16_t slot = a->view.endpoint_slot[i];

		CU_ASSERT_EQUAL(registry_key(&region.endpoint_registry[slot]),
				a->view.endpoints[i].key);
		CU_ASSERT_EQUAL(a->view.endpoint_at[slot], i);
	}
	for (uint32_t slot = 0; slot < region.shape.endpoint_slots; slot++)
		in_policy += a->view.endpoint_at[slot] != VIEW_NONE;
	CU_ASSERT_EQUAL(in_policy, 4);
	adopted_free(a);
	region_drop();
}

static void endpoints_know_the_address_they_are_reached_from(void)
{
	const struct image_address *address;
	struct adopted *a;

	region_make();
	CU_ASSERT_EQUAL_FATAL(adopted_create(&a, published(), &region), 0);
	address = IMAGE_ARRAY(a->image, struct image_address, addresses);
	for (uint32_t i = 0; i < a->image->endpoints.count; i++) {
		const struct image_address *from = &address[a->endpoint_address[i]];

		CU_ASSERT_EQUAL(from->interface, a->view.endpoints[i].interface);
		CU_ASSERT_EQUAL(memcmp(&from->ip, &a->view.endpoints[i].snat, 16), 0);
	}
	adopted_free(a);
	region_drop();
}

static void own_address_is_the_first_of_its_family(void)
{
	static const uint8_t none[16], first4[4] = {10, 1, 0, 1}, out4[4] = {10, 2, 0, 1},
				       out6[16] = {0xfd, [15] = 1};
	struct adopted *a;

	region_make();
	CU_ASSERT_EQUAL_FATAL(adopted_create(&a, published(), &region), 0);
	CU_ASSERT_EQUAL(memcmp(&a->own4[0][12], first4, 4), 0);
	CU_ASSERT_EQUAL(memcmp(a->own6[0], none, 16), 0);
	CU_ASSERT_EQUAL(memcmp(&a->own4[1][12], out4, 4), 0);
	CU_ASSERT_EQUAL(memcmp(a->own6[1], out6, 16), 0);
	CU_ASSERT_EQUAL(memcmp(a->own4[2], none, 16), 0);
	adopted_free(a);
	region_drop();
}

static void a_name_without_state_is_refused(void)
{
	struct adopted *a = NULL;

	region_make();
	CU_ASSERT_EQUAL(adopted_create(&a, compiled(policy), &region), -ENOENT);
	CU_ASSERT_PTR_NULL(a);
	region_drop();
}

static void table_of_other_members_is_an_alarm_not_a_refusal(void)
{
	struct image_header *image = compiled(policy), *copy = NULL;
	uint64_t generation, refused;
	struct adopted *a;
	char why[256];

	region_make();
	CU_ASSERT_EQUAL_FATAL(adopted_create(&a, published(), &region), 0);
	CU_ASSERT_EQUAL(a->stale_count, 0);
	adopted_free(a);
	((struct image_cluster *)((uint8_t *)image + image->clusters.off))[1].members_hash ^= 1;
	image_seal(image, 0);
	CU_ASSERT_EQUAL_FATAL(publish(&region, image, 1, &generation), 0);
	CU_ASSERT_EQUAL_FATAL(adopt(&region, 1, &copy, &refused, why, sizeof(why)), 1);
	CU_ASSERT_EQUAL_FATAL(adopted_create(&a, copy, &region), 0);
	CU_ASSERT_EQUAL(a->stale_count, 1);
	CU_ASSERT_EQUAL(a->stale_tables[0], 1);
	adopted_free(a);
	free(image);
	region_drop();
}

static struct adopted *successor(const char *text, const struct adopted *previous, uint64_t now_ns)
{
	struct adopted *a;

	CU_ASSERT_EQUAL_FATAL(adopted_create(&a, published_text(text), &region), 0);
	adopted_drain(a, previous, now_ns);
	return a;
}

static uint32_t draining(const struct drain_span *spans, uint32_t slots, uint64_t from_ns,
			 uint64_t until_ns)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < slots; i++)
		n += spans[i].from_ns == from_ns && spans[i].until_ns == until_ns;
	return n;
}

static void what_leaves_the_policy_ends_within_its_drain(void)
{
	const uint64_t second = 1000000000;
	struct adopted *first, *second_one, *third, *back;
	const struct drain_span *spans;
	uint32_t slots;

	region_make();
	CU_ASSERT_EQUAL_FATAL(adopted_create(&first, published(), &region), 0);
	CU_ASSERT_EQUAL(adopted_next_look(first, 0), UINT64_MAX);
	second_one = successor(smaller, first, 100 * second);
	/* The endpoint by its cluster's new drain, the rest by the default that dns had. */
	spans = second_one->listener_drain;
	slots = second_one->listener_slots;
	CU_ASSERT_EQUAL(draining(spans, slots, 115 * second, 130 * second), 1);
	CU_ASSERT_EQUAL(draining(spans, slots, 0, 0), slots - 1);
	spans = second_one->endpoint_drain;
	slots = second_one->endpoint_slots;
	CU_ASSERT_EQUAL(draining(spans, slots, 115 * second, 130 * second), 1);
	CU_ASSERT_EQUAL(draining(spans, slots, 102.5 * second, 105 * second), 1);
	CU_ASSERT_EQUAL(draining(spans, slots, 0, 0), slots - 2);
	CU_ASSERT_EQUAL(adopted_next_look(second_one, 0), 102.5 * second);
	CU_ASSERT_EQUAL(adopted_next_look(second_one, 105 * second), 115 * second);
	CU_ASSERT_EQUAL(adopted_next_look(second_one, 130 * second), UINT64_MAX);
	/* A later policy puts nothing off; who comes back goes on. */
	third = successor(smaller, second_one, 110 * second);
	CU_ASSERT_EQUAL(adopted_next_look(third, 105 * second), 115 * second);
	back = successor(policy, third, 120 * second);
	CU_ASSERT_EQUAL(adopted_next_look(back, 0), UINT64_MAX);
	adopted_free(first);
	adopted_free(second_one);
	adopted_free(third);
	adopted_free(back);
	region_drop();
}

static int drains(const struct drain_span *span, double from_s, double until_s)
{
	return span->from_ns == (uint64_t)(from_s * 1e9) &&
	       span->until_ns == (uint64_t)(until_s * 1e9);
}

/* After a restart nobody knows the policy that a connection was made by. */
static void what_was_met_ends_within_a_drain(void)
{
	const uint64_t second = 1000000000;
	struct adopted *first, *a;
	struct conn dns = {.state = CONN_ESTABLISHED}, web = {.state = CONN_ESTABLISHED};

	region_make();
	CU_ASSERT_EQUAL_FATAL(adopted_create(&first, published(), &region), 0);
	web.listener = first->view.listener_slot[0];
	web.cluster = first->view.cluster_slot[0];
	web.endpoint = first->view.endpoint_slot[first->view.clusters[0].first_endpoint + 1];
	dns.listener = first->view.listener_slot[1];
	dns.cluster = first->view.cluster_slot[1];
	dns.endpoint = first->view.endpoint_slot[first->view.clusters[1].first_endpoint];
	CU_ASSERT_EQUAL_FATAL(adopted_create(&a, published_text(smaller), &region), 0);

	adopted_drain_orphan(a, &dns, 100 * second);
	CU_ASSERT(drains(&a->listener_drain[dns.listener], 115, 130));
	CU_ASSERT(drains(&a->endpoint_drain[dns.endpoint], 115, 130));
	adopted_drain_orphan(a, &web, 100 * second);
	CU_ASSERT(drains(&a->listener_drain[web.listener], 0, 0));
	CU_ASSERT(drains(&a->endpoint_drain[web.endpoint], 102.5, 105));
	adopted_drain_orphan(a, &dns, 110 * second); /* another one puts nothing off */
	CU_ASSERT(drains(&a->listener_drain[dns.listener], 115, 130));
	CU_ASSERT_EQUAL(adopted_next_look(a, 0), 102.5 * second);
	adopted_free(first);
	adopted_free(a);
	region_drop();
}

static void ends_are_spread_evenly(void)
{
	const uint64_t step = 1000000, begin = 1000;
	const struct drain_span span = {begin, begin + DRAIN_STEPS * step}, none = {0};
	static const uint32_t tables[] = {1, 2, 64, 100, 4096, 65536, 200000};

	CU_ASSERT_EQUAL(drain_end_ns(&none, 3), UINT64_MAX);
	for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++) {
		uint32_t of[DRAIN_STEPS] = {0};
		const uint32_t mean = tables[t] / DRAIN_STEPS;

		for (uint32_t i = 0; i < tables[t]; i++) {
			const uint64_t at = drain_end_ns(&span, i);

			CU_ASSERT_FATAL(at >= begin && at < span.until_ns);
			of[(at - begin) / step]++;
		}
		for (uint32_t i = 0; i < DRAIN_STEPS; i++)
			CU_ASSERT(of[i] <= mean + mean / 50 + 2 && of[i] + mean / 50 + 2 >= mean);
	}
}

/* As policy, with limits of the listener dns. */
static const char limited[] =
	HEAD "listeners:\n"
	     "  - {name: web, bind: '10.1.0.1:80', interface: in, protocol: tcp, cluster: web}\n"
	     "  - {name: dns, bind: '10.1.0.1:53', interface: in, protocol: udp, cluster: dns,\n"
	     "     rate_limit: {per_connection: {packets_per_second: 100, burst: 10},\n"
	     "                  per_source: {connections_per_second: 5, burst: 5},\n"
	     "                  listener: {connections_per_second: 50, burst: 50}}}\n"
	     "clusters:\n"
	     "  - {name: web, endpoints: [{address: '10.2.0.11:80'}, {address: '10.3.0.11:80'}]}\n"
	     "  - {name: dns, endpoints: [{address: '10.2.0.53:53'}]}\n"
	     "  - {name: spare, endpoints: [{address: '[fd00::11]:80'}]}\n";

static uint16_t slot_of_udp(const struct adopted *a)
{
	return a->view.listener_slot[a->view.listeners[0].proto == PROTO_UDP ? 0 : 1];
}

static void a_listener_keeps_its_limits_while_it_drains(void)
{
	const uint64_t second = 1000000000;
	struct adopted *first, *left, *later, *over;
	const struct limiter_rules *rules;
	uint16_t dns;

	region_make();
	CU_ASSERT_EQUAL_FATAL(adopted_create(&first, published_text(limited), &region), 0);
	dns = slot_of_udp(first);
	rules = &first->limits->rules[dns];
	CU_ASSERT_EQUAL(first->limits->limited, 1);
	CU_ASSERT_EQUAL(rules->present,
			LIMIT_HAS_PACKETS | LIMIT_PER_START | LIMIT_TO_ENDPOINT | LIMIT_TO_CLIENT);
	CU_ASSERT_EQUAL(rules->connection[0].capacity, 10 << LIMIT_UNIT_SHIFT);
	CU_ASSERT_EQUAL(rules->connection[1].algorithm, LIMIT_NONE);
	CU_ASSERT_EQUAL(rules->source.capacity, 5 << LIMIT_UNIT_SHIFT);
	CU_ASSERT_EQUAL(rules->listener.capacity, 50 << LIMIT_UNIT_SHIFT);
	left = successor(smaller, first, 100 * second);
	CU_ASSERT_EQUAL(left->limits->limited, 1);
	CU_ASSERT_EQUAL(memcmp(&left->limits->rules[dns], rules, sizeof(*rules)), 0);
	later = successor(smaller, left, 120 * second);
	CU_ASSERT_EQUAL(memcmp(&later->limits->rules[dns], rules, sizeof(*rules)), 0);
	over = successor(smaller, later, 130 * second);
	CU_ASSERT_EQUAL(over->limits->limited, 0);
	CU_ASSERT_EQUAL(over->limits->rules[dns].present, 0);
	adopted_free(first);
	adopted_free(left);
	adopted_free(later);
	adopted_free(over);
	region_drop();
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(names_and_slots_map_both_ways),
		SUITE_TEST(endpoints_know_the_address_they_are_reached_from),
		SUITE_TEST(own_address_is_the_first_of_its_family),
		SUITE_TEST(table_of_other_members_is_an_alarm_not_a_refusal),
		SUITE_TEST(what_leaves_the_policy_ends_within_its_drain),
		SUITE_TEST(what_was_met_ends_within_a_drain),
		SUITE_TEST(ends_are_spread_evenly),
		SUITE_TEST(a_listener_keeps_its_limits_while_it_drains),
		SUITE_TEST(a_name_without_state_is_refused),
		CU_TEST_INFO_NULL,
	};

	return suite_run("adopted", tests);
}
