/* SPDX-License-Identifier: Apache-2.0 */
/* Next hops that the kernel answers for, from the region to the table. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/kernel_neighbours.h"
#include "dataplane/net/neighbour.h"
#include "tests/unit/dataplane/suite.h"

static const uint64_t SECOND = 1000000000;
static const uint64_t START = 5000000000;
static const uint8_t MAC_A[6] = {2, 0, 0, 0, 0, 0xa};
static const uint8_t MAC_B[6] = {2, 0, 0, 0, 0, 0xb};
static const uint8_t IP[16] = {[10] = 0xff, [11] = 0xff, 10, 0, 0, 1};
enum { SHARED = 1 };

static struct neighbour_table *fresh(void)
{
	struct neighbour_table *t = neighbour_table_create(42);

	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	return t;
}

/* What a packet to IP meets at @now_ns: the state, or -errno; the question asked. */
static int meets(struct neighbour_table *t, const uint8_t *mac, uint8_t ask, uint64_t now_ns)
{
	struct neighbour_view v = {0};
	uint8_t generation;
	uint16_t n = neighbour_find(t, SHARED, IP, now_ns, &generation);
	int rc = neighbour_resolve(t, n, generation, now_ns, &v);

	CU_ASSERT_EQUAL(v.ask, ask);
	if (mac)
		CU_ASSERT_EQUAL(memcmp(v.mac, mac, 6), 0);
	return rc ? rc : v.state;
}

static void it_stays_and_is_looked_after_when_used(void)
{
	struct neighbour_table *t = fresh();

	CU_ASSERT_EQUAL(neighbour_set_kernel(t, SHARED, IP, MAC_A, START), 0);
	CU_ASSERT_EQUAL(meets(t, MAC_A, 0, START + 30 * SECOND - 1), NEIGHBOUR_KERNEL);
	for (uint64_t s = 30; s < 600; s += 30) {
		CU_ASSERT_EQUAL(meets(t, MAC_A, 2, START + s * SECOND), NEIGHBOUR_KERNEL);
		CU_ASSERT_EQUAL(meets(t, MAC_A, 0, START + (s + 30) * SECOND - 1),
				NEIGHBOUR_KERNEL);
	}
	CU_ASSERT_EQUAL(neighbour_set_kernel(t, SHARED, IP, MAC_B, START + 600 * SECOND), 0);
	CU_ASSERT_EQUAL(meets(t, MAC_B, 0, START + 629 * SECOND), NEIGHBOUR_KERNEL);
	neighbour_table_destroy(t);
}

static void it_answers_who_waits(void)
{
	struct neighbour_table *t = fresh();

	CU_ASSERT_EQUAL(meets(t, NULL, 1, START), -EAGAIN);
	CU_ASSERT_EQUAL(neighbour_set_kernel(t, SHARED, IP, MAC_A, START), 0);
	CU_ASSERT_EQUAL(meets(t, MAC_A, 0, START), NEIGHBOUR_KERNEL);
	neighbour_table_destroy(t);
}

static void what_is_gone_is_used_on_and_asked_for(void)
{
	struct neighbour_table *t = fresh();

	neighbour_kernel_gone(t, SHARED, IP); /* never was */
	neighbour_set_kernel(t, SHARED, IP, MAC_A, START);
	neighbour_kernel_gone(t, SHARED, IP);
	for (uint64_t s = 0; s < NEIGHBOUR_QUESTIONS; s++)
		CU_ASSERT_EQUAL(meets(t, MAC_A, 2, START + s * SECOND), NEIGHBOUR_STALE);
	CU_ASSERT_EQUAL(meets(t, NULL, 1, START + 3 * SECOND), -EAGAIN);
	neighbour_set_kernel(t, SHARED, IP, MAC_B, START + 4 * SECOND);
	CU_ASSERT_EQUAL(meets(t, MAC_B, 0, START + 5 * SECOND), NEIGHBOUR_KERNEL);
	neighbour_table_destroy(t);
}

static void the_policys_own_stay(void)
{
	struct neighbour_table *t = fresh();

	neighbour_set_static(t, SHARED, IP, MAC_A);
	CU_ASSERT_EQUAL(neighbour_set_kernel(t, SHARED, IP, MAC_B, START), 0);
	neighbour_kernel_gone(t, SHARED, IP);
	CU_ASSERT_EQUAL(meets(t, MAC_A, 0, START), NEIGHBOUR_STATIC);
	neighbour_table_destroy(t);
}

static void only_one_stations_address_is_taken(void)
{
	static const uint8_t group[6] = {1, 0, 0x5e}, none[6];
	struct neighbour_table *t = fresh();

	CU_ASSERT_EQUAL(neighbour_set_kernel(t, SHARED, IP, group, START), -EINVAL);
	CU_ASSERT_EQUAL(neighbour_set_kernel(t, SHARED, IP, none, START), -EINVAL);
	CU_ASSERT_EQUAL(meets(t, NULL, 1, START), -EAGAIN);
	neighbour_table_destroy(t);
}

/* -- from the region ------------------------------------------------------------------------- */

static struct kernel_neighbours from;
static struct kernel_neighbours_view view;

/* Interface 0 is Fender's alone, SHARED is shared. */
static const struct image_header *image(void)
{
	static struct {
		struct image_header header;
		struct image_interface interfaces[2];
	} made;

	made.header.interfaces.count = 2;
	made.header.interfaces.off = offsetof(typeof(made), interfaces);
	made.interfaces[SHARED].shared = 1;
	return &made.header;
}

static void tell(uint32_t row, uint8_t interface, uint8_t state)
{
	struct kernel_neighbour_value value = {.interface = interface, .state = state};

	memcpy(value.ip, IP, sizeof(IP));
	memcpy(value.mac, MAC_A, sizeof(MAC_A));
	kernel_neighbour_write(&from, row, &value);
}

static uint32_t take(struct neighbour_table *t)
{
	return kernel_neighbours_take(&view, &from, image(), t, START);
}

static void rows_are_taken_once_a_change(void)
{
	struct neighbour_table *t = fresh();

	CU_ASSERT_EQUAL(take(t), 0);
	tell(KERNEL_NEIGHBOURS - 1, SHARED, KERNEL_NEIGHBOUR_KNOWN);
	CU_ASSERT_EQUAL(take(t), 1);
	CU_ASSERT_EQUAL(take(t), 0);
	CU_ASSERT_EQUAL(meets(t, MAC_A, 0, START), NEIGHBOUR_KERNEL);
	tell(KERNEL_NEIGHBOURS - 1, SHARED, KERNEL_NEIGHBOUR_GONE);
	CU_ASSERT_EQUAL(take(t), 1);
	CU_ASSERT_EQUAL(meets(t, MAC_A, 2, START + SECOND), NEIGHBOUR_STALE);
	neighbour_table_destroy(t);
}

static void rows_of_no_shared_interface_are_passed_over(void)
{
	struct neighbour_table *t = fresh();
	uint8_t generation;
	struct neighbour_view v;
	uint16_t n;

	tell(0, 0, KERNEL_NEIGHBOUR_KNOWN);
	tell(1, 2, KERNEL_NEIGHBOUR_KNOWN);
	tell(2, 255, KERNEL_NEIGHBOUR_KNOWN);
	CU_ASSERT_EQUAL(take(t), 0);
	tell(3, SHARED, 77);
	CU_ASSERT_EQUAL(take(t), 1);
	n = neighbour_find(t, 0, IP, START, &generation);
	CU_ASSERT_EQUAL(neighbour_resolve(t, n, generation, START, &v), -EAGAIN);
	CU_ASSERT_EQUAL(meets(t, NULL, 1, START), -EAGAIN);
	neighbour_table_destroy(t);
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(it_stays_and_is_looked_after_when_used),
		SUITE_TEST(it_answers_who_waits),
		SUITE_TEST(what_is_gone_is_used_on_and_asked_for),
		SUITE_TEST(the_policys_own_stay),
		SUITE_TEST(only_one_stations_address_is_taken),
		SUITE_TEST(rows_are_taken_once_a_change),
		SUITE_TEST(rows_of_no_shared_interface_are_passed_over),
		CU_TEST_INFO_NULL,
	};

	return suite_run("neighbour_kernel", tests);
}
