/* SPDX-License-Identifier: Apache-2.0 */
/* Whose a frame is, and where it goes: the XDP program without limits. */
#include <stdio.h>

#include "tests/unit/ebpf/xdp_suite.h"

static struct world world;

enum { NO_ROW = -1 };
#define LISTENER(n) (LIMIT_INTERFACES + (n))

struct row {
	const char *name;
	uint32_t interface;
	struct wanted frame;
	uint32_t action;
	int row;
	int verdict;
};

static void check(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct bytes frame = frame_of(&rows[i].frame);
		struct outcome o = world_meet(&world, rows[i].interface, &frame);

		CU_ASSERT_EQUAL(o.action, rows[i].action);
		CU_ASSERT_EQUAL(o.row, rows[i].row);
		CU_ASSERT_EQUAL(o.verdict, rows[i].verdict);
		if (o.action != rows[i].action || o.row != rows[i].row ||
		    o.verdict != rows[i].verdict)
			printf("\n    %s: action %u, row %d, verdict %s\n", rows[i].name, o.action,
			       o.row, limits_verdict_name((unsigned int)o.verdict));
	}
}

#define CHECK(rows) check(rows, sizeof(rows) / sizeof((rows)[0]))

#define TCP4(s, d, sp, dp)                                                                      \
	{                                                                                       \
		.src = (s), .dst = (d), .sport = (sp), .dport = (dp), .proto = FRAME_PROTO_TCP, \
		.tcp_flags = FRAME_SYN                                                          \
	}
#define UDP4(s, d, sp, dp)                                                                     \
	{                                                                                      \
		.src = (s), .dst = (d), .sport = (sp), .dport = (dp), .proto = FRAME_PROTO_UDP \
	}

static void exclusive_interface_gives_all_to_fender(void)
{
	const struct row rows[] = {
		{"listener", APP, TCP4("10.9.0.9", APP_IP, 1, 80), XDP_REDIRECT, LISTENER(WEB),
		 LIMIT_VERDICT_PASSED},
		{"listener, IPv6", APP, TCP4("fd00:9::9", APP_IP6, 1, 80), XDP_REDIRECT,
		 LISTENER(WEB), LIMIT_VERDICT_PASSED},
		{"UDP listener", APP, UDP4("10.9.0.9", APP_IP, 1, 53), XDP_REDIRECT, LISTENER(DNS),
		 LIMIT_VERDICT_PASSED},
		{"TCP to the UDP listener's port", APP, TCP4("10.9.0.9", APP_IP, 1, 53),
		 XDP_REDIRECT, APP, LIMIT_VERDICT_PASSED},
		{"no listener", APP, TCP4("10.9.0.9", APP_IP, 1, 81), XDP_REDIRECT, APP,
		 LIMIT_VERDICT_PASSED},
		{"a stranger", APP, TCP4("10.9.0.9", "10.77.0.1", 1, 80), XDP_REDIRECT, APP,
		 LIMIT_VERDICT_PASSED},
		{"another interface's listener", APP, TCP4("10.9.0.9", NET_IP, 1, 8080),
		 XDP_REDIRECT, APP, LIMIT_VERDICT_PASSED},
		{"SNAT ports are another interface's", APP, TCP4("10.9.0.9", APP_IP, 1, SNAT_LOW),
		 XDP_REDIRECT, APP, LIMIT_VERDICT_PASSED},
		{"the kernel's address", APP, TCP4("10.9.0.9", KEPT_IP, 1, 80), XDP_PASS, APP,
		 LIMIT_VERDICT_KERNEL},
		{"the kernel's address, IPv6", APP, UDP4("fd00:9::9", KEPT_IP6, 1, 53), XDP_PASS,
		 APP, LIMIT_VERDICT_KERNEL},
		{"ping",
		 APP,
		 {.src = "10.9.0.9", .dst = APP_IP, .proto = FRAME_PROTO_ICMP, .icmp_type = 8},
		 XDP_REDIRECT,
		 APP,
		 LIMIT_VERDICT_PASSED},
		{"other protocol",
		 APP,
		 {.src = "10.9.0.9", .dst = APP_IP, .proto = 47, .payload = 20},
		 XDP_REDIRECT,
		 APP,
		 LIMIT_VERDICT_PASSED},
	};

	CHECK(rows);
}

static void shared_interface_gives_the_rest_to_the_kernel(void)
{
	const struct row rows[] = {
		{"listener", NET, TCP4("10.8.0.9", NET_IP, 1, 8080), XDP_REDIRECT, LISTENER(IN),
		 LIMIT_VERDICT_PASSED},
		{"listener on every address", NET, UDP4("10.8.0.9", NET_IP, 1, 5353), XDP_REDIRECT,
		 LISTENER(ANY), LIMIT_VERDICT_PASSED},
		{"every address means ours", NET, UDP4("10.8.0.9", "224.0.0.251", 1, 5353),
		 XDP_PASS, NET, LIMIT_VERDICT_KERNEL},
		{"of its family", NET, UDP4("fd00:8::9", NET_IP6, 1, 5353), XDP_PASS, NET,
		 LIMIT_VERDICT_KERNEL},
		{"ssh", NET, TCP4("10.8.0.9", NET_IP, 1, 22), XDP_PASS, NET, LIMIT_VERDICT_KERNEL},
		{"SNAT port that is free", NET, TCP4("10.8.0.9", NET_IP, 80, SNAT_LOW + 1),
		 XDP_PASS, NET, LIMIT_VERDICT_KERNEL},
		{"below the SNAT ports", NET, TCP4("10.8.0.9", NET_IP, 80, SNAT_LOW - 1), XDP_PASS,
		 NET, LIMIT_VERDICT_KERNEL},
		{"above the SNAT ports", NET, TCP4("10.8.0.9", NET_IP, 80, SNAT_HIGH + 1), XDP_PASS,
		 NET, LIMIT_VERDICT_KERNEL},
		{"ping",
		 NET,
		 {.src = "10.8.0.9", .dst = NET_IP, .proto = FRAME_PROTO_ICMP, .icmp_type = 8},
		 XDP_PASS,
		 NET,
		 LIMIT_VERDICT_KERNEL},
	};

	CHECK(rows);
}

static void snat_port_in_use_is_fenders(void)
{
	/* places: IPv4 TCP, UDP, then IPv6 TCP, UDP */
	const struct row used[] = {
		{"TCP", NET, TCP4("10.8.0.9", NET_IP, 80, SNAT_LOW), XDP_REDIRECT, LISTENER(WEB),
		 LIMIT_VERDICT_PASSED},
		{"UDP has ports of its own", NET, UDP4("10.8.0.9", NET_IP, 80, SNAT_LOW), XDP_PASS,
		 NET, LIMIT_VERDICT_KERNEL},
		{"last UDP port", NET, UDP4("10.8.0.9", NET_IP, 53, SNAT_HIGH), XDP_REDIRECT,
		 LISTENER(DNS), LIMIT_VERDICT_PASSED},
		{"IPv6", NET, TCP4("fd00:8::9", NET_IP6, 80, SNAT_LOW), XDP_REDIRECT, LISTENER(TAG),
		 LIMIT_VERDICT_PASSED},
		{"another address", NET, TCP4("10.8.0.9", "10.8.0.77", 80, SNAT_LOW), XDP_PASS, NET,
		 LIMIT_VERDICT_KERNEL},
	};
	const struct row free[] = {
		{"given back", NET, TCP4("10.8.0.9", NET_IP, 80, SNAT_LOW), XDP_PASS, NET,
		 LIMIT_VERDICT_KERNEL},
	};

	world_own_port(&world, 0, LIMIT_OWNER(WEB, 1));
	world_own_port(&world, 2 * SNAT_PORTS - 1, LIMIT_OWNER(DNS, 1));
	world_own_port(&world, 2 * SNAT_PORTS, LIMIT_OWNER(TAG, 0xffffffff));
	CHECK(used);
	world_own_port(&world, 0, 0);
	world_own_port(&world, 2 * SNAT_PORTS - 1, 0);
	world_own_port(&world, 2 * SNAT_PORTS, 0);
	CHECK(free);
}

static void icmp_error_goes_to_who_was_quoted(void)
{
	const struct wanted by_listener = TCP4(NET_IP, "10.8.0.9", 8080, 4000);
	const struct wanted by_port = UDP4(NET_IP, "10.8.0.9", SNAT_LOW, 53);
	const struct wanted by_kernel = TCP4(NET_IP, "10.8.0.9", 22, 4000);
	const struct wanted by_other = TCP4("10.8.0.2", "10.8.0.9", 8080, 4000);
	const struct wanted by_port6 = TCP4(NET_IP6, "fd00:8::9", SNAT_LOW, 80);
	const struct row rows[] = {
		{"of a listener",
		 NET,
		 {.src = "10.8.0.7",
		  .dst = NET_IP,
		  .proto = FRAME_PROTO_ICMP,
		  .icmp_type = 3,
		  .quote = &by_listener},
		 XDP_REDIRECT,
		 LISTENER(IN),
		 LIMIT_VERDICT_PASSED},
		{"of a SNAT port",
		 NET,
		 {.src = "10.8.0.7",
		  .dst = NET_IP,
		  .proto = FRAME_PROTO_ICMP,
		  .icmp_type = 11,
		  .quote = &by_port},
		 XDP_REDIRECT,
		 LISTENER(DNS),
		 LIMIT_VERDICT_PASSED},
		{"IPv6, packet too big",
		 NET,
		 {.src = "fd00:8::7",
		  .dst = NET_IP6,
		  .proto = FRAME_PROTO_ICMPV6,
		  .icmp_type = 2,
		  .quote = &by_port6},
		 XDP_REDIRECT,
		 LISTENER(WEB),
		 LIMIT_VERDICT_PASSED},
		{"of the kernel",
		 NET,
		 {.src = "10.8.0.7",
		  .dst = NET_IP,
		  .proto = FRAME_PROTO_ICMP,
		  .icmp_type = 3,
		  .quote = &by_kernel},
		 XDP_PASS,
		 NET,
		 LIMIT_VERDICT_KERNEL},
		{"of another sender",
		 NET,
		 {.src = "10.8.0.7",
		  .dst = NET_IP,
		  .proto = FRAME_PROTO_ICMP,
		  .icmp_type = 3,
		  .quote = &by_other},
		 XDP_PASS,
		 NET,
		 LIMIT_VERDICT_KERNEL},
		{"no error",
		 NET,
		 {.src = "10.8.0.7",
		  .dst = NET_IP,
		  .proto = FRAME_PROTO_ICMP,
		  .icmp_type = 0,
		  .quote = &by_listener},
		 XDP_PASS,
		 NET,
		 LIMIT_VERDICT_KERNEL},
	};

	world_own_port(&world, SNAT_PORTS, LIMIT_OWNER(DNS, 7));
	world_own_port(&world, 2 * SNAT_PORTS, LIMIT_OWNER(WEB, 7));
	CHECK(rows);
	world_own_port(&world, SNAT_PORTS, 0);
	world_own_port(&world, 2 * SNAT_PORTS, 0);
}

static void options_and_extension_headers_hide_nothing(void)
{
	struct wanted options = TCP4("10.8.0.9", NET_IP, 1, 8080);
	struct wanted most = TCP4("10.8.0.9", NET_IP, 1, 8080);
	struct wanted extended = TCP4("fd00:8::9", NET_IP6, 80, SNAT_LOW);
	struct wanted too_many = TCP4("fd00:8::9", NET_IP6, 80, SNAT_LOW);
	struct row rows[4];

	options.options = 1;
	most.options = 10;
	extended.options = FRAME_EXTENSION_HEADERS;
	too_many.options = FRAME_EXTENSION_HEADERS + 1;
	rows[0] = (struct row){"IPv4 option", NET,          options,
			       XDP_REDIRECT,  LISTENER(IN), LIMIT_VERDICT_PASSED};
	rows[1] = (struct row){"all of them", NET,          most,
			       XDP_REDIRECT,  LISTENER(IN), LIMIT_VERDICT_PASSED};
	rows[2] = (struct row){"extension headers", NET,           extended,
			       XDP_REDIRECT,        LISTENER(WEB), LIMIT_VERDICT_PASSED};
	rows[3] = (struct row){"one too many", NET, too_many, XDP_PASS, NET, LIMIT_VERDICT_KERNEL};
	world_own_port(&world, 2 * SNAT_PORTS, LIMIT_OWNER(WEB, 3));
	CHECK(rows);
	world_own_port(&world, 2 * SNAT_PORTS, 0);
}

static void first_fragment_of_fenders_is_dropped_where_the_kernel_would_answer(void)
{
	struct wanted first = TCP4("10.8.0.9", NET_IP, 1, 8080);
	struct wanted later = first;
	struct wanted kernels = TCP4("10.8.0.9", NET_IP, 1, 22);
	struct wanted first6 = TCP4("fd00:8::9", NET_IP6, 80, SNAT_LOW);
	struct wanted later6 = first6;
	struct wanted app = TCP4("10.9.0.9", APP_IP, 1, 80);
	struct row rows[6];

	first.fragment = 0x2000;
	later.fragment = 0x2001;
	kernels.fragment = 0x2000;
	first6.fragment = 1;
	later6.fragment = 8 | 1;
	app.fragment = 0x2000;
	rows[0] = (struct row){"first", NET, first, XDP_DROP, LISTENER(IN), LIMIT_VERDICT_FRAGMENT};
	rows[1] = (struct row){"later", NET, later, XDP_PASS, NET, LIMIT_VERDICT_KERNEL};
	rows[2] = (struct row){"the kernel's", NET, kernels, XDP_PASS, NET, LIMIT_VERDICT_KERNEL};
	rows[3] = (struct row){"IPv6 first", NET,           first6,
			       XDP_DROP,     LISTENER(WEB), LIMIT_VERDICT_FRAGMENT};
	rows[4] = (struct row){"IPv6 later", NET, later6, XDP_PASS, NET, LIMIT_VERDICT_KERNEL};
	rows[5] = (struct row){"exclusive: the worker drops it",
			       APP,
			       app,
			       XDP_REDIRECT,
			       LISTENER(WEB),
			       LIMIT_VERDICT_PASSED};
	world_own_port(&world, 2 * SNAT_PORTS, LIMIT_OWNER(WEB, 3));
	CHECK(rows);
	world_own_port(&world, 2 * SNAT_PORTS, 0);
}

static void only_the_interfaces_vlan_is_limited(void)
{
	struct wanted tagged = TCP4("10.9.0.9", APP_IP, 1, 80);
	struct wanted other = tagged;
	struct wanted plain = tagged;
	struct wanted twice = tagged;
	struct wanted shared = TCP4("10.8.0.9", NET_IP, 1, 8080);
	struct row rows[5];

	tagged.vlan = 7;
	other.vlan = 8;
	twice.vlan = 7;
	twice.second_vlan = 7;
	shared.vlan = 7;
	rows[0] = (struct row){"its VLAN",   TAGGED,        tagged,
			       XDP_REDIRECT, LISTENER(TAG), LIMIT_VERDICT_PASSED};
	rows[1] =
		(struct row){"another", TAGGED, other, XDP_REDIRECT, TAGGED, LIMIT_VERDICT_PASSED};
	rows[2] = (struct row){"none", TAGGED, plain, XDP_REDIRECT, TAGGED, LIMIT_VERDICT_PASSED};
	rows[3] =
		(struct row){"two tags", TAGGED, twice, XDP_REDIRECT, TAGGED, LIMIT_VERDICT_PASSED};
	rows[4] = (struct row){"a tag where none is ours", NET, shared, XDP_PASS, NET,
			       LIMIT_VERDICT_KERNEL};
	CHECK(rows);
}

static void arp_and_neighbour_discovery_follow_the_address(void)
{
	struct bytes ours = arp_for(APP_IP);
	struct bytes kernels = arp_for(KEPT_IP);
	struct bytes shared = arp_for(NET_IP);
	const struct wanted solicitation = {.src = "fd00:9::9",
					    .dst = "ff02::1:ff00:2",
					    .proto = FRAME_PROTO_ICMPV6,
					    .icmp_type = 135,
					    .payload = 16};
	struct bytes asks = frame_of(&solicitation);
	struct limit_ip target = ip_of(KEPT_IP6);

	CU_ASSERT_EQUAL(world_meet(&world, APP, &ours).action, XDP_REDIRECT);
	CU_ASSERT_EQUAL(world_meet(&world, APP, &kernels).action, XDP_PASS);
	CU_ASSERT_EQUAL(world_meet(&world, NET, &shared).action, XDP_PASS);
	memcpy(asks.data + asks.size - 16, &target, 16);
	CU_ASSERT_EQUAL(world_meet(&world, APP, &asks).action, XDP_PASS);
	target = ip_of(APP_IP6);
	memcpy(asks.data + asks.size - 16, &target, 16);
	CU_ASSERT_EQUAL(world_meet(&world, APP, &asks).action, XDP_REDIRECT);
}

/* Cut at every length the frame goes where others of the interface go, and is counted once. */
static void truncated_frames_are_nobodys(void)
{
	struct wanted w = TCP4("10.8.0.9", NET_IP, 1, 8080);
	struct bytes whole = frame_of(&w);

	for (uint32_t size = 14; size < whole.size; size++) {
		struct bytes cut = whole;
		struct outcome o;

		cut.size = size;
		o = world_meet(&world, NET, &cut);
		CU_ASSERT_EQUAL(o.action, XDP_PASS);
		CU_ASSERT_EQUAL(o.row, NET);
		CU_ASSERT_EQUAL(o.verdict, LIMIT_VERDICT_KERNEL);
		cut = whole;
		cut.size = size;
		o = world_meet(&world, APP, &cut);
		CU_ASSERT_EQUAL(o.action, XDP_REDIRECT);
		CU_ASSERT_EQUAL(o.row, APP);
	}
}

static void without_a_socket_fenders_frames_are_dropped(void)
{
	struct wanted web = TCP4("10.9.0.9", APP_IP, 1, 80);
	struct wanted unowned = TCP4("10.9.0.9", APP_IP, 1, 81);
	struct wanted ssh = TCP4("10.8.0.9", NET_IP, 1, 22);
	const struct row rows[] = {
		{"a listener's", APP, web, XDP_DROP, LISTENER(WEB), LIMIT_VERDICT_NO_SOCKET},
		{"exclusive", APP, unowned, XDP_DROP, APP, LIMIT_VERDICT_NO_SOCKET},
		{"the kernel's", NET, ssh, XDP_PASS, NET, LIMIT_VERDICT_KERNEL},
	};
	const struct row lost[] = {
		{"a listener's", APP, web, XDP_PASS, LISTENER(WEB), LIMIT_VERDICT_KERNEL},
		{"exclusive", APP, unowned, XDP_PASS, APP, LIMIT_VERDICT_KERNEL},
	};

	world_attach(&world, 0);
	CHECK(rows);
	world.lost_pass = 1;
	CU_ASSERT_EQUAL(world_apply(&world), 0);
	CHECK(lost);
	world.lost_pass = 0;
	CU_ASSERT_EQUAL(world_apply(&world), 0);
	world_attach(&world, 1);
}

/* Whoever attached the program to it: it was not Fender. */
static void other_devices_are_the_kernels(void)
{
	const struct row rows[] = {
		{"no interface", NO_INTERFACE, TCP4("10.9.0.9", APP_IP, 1, 80), XDP_PASS, NO_ROW,
		 -1},
	};

	CHECK(rows);
}

static void interface_without_configuration_passes_and_counts(void)
{
	const struct limits_policy none = {.generation = 1};
	const struct row rows[] = {{"listener", APP, TCP4("10.9.0.9", APP_IP, 1, 80), XDP_PASS, APP,
				    LIMIT_VERDICT_KERNEL}};

	CU_ASSERT_EQUAL(limits_apply(world.limits, &none, world.error, sizeof(world.error)), 0);
	CHECK(rows);
	CU_ASSERT_EQUAL(world_apply(&world), 0);
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(exclusive_interface_gives_all_to_fender),
		SUITE_TEST(shared_interface_gives_the_rest_to_the_kernel),
		SUITE_TEST(snat_port_in_use_is_fenders),
		SUITE_TEST(icmp_error_goes_to_who_was_quoted),
		SUITE_TEST(options_and_extension_headers_hide_nothing),
		SUITE_TEST(first_fragment_of_fenders_is_dropped_where_the_kernel_would_answer),
		SUITE_TEST(only_the_interfaces_vlan_is_limited),
		SUITE_TEST(arp_and_neighbour_discovery_follow_the_address),
		SUITE_TEST(truncated_frames_are_nobodys),
		SUITE_TEST(without_a_socket_fenders_frames_are_dropped),
		SUITE_TEST(other_devices_are_the_kernels),
		SUITE_TEST(interface_without_configuration_passes_and_counts),
		CU_TEST_INFO_NULL,
	};

	return world_suite(&world, "xdp: whose a frame is", tests);
}
