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

static uint32_t draining(const uint64_t *ends_ns, uint32_t slots, uint64_t when_ns)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < slots; i++)
		n += ends_ns[i] == when_ns;
	return n;
}

static void what_leaves_the_policy_ends_its_drain_later(void)
{
	const uint64_t second = 1000000000;
	struct adopted *first, *second_one, *third, *back;

	region_make();
	CU_ASSERT_EQUAL_FATAL(adopted_create(&first, published(), &region), 0);
	CU_ASSERT_EQUAL(adopted_next_end(first, 0), UINT64_MAX);
	second_one = successor(smaller, first, 100 * second);
	/* The endpoint by its cluster's new drain, the rest by the default that dns had. */
	CU_ASSERT_EQUAL(
		draining(second_one->listener_ends_ns, second_one->listener_slots, 130 * second),
		1);
	CU_ASSERT_EQUAL(second_one->listener_ends_ns[first->view.listener_slot[0]] +
				second_one->listener_ends_ns[first->view.listener_slot[1]],
			130 * second);
	CU_ASSERT_EQUAL(
		draining(second_one->endpoint_ends_ns, second_one->endpoint_slots, 130 * second),
		1);
	CU_ASSERT_EQUAL(
		draining(second_one->endpoint_ends_ns, second_one->endpoint_slots, 105 * second),
		1);
	CU_ASSERT_EQUAL(adopted_next_end(second_one, 0), 105 * second);
	CU_ASSERT_EQUAL(adopted_next_end(second_one, 105 * second), 130 * second);
	CU_ASSERT_EQUAL(adopted_next_end(second_one, 130 * second), UINT64_MAX);
	/* A later policy puts nothing off; who comes back goes on. */
	third = successor(smaller, second_one, 110 * second);
	CU_ASSERT_EQUAL(adopted_next_end(third, 105 * second), 130 * second);
	back = successor(policy, third, 120 * second);
	CU_ASSERT_EQUAL(adopted_next_end(back, 0), UINT64_MAX);
	adopted_free(first);
	adopted_free(second_one);
	adopted_free(third);
	adopted_free(back);
	region_drop();
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(names_and_slots_map_both_ways),
		SUITE_TEST(endpoints_know_the_address_they_are_reached_from),
		SUITE_TEST(own_address_is_the_first_of_its_family),
		SUITE_TEST(table_of_other_members_is_an_alarm_not_a_refusal),
		SUITE_TEST(what_leaves_the_policy_ends_its_drain_later),
		SUITE_TEST(a_name_without_state_is_refused),
		CU_TEST_INFO_NULL,
	};

	return suite_run("adopted", tests);
}
