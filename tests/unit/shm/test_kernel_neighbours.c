/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/kernel_neighbours.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "tests/unit/shm/suite.h"

static struct kernel_neighbours shared;
static struct neighbour_wishes ring;

/* All of it says @n, so that a torn reading shows. */
static struct kernel_neighbour_value value_of(uint8_t n)
{
	struct kernel_neighbour_value value;

	memset(&value, n, sizeof(value));
	return value;
}

static int is_value_of(const struct kernel_neighbour_value *value, uint8_t n)
{
	const struct kernel_neighbour_value expected = value_of(n);

	return memcmp(value, &expected, sizeof(expected)) == 0;
}

static void a_row_is_read_once_a_change(void)
{
	struct kernel_neighbour_value value = value_of(7);
	uint32_t version = 0;

	memset(&shared, 0, sizeof(shared));
	CU_ASSERT_EQUAL(kernel_neighbour_read(&shared, 3, &version, &value), 0);
	kernel_neighbour_write(&shared, 3, &value);
	CU_ASSERT_EQUAL(shared.changes, 1);
	value = value_of(0);
	CU_ASSERT_EQUAL(kernel_neighbour_read(&shared, 3, &version, &value), 1);
	CU_ASSERT(is_value_of(&value, 7));
	CU_ASSERT_EQUAL(kernel_neighbour_read(&shared, 3, &version, &value), 0);
	value = value_of(8);
	kernel_neighbour_write(&shared, KERNEL_NEIGHBOURS - 1, &value);
	version = 0;
	CU_ASSERT_EQUAL(kernel_neighbour_read(&shared, KERNEL_NEIGHBOURS - 1, &version, &value), 1);
}

static void a_half_written_row_is_passed_over_until_the_next_writer(void)
{
	struct kernel_neighbour_value value = value_of(7);
	uint32_t version = 0;

	memset(&shared, 0, sizeof(shared));
	kernel_neighbour_write(&shared, 3, &value);
	shared.row[3].version++;
	CU_ASSERT_EQUAL(kernel_neighbour_read(&shared, 3, &version, &value), 0);
	kernel_neighbours_begin(&shared);
	CU_ASSERT_EQUAL(kernel_neighbour_read(&shared, 3, &version, &value), 1);
	CU_ASSERT_EQUAL(value.state, KERNEL_NEIGHBOUR_NONE);
}

static void *write_rows(void *arg)
{
	for (uint32_t i = 0; i < 200000; i++) {
		struct kernel_neighbour_value value = value_of((uint8_t)i);

		kernel_neighbour_write(&shared, 0, &value);
	}
	return arg;
}

static void a_row_is_never_torn(void)
{
	struct kernel_neighbour_value value = {0};
	uint32_t version = 0;
	pthread_t writer;
	int torn = 0;

	memset(&shared, 0, sizeof(shared));
	CU_ASSERT_EQUAL_FATAL(pthread_create(&writer, NULL, write_rows, NULL), 0);
	while (__atomic_load_n(&shared.changes, __ATOMIC_ACQUIRE) < 200000)
		if (kernel_neighbour_read(&shared, 0, &version, &value))
			torn += !is_value_of(&value, value.state);
	pthread_join(writer, NULL);
	CU_ASSERT_EQUAL(torn, 0);
}

static void wish(uint32_t n, int expected)
{
	uint8_t ip[16] = {0};

	memcpy(ip, &n, sizeof(n));
	CU_ASSERT_EQUAL(neighbour_wish_add(&ring, (uint8_t)n, ip), expected);
}

static void granted(uint32_t n)
{
	uint8_t interface = 0, ip[16];
	uint32_t found = ~n;

	CU_ASSERT_EQUAL(neighbour_wish_take(&ring, &interface, ip), 1);
	memcpy(&found, ip, sizeof(found));
	CU_ASSERT_EQUAL(found, n);
	CU_ASSERT_EQUAL(interface, (uint8_t)n);
}

static void none_is_left(void)
{
	uint8_t interface, ip[16];

	CU_ASSERT_EQUAL(neighbour_wish_take(&ring, &interface, ip), 0);
}

/* Empty, one, full, full and one more; across the wrap of the numbers. */
static void wishes_come_in_order_and_a_full_ring_loses_the_new_one(void)
{
	memset(&ring, 0, sizeof(ring));
	ring.written = ring.taken = (uint32_t)-5;
	none_is_left();
	wish(1, 0);
	granted(1);
	none_is_left();
	for (uint32_t i = 0; i < NEIGHBOUR_WISHES; i++)
		wish(i, 0);
	wish(100, -ENOSPC);
	CU_ASSERT_EQUAL(ring.lost, 1);
	for (uint32_t i = 0; i < NEIGHBOUR_WISHES; i++)
		granted(i);
	none_is_left();
}

static void numbers_that_nobody_counts_empty_the_ring(void)
{
	memset(&ring, 0, sizeof(ring));
	ring.written = NEIGHBOUR_WISHES + 1;
	none_is_left();
	CU_ASSERT_EQUAL(ring.taken, ring.written);
	wish(1, 0);
	granted(1);
}

int main(void)
{
	static const struct test tests[] = {
		TEST(a_row_is_read_once_a_change),
		TEST(a_half_written_row_is_passed_over_until_the_next_writer),
		TEST(a_row_is_never_torn),
		TEST(wishes_come_in_order_and_a_full_ring_loses_the_new_one),
		TEST(numbers_that_nobody_counts_empty_the_ring),
	};

	return suite_run("kernel_neighbours", tests, sizeof(tests) / sizeof(tests[0]));
}
