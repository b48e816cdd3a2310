/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/conn/snat_ports.h"

#include "shm/limits.h"

#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>

static uint8_t owners[OWNER_BUCKETS];
static uint32_t asked;
static uint64_t random_state;

static uint32_t random32(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 16);
}

static void share_out(uint32_t workers)
{
	for (uint32_t i = 0; i < OWNER_BUCKETS; i++)
		owners[i] = (uint8_t)(i % workers);
}

static int nobody(void *ctx, uint16_t port)
{
	asked++;
	(void)ctx;
	(void)port;
	return 0;
}

static int everybody(void *ctx, uint16_t port)
{
	asked++;
	(void)ctx;
	(void)port;
	return 1;
}

/* @ctx: one byte a port, not 0 when taken towards the endpoint in question. */
static int in_map(void *ctx, uint16_t port)
{
	asked++;
	return ((const uint8_t *)ctx)[port];
}

static void range_without_a_port_of_ours_deals_none(void)
{
	static const uint16_t ranges[][2] = {{64, 64}, {0, 0}, {100, 99}, {65535, 0}};
	struct snat_ports *s;

	share_out(2);
	asked = 0;
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		s = snat_ports_create(ranges[i][0], ranges[i][1], owners, 1, 7);
		CU_ASSERT_PTR_NOT_NULL_FATAL(s);
		CU_ASSERT_EQUAL(snat_ports_free_count(s), 0);
		CU_ASSERT_EQUAL(snat_ports_deal(s, nobody, NULL), 0);
		CU_ASSERT_EQUAL(snat_ports_take(s, 64), -1);
		snat_ports_destroy(s);
	}
	/* A worker without any bucket. */
	s = snat_ports_create(1024, 2048, owners, 5, 7);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	CU_ASSERT_EQUAL(snat_ports_deal(s, nobody, NULL), 0);
	snat_ports_destroy(s);
	CU_ASSERT_EQUAL(asked, 0);
}

static void one_port_is_dealt_then_shared(void)
{
	struct snat_ports *s;

	share_out(1);
	s = snat_ports_create(40000, 40000, owners, 0, 1);
	CU_ASSERT_EQUAL(snat_ports_free_count(s), 1);
	CU_ASSERT_EQUAL(snat_ports_deal(s, everybody, NULL), 40000);
	CU_ASSERT_EQUAL(snat_ports_free_count(s), 0);
	CU_ASSERT_EQUAL(snat_ports_deal(s, everybody, NULL), 0);
	CU_ASSERT_EQUAL(snat_ports_deal(s, nobody, NULL), 40000);
	snat_ports_return(s, 40000);
	CU_ASSERT_EQUAL(snat_ports_free_count(s), 0); /* one use is left */
	snat_ports_return(s, 40000);
	CU_ASSERT_EQUAL(snat_ports_free_count(s), 1);
	snat_ports_destroy(s);
}

static void workers_divide_the_range(void)
{
	static uint8_t dealt[65536];
	uint32_t total = 0;

	memset(dealt, 0, sizeof(dealt));
	share_out(3);
	for (uint8_t worker = 0; worker < 3; worker++) {
		struct snat_ports *s = snat_ports_create(32769, 60998, owners, worker, worker);
		uint32_t count = snat_ports_free_count(s);

		asked = 0;
		for (uint32_t i = 0; i < count; i++) {
			uint16_t port = snat_ports_deal(s, everybody, NULL);

			CU_ASSERT(port >= 32769 && port <= 60998);
			CU_ASSERT_EQUAL(owners[port % OWNER_BUCKETS], worker);
			CU_ASSERT_EQUAL(dealt[port]++, 0);
		}
		CU_ASSERT_EQUAL(asked, 0); /* a free port needs no question */
		CU_ASSERT_EQUAL(snat_ports_deal(s, everybody, NULL), 0);
		CU_ASSERT_EQUAL(asked, SNAT_SHARE_TRIES);
		total += count;
		snat_ports_destroy(s);
	}
	CU_ASSERT_EQUAL(total, 60998 - 32769 + 1);
}

static void whole_range_without_port_zero(void)
{
	struct snat_ports *s;

	share_out(1);
	s = snat_ports_create(0, 65535, owners, 0, 3);
	CU_ASSERT_EQUAL(snat_ports_free_count(s), 65535);
	for (uint32_t i = 0; i < 65535; i++)
		CU_ASSERT_NOT_EQUAL_FATAL(snat_ports_deal(s, everybody, NULL), 0);
	CU_ASSERT_EQUAL(snat_ports_take(s, 0), -1);
	snat_ports_destroy(s);
}

static void least_recently_returned_comes_first(void)
{
	enum { COUNT = 100 };
	uint16_t port[COUNT];
	struct snat_ports *s;

	share_out(1);
	s = snat_ports_create(50000, 50000 + COUNT - 1, owners, 0, 9);
	for (uint32_t i = 0; i < COUNT; i++)
		port[i] = snat_ports_deal(s, everybody, NULL);
	for (uint32_t i = 0; i < COUNT; i++)
		snat_ports_return(s, port[(i * 37) % COUNT]);
	for (uint32_t i = 0; i < COUNT; i++)
		CU_ASSERT_EQUAL(snat_ports_deal(s, everybody, NULL), port[(i * 37) % COUNT]);
	snat_ports_destroy(s);
}

static void seed_decides_the_first_order(void)
{
	struct snat_ports *s[3];
	uint32_t same = 0, ascending = 0;
	uint16_t before = 0;

	share_out(1);
	for (uint32_t i = 0; i < 3; i++)
		s[i] = snat_ports_create(32768, 60999, owners, 0, i < 2 ? 5 : 6);
	for (uint32_t i = 0; i < 1000; i++) {
		uint16_t a = snat_ports_deal(s[0], everybody, NULL);

		CU_ASSERT_EQUAL(snat_ports_deal(s[1], everybody, NULL), a);
		same += snat_ports_deal(s[2], everybody, NULL) == a;
		ascending += a > before;
		before = a;
	}
	CU_ASSERT(same < 10);
	CU_ASSERT(ascending > 300 && ascending < 700);
	for (uint32_t i = 0; i < 3; i++)
		snat_ports_destroy(s[i]);
}

static void sharing_finds_the_one_possible_port(void)
{
	static uint8_t taken[65536];
	struct snat_ports *s;
	uint16_t port = 0;

	share_out(2);
	s = snat_ports_create(32768, 33768, owners, 0, 11);
	while (snat_ports_free_count(s))
		(void)snat_ports_deal(s, everybody, NULL);
	memset(taken, 1, sizeof(taken));
	taken[33000] = 0;
	/* The cursor goes on from call to call, so one round over the range finds it. */
	for (int i = 0; i < 501 / SNAT_SHARE_TRIES + 2 && !port; i++) {
		asked = 0;
		port = snat_ports_deal(s, in_map, taken);
		CU_ASSERT(asked <= SNAT_SHARE_TRIES);
	}
	CU_ASSERT_EQUAL(port, 33000);
	snat_ports_destroy(s);
}

static void certain_ports_are_taken_after_a_restart(void)
{
	struct snat_ports *s;

	share_out(2);
	s = snat_ports_create(40000, 40003, owners, 0, 2);
	CU_ASSERT_EQUAL(snat_ports_free_count(s), 2);
	CU_ASSERT_EQUAL(snat_ports_take(s, 40001), -1); /* another worker's */
	CU_ASSERT_EQUAL(snat_ports_take(s, 39998), -1);
	CU_ASSERT_EQUAL(snat_ports_take(s, 40004), -1);
	CU_ASSERT_EQUAL(snat_ports_take(s, 40002), 0);
	CU_ASSERT_EQUAL(snat_ports_take(s, 40002), 0); /* shared */
	CU_ASSERT_EQUAL(snat_ports_free_count(s), 1);
	CU_ASSERT_EQUAL(snat_ports_deal(s, everybody, NULL), 40000);
	snat_ports_return(s, 40002);
	CU_ASSERT_EQUAL(snat_ports_free_count(s), 0);
	snat_ports_return(s, 40002);
	CU_ASSERT_EQUAL(snat_ports_deal(s, everybody, NULL), 40002);
	snat_ports_destroy(s);
}

static void use_counts_do_not_wrap(void)
{
	struct snat_ports *s;

	share_out(1);
	s = snat_ports_create(40000, 40000, owners, 0, 2);
	for (uint32_t i = 0; i < 65535; i++)
		CU_ASSERT_EQUAL_FATAL(snat_ports_deal(s, nobody, NULL), 40000);
	CU_ASSERT_EQUAL(snat_ports_deal(s, nobody, NULL), 0);
	CU_ASSERT_EQUAL(snat_ports_take(s, 40000), -1);
	for (uint32_t i = 0; i < 65535; i++)
		snat_ports_return(s, 40000);
	CU_ASSERT_EQUAL(snat_ports_free_count(s), 1);
	snat_ports_destroy(s);
}

/* Random deals, takes and returns towards a few endpoints, against a plain list. */
static void random_operations_match_a_model(void)
{
	enum { LOW = 33000, HIGH = 33300, ENDPOINTS = 4, MAX = 2000 };
	static uint8_t taken[ENDPOINTS][65536];
	static struct {
		uint16_t port;
		uint8_t endpoint;
	} held[MAX];
	static uint16_t fifo[65536], uses[65536];
	uint32_t n = 0, head = 0, tail = 0, errors = 0, none = 0, shared = 0;
	struct snat_ports *s;

	random_state = 8;
	share_out(1);
	s = snat_ports_create(LOW, HIGH, owners, 0, 4);
	/* Learn the first order by dealing all, then giving all back. */
	for (uint32_t i = 0; i < HIGH - LOW + 1; i++)
		fifo[tail++] = snat_ports_deal(s, everybody, NULL);
	for (uint32_t i = 0; i < tail; i++)
		snat_ports_return(s, fifo[i]);
	for (uint32_t op = 0; op < 300000; op++) {
		uint32_t endpoint = random32() % ENDPOINTS;

		if (n < MAX && random32() % 100 < ((op / 5000) % 2 ? 70 : 35)) {
			uint16_t port = snat_ports_deal(s, in_map, taken[endpoint]);

			if (head != tail) {
				errors += port != fifo[head];
				head = (head + 1) & 0xffff;
			} else if (port) {
				errors += uses[port] == 0 || taken[endpoint][port];
				shared++;
			} else {
				none++;
				continue;
			}
			uses[port]++;
			taken[endpoint][port] = 1;
			held[n].port = port;
			held[n++].endpoint = (uint8_t)endpoint;
		} else if (n > 0) {
			uint32_t at = random32() % n;
			uint16_t port = held[at].port;

			taken[held[at].endpoint][port] = 0;
			held[at] = held[--n];
			snat_ports_return(s, port);
			if (--uses[port] == 0) {
				fifo[tail] = port;
				tail = (tail + 1) & 0xffff;
			}
		}
		errors += snat_ports_free_count(s) != ((tail - head) & 0xffff);
	}
	CU_ASSERT_EQUAL(errors, 0);
	CU_ASSERT(shared > 100);
	CU_ASSERT(none > 100);
	snat_ports_destroy(s);
}

int main(void)
{
	CU_initialize_registry();
	CU_pSuite s = CU_add_suite("snat_ports", NULL, NULL);

	CU_ADD_TEST(s, range_without_a_port_of_ours_deals_none);
	CU_ADD_TEST(s, one_port_is_dealt_then_shared);
	CU_ADD_TEST(s, workers_divide_the_range);
	CU_ADD_TEST(s, whole_range_without_port_zero);
	CU_ADD_TEST(s, least_recently_returned_comes_first);
	CU_ADD_TEST(s, seed_decides_the_first_order);
	CU_ADD_TEST(s, sharing_finds_the_one_possible_port);
	CU_ADD_TEST(s, certain_ports_are_taken_after_a_restart);
	CU_ADD_TEST(s, use_counts_do_not_wrap);
	CU_ADD_TEST(s, random_operations_match_a_model);
	CU_basic_set_mode(CU_BRM_NORMAL);
	CU_basic_run_tests();
	unsigned int failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed != 0;
}
