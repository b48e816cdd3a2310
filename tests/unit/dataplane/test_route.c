/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/net/route.h"
#include "shm/image_order.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <CUnit/Basic.h>

enum { ADDRESSES = 5, ROUTES = 6, LISTENERS = 7 };

static struct {
	struct image_header header;
	struct image_address addresses[ADDRESSES];
	struct image_route routes[ROUTES];
	struct image_listener listeners[LISTENERS];
} world;

static struct image_ip ip_of(const char *text)
{
	struct image_ip ip = {{0}};
	struct in_addr v4;

	if (inet_pton(AF_INET, text, &v4) == 1)
		return image_ip_v4(v4.s_addr);
	if (inet_pton(AF_INET6, text, ip.b) != 1)
		abort();
	return ip;
}

static uint8_t family_of(const char *text)
{
	return strchr(text, ':') ? FAMILY_V6 : FAMILY_V4;
}

static struct image_route route_row(uint16_t interface, const char *to, uint8_t prefix,
				    const char *via)
{
	struct image_route r = {
		.to = ip_of(to), .family = family_of(to), .prefix = prefix, .interface = interface};

	if (via)
		r.via = ip_of(via);
	return r;
}

static struct image_listener listener_row(uint16_t interface, uint8_t proto, const char *ip,
					  uint16_t port, uint64_t key)
{
	return (struct image_listener){.key = key,
				       .ip = ip_of(ip),
				       .port = htons(port),
				       .interface = interface,
				       .proto = proto,
				       .family = family_of(ip)};
}

static int by_route(const void *a, const void *b)
{
	return image_route_order(a, b);
}

static int by_listener(const void *a, const void *b)
{
	return image_listener_order(a, b);
}

static struct image_span span_of(const void *array, uint32_t count)
{
	return (struct image_span){(uint32_t)((const char *)array - (const char *)&world), count};
}

static int world_make(void)
{
	memset(&world, 0, sizeof(world));
	world.addresses[0] = (struct image_address){ip_of("10.1.0.1"), FAMILY_V4, 24, 0, 0};
	world.addresses[1] = (struct image_address){ip_of("10.2.0.1"), FAMILY_V4, 23, 1, 0};
	world.addresses[2] = (struct image_address){ip_of("10.2.1.9"), FAMILY_V4, 24, 1, 0};
	world.addresses[3] = (struct image_address){ip_of("fd00:2::1"), FAMILY_V6, 65, 1, 0};
	world.addresses[4] =
		(struct image_address){ip_of("10.2.0.3"), FAMILY_V4, 32, 1, ADDRESS_KERNEL};

	world.routes[0] = route_row(0, "10.1.0.0", 24, NULL);
	world.routes[1] = route_row(1, "10.2.0.0", 23, NULL);
	world.routes[2] = route_row(1, "0.0.0.0", 0, "10.2.0.254");
	world.routes[3] = route_row(1, "10.9.0.128", 25, "10.2.0.253");
	world.routes[4] = route_row(1, "fd00:2::", 65, NULL);
	world.routes[5] = route_row(1, "::", 0, "fd00:2::ff");
	qsort(world.routes, ROUTES, sizeof(world.routes[0]), by_route);

	world.listeners[0] = listener_row(0, PROTO_TCP, "10.96.0.20", 80, 1);
	world.listeners[1] = listener_row(0, PROTO_TCP, "0.0.0.0", 80, 2);
	world.listeners[2] = listener_row(0, PROTO_UDP, "0.0.0.0", 53, 3);
	world.listeners[3] = listener_row(1, PROTO_TCP, "::", 80, 4);
	world.listeners[4] = listener_row(1, PROTO_TCP, "fd00:96::1", 80, 5);
	world.listeners[5] = listener_row(0, PROTO_TCP, "10.96.0.20", 0x0150, 6);
	world.listeners[6] = listener_row(1, PROTO_TCP, "10.2.0.1", 80, 7);
	qsort(world.listeners, LISTENERS, sizeof(world.listeners[0]), by_listener);

	world.header.addresses = span_of(world.addresses, ADDRESSES);
	world.header.routes = span_of(world.routes, ROUTES);
	world.header.listeners = span_of(world.listeners, LISTENERS);
	return 0;
}

static void next_hop_is_the_longest_prefix(void)
{
	static const struct {
		uint8_t interface;
		const char *to, *hop; /* NULL: unreachable */
	} rows[] = {
		{0, "10.1.0.77", "10.1.0.77"},   {0, "10.1.1.1", NULL},
		{0, "fd00:2::5", NULL},          {1, "10.2.1.255", "10.2.1.255"},
		{1, "10.2.2.0", "10.2.0.254"},   {1, "10.9.0.127", "10.2.0.254"},
		{1, "10.9.0.128", "10.2.0.253"}, {1, "10.9.0.255", "10.2.0.253"},
		{1, "fd00:2::5", "fd00:2::5"},   {1, "fd00:2:0:0:8000::", "fd00:2::ff"},
		{2, "10.1.0.77", NULL},          {1, "255.255.255.255", "10.2.0.254"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct image_ip to = ip_of(rows[i].to);
		uint8_t hop[16] = {0};
		int rc = route_next_hop(&world.header, rows[i].interface, family_of(rows[i].to),
					to.b, hop);

		if (!rows[i].hop) {
			CU_ASSERT_EQUAL(rc, -ENETUNREACH);
			continue;
		}
		CU_ASSERT_EQUAL(rc, 0);
		CU_ASSERT_EQUAL(memcmp(hop, ip_of(rows[i].hop).b, 16), 0);
	}
}

static void no_routes_reach_nothing(void)
{
	struct image_header empty = {0};
	uint8_t hop[16];

	CU_ASSERT_EQUAL(route_next_hop(&empty, 0, FAMILY_V4, ip_of("10.0.0.1").b, hop),
			-ENETUNREACH);
	CU_ASSERT_PTR_NULL(route_source(&empty, 0, FAMILY_V4, ip_of("10.0.0.1").b));
	CU_ASSERT_FALSE(route_is_ours(&empty, 0, FAMILY_V4, ip_of("10.0.0.1").b));
	CU_ASSERT_PTR_NULL(
		route_listener(&empty, 0, PROTO_TCP, FAMILY_V4, ip_of("10.0.0.1").b, htons(80)));
}

static void source_shares_the_longest_prefix_else_is_the_first(void)
{
	const struct image_address *a = world.addresses;

	CU_ASSERT_PTR_EQUAL(route_source(&world.header, 1, FAMILY_V4, ip_of("10.2.0.9").b), &a[1]);
	CU_ASSERT_PTR_EQUAL(route_source(&world.header, 1, FAMILY_V4, ip_of("10.2.1.7").b), &a[2]);
	CU_ASSERT_PTR_EQUAL(route_source(&world.header, 1, FAMILY_V4, ip_of("8.8.8.8").b), &a[1]);
	CU_ASSERT_PTR_EQUAL(route_source(&world.header, 1, FAMILY_V4, ip_of("10.2.0.3").b), &a[1]);
	CU_ASSERT_PTR_EQUAL(route_source(&world.header, 1, FAMILY_V6, ip_of("2001::1").b), &a[3]);
	CU_ASSERT_PTR_NULL(route_source(&world.header, 0, FAMILY_V6, ip_of("fd00:2::2").b));
}

static void ours_are_addresses_and_listeners_of_the_interface(void)
{
	static const struct {
		uint8_t interface;
		const char *ip;
		int ours;
	} rows[] = {
		{0, "10.1.0.1", 1},   {1, "10.1.0.1", 0},   {0, "10.96.0.20", 1},
		{1, "10.96.0.20", 0}, {1, "fd00:96::1", 1}, {0, "fd00:96::1", 0},
		{0, "0.0.0.0", 0},    {1, "::", 0},         {1, "10.2.1.9", 1},
		{1, "fd00:2::2", 0},  {1, "10.2.0.3", 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		CU_ASSERT_EQUAL(route_is_ours(&world.header, rows[i].interface,
					      family_of(rows[i].ip), ip_of(rows[i].ip).b),
				rows[i].ours);
}

static void listener_is_exact_first_then_the_wildcard(void)
{
	static const struct {
		uint8_t interface, proto;
		const char *ip;
		uint16_t port;
		uint64_t key; /* 0: none */
	} rows[] = {
		{0, PROTO_TCP, "10.96.0.20", 80, 1},
		{0, PROTO_TCP, "10.1.0.1", 80, 2},
		{0, PROTO_TCP, "10.1.0.2", 80, 0}, /* not ours: no wildcard */
		{0, PROTO_TCP, "10.96.0.20", 81, 0},
		{0, PROTO_TCP, "10.96.0.20", 0x0150, 6}, /* 80 with its bytes swapped + 1 */
		{0, PROTO_TCP, "10.96.0.20", 0x5000, 0},
		{0, PROTO_UDP, "10.1.0.1", 53, 3},
		{0, PROTO_UDP, "10.96.0.20", 53, 0},
		{0, PROTO_UDP, "10.1.0.1", 80, 0},
		{1, PROTO_TCP, "fd00:2::1", 80, 4},
		{1, PROTO_TCP, "fd00:96::1", 80, 5},
		{1, PROTO_TCP, "10.2.0.1", 80, 7},
		{1, PROTO_TCP, "10.2.1.9", 80, 0}, /* the wildcard there is IPv6's */
		{0, PROTO_TCP, "0.0.0.0", 80, 0},
		{1, PROTO_TCP, "::", 80, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct image_listener *l = route_listener(
			&world.header, rows[i].interface, rows[i].proto, family_of(rows[i].ip),
			ip_of(rows[i].ip).b, htons(rows[i].port));

		CU_ASSERT_EQUAL(l ? l->key : 0, rows[i].key);
	}
}

int main(void)
{
	CU_pSuite suite;
	unsigned int failures;

	if (CU_initialize_registry() != CUE_SUCCESS)
		return 1;
	suite = CU_add_suite("route", world_make, NULL);
	CU_ADD_TEST(suite, next_hop_is_the_longest_prefix);
	CU_ADD_TEST(suite, no_routes_reach_nothing);
	CU_ADD_TEST(suite, source_shares_the_longest_prefix_else_is_the_first);
	CU_ADD_TEST(suite, ours_are_addresses_and_listeners_of_the_interface);
	CU_ADD_TEST(suite, listener_is_exact_first_then_the_wildcard);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures() + CU_get_number_of_tests_failed();
	CU_cleanup_registry();
	return failures ? 1 : 0;
}
