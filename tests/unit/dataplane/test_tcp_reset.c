/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/dataplane/tcp_script.h"

static const struct script resets[] = {
	{.name = "refused",
	 .rows = {FROM(10, ENDPOINT, R | A, 0, 1, 0, FORWARD, CONNECT_REFUSED, FAILURE | OVER,
		       RESTING),
		  FROM(1000, CLIENT, S, 0, 0, 0, NEW, NONE, 0, RESTING)}},
	{.name = "blind resets in SYN-SENT",
	 .rows = {DROP(5, ENDPOINT, R, 0, 0, 0, TCP_WINDOW, SYN_SENT),
		  DROP(5, ENDPOINT, R | A, 0, 2, 0, TCP_WINDOW, SYN_SENT),
		  DROP(5, ENDPOINT, R | A, 0, 0, 0, TCP_WINDOW, SYN_SENT),
		  DROP(5, CLIENT, R, 0, 0, 0, TCP_WINDOW, SYN_SENT),
		  DROP(5, CLIENT, R, 2, 0, 0, TCP_WINDOW, SYN_SENT), HANDSHAKE}},
	{.name = "client leaves in SYN-SENT",
	 .rows = {FROM(5, CLIENT, R, 1, 0, 0, FORWARD, CLIENT_GONE, NEUTRAL | OVER, RESTING),
		  FROM(10, ENDPOINT, S | A, 0, 1, 0, RESET_IT, TCP_STATE, 0, RESTING)}},
	{.name = "client resets the SYN-ACK",
	 .rows = {EVENT(10, ENDPOINT, S | A, 0, 1, 0, SYN_ACKED, SYN_RCVD),
		  FROM(20, CLIENT, R, 1, 0, 0, FORWARD, CLIENT_GONE, NEUTRAL | OVER, RESTING)}},
	{.name = "blind resets in SYN-RCVD",
	 .rows = {EVENT(10, ENDPOINT, S | A, 0, 1, 0, SYN_ACKED, SYN_RCVD),
		  DROP(11, CLIENT, R, 0, 0, 0, TCP_WINDOW, SYN_RCVD),
		  DROP(11, CLIENT, R, 300000, 0, 0, TCP_WINDOW, SYN_RCVD),
		  DROP(11, ENDPOINT, R, 300000, 0, 0, TCP_WINDOW, SYN_RCVD),
		  DROP(11, ENDPOINT, R, 0, 0, 0, TCP_WINDOW, SYN_RCVD),
		  EVENT(20, CLIENT, A, 1, 1, 0, UP, ESTABLISHED)}},
	{.name = "endpoint resets in SYN-RCVD",
	 .rows = {EVENT(10, ENDPOINT, S | A, 0, 1, 0, SYN_ACKED, SYN_RCVD),
		  FROM(20, ENDPOINT, R, 1, 0, 0, FORWARD, UPSTREAM_RESET, FAILURE | OVER,
		       RESTING)}},
	{.name = "endpoint forgot its SYN-ACK and refuses the SYN's retransmission",
	 .rows = {EVENT(10, ENDPOINT, S | A, 0, 1, 0, SYN_ACKED, SYN_RCVD),
		  PASS(1000, CLIENT, S, 0, 0, 0, SYN_RCVD),
		  FROM(1001, ENDPOINT, R | A, 3000000000u, 1, 0, FORWARD, UPSTREAM_RESET,
		       FAILURE | OVER, RESTING)}},
	{.name = "endpoint resets before its first byte",
	 .rows = {HANDSHAKE, PASS(30, CLIENT, P | A, 1, 1, 100, ESTABLISHED),
		  FROM(40, ENDPOINT, R | A, 1, 101, 0, FORWARD, UPSTREAM_RESET, FAILURE | OVER,
		       RESTING)}},
	{.name = "endpoint resets after its first byte: the verdict stands",
	 .rows = {ANSWERED, EVENT(50, ENDPOINT, R | A, 201, 101, 0, OVER, RESTING)}},
	{.name = "client resets before the endpoint's first byte",
	 .rows = {HANDSHAKE,
		  FROM(30, CLIENT, R | A, 1, 1, 0, FORWARD, CLIENT_GONE, NEUTRAL | OVER, RESTING)}},
	{.name = "client resets after it",
	 .rows = {ANSWERED, EVENT(50, CLIENT, R | A, 101, 201, 0, OVER, RESTING)}},
	{.name = "reset at what was acknowledged, below what was sent",
	 .rows = {ANSWERED, PASS(50, ENDPOINT, A, 201, 101, 500, ESTABLISHED),
		  PASS(60, CLIENT, A, 101, 401, 0, ESTABLISHED),
		  EVENT(70, ENDPOINT, R, 401, 0, 0, OVER, RESTING)}},
	{.name = "resets outside the window",
	 .rows = {ANSWERED, DROP(50, ENDPOINT, R, 0, 0, 0, TCP_WINDOW, ESTABLISHED),
		  DROP(50, ENDPOINT, R, 202 + BYTES_IN_WINDOW, 0, 0, TCP_WINDOW, ESTABLISHED),
		  DROP(50, CLIENT, R, 100, 0, 0, TCP_WINDOW, ESTABLISHED),
		  DROP(50, CLIENT, R, 102 + BYTES_IN_WINDOW, 0, 0, TCP_WINDOW, ESTABLISHED),
		  DROP(50, CLIENT, R, 0x80000000u, 0, 0, TCP_WINDOW, ESTABLISHED),
		  PASS(60, CLIENT, A, 101, 201, 10, ESTABLISHED)}},
	{.name = "reset inside the window: the receiver judges, the timeout is shorter",
	 .rows = {ANSWERED, PASS(50, CLIENT, A, 101, 201, 0, ESTABLISHED),
		  PASS(100, CLIENT, R, 150, 0, 0, ESTABLISHED),
		  PASS(100, CLIENT, R, 101 + BYTES_IN_WINDOW, 0, 0, ESTABLISHED),
		  TIMER(60099, NOTHING, ESTABLISHED), TIMER(60100, HALF_CLOSED, ESTABLISHED)}},
	{.name = "and as before when the connection goes on",
	 .rows = {ANSWERED, PASS(50, CLIENT, A, 101, 201, 0, ESTABLISHED),
		  PASS(100, CLIENT, R, 150, 0, 0, ESTABLISHED),
		  PASS(110, ENDPOINT, A, 201, 101, 0, ESTABLISHED), /* the challenge ACK */
		  PASS(120, CLIENT, A, 101, 201, 10, ESTABLISHED),
		  TIMER(60200, NOTHING, ESTABLISHED), TIMER(3600120, IDLE, ESTABLISHED)}},
	{.name = "reset after its own FIN",
	 .rows = {ANSWERED, PASS(50, CLIENT, F | A, 101, 201, 0, CLOSING),
		  PASS(60, ENDPOINT, A, 201, 102, 300, CLOSING),
		  EVENT(70, CLIENT, R, 102, 0, 0, OVER, RESTING)}},
	{.name = "new SYN on a connection that stands: challenged by the endpoint, reset, anew",
	 .rows = {ANSWERED, PASS(50, CLIENT, A, 101, 201, 0, ESTABLISHED),
		  PASS(5000, CLIENT, S, 900000, 0, 0, ESTABLISHED),
		  PASS(5010, ENDPOINT, A, 201, 101, 0, ESTABLISHED),
		  EVENT(5020, CLIENT, R, 101, 0, 0, OVER, RESTING),
		  FROM(6000, CLIENT, S, 900000, 0, 0, NEW, NONE, 0, RESTING)}},
	{.name = "new SYN and an endpoint that has forgotten too: the shorter timeout",
	 .rows = {ANSWERED, PASS(50, CLIENT, A, 101, 201, 0, ESTABLISHED),
		  PASS(5000, CLIENT, S, 900000, 0, 0, ESTABLISHED),
		  FROM(5010, ENDPOINT, S | A, 70, 900001, 0, RESET_IT, TCP_STATE, 0, ESTABLISHED),
		  PASS(6000, CLIENT, S, 900000, 0, 0, ESTABLISHED),
		  TIMER(64999, NOTHING, ESTABLISHED), TIMER(65000, HALF_CLOSED, ESTABLISHED)}},
	{.name = "other SYNs on a connection that stands",
	 .rows = {ANSWERED, PASS(50, CLIENT, S, 0, 0, 0, ESTABLISHED),
		  DROP(50, CLIENT, S | A, 0, 1, 0, TCP_STATE, ESTABLISHED),
		  DROP(50, ENDPOINT, S, 0, 0, 0, TCP_STATE, ESTABLISHED),
		  PASS(50, ENDPOINT, S | A, 0, 1, 0, ESTABLISHED),
		  TIMER(3600000, NOTHING, ESTABLISHED)}},
};

static void resets_follow_their_scripts(void)
{
	run_scripts(resets, COUNT(resets));
}

/* Established with these scales; how far a reset may lie from the client's expected byte. */
static uint32_t reach(uint8_t client_wscale, uint8_t endpoint_wscale, uint16_t window)
{
	struct tcp_segment s = {100, 0, 0, 500, TCP_SYN, client_wscale};
	struct conn c;
	uint32_t low = 0, high = 0x7fffffff;

	memset(&c, 0, sizeof(c));
	tcp_track_open(&c, &s, 0, &defaults);
	c.state = CONN_SYN_SENT;
	s = (struct tcp_segment){700, 101, 0, 500, TCP_SYN | TCP_ACK, endpoint_wscale};
	(void)tcp_track(&c, REVERSE, &s, 1, &defaults);
	s = (struct tcp_segment){101, 701, 0, window, TCP_ACK, 0xff};
	(void)tcp_track(&c, FORWARD, &s, 2, &defaults);
	while (low < high) {
		uint32_t middle = low + (high - low + 1) / 2;
		struct conn trial = c;

		s = (struct tcp_segment){701 + middle, 0, 0, 0, TCP_RST, 0xff};
		if (tcp_track(&trial, REVERSE, &s, 3, &defaults).action == TCP_FORWARD)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

static void windows_are_scaled_when_both_sides_offer_it(void)
{
	CU_ASSERT_EQUAL(reach(7, 3, 1000), 1000 << 7);
	CU_ASSERT_EQUAL(reach(0, 14, 1000), 1000);
	CU_ASSERT_EQUAL(reach(14, 0, 65535), 65535 << 14);
	CU_ASSERT_EQUAL(reach(200, 0, 65535), 65535 << 14); /* RFC 7323: larger means 14 */
	CU_ASSERT_EQUAL(reach(7, 0xff, 1000), 1000);
	CU_ASSERT_EQUAL(reach(0xff, 7, 1000), 1000);
	CU_ASSERT_EQUAL(reach(7, 3, 0), 0);
}

int main(void)
{
	CU_initialize_registry();
	CU_pSuite s = CU_add_suite("tcp_reset", NULL, NULL);

	CU_ADD_TEST(s, resets_follow_their_scripts);
	CU_ADD_TEST(s, windows_are_scaled_when_both_sides_offer_it);
	CU_basic_set_mode(CU_BRM_NORMAL);
	CU_basic_run_tests();
	unsigned int failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed != 0;
}
