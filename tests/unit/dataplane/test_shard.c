/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/conn/shard.h"

#include <CUnit/Basic.h>
#include <endian.h>
#include <string.h>

/* An image of one interface with two addresses, one of the kernel, and SNAT ports 40000-49999. */
static struct {
	struct image_header header;
	struct image_interface interface;
	struct image_address address[3];
} image;

static void make_image(void)
{
	memset(&image, 0, sizeof(image));
	image.header.interfaces = (struct image_span){offsetof(__typeof__(image), interface), 1};
	image.header.addresses = (struct image_span){offsetof(__typeof__(image), address), 3};
	image.interface.snat_port_low = 40000;
	image.interface.snat_port_high = 49999;
	image.address[0].ip = image_ip_v4(htobe32(0x0a4d0201));
	image.address[0].family = FAMILY_V4;
	image.address[1].ip.b[0] = 0xfd;
	image.address[1].ip.b[15] = 1;
	image.address[1].family = FAMILY_V6;
	image.address[2].ip = image_ip_v4(htobe32(0x0a4d0203));
	image.address[2].family = FAMILY_V4;
	image.address[2].flags = ADDRESS_KERNEL;
}

static struct flow_key key4(uint32_t src, uint32_t dst, uint16_t sport, uint16_t dport)
{
	struct flow_key key = {.k = {.src = htobe32(src),
				     .dst = htobe32(dst),
				     .sport = htobe16(sport),
				     .dport = htobe16(dport),
				     .proto = PROTO_TCP,
				     .family = FAMILY_V4}};

	return key;
}

static void reverse_packet_belongs_to_its_ports_bucket(void)
{
	for (uint32_t port = 40000; port <= 49999; port++) {
		struct flow_key key = key4(0x0a4d0263, 0x0a4d0201, 80, (uint16_t)port);

		CU_ASSERT_EQUAL(shard_bucket(&image.header, 0, &key), port % OWNER_BUCKETS);
	}
}

static void reverse_packet_ipv6_too(void)
{
	struct flow_key key = {
		.k = {.dport = htobe16(40007), .proto = PROTO_UDP, .family = FAMILY_V6}};

	key.dst6[0] = 0xfd;
	key.dst6[15] = 1;
	CU_ASSERT_EQUAL(shard_bucket(&image.header, 0, &key), 40007 % OWNER_BUCKETS);
}

static void port_outside_the_range_or_other_address_is_a_clients(void)
{
	struct flow_key outside = key4(0x0a4d0263, 0x0a4d0201, 1234, 39999);
	struct flow_key other = key4(0x0a4d0263, 0x0a4d0202, 1234, 40001);
	struct flow_key kernels = key4(0x0a4d0263, 0x0a4d0203, 1234, 40001);

	CU_ASSERT_EQUAL(shard_bucket(&image.header, 0, &outside), shard_client_bucket(&outside));
	CU_ASSERT_EQUAL(shard_bucket(&image.header, 0, &other), shard_client_bucket(&other));
	CU_ASSERT_EQUAL(shard_bucket(&image.header, 0, &kernels), shard_client_bucket(&kernels));
}

static void client_bucket_ignores_the_destination(void)
{
	struct flow_key a = key4(0x0a4d0163, 1, 5555, 80), b = key4(0x0a4d0163, 2, 5555, 443);

	CU_ASSERT_EQUAL(shard_client_bucket(&a), shard_client_bucket(&b));
}

static void clients_spread_evenly_over_buckets(void)
{
	uint32_t seen[OWNER_BUCKETS] = {0};

	for (uint32_t port = 1024; port < 1024 + 64 * 1000; port++) {
		struct flow_key key = key4(0x0a4d0163, 1, (uint16_t)port, 80);

		seen[shard_client_bucket(&key)]++;
	}
	for (uint32_t i = 0; i < OWNER_BUCKETS; i++)
		CU_ASSERT(seen[i] > 800 && seen[i] < 1200);
}

static void every_bucket_has_one_owner(void)
{
	for (uint32_t workers = 1; workers <= MAX_WORKERS; workers++) {
		uint8_t owners[OWNER_BUCKETS];
		uint32_t of[MAX_WORKERS] = {0};

		shard_owners(owners, workers);
		for (uint32_t i = 0; i < OWNER_BUCKETS; i++) {
			CU_ASSERT_FATAL(owners[i] < workers);
			of[owners[i]]++;
		}
		for (uint32_t i = 0; i < workers; i++)
			CU_ASSERT(of[i] == OWNER_BUCKETS / workers ||
				  of[i] == OWNER_BUCKETS / workers + 1);
	}
}

int main(void)
{
	CU_initialize_registry();
	CU_pSuite s = CU_add_suite("shard", NULL, NULL);

	make_image();
	CU_ADD_TEST(s, reverse_packet_belongs_to_its_ports_bucket);
	CU_ADD_TEST(s, reverse_packet_ipv6_too);
	CU_ADD_TEST(s, port_outside_the_range_or_other_address_is_a_clients);
	CU_ADD_TEST(s, client_bucket_ignores_the_destination);
	CU_ADD_TEST(s, clients_spread_evenly_over_buckets);
	CU_ADD_TEST(s, every_bucket_has_one_owner);
	CU_basic_set_mode(CU_BRM_NORMAL);
	CU_basic_run_tests();
	unsigned int failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed != 0;
}
