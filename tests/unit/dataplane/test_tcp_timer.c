/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/dataplane/tcp_script.h"

static const struct image_timeouts short_idle = {.connect_ms = 1000,
						 .request_ms = 15000,
						 .idle_tcp_ms = 500,
						 .half_closed_ms = 60000,
						 .verdict_after_ms = 1000};
static const struct image_timeouts bounded = {.connect_ms = 1000,
					      .request_ms = 15000,
					      .idle_tcp_ms = 3600000,
					      .half_closed_ms = 60000,
					      .max_duration_ms = 10000,
					      .verdict_after_ms = 1000};
static const struct image_timeouts impatient = {.connect_ms = 5000,
						.request_ms = 2000,
						.idle_tcp_ms = 3600000,
						.half_closed_ms = 60000,
						.verdict_after_ms = 0};
static const struct image_timeouts tiny = {
	.connect_ms = 100, .request_ms = 15000, .idle_tcp_ms = 3600000, .verdict_after_ms = 1000};
static const struct image_timeouts no_request = {
	.connect_ms = 1000, .idle_tcp_ms = 3600000, .verdict_after_ms = 1000};

static const struct script timers[] = {
	{.name = "SYN repeated once, then the connect timeout",
	 .rows = {TIMER(299, NOTHING, SYN_SENT), TIMER(300, REPEAT_SYN, SYN_SENT),
		  TIMER(301, NOTHING, SYN_SENT), TIMER(999, NOTHING, SYN_SENT),
		  TIMER(1000, CONNECT, SYN_SENT)}},
	{.name = "clock that comes late: the attempt has failed, no repeat",
	 .rows = {TIMER(1500, CONNECT, SYN_SENT)}},
	{.name = "connect timeout below the repeat",
	 .timeouts = &tiny,
	 .rows = {TIMER(99, NOTHING, SYN_SENT), TIMER(100, CONNECT, SYN_SENT)}},
	{.name = "request timeout before connect",
	 .timeouts = &impatient,
	 .rows = {TIMER(300, REPEAT_SYN, SYN_SENT), TIMER(1999, NOTHING, SYN_SENT),
		  TIMER(2000, REQUEST, SYN_SENT)}},
	{.name = "answer after the repeat",
	 .rows = {TIMER(300, REPEAT_SYN, SYN_SENT),
		  EVENT(400, ENDPOINT, S | A, 0, 1, 0, SYN_ACKED, SYN_RCVD),
		  EVENT(410, CLIENT, A, 1, 1, 0, UP, ESTABLISHED),
		  TIMER(1409, NOTHING, ESTABLISHED), TIMER(1410, VERDICT, ESTABLISHED)}},
	{.name = "client never completes its handshake",
	 .rows = {EVENT(10, ENDPOINT, S | A, 0, 1, 0, SYN_ACKED, SYN_RCVD),
		  TIMER(14999, NOTHING, SYN_RCVD), TIMER(15000, IDLE, SYN_RCVD)}},
	{.name = "nor without a request timeout",
	 .timeouts = &no_request,
	 .rows = {EVENT(10, ENDPOINT, S | A, 0, 1, 0, SYN_ACKED, SYN_RCVD),
		  TIMER(63999, NOTHING, SYN_RCVD), TIMER(64000, IDLE, SYN_RCVD)}},
	{.name = "established and silent: verdict, then idle",
	 .rows = {HANDSHAKE, TIMER(1019, NOTHING, ESTABLISHED), TIMER(1020, VERDICT, ESTABLISHED),
		  TIMER(3601019, NOTHING, ESTABLISHED), TIMER(3601020, IDLE, ESTABLISHED)}},
	{.name = "client's data does not postpone the verdict",
	 .rows = {HANDSHAKE, PASS(900, CLIENT, P | A, 1, 1, 100, ESTABLISHED),
		  PASS(910, ENDPOINT, A, 1, 101, 0, ESTABLISHED), TIMER(1020, VERDICT, ESTABLISHED),
		  PASS(1100, ENDPOINT, P | A, 1, 101, 100, ESTABLISHED)}},
	{.name = "verdict_after 0: established is success",
	 .timeouts = &impatient,
	 .rows = {EVENT(10, ENDPOINT, S | A, 0, 1, 0, SYN_ACKED, SYN_RCVD),
		  EVENT(20, CLIENT, A, 1, 1, 0, UP | SUCCESS, ESTABLISHED),
		  EVENT(30, ENDPOINT, R, 1, 0, 0, OVER, RESTING)}},
	{.name = "idle below verdict_after: the verdict comes first all the same",
	 .timeouts = &short_idle,
	 .rows = {HANDSHAKE, TIMER(519, NOTHING, ESTABLISHED), TIMER(520, VERDICT, ESTABLISHED),
		  TIMER(1020, IDLE, ESTABLISHED)}},
	{.name = "idle below half_closed ends a half-closed connection as idle",
	 .timeouts = &short_idle,
	 .rows = {ANSWERED, PASS(50, CLIENT, F | A, 101, 201, 0, CLOSING),
		  TIMER(549, NOTHING, CLOSING), TIMER(550, IDLE, CLOSING)}},
	{.name = "max_duration ends a busy connection",
	 .timeouts = &bounded,
	 .rows = {ANSWERED, PASS(9990, CLIENT, P | A, 101, 201, 10, ESTABLISHED),
		  TIMER(9999, NOTHING, ESTABLISHED), TIMER(10000, MAX_DURATION, ESTABLISHED)}},
	{.name = "max_duration in the handshake",
	 .timeouts = &bounded,
	 .rows = {EVENT(10, ENDPOINT, S | A, 0, 1, 0, SYN_ACKED, SYN_RCVD),
		  TIMER(9999, NOTHING, SYN_RCVD), TIMER(10000, IDLE, SYN_RCVD)}},
	{.name = "max_duration right after the handshake: verdict first",
	 .timeouts = &bounded,
	 .rows = {EVENT(10, ENDPOINT, S | A, 0, 1, 0, SYN_ACKED, SYN_RCVD),
		  EVENT(9900, CLIENT, A, 1, 1, 0, UP, ESTABLISHED),
		  TIMER(10000, VERDICT, ESTABLISHED), TIMER(10000, MAX_DURATION, ESTABLISHED)}},
};

static void timers_follow_their_scripts(void)
{
	run_scripts(timers, COUNT(timers));
}

/* A reload may lengthen a timeout while its connection waits. */
static void longer_timeouts_hold_for_what_waits_already(void)
{
	struct image_timeouts before = defaults;
	struct tcp_segment s = {.seq = 100, .flags = TCP_SYN, .window = 500, .wscale = 0xff};
	struct conn c;

	before.request_ms = 500;
	memset(&c, 0, sizeof(c));
	tcp_track_open(&c, &s, 0, &before);
	c.state = CONN_SYN_SENT;
	CU_ASSERT_EQUAL(tcp_track_expired(&c, 300 * MS, &before), TCP_TIMER_REPEAT_SYN);
	CU_ASSERT_EQUAL(c.deadline_ns, 500 * MS);
	CU_ASSERT_EQUAL(tcp_track_expired(&c, 500 * MS, &defaults), TCP_TIMER_NOTHING);
	CU_ASSERT_EQUAL(c.deadline_ns, 1000 * MS);
	s = (struct tcp_segment){700, 101, 0, 500, TCP_SYN | TCP_ACK, 0xff};
	(void)tcp_track(&c, REVERSE, &s, 400 * MS, &before);
	CU_ASSERT_EQUAL(c.deadline_ns, 500 * MS);
	CU_ASSERT_EQUAL(tcp_track_expired(&c, 500 * MS, &defaults), TCP_TIMER_NOTHING);
	CU_ASSERT_EQUAL(c.deadline_ns, 15000 * MS);
	CU_ASSERT_EQUAL(tcp_track_expired(&c, 15000 * MS, &defaults), TCP_TIMER_IDLE);
}

/* Each attempt has its connect time and its one repeat; the request time is the call's. */
static void another_attempt_runs_from_its_own_start(void)
{
	struct tcp_segment s = {.seq = 100, .flags = TCP_SYN, .window = 500, .wscale = 0xff};
	struct conn c;

	memset(&c, 0, sizeof(c));
	tcp_track_open(&c, &s, 0, &impatient);
	c.state = CONN_SYN_SENT;
	CU_ASSERT_EQUAL(tcp_track_expired(&c, 300 * MS, &impatient), TCP_TIMER_REPEAT_SYN);
	c.flags |= CONN_VERDICT;
	c.challenges = 3;
	c.call.attempt_ns = 700 * MS;
	tcp_track_attempt(&c, &impatient);
	CU_ASSERT_EQUAL(c.flags, 0);
	CU_ASSERT_EQUAL(c.challenges, 0);
	CU_ASSERT_EQUAL(c.deadline_ns, 1000 * MS);
	CU_ASSERT_EQUAL(tcp_track_expired(&c, 999 * MS, &impatient), TCP_TIMER_NOTHING);
	CU_ASSERT_EQUAL(tcp_track_expired(&c, 1000 * MS, &impatient), TCP_TIMER_REPEAT_SYN);
	CU_ASSERT_EQUAL(c.deadline_ns, 2000 * MS);
	CU_ASSERT_EQUAL(tcp_track_expired(&c, 2000 * MS, &impatient), TCP_TIMER_REQUEST);
	c.call.attempt_ns = 1200 * MS;
	tcp_track_attempt(&c, &defaults);
	CU_ASSERT_EQUAL(tcp_track_expired(&c, 1500 * MS, &defaults), TCP_TIMER_REPEAT_SYN);
	CU_ASSERT_EQUAL(c.deadline_ns, 2200 * MS);
	CU_ASSERT_EQUAL(tcp_track_expired(&c, 2200 * MS, &defaults), TCP_TIMER_CONNECT);
}

static void tombstones_end_and_waits_are_not_judged_here(void)
{
	struct conn c;

	memset(&c, 0, sizeof(c));
	c.state = CONN_TOMBSTONE;
	c.deadline_ns = 100;
	CU_ASSERT_EQUAL(tcp_track_expired(&c, 99, &defaults), TCP_TIMER_NOTHING);
	CU_ASSERT_EQUAL(tcp_track_expired(&c, 100, &defaults), TCP_TIMER_REST_OVER);
	c.state = CONN_WAITING;
	CU_ASSERT_EQUAL(tcp_track_expired(&c, 100, &defaults), TCP_TIMER_NOTHING);
}

int main(void)
{
	CU_initialize_registry();
	CU_pSuite s = CU_add_suite("tcp_timer", NULL, NULL);

	CU_ADD_TEST(s, timers_follow_their_scripts);
	CU_ADD_TEST(s, longer_timeouts_hold_for_what_waits_already);
	CU_ADD_TEST(s, another_attempt_runs_from_its_own_start);
	CU_ADD_TEST(s, tombstones_end_and_waits_are_not_judged_here);
	CU_basic_set_mode(CU_BRM_NORMAL);
	CU_basic_run_tests();
	unsigned int failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed != 0;
}
