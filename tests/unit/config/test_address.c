/* SPDX-License-Identifier: Apache-2.0 */
#include "config/address.h"

#include <arpa/inet.h>

#include "tests/unit/config/policy_text.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

typedef const char *reader(const char *text, struct address *out);
typedef const char *printer(const struct address *a, char *out);

struct row {
	const char *text;
	int good; /* prints as it was read */
};

static void check_rows(const struct row *rows, size_t count, reader *read, printer *print)
{
	for (size_t i = 0; i < count; i++) {
		struct address a;
		char out[ADDRESS_TEXT_BYTES];
		int good = read(rows[i].text, &a) == NULL;

		if (good != rows[i].good)
			fprintf(stderr, "\n'%s' is %s\n", rows[i].text, good ? "taken" : "refused");
		CU_ASSERT_EQUAL(good, rows[i].good);
		if (good)
			CU_ASSERT_STRING_EQUAL(print(&a, out), rows[i].text);
	}
}

static void hosts_are_unicast(void)
{
	static const struct row rows[] = {
		{"10.0.0.1", 1},
		{"223.255.255.255", 1},
		{"2001:db8::1", 1},
		{"fe80::1", 1},
		{"0.0.0.0", 0},
		{"0.1.2.3", 0},
		{"127.0.0.1", 0},
		{"224.0.0.1", 0},
		{"255.255.255.255", 0},
		{"240.0.0.1", 0},
		{"::", 0},
		{"::1", 0},
		{"ff02::1", 0},
		{"::ffff:10.0.0.1", 0},
		{"10.0.0", 0},
		{"10.0.0.256", 0},
		{"10.0.0.01", 0},
		{"", 0},
		{"fe80::1%eth0", 0},
		{"10.0.0.1/24", 0},
		{"localhost", 0},
		{" 10.0.0.1", 0},
		{"10.0.0.1 ", 0},
		{"2001:db8:::1", 0},
	};

	check_rows(rows, ROWS(rows), address_host, address_print);
}

static void interface_addresses_are_hosts_of_their_network(void)
{
	static const struct row rows[] = {
		{"10.0.0.1/24", 1},     {"10.0.0.0/31", 1},
		{"10.0.0.1/32", 1},     {"2001:db8::1/64", 1},
		{"2001:db8::1/128", 1}, {"10.0.0.0/24", 0},
		{"10.0.0.255/24", 0},   {"10.0.0.1", 0},
		{"10.0.0.1/33", 0},     {"10.0.0.1/0", 0},
		{"10.0.0.1/", 0},       {"10.0.0.1/08", 0},
		{"10.0.0.1/-1", 0},     {"2001:db8::1/129", 0},
		{"127.0.0.1/8", 0},     {"/24", 0},
		{"0.0.0.0/0", 0},
	};

	check_rows(rows, ROWS(rows), address_interface, address_print_prefix);
}

static void networks_have_no_host_bits(void)
{
	static const struct row rows[] = {
		{"0.0.0.0/0", 1},      {"::/0", 1},          {"10.0.0.0/8", 1},
		{"10.128.0.0/9", 1},   {"10.0.0.1/32", 1},   {"2001:db8::/33", 1},
		{"10.0.0.1/8", 0},     {"10.128.0.0/8", 0},  {"10.0.0.0", 0},
		{"2001:db8::1/64", 0}, {"::ffff:0:0/96", 0},
	};

	check_rows(rows, ROWS(rows), address_network, address_print_prefix);
}

static void endpoints_have_a_host_and_a_port(void)
{
	static const struct row rows[] = {
		{"10.0.0.1:80", 1},
		{"10.0.0.1:65535", 1},
		{"[2001:db8::1]:80", 1},
		{"10.0.0.1", 0},
		{"10.0.0.1:", 0},
		{"10.0.0.1:0", 0},
		{"10.0.0.1:65536", 0},
		{"10.0.0.1:080", 0},
		{"2001:db8::1:80", 0},
		{"[2001:db8::1]", 0},
		{"[2001:db8::1]80", 0},
		{"[10.0.0.1]:80", 0},
		{"[2001:db8::1:80", 0},
		{"0.0.0.0:80", 0},
		{"[::]:80", 0},
		{":80", 0},
		{"[]:80", 0},
		{"10.0.0.1:80:90", 0},
		{"[::1]:80", 0},
	};

	check_rows(rows, ROWS(rows), address_endpoint, address_print_port);
}

static void binds_may_be_wildcards(void)
{
	static const struct row rows[] = {
		{"0.0.0.0:53", 1}, {"[::]:53", 1}, {"10.0.0.1:53", 1}, {"[2001:db8::1]:53", 1},
		{"0.0.0.1:53", 0}, {"*:53", 0},    {"[::1]:53", 0},    {"224.0.0.1:53", 0},
	};

	check_rows(rows, ROWS(rows), address_bind, address_print_port);
}

static void macs_are_of_one_station(void)
{
	static const uint8_t expected[6] = {2, 0, 0xab, 0xcd, 0xef, 1};
	static const char *const bad[] = {"",
					  "02:00:00:00:00",
					  "02:00:00:00:00:01:",
					  "02-00-00-00-00-01",
					  "01:00:00:00:00:01",
					  "ff:ff:ff:ff:ff:ff",
					  "00:00:00:00:00:00",
					  "02:00:00:00:00:0g",
					  "2:0:0:0:0:1"};
	uint8_t mac[6];

	CU_ASSERT_PTR_NULL(address_mac("02:00:ab:CD:eF:01", mac));
	CU_ASSERT_EQUAL(memcmp(mac, expected, 6), 0);
	for (size_t i = 0; i < ROWS(bad); i++)
		CU_ASSERT_PTR_NOT_NULL(address_mac(bad[i], mac));
}

static struct address network(const char *text)
{
	struct address a;

	CU_ASSERT_PTR_NULL_FATAL(address_network(text, &a));
	return a;
}

static void prefixes_hold_what_they_should(void)
{
	static const struct {
		const char *net, *ip;
		int within, reserved;
	} rows[] = {
		{"10.0.0.0/24", "10.0.0.1", 1, 0},
		{"10.0.0.0/24", "10.0.1.1", 0, 0},
		{"10.0.0.0/24", "10.0.0.255", 1, 1},
		{"10.0.0.0/24", "10.0.0.0", 1, 1},
		{"10.0.0.0/25", "10.0.0.127", 1, 1},
		{"10.0.0.0/25", "10.0.0.128", 0, 0},
		{"10.0.0.0/31", "10.0.0.1", 1, 0},
		{"10.0.0.7/32", "10.0.0.7", 1, 0},
		{"10.0.0.7/32", "10.0.0.6", 0, 0},
		{"0.0.0.0/0", "10.0.0.1", 1, 0},
		{"0.0.0.0/0", "2001:db8::1", 0, 0},
		{"::/0", "2001:db8::1", 1, 0},
		{"::/0", "10.0.0.1", 0, 0},
		{"2001:db8::/33", "2001:db8:7fff::1", 1, 0},
		{"2001:db8::/33", "2001:db8:8000::1", 0, 0},
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		struct address net = network(rows[i].net), ip;

		CU_ASSERT_PTR_NULL_FATAL(address_host(rows[i].ip, &ip));
		CU_ASSERT_EQUAL(address_within(&net, &ip), rows[i].within);
		CU_ASSERT_EQUAL(address_is_reserved(&net, &ip), rows[i].reserved);
	}
}

static void ports_are_in_network_order(void)
{
	struct address a;

	CU_ASSERT_PTR_NULL(address_endpoint("10.0.0.1:8080", &a));
	CU_ASSERT_EQUAL(a.port, htons(8080));
	CU_ASSERT_EQUAL(a.family, FAMILY_V4);
	CU_ASSERT_EQUAL(a.ip.b[10], 0xff);
	CU_ASSERT_EQUAL(a.ip.b[12], 10);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"hosts", hosts_are_unicast},
		{"interface addresses", interface_addresses_are_hosts_of_their_network},
		{"networks", networks_have_no_host_bits},
		{"endpoints", endpoints_have_a_host_and_a_port},
		{"binds", binds_may_be_wildcards},
		{"MACs", macs_are_of_one_station},
		{"prefixes", prefixes_hold_what_they_should},
		{"byte order", ports_are_in_network_order},
		CU_TEST_INFO_NULL,
	};

	return run_suite("addresses", tests);
}
