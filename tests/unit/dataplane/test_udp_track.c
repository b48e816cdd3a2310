/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/conn/udp_track.h"

#include <CUnit/Basic.h>
#include <string.h>

#define MS 1000000ull

static const struct image_timeouts defaults = {.idle_udp_ms = 30000};
static const struct image_timeouts bounded = {.idle_udp_ms = 30000, .max_duration_ms = 40000};
static const struct image_timeouts unbounded;
static const struct image_timeouts expecting = {.idle_udp_ms = 30000, .expect_reply_ms = 200};

static struct conn flow(const struct image_timeouts *t)
{
	struct conn c;

	memset(&c, 0, sizeof(c));
	udp_track_open(&c, 1000 * MS, t);
	c.state = CONN_ESTABLISHED;
	return c;
}

static void only_the_first_reply_is_the_verdict(void)
{
	struct conn c = flow(&defaults);

	CU_ASSERT_EQUAL(udp_track(&c, FORWARD, 1001 * MS, &defaults), 0);
	CU_ASSERT_EQUAL(c.flags, 0);
	CU_ASSERT_EQUAL(udp_track(&c, REVERSE, 1002 * MS, &defaults), 1);
	CU_ASSERT_EQUAL(c.flags, CONN_REPLIED | CONN_VERDICT);
	CU_ASSERT_EQUAL(udp_track(&c, REVERSE, 1003 * MS, &defaults), 0);
	CU_ASSERT_EQUAL(udp_track(&c, FORWARD, 1004 * MS, &defaults), 0);
}

static void reply_after_another_verdict_gives_none(void)
{
	struct conn c = flow(&defaults);

	c.flags = CONN_VERDICT; /* port unreachable, say */
	CU_ASSERT_EQUAL(udp_track(&c, REVERSE, 1002 * MS, &defaults), 0);
	CU_ASSERT_EQUAL(c.flags, CONN_REPLIED | CONN_VERDICT);
}

static void datagrams_of_both_sides_postpone_the_deadline(void)
{
	struct conn c = flow(&defaults);

	CU_ASSERT_EQUAL(c.deadline_ns, 31000 * MS);
	(void)udp_track(&c, FORWARD, 5000 * MS, &defaults);
	CU_ASSERT_EQUAL(c.deadline_ns, 35000 * MS);
	(void)udp_track(&c, REVERSE, 6000 * MS, &defaults);
	CU_ASSERT_EQUAL(c.deadline_ns, 36000 * MS);
	(void)udp_track(&c, REVERSE, 7000 * MS, &defaults);
	CU_ASSERT_EQUAL(c.deadline_ns, 37000 * MS);
}

static void max_duration_bounds_the_deadline(void)
{
	struct conn c = flow(&bounded);

	CU_ASSERT_EQUAL(c.deadline_ns, 31000 * MS);
	(void)udp_track(&c, FORWARD, 30000 * MS, &bounded);
	CU_ASSERT_EQUAL(c.deadline_ns, 41000 * MS);
	c = flow(&unbounded);
	CU_ASSERT_EQUAL(c.deadline_ns, UINT64_MAX);
}

static void no_reply_in_time_is_the_verdict_once(void)
{
	struct conn c = flow(&expecting);

	CU_ASSERT_EQUAL(c.deadline_ns, 1200 * MS);
	(void)udp_track(&c, FORWARD, 1150 * MS, &expecting); /* postpones nothing */
	CU_ASSERT_EQUAL(c.deadline_ns, 1200 * MS);
	CU_ASSERT_EQUAL(udp_track_expired(&c, 1199 * MS, &expecting), UDP_TIMER_NOTHING);
	CU_ASSERT_EQUAL(udp_track_expired(&c, 1200 * MS, &expecting), UDP_TIMER_NO_REPLY);
	CU_ASSERT_EQUAL(c.flags, CONN_VERDICT);
	CU_ASSERT_EQUAL(c.deadline_ns, 31200 * MS);
	(void)udp_track(&c, FORWARD, 2000 * MS, &expecting);
	CU_ASSERT_EQUAL(c.deadline_ns, 32000 * MS);
	CU_ASSERT_EQUAL(udp_track(&c, REVERSE, 3000 * MS, &expecting), 0);
	CU_ASSERT_EQUAL(udp_track_expired(&c, 33000 * MS, &expecting), UDP_TIMER_OVER);
}

static void reply_in_time_leaves_the_idle_time(void)
{
	struct conn c = flow(&expecting);

	CU_ASSERT_EQUAL(udp_track(&c, REVERSE, 1199 * MS, &expecting), 1);
	CU_ASSERT_EQUAL(c.deadline_ns, 31199 * MS);
	CU_ASSERT_EQUAL(udp_track_expired(&c, 31199 * MS, &expecting), UDP_TIMER_OVER);
}

static void expectation_that_a_reload_takes_away_ends_no_flow(void)
{
	struct conn c = flow(&expecting);

	CU_ASSERT_EQUAL(udp_track_expired(&c, 1200 * MS, &defaults), UDP_TIMER_NOTHING);
	CU_ASSERT_EQUAL(c.deadline_ns, 31000 * MS);
	CU_ASSERT_EQUAL(c.flags, 0);
	CU_ASSERT_EQUAL(udp_track_expired(&c, 31000 * MS, &defaults), UDP_TIMER_OVER);
}

int main(void)
{
	CU_initialize_registry();
	CU_pSuite s = CU_add_suite("udp_track", NULL, NULL);

	CU_ADD_TEST(s, only_the_first_reply_is_the_verdict);
	CU_ADD_TEST(s, reply_after_another_verdict_gives_none);
	CU_ADD_TEST(s, datagrams_of_both_sides_postpone_the_deadline);
	CU_ADD_TEST(s, max_duration_bounds_the_deadline);
	CU_ADD_TEST(s, no_reply_in_time_is_the_verdict_once);
	CU_ADD_TEST(s, reply_in_time_leaves_the_idle_time);
	CU_ADD_TEST(s, expectation_that_a_reload_takes_away_ends_no_flow);
	CU_basic_set_mode(CU_BRM_NORMAL);
	CU_basic_run_tests();
	unsigned int failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed != 0;
}
