/* SPDX-License-Identifier: Apache-2.0 */
/* Who limits an interface; a policy as the maps will hold it; listeners that leave. */
#include <arpa/inet.h>
#include <errno.h>

#include "controlplane/limits_drain.h"
#include "controlplane/limits_policy.h"
#include "controlplane/limits_resolve.h"
#include "shm/registry.h"
#include "tests/unit/controlplane/fixture.h"
#include "tests/unit/dataplane/suite.h"

static struct image_header *policy;
static struct region region;
static struct interface_control control[MAX_INTERFACES];

static struct image_interface *interface_of(struct image_header *image, uint32_t i)
{
	return (struct image_interface *)(uintptr_t)IMAGE_ARRAY(image, struct image_interface,
								interfaces) +
	       i;
}

static struct image_listener *listener_of(struct image_header *image, uint32_t i)
{
	return (struct image_listener *)(uintptr_t)IMAGE_ARRAY(image, struct image_listener,
							       listeners) +
	       i;
}

static struct image_address *address_of(struct image_header *image, uint32_t i)
{
	return (struct image_address *)(uintptr_t)IMAGE_ARRAY(image, struct image_address,
							      addresses) +
	       i;
}

static int set_up(void)
{
	policy = fixture_compile(FIXTURE_POLICY);
	fixture_region(&region, policy);
	for (uint32_t i = 0; i < 2; i++)
		limits_resolve(&control[i], policy, i, 1);
	return 0;
}

static int tear_down(void)
{
	region_close(&region);
	free(policy);
	return 0;
}

static void limiter_and_program_follow_from_the_interface(void)
{
	static const struct {
		uint8_t kind, limiter, shared, kernel, have_maps;
		uint32_t limits, program;
		uint8_t wants, needs;
	} rows[] = {
		{DEVICE_AF_XDP, LIMITER_AUTO, 0, 0, 1, LIMITER_XDP, PROGRAM_FENDER, 1, 0},
		{DEVICE_AF_XDP, LIMITER_AUTO, 0, 0, 0, LIMITER_DPDK, PROGRAM_DEFAULT, 1, 0},
		{DEVICE_AF_XDP, LIMITER_AUTO, 1, 0, 1, LIMITER_XDP, PROGRAM_FENDER, 1, 1},
		{DEVICE_AF_XDP, LIMITER_XDP, 0, 0, 1, LIMITER_XDP, PROGRAM_FENDER, 1, 1},
		{DEVICE_AF_XDP, LIMITER_DPDK, 0, 0, 1, LIMITER_DPDK, PROGRAM_DEFAULT, 0, 0},
		{DEVICE_AF_XDP, LIMITER_DPDK, 1, 0, 1, LIMITER_DPDK, PROGRAM_FENDER, 1, 1},
		{DEVICE_AF_XDP, LIMITER_DPDK, 0, 1, 1, LIMITER_DPDK, PROGRAM_FENDER, 1, 1},
		{DEVICE_AF_XDP, LIMITER_NONE, 0, 0, 1, LIMITER_NONE, PROGRAM_DEFAULT, 0, 0},
		{DEVICE_AF_XDP, LIMITER_NONE, 1, 0, 1, LIMITER_NONE, PROGRAM_FENDER, 1, 1},
		{DEVICE_PCI, LIMITER_AUTO, 0, 0, 1, LIMITER_DPDK, PROGRAM_NONE, 0, 0},
		{DEVICE_VDEV, LIMITER_NONE, 0, 0, 1, LIMITER_NONE, PROGRAM_NONE, 0, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct image_header *image = fixture_compile(FIXTURE_POLICY);
		struct image_interface *to = interface_of(image, 1);
		struct interface_control out;

		to->kind = rows[i].kind;
		to->limiter = rows[i].limiter;
		to->shared = rows[i].shared;
		address_of(image, 1)->flags = rows[i].kernel ? ADDRESS_KERNEL : 0;
		limits_resolve(&out, image, 1, rows[i].have_maps);
		CU_ASSERT_EQUAL(out.limiter, rows[i].limits);
		CU_ASSERT_EQUAL(out.program, rows[i].program);
		CU_ASSERT_EQUAL(out.row, 1);
		CU_ASSERT_EQUAL(limits_wants_program(image, 1), rows[i].wants);
		CU_ASSERT_EQUAL(limits_needs_program(image, 1), rows[i].needs);
		free(image);
	}
}

static void limiters_have_names(void)
{
	CU_ASSERT_STRING_EQUAL(limiter_name(LIMITER_XDP), "xdp");
	CU_ASSERT_STRING_EQUAL(limiter_name(LIMITER_NONE), "none");
	CU_ASSERT_STRING_EQUAL(limiter_name(4), "unknown");
	CU_ASSERT_STRING_EQUAL(limiter_name(UINT32_MAX), "unknown");
}

static void wish_has_what_the_image_says(void)
{
	struct image_rate_limit *from = &listener_of(policy, 0)->rate_limit;
	struct limits_wish *w;

	*from = (struct image_rate_limit){
		.packets = {.rate = 1000, .burst = 2000, .algorithm = IMAGE_LIMIT_TOKEN_BUCKET},
		.bytes = {.rate = 5000, .window_ms = 250, .algorithm = IMAGE_LIMIT_SLIDING_WINDOW},
		.directions = IMAGE_LIMIT_TO_CLIENT,
		.action = IMAGE_LIMIT_MARK,
		.listener_action = IMAGE_LIMIT_OBSERVE,
	};
	interface_of(policy, 1)->shared = 1;
	address_of(policy, 1)->flags = ADDRESS_KERNEL;
	w = limits_wish_create(policy, control, &region);
	CU_ASSERT_PTR_NOT_NULL_FATAL(w);

	CU_ASSERT_EQUAL_FATAL(w->policy.interface_count, 2);
	CU_ASSERT_EQUAL(w->interfaces[0].exclusive, 1);
	CU_ASSERT_EQUAL(w->interfaces[1].exclusive, 0);
	CU_ASSERT_EQUAL(w->interfaces[1].number, 1);
	CU_ASSERT_EQUAL(w->interfaces[0].snat_low, interface_of(policy, 0)->snat_port_low);
	CU_ASSERT_EQUAL_FATAL(w->policy.address_count, 2);
	CU_ASSERT_EQUAL(w->addresses[0].kernel, 0);
	CU_ASSERT_EQUAL(w->addresses[1].kernel, 1);
	CU_ASSERT_EQUAL(w->addresses[1].ip.word[3], inet_addr("10.1.0.1"));

	CU_ASSERT_EQUAL_FATAL(w->policy.listener_count, 2);
	CU_ASSERT_EQUAL(w->listeners[0].number,
			registry_find(region.listener_registry, region.shape.listener_slots,
				      listener_of(policy, 0)->key));
	CU_ASSERT_EQUAL(w->listeners[0].port, listener_of(policy, 0)->port);
	CU_ASSERT_EQUAL(w->listeners[0].rules.packets.rate_per_second, 1000);
	CU_ASSERT_EQUAL(w->listeners[0].rules.packets.burst, 2000);
	CU_ASSERT_EQUAL(w->listeners[0].rules.bytes.window_ns, 250000000);
	CU_ASSERT_EQUAL(w->listeners[0].rules.bytes.algorithm, LIMIT_SLIDING_WINDOW);
	CU_ASSERT_EQUAL(w->listeners[0].rules.directions, LIMIT_TO_CLIENT);
	CU_ASSERT_EQUAL(w->listeners[0].rules.action, LIMIT_MARK);
	CU_ASSERT_EQUAL(w->listeners[0].rules.listener_action, LIMIT_OBSERVE);
	CU_ASSERT_EQUAL(w->listeners[0].rules.source.algorithm, LIMIT_NONE);
	CU_ASSERT_EQUAL(w->drain_ms[0], 30000);
	CU_ASSERT_EQUAL(w->listeners[0].rules.udp_idle_ms, 30000);
	limits_wish_free(w);
	interface_of(policy, 1)->shared = 0;
	address_of(policy, 1)->flags = 0;
}

static void interfaces_without_our_program_are_left_out(void)
{
	struct interface_control other[MAX_INTERFACES];
	struct limits_wish *w;

	memcpy(other, control, sizeof(other));
	other[0].program = PROGRAM_DEFAULT;
	other[1].limiter = LIMITER_DPDK;
	w = limits_wish_create(policy, other, &region);
	CU_ASSERT_PTR_NOT_NULL_FATAL(w);
	CU_ASSERT_EQUAL_FATAL(w->policy.interface_count, 1);
	CU_ASSERT_EQUAL(w->interfaces[0].number, 1);
	CU_ASSERT_EQUAL(w->interfaces[0].unlimited, 1);
	CU_ASSERT_EQUAL_FATAL(w->policy.address_count, 1);
	CU_ASSERT_EQUAL(w->addresses[0].interface, 1);
	CU_ASSERT_EQUAL(w->policy.listener_count, 2);
	limits_wish_free(w);
}

static void listener_without_a_slot_is_refused(void)
{
	struct image_header *other = fixture_compile_with("name: web, bind", "name: new, bind");

	CU_ASSERT_PTR_NULL(limits_wish_create(other, control, &region));
	CU_ASSERT_EQUAL(errno, ENOENT);
	free(other);
}

static void places_are_found_from_both_ends(void)
{
	struct limits_wish *w = limits_wish_create(policy, control, NULL);
	uint32_t ports = (uint32_t)interface_of(policy, 0)->snat_port_high -
			 interface_of(policy, 0)->snat_port_low + 1;
	struct limits_port port;

	CU_ASSERT_PTR_NOT_NULL_FATAL(w);
	CU_ASSERT_EQUAL(w->policy.listener_count, 0);
	CU_ASSERT_EQUAL(limits_snat_ports(&w->policy), 4ull * ports);
	CU_ASSERT_EQUAL(limits_port_of(&w->policy, 0, &port), 0);
	CU_ASSERT_EQUAL(port.ip.word[3], inet_addr("10.0.0.1"));
	CU_ASSERT_EQUAL(port.proto, PROTO_TCP);
	CU_ASSERT_EQUAL(port.port, interface_of(policy, 0)->snat_port_low);
	CU_ASSERT_EQUAL(limits_port_of(&w->policy, ports, &port), 0);
	CU_ASSERT_EQUAL(port.proto, PROTO_UDP);
	CU_ASSERT_EQUAL(limits_port_of(&w->policy, 4 * ports - 1, &port), 0);
	CU_ASSERT_EQUAL(port.ip.word[3], inet_addr("10.1.0.1"));
	CU_ASSERT_EQUAL(port.proto, PROTO_UDP);
	CU_ASSERT_EQUAL(port.port, interface_of(policy, 1)->snat_port_high);
	CU_ASSERT_EQUAL(limits_port_of(&w->policy, 4 * ports, &port), -ENOENT);
	CU_ASSERT_EQUAL(limits_port_of(&w->policy, UINT32_MAX, &port), -ENOENT);
	limits_wish_free(w);
}

/* -- leavers ------------------------------------------------------------------------------- */

static struct limits_listener at(uint32_t number, const char *ip, uint16_t port)
{
	return (struct limits_listener){
		.number = number,
		.ip = {{0, 0, htonl(0xffff), inet_addr(ip)}},
		.port = htons(port),
		.proto = PROTO_TCP,
	};
}

static struct limits_wish wish_of(struct limits_listener *listeners, size_t count)
{
	static uint32_t drain_ms[8] = {1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000};

	return (struct limits_wish){
		.policy = {.listener_count = count}, .listeners = listeners, .drain_ms = drain_ms};
}

static int nobody_is_idle(void *ctx, uint32_t number)
{
	return 0;
}

static int number_is_idle(void *ctx, uint32_t number)
{
	return number == *(uint32_t *)ctx;
}

static void who_leaves_stays_until_it_is_over(void)
{
	struct limits_listener old[] = {at(1, "10.0.0.1", 80), at(2, "10.0.0.1", 81)};
	struct limits_listener new[] = {at(2, "10.0.0.1", 81)};
	struct limits_wish before = wish_of(old, 2), next = wish_of(new, 1);
	struct limits_drain none = {0}, d, later;
	struct limits_listener *all;
	uint32_t number = 1;

	CU_ASSERT_EQUAL_FATAL(limits_drain_change(&d, &none, &before, &next, 5), 0);
	CU_ASSERT_EQUAL_FATAL(d.count, 1);
	CU_ASSERT_EQUAL(d.rows[0].listener.number, 1);
	CU_ASSERT_EQUAL(d.rows[0].until_ns, 5 + 3000000000ull);

	all = limits_drain_join(&d, &next);
	CU_ASSERT_PTR_NOT_NULL_FATAL(all);
	CU_ASSERT_EQUAL(all[0].number, 1);
	CU_ASSERT_EQUAL(all[1].number, 2);
	free(all);

	/* the next change does not prolong it */
	CU_ASSERT_EQUAL_FATAL(limits_drain_change(&later, &d, &next, &next, 1000), 0);
	CU_ASSERT_EQUAL_FATAL(later.count, 1);
	CU_ASSERT_EQUAL(later.rows[0].until_ns, d.rows[0].until_ns);
	CU_ASSERT_EQUAL(limits_drain_expire(&later, 1000, nobody_is_idle, NULL), 0);
	CU_ASSERT_EQUAL(limits_drain_expire(&later, later.rows[0].until_ns, nobody_is_idle, NULL),
			1);
	CU_ASSERT_EQUAL(later.count, 0);
	limits_drain_free(&later);

	CU_ASSERT_EQUAL(limits_drain_expire(&d, 6, number_is_idle, &number), 1);
	CU_ASSERT_EQUAL(d.count, 0);
	limits_drain_free(&d);
}

static void who_comes_back_leaves_no_more(void)
{
	struct limits_listener old[] = {at(1, "10.0.0.1", 80)};
	struct limits_wish before = wish_of(old, 1), gone = wish_of(old, 0);
	struct limits_drain none = {0}, d, back;

	CU_ASSERT_EQUAL_FATAL(limits_drain_change(&d, &none, &before, &gone, 5), 0);
	CU_ASSERT_EQUAL(d.count, 1);
	CU_ASSERT_EQUAL_FATAL(limits_drain_change(&back, &d, &gone, &before, 6), 0);
	CU_ASSERT_EQUAL(back.count, 0);
	limits_drain_free(&d);
	limits_drain_free(&back);
}

static void an_address_has_one_owner(void)
{
	static const struct {
		const char *ip, *taker;
		uint16_t port, takers_port;
		size_t leavers;
	} rows[] = {
		{"10.0.0.1", "10.0.0.1", 80, 80, 0}, /* another name, the same address */
		{"10.0.0.1", "0.0.0.0", 80, 80, 0},  /* all addresses */
		{"0.0.0.0", "10.0.0.1", 80, 80, 1},  /* the others stay */
		{"10.0.0.1", "10.0.0.2", 80, 80, 1}, {"10.0.0.1", "10.0.0.1", 80, 81, 1},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct limits_listener old[] = {at(1, rows[i].ip, rows[i].port)};
		struct limits_listener new[] = {at(2, rows[i].taker, rows[i].takers_port)};
		struct limits_wish before = wish_of(old, 1), next = wish_of(new, 1);
		struct limits_drain none = {0}, d;

		CU_ASSERT_EQUAL_FATAL(limits_drain_change(&d, &none, &before, &next, 0), 0);
		CU_ASSERT_EQUAL(d.count, rows[i].leavers);
		limits_drain_free(&d);
	}
}

static void who_moves_has_its_new_limits_at_both_addresses(void)
{
	struct limits_listener old[] = {at(1, "10.0.0.1", 80)};
	struct limits_listener new[] = {at(1, "10.0.0.1", 81)};
	struct limits_wish before = wish_of(old, 1), next = wish_of(new, 1);
	struct limits_drain none = {0}, d;

	old[0].rules.action = LIMIT_OBSERVE;
	new[0].rules.action = LIMIT_MARK;
	CU_ASSERT_EQUAL_FATAL(limits_drain_change(&d, &none, &before, &next, 0), 0);
	CU_ASSERT_EQUAL_FATAL(d.count, 1);
	CU_ASSERT_EQUAL(d.rows[0].listener.port, htons(80));
	CU_ASSERT_EQUAL(d.rows[0].listener.rules.action, LIMIT_MARK);
	limits_drain_free(&d);
}

/* Its connections go on, so its former address is limited as long as it has any. */
static void who_moves_on_an_exclusive_interface_stays(void)
{
	static const struct {
		uint8_t exclusive;
		uint64_t until_ns;
	} rows[] = {{0, 5 + 3000000000ull}, {1, UINT64_MAX}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct limits_listener old[] = {at(1, "10.0.0.1", 80)};
		struct limits_listener new[] = {at(1, "10.0.0.1", 81)};
		struct limits_wish before = wish_of(old, 1), next = wish_of(new, 1);
		struct limits_wish gone = wish_of(new, 0);
		struct limits_drain none = {0}, d, last;
		uint32_t number = 1;

		next.policy.interface_count = gone.policy.interface_count = 1;
		next.interfaces[0].exclusive = gone.interfaces[0].exclusive = rows[i].exclusive;
		CU_ASSERT_EQUAL_FATAL(limits_drain_change(&d, &none, &before, &next, 5), 0);
		CU_ASSERT_EQUAL_FATAL(d.count, 1);
		CU_ASSERT_EQUAL(d.rows[0].until_ns, rows[i].until_ns);

		/* then it leaves, with both addresses */
		CU_ASSERT_EQUAL_FATAL(limits_drain_change(&last, &d, &next, &gone, 5), 0);
		CU_ASSERT_EQUAL_FATAL(last.count, 2);
		CU_ASSERT_EQUAL(last.rows[0].until_ns, 5 + 3000000000ull);
		CU_ASSERT_EQUAL(last.rows[1].until_ns, 5 + 3000000000ull);
		limits_drain_free(&last);
		CU_ASSERT_EQUAL(limits_drain_expire(&d, 6, number_is_idle, &number), 1);
		limits_drain_free(&d);
	}
}

static void the_first_policy_leaves_nobody(void)
{
	struct limits_listener new[] = {at(1, "10.0.0.1", 81)};
	struct limits_wish next = wish_of(new, 1);
	struct limits_drain none = {0}, d;

	CU_ASSERT_EQUAL_FATAL(limits_drain_change(&d, &none, NULL, &next, 0), 0);
	CU_ASSERT_EQUAL(d.count, 0);
	CU_ASSERT_EQUAL(limits_drain_expire(&d, UINT64_MAX, nobody_is_idle, NULL), 0);
	limits_drain_free(&d);
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(limiter_and_program_follow_from_the_interface),
		SUITE_TEST(limiters_have_names),
		SUITE_TEST(wish_has_what_the_image_says),
		SUITE_TEST(interfaces_without_our_program_are_left_out),
		SUITE_TEST(listener_without_a_slot_is_refused),
		SUITE_TEST(places_are_found_from_both_ends),
		SUITE_TEST(who_leaves_stays_until_it_is_over),
		SUITE_TEST(who_comes_back_leaves_no_more),
		SUITE_TEST(an_address_has_one_owner),
		SUITE_TEST(who_moves_has_its_new_limits_at_both_addresses),
		SUITE_TEST(who_moves_on_an_exclusive_interface_stays),
		SUITE_TEST(the_first_policy_leaves_nobody),
		CU_TEST_INFO_NULL,
	};
	int rc;

	set_up();
	rc = suite_run("limits_policy", tests);
	tear_down();
	return rc;
}
