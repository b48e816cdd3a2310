/* SPDX-License-Identifier: Apache-2.0 */
/* Which listener SNAT ports work for: a worker's stores, in the array that the program reads. */
#include "dataplane/snat_owner.h"

#include <CUnit/CUnit.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/port.h"
#include "tests/unit/ebpf/limits.h"
#include "tests/unit/ebpf/xdp_world.h"

static struct world world;

/* The policy of xdp_world.c as an image: addresses in another order than in the maps. */
static struct {
	struct image_header header;
	struct image_interface interfaces[2];
	struct image_address addresses[4];
} image;

static struct ports ports;
static struct snat_owners owners;

enum { NET4 = 0, APP4 = 1, NET6 = 2, KEPT4 = 3 };

static void add_address(int n, const char *text, uint16_t interface, uint32_t flags)
{
	const struct limit_ip ip = ip_of(text);

	image.addresses[n] = (struct image_address){.interface = interface, .flags = flags};
	memcpy(&image.addresses[n].ip, &ip, sizeof(ip));
	image.addresses[n].family = image_ip_is_v4(image.addresses[n].ip.b) ? FAMILY_V4 : FAMILY_V6;
}

static void make_image(void)
{
	image.header.interfaces = (struct image_span){offsetof(__typeof__(image), interfaces), 2};
	image.header.addresses = (struct image_span){offsetof(__typeof__(image), addresses), 4};
	image.interfaces[APP].snat_port_low = image.interfaces[APP].snat_port_high = 1;
	image.interfaces[NET].snat_port_low = SNAT_LOW;
	image.interfaces[NET].snat_port_high = SNAT_HIGH;
	add_address(NET4, NET_IP, NET, 0);
	add_address(APP4, APP_IP, APP, 0);
	add_address(NET6, NET_IP6, NET, 0);
	add_address(KEPT4, KEPT_IP, APP, ADDRESS_KERNEL);
	ports = (struct ports){.count = 2, .bpf_root = world.root};
	ports.port[NET] = (struct port){.interface = NET, .ours = 1, .row = NET};
}

static struct conn conn_of(uint8_t address, uint8_t proto, uint16_t port, uint16_t listener)
{
	struct conn c = {.listener = listener, .snat_address = address};

	c.rev.proto = proto;
	c.rev.dport = htobe16(port);
	return c;
}

/* As the kernel sees it. */
static uint64_t stored(uint32_t place)
{
	uint64_t word = 0;

	CU_ASSERT_EQUAL(bpf_map_lookup_elem(world_map(&world, "snat_owner"), &place, &word), 0);
	return word;
}

static int all_are_free(void)
{
	for (uint32_t place = 0; place < 2 * 2 * SNAT_PORTS; place++)
		if (stored(place))
			return 0;
	return 1;
}

static int open_owners(char *why, size_t size)
{
	return snat_owners_open(&owners, &ports, &image.header, why, size);
}

static void begin(void)
{
	char why[256] = "";

	make_image();
	CU_ASSERT_EQUAL_FATAL(open_owners(why, sizeof(why)), 0);
}

/* Where the control plane puts them: NET_IP first (xdp_world.c), TCP, then UDP. */
static void words_lie_where_the_program_looks(void)
{
	const struct {
		uint8_t address, proto;
		uint16_t port;
		uint32_t place;
	} rows[] = {
		{NET4, PROTO_TCP, SNAT_LOW, 0},
		{NET4, PROTO_TCP, SNAT_HIGH, SNAT_PORTS - 1},
		{NET4, PROTO_UDP, SNAT_LOW, SNAT_PORTS},
		{NET6, PROTO_TCP, SNAT_LOW + 1, 2 * SNAT_PORTS + 1},
		{NET6, PROTO_UDP, SNAT_HIGH, 4 * SNAT_PORTS - 1},
	};

	begin();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct conn c = conn_of(rows[i].address, rows[i].proto, rows[i].port, WEB);

		snat_owner_take(&owners, &c, 7);
		CU_ASSERT_EQUAL(stored(rows[i].place), LIMIT_OWNER(WEB, 7));
		snat_owner_clear(&owners, &c);
		CU_ASSERT(all_are_free());
	}
	snat_owners_close(&owners);
}

static void the_last_of_several_endpoints_is_told(void)
{
	struct conn first = conn_of(NET4, PROTO_TCP, SNAT_LOW, WEB);
	struct conn second = conn_of(NET4, PROTO_TCP, SNAT_LOW, IN);

	begin();
	snat_owner_take(&owners, &first, 1);
	snat_owner_take(&owners, &second, 2);
	CU_ASSERT_EQUAL(stored(0), LIMIT_OWNER(IN, 2));
	snat_owner_clear(&owners, &second);
	snat_owners_close(&owners);
}

static void others_have_no_word(void)
{
	const struct conn rows[] = {
		conn_of(NET4, PROTO_TCP, SNAT_LOW - 1, WEB),
		conn_of(NET4, PROTO_TCP, SNAT_HIGH + 1, WEB),
		conn_of(NET4, PROTO_TCP, 0, WEB),
		conn_of(APP4, PROTO_TCP, 1, WEB), /* libxdp's program there */
		conn_of(KEPT4, PROTO_TCP, 1, WEB),
		conn_of(200, PROTO_TCP, SNAT_LOW, WEB), /* no such address */
	};

	begin();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CU_ASSERT_PTR_NULL(snat_owner_word(&owners, &rows[i]));
		snat_owner_take(&owners, &rows[i], 7);
	}
	CU_ASSERT(all_are_free());
	snat_owners_close(&owners);
}

static void adoption_keeps_what_is_right_and_clears_the_rest(void)
{
	struct conn same = conn_of(NET4, PROTO_TCP, SNAT_LOW, WEB);
	struct conn moved = conn_of(NET4, PROTO_TCP, SNAT_LOW + 1, IN);
	struct conn gone = conn_of(NET6, PROTO_UDP, SNAT_HIGH, DNS);
	struct conn untold = conn_of(NET4, PROTO_UDP, SNAT_LOW, DNS);

	begin();
	snat_owner_take(&owners, &same, 5);
	snat_owner_take(&owners, &gone, 5);
	world_own_port(&world, 1, LIMIT_OWNER(WEB, 5));
	snat_owners_close(&owners);
	begin();
	snat_owner_adopt(&owners, &same, 9);
	snat_owner_adopt(&owners, &moved, 9);
	snat_owner_adopt(&owners, &untold, 9);
	CU_ASSERT_EQUAL(stored(4 * SNAT_PORTS - 1), LIMIT_OWNER(DNS, 5));
	snat_owner_sweep(&owners);
	CU_ASSERT_EQUAL(stored(0), LIMIT_OWNER(WEB, 5)); /* its bucket goes on */
	CU_ASSERT_EQUAL(stored(1), LIMIT_OWNER(IN, 9));
	CU_ASSERT_EQUAL(stored(SNAT_PORTS), LIMIT_OWNER(DNS, 9));
	CU_ASSERT_EQUAL(stored(4 * SNAT_PORTS - 1), 0);
	snat_owner_sweep(&owners); /* once */
	CU_ASSERT_EQUAL(stored(0), LIMIT_OWNER(WEB, 5));
	snat_owners_close(&owners);
	begin();
	snat_owner_sweep(&owners);
	CU_ASSERT(all_are_free());
	snat_owners_close(&owners);
}

static void without_our_program_there_is_nothing_to_do(void)
{
	struct conn c = conn_of(NET4, PROTO_TCP, SNAT_LOW, WEB);
	char why[256] = "";

	make_image();
	ports.port[NET].ours = 0;
	ports.bpf_root = NULL;
	CU_ASSERT_EQUAL(open_owners(why, sizeof(why)), 0);
	snat_owner_take(&owners, &c, 1);
	snat_owner_adopt(&owners, &c, 1);
	snat_owner_sweep(&owners);
	snat_owners_close(&owners);
	CU_ASSERT(all_are_free());
}

static void maps_that_do_not_fit_are_refused(void)
{
	char why[256] = "";

	make_image();
	ports.bpf_root = "/tmp/no-such-folder";
	CU_ASSERT_EQUAL(open_owners(why, sizeof(why)), -ENOENT);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "/tmp/no-such-folder/snat_owner"));
	make_image();
	add_address(NET4, "10.99.0.1", NET, 0); /* not in the maps */
	CU_ASSERT_EQUAL(open_owners(why, sizeof(why)), -ENOENT);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "/addresses"));
	make_image();
	image.interfaces[NET].snat_port_high = 65535; /* more ports than places */
	CU_ASSERT_EQUAL(open_owners(why, sizeof(why)), -ERANGE);
	CU_ASSERT_PTR_NULL(owners.words);
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(words_lie_where_the_program_looks),
		SUITE_TEST(the_last_of_several_endpoints_is_told),
		SUITE_TEST(others_have_no_word),
		SUITE_TEST(adoption_keeps_what_is_right_and_clears_the_rest),
		SUITE_TEST(without_our_program_there_is_nothing_to_do),
		SUITE_TEST(maps_that_do_not_fit_are_refused),
		CU_TEST_INFO_NULL,
	};
	int rc = world_open(&world);

	if (rc > 0) {
		printf("skipped: %s\n", world.error);
		world_close(&world);
		return 0;
	}
	if (rc == 0)
		rc = world_load(&world);
	if (rc == 0)
		rc = world_apply(&world);
	rc = rc ? (fprintf(stderr, "%s\n", world.error), 1) : suite_run("snat_owner", tests);
	world_close(&world);
	return rc;
}
