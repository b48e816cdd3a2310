/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/dataplane/tcp_script.h"

static const struct script handshakes[] = {
	{.name = "request, answer, client closes first",
	 .rows = {ANSWERED, PASS(50, CLIENT, F | A, 101, 201, 0, CLOSING),
		  PASS(60, ENDPOINT, A, 201, 102, 0, CLOSING),
		  PASS(61, ENDPOINT, F | A, 201, 102, 0, CLOSING),
		  EVENT(70, CLIENT, A, 102, 202, 0, OVER, RESTING), TIMER(2069, NOTHING, RESTING),
		  TIMER(2070, REST_OVER, RESTING)}},
	{.name = "endpoint closes first",
	 .rows = {ANSWERED, PASS(50, ENDPOINT, F | A, 201, 101, 0, CLOSING),
		  PASS(60, CLIENT, F | A, 101, 202, 0, CLOSING),
		  EVENT(70, ENDPOINT, A, 202, 102, 0, OVER, RESTING)}},
	{.name = "both close at once",
	 .rows = {ANSWERED, PASS(50, ENDPOINT, F | A, 201, 101, 0, CLOSING),
		  PASS(50, CLIENT, F | A, 101, 201, 0, CLOSING),
		  PASS(60, ENDPOINT, A, 202, 102, 0, CLOSING),
		  EVENT(60, CLIENT, A, 102, 202, 0, OVER, RESTING)}},
	{.name = "data and FIN in the third segment of the handshake",
	 .rows = {EVENT(10, ENDPOINT, S | A, 0, 1, 0, SYN_ACKED, SYN_RCVD),
		  EVENT(20, CLIENT, F | P | A, 1, 1, 100, UP, CLOSING),
		  EVENT(30, ENDPOINT, F | A, 1, 102, 0, SUCCESS, CLOSING),
		  EVENT(40, CLIENT, A, 102, 2, 0, OVER, RESTING)}},
	{.name = "data in the SYN-ACK is no verdict before the client has answered",
	 .rows = {EVENT(10, ENDPOINT, S | A, 0, 1, 50, SYN_ACKED, SYN_RCVD),
		  EVENT(20, CLIENT, A, 1, 51, 0, UP, ESTABLISHED),
		  EVENT(30, ENDPOINT, A, 51, 1, 10, SUCCESS, ESTABLISHED)}},
	{.name = "client retransmits its SYN",
	 .rows = {PASS(5, CLIENT, S, 0, 0, 0, SYN_SENT), HANDSHAKE}},
	{.name = "SYN with another ISN does not replace the attempt",
	 .rows = {DROP(5, CLIENT, S, 77, 0, 0, TCP_STATE, SYN_SENT),
		  EVENT(10, ENDPOINT, S | A, 0, 1, 0, SYN_ACKED, SYN_RCVD),
		  DROP(15, CLIENT, S, 77, 0, 0, TCP_STATE, SYN_RCVD),
		  EVENT(20, CLIENT, A, 1, 1, 0, UP, ESTABLISHED)}},
	{.name = "data before the handshake",
	 .rows = {DROP(5, CLIENT, P | A, 1, 1, 10, TCP_STATE, SYN_SENT),
		  DROP(5, CLIENT, F | A, 1, 1, 0, TCP_STATE, SYN_SENT),
		  DROP(5, CLIENT, S | A, 0, 1, 0, TCP_STATE, SYN_SENT),
		  EVENT(10, ENDPOINT, S | A, 0, 1, 0, SYN_ACKED, SYN_RCVD),
		  DROP(12, ENDPOINT, P | A, 1, 1, 10, TCP_STATE, SYN_RCVD),
		  DROP(12, ENDPOINT, F | A, 1, 1, 0, TCP_STATE, SYN_RCVD),
		  PASS(12, ENDPOINT, A, 1, 1, 0, SYN_RCVD),
		  DROP(15, CLIENT, P | A, 1, 2, 10, TCP_STATE, SYN_RCVD),
		  DROP(15, CLIENT, P | A, 1, 0, 10, TCP_STATE, SYN_RCVD),
		  DROP(15, CLIENT, P, 1, 1, 10, TCP_STATE, SYN_RCVD)}},
	{.name = "simultaneous open and nonsense",
	 .rows = {DROP(5, ENDPOINT, S, 0, 0, 0, TCP_STATE, SYN_SENT),
		  DROP(5, ENDPOINT, 0, 1, 0, 0, TCP_STATE, SYN_SENT),
		  DROP(5, CLIENT, S | F, 0, 0, 0, TCP_STATE, SYN_SENT),
		  DROP(5, ENDPOINT, S | R | A, 0, 1, 0, TCP_STATE, SYN_SENT),
		  EVENT(10, ENDPOINT, S | A, 0, 1, 0, SYN_ACKED, SYN_RCVD),
		  DROP(15, ENDPOINT, S, 0, 0, 0, TCP_STATE, SYN_RCVD),
		  DROP(15, CLIENT, S | A, 0, 1, 0, TCP_STATE, SYN_RCVD),
		  DROP(15, ENDPOINT, 0, 1, 0, 0, TCP_STATE, SYN_RCVD)}},
	{.name = "SYN-ACK lost behind us: SYN and SYN-ACK again",
	 .rows = {EVENT(10, ENDPOINT, S | A, 0, 1, 0, SYN_ACKED, SYN_RCVD),
		  PASS(1000, CLIENT, S, 0, 0, 0, SYN_RCVD),
		  PASS(1010, ENDPOINT, S | A, 0, 1, 0, SYN_RCVD),
		  EVENT(1020, CLIENT, A, 1, 1, 0, UP, ESTABLISHED)}},
	{.name = "the latest SYN-ACK counts",
	 .rows = {EVENT(10, ENDPOINT, S | A, 0, 1, 0, SYN_ACKED, SYN_RCVD),
		  PASS(1010, ENDPOINT, S | A, 5000000, 1, 0, SYN_RCVD),
		  DROP(1020, CLIENT, A, 1, 1, 0, TCP_STATE, SYN_RCVD),
		  EVENT(1020, CLIENT, A, 1, 5000001, 0, UP, ESTABLISHED)}},
	{.name = "third segment lost behind us: SYN-ACK again",
	 .rows = {HANDSHAKE, PASS(1010, ENDPOINT, S | A, 0, 1, 0, ESTABLISHED)}},
	{.name = "late SYN-ACK of an older incarnation",
	 .rows = {FROM(5, ENDPOINT, S | A, 900, 4711, 0, RESET_IT, TCP_STATE, 0, SYN_SENT),
		  EVENT(10, ENDPOINT, S | A, 0, 1, 0, SYN_ACKED, SYN_RCVD),
		  FROM(15, ENDPOINT, S | A, 900, 4711, 0, RESET_IT, TCP_STATE, 0, SYN_RCVD),
		  EVENT(20, CLIENT, A, 1, 1, 0, UP, ESTABLISHED),
		  FROM(25, ENDPOINT, S | A, 900, 4711, 0, RESET_IT, TCP_STATE, 0, ESTABLISHED)}},
	{.name = "challenge ACKs are answered, three at most",
	 .rows = {FROM(1, ENDPOINT, A, 7, 4711, 0, CHALLENGED, SNAT_REUSE_CHALLENGE, 0, SYN_SENT),
		  FROM(2, ENDPOINT, A, 7, 4711, 0, CHALLENGED, SNAT_REUSE_CHALLENGE, 0, SYN_SENT),
		  FROM(3, ENDPOINT, F | A, 7, 4711, 9, CHALLENGED, SNAT_REUSE_CHALLENGE, 0,
		       SYN_SENT),
		  DROP(4, ENDPOINT, A, 7, 4711, 0, TCP_STATE, SYN_SENT), HANDSHAKE}},
	{.name = "ACK of our SYN without SYN is no challenge",
	 .rows = {DROP(1, ENDPOINT, A, 1, 1, 0, TCP_STATE, SYN_SENT), HANDSHAKE}},
};

static const struct script closes[] = {
	{.name = "client's half-close, then the endpoint's answer",
	 .rows = {HANDSHAKE, PASS(30, CLIENT, F | P | A, 1, 1, 100, CLOSING),
		  PASS(40, ENDPOINT, A, 1, 102, 0, CLOSING),
		  EVENT(500, ENDPOINT, P | A, 1, 102, 300, SUCCESS, CLOSING),
		  PASS(510, CLIENT, A, 102, 301, 0, CLOSING),
		  PASS(50000, ENDPOINT, P | A, 301, 102, 300, CLOSING),
		  PASS(50010, CLIENT, A, 102, 601, 0, CLOSING), TIMER(110009, NOTHING, CLOSING),
		  TIMER(110010, HALF_CLOSED, CLOSING)}},
	{.name = "endpoint's half-close is an orderly end: success",
	 .rows = {HANDSHAKE, EVENT(30, ENDPOINT, F | A, 1, 1, 0, SUCCESS, CLOSING),
		  PASS(40, CLIENT, P | A, 1, 2, 100, CLOSING),
		  PASS(50, ENDPOINT, A, 2, 101, 0, CLOSING),
		  PASS(60, CLIENT, F | A, 101, 2, 0, CLOSING),
		  EVENT(70, ENDPOINT, A, 2, 102, 0, OVER, RESTING)}},
	{.name = "client's FIN without an answer: the verdict comes by the clock",
	 .rows = {HANDSHAKE, PASS(30, CLIENT, F | A, 1, 1, 0, CLOSING),
		  PASS(40, ENDPOINT, A, 1, 2, 0, CLOSING), TIMER(1019, NOTHING, CLOSING),
		  TIMER(1020, VERDICT, CLOSING), TIMER(61019, NOTHING, CLOSING),
		  TIMER(61020, HALF_CLOSED, CLOSING)}},
	{.name = "FIN and its acknowledgement are retransmitted",
	 .rows = {ANSWERED, PASS(50, CLIENT, F | A, 101, 201, 0, CLOSING),
		  PASS(250, CLIENT, F | A, 101, 201, 0, CLOSING),
		  PASS(260, ENDPOINT, F | A, 201, 102, 0, CLOSING),
		  PASS(460, ENDPOINT, F | A, 201, 102, 0, CLOSING),
		  EVENT(470, CLIENT, A, 102, 202, 0, OVER, RESTING),
		  /* The last ACK was lost behind us: both go on until they have finished. */
		  PASS(660, ENDPOINT, F | A, 201, 102, 0, RESTING),
		  PASS(670, CLIENT, A, 102, 202, 0, RESTING),
		  PASS(680, ENDPOINT, P | A, 1, 102, 200, RESTING), /* had been sent before */
		  DROP(690, ENDPOINT, P | A, 202, 102, 1, TCP_STATE, RESTING),
		  DROP(690, CLIENT, P | A, 102, 202, 1, TCP_STATE, RESTING),
		  PASS(700, ENDPOINT, R, 202, 0, 0, RESTING),
		  DROP(700, ENDPOINT, R, 5, 0, 0, TCP_WINDOW, RESTING),
		  DROP(700, ENDPOINT, F, 201, 0, 0, TCP_STATE, RESTING),
		  TIMER(2469, NOTHING, RESTING), TIMER(2470, REST_OVER, RESTING)}},
	{.name = "FIN overtakes the data before it",
	 .rows = {ANSWERED, PASS(50, CLIENT, F | A, 201, 201, 0, CLOSING),
		  PASS(51, ENDPOINT, F | A, 201, 101, 0, CLOSING),
		  PASS(52, CLIENT, A, 202, 202, 0, CLOSING),
		  PASS(60, CLIENT, P | A, 101, 202, 100, CLOSING),
		  EVENT(70, ENDPOINT, A, 202, 202, 0, OVER, RESTING)}},
	{.name = "SYNs on a connection that is over",
	 .rows = {ANSWERED, EVENT(50, ENDPOINT, R, 201, 0, 0, OVER, RESTING),
		  DROP(60, CLIENT, S, 0, 0, 0, TCP_STATE, RESTING), /* a late duplicate */
		  DROP(60, CLIENT, S | A, 9, 9, 0, TCP_STATE, RESTING),
		  DROP(60, ENDPOINT, S, 9, 0, 0, TCP_STATE, RESTING),
		  FROM(60, ENDPOINT, S | A, 0, 1, 0, RESET_IT, TCP_STATE, 0, RESTING),
		  FROM(60, CLIENT, S, 4000000000u, 0, 0, NEW, NONE, 0, RESTING)}},
	{.name = "stray segments after a refusal",
	 .rows = {FROM(10, ENDPOINT, R | A, 0, 1, 0, FORWARD, CONNECT_REFUSED, FAILURE | OVER,
		       RESTING),
		  PASS(11, ENDPOINT, R | A, 0, 1, 0, RESTING),
		  DROP(11, ENDPOINT, R | A, 0, 9, 0, TCP_WINDOW, RESTING),
		  DROP(11, ENDPOINT, A, 1, 1, 0, TCP_STATE, RESTING),
		  DROP(11, CLIENT, A, 1, 1, 5, TCP_STATE, RESTING),
		  PASS(11, CLIENT, R, 1, 0, 0, RESTING),
		  DROP(11, CLIENT, R, 2, 0, 0, TCP_WINDOW, RESTING)}},
	{.name = "forged segments pass but teach nothing",
	 .rows = {ANSWERED, PASS(50, ENDPOINT, F | A, 900000, 101, 0, ESTABLISHED),
		  PASS(50, ENDPOINT, F | A, 201, 102, 0, ESTABLISHED), /* acks what was not sent */
		  PASS(50, CLIENT, F | A, 0x80000000u, 201, 0, ESTABLISHED),
		  DROP(50, CLIENT, F, 101, 0, 0, TCP_STATE, ESTABLISHED),
		  DROP(60, ENDPOINT, R, 900001, 0, 0, TCP_WINDOW, ESTABLISHED),
		  EVENT(70, ENDPOINT, R, 201, 0, 0, OVER, RESTING)}},
	{.name = "forged data is no first byte",
	 .rows = {HANDSHAKE, PASS(30, ENDPOINT, P | A, 900000, 1, 10, ESTABLISHED),
		  FROM(40, ENDPOINT, R, 1, 0, 0, FORWARD, UPSTREAM_RESET, FAILURE | OVER,
		       RESTING)}},
};

static void handshakes_follow_their_scripts(void)
{
	run_scripts(handshakes, COUNT(handshakes));
}

static void closes_follow_their_scripts(void)
{
	run_scripts(closes, COUNT(closes));
}

static void each_fin_has_its_own_acknowledgement(void)
{
	struct tcp_segment s = {.seq = 100, .flags = TCP_SYN, .window = 500};
	struct conn c;

	memset(&c, 0, sizeof(c));
	tcp_track_open(&c, &s, 0, &defaults);
	c.state = CONN_SYN_SENT;
	s = (struct tcp_segment){700, 101, 0, 500, TCP_SYN | TCP_ACK, 0};
	(void)tcp_track(&c, REVERSE, &s, 1, &defaults);
	s = (struct tcp_segment){101, 701, 0, 500, TCP_FIN | TCP_ACK, 0};
	(void)tcp_track(&c, FORWARD, &s, 2, &defaults);
	CU_ASSERT_EQUAL(c.flags & ~CONN_SYN_ACKED, CONN_FIN_FWD);
	s = (struct tcp_segment){701, 102, 0, 500, TCP_ACK, 0};
	(void)tcp_track(&c, REVERSE, &s, 3, &defaults);
	CU_ASSERT_EQUAL(c.flags & ~CONN_SYN_ACKED, CONN_FIN_FWD | CONN_FIN_FWD_ACKED);
	s.flags |= TCP_FIN;
	(void)tcp_track(&c, REVERSE, &s, 4, &defaults);
	CU_ASSERT_EQUAL(c.flags & ~CONN_SYN_ACKED,
			CONN_FIN_FWD | CONN_FIN_FWD_ACKED | CONN_FIN_REV | CONN_VERDICT);
}

static void segment_is_read_from_the_wire(void)
{
	static const uint8_t numbers[8] = {0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0};
	uint8_t frame[64] = {0};
	struct packet p = {
		.data = frame, .bytes = 60, .l4 = 34, .payload = 54, .tcp_flags = TCP_ACK};
	struct tcp_segment s;

	memcpy(frame + 38, numbers, sizeof(numbers));
	frame[48] = 0xfe;
	frame[49] = 0xdc;
	tcp_segment_read(&p, &s);
	CU_ASSERT_EQUAL(s.seq, 0x12345678);
	CU_ASSERT_EQUAL(s.ack, 0x9abcdef0);
	CU_ASSERT_EQUAL(s.window, 0xfedc);
	CU_ASSERT_EQUAL(s.bytes, 6);
	CU_ASSERT_EQUAL(s.flags, TCP_ACK);
	CU_ASSERT_EQUAL(s.wscale, 0xff);
}

/* What a call without an attempt, and a given-up attempt, make of a segment. */
static void segments_while_no_attempt_is_under_way(void)
{
	enum { ISN = 100 };
	static const struct {
		enum conn_state state;
		enum direction dir;
		uint8_t flags;
		uint32_t seq;
		enum tcp_action action;
		enum reason reason;
		uint32_t events;
	} rows[] = {
		{CONN_WAITING, FORWARD, S, ISN, TCP_CONSUME, REASON_NONE, 0},
		{CONN_WAITING, FORWARD, S, ISN + 1, TCP_DROP, REASON_TCP_STATE, 0},
		{CONN_WAITING, FORWARD, S | A, ISN, TCP_DROP, REASON_TCP_STATE, 0},
		{CONN_WAITING, FORWARD, S | R, ISN, TCP_DROP, REASON_TCP_STATE, 0},
		{CONN_WAITING, FORWARD, A, ISN + 1, TCP_DROP, REASON_TCP_STATE, 0},
		{CONN_WAITING, FORWARD, R, ISN + 1, TCP_CONSUME, REASON_CLIENT_GONE, NEUTRAL},
		{CONN_WAITING, FORWARD, R | A, ISN + 1, TCP_CONSUME, REASON_CLIENT_GONE, NEUTRAL},
		{CONN_WAITING, FORWARD, R, ISN, TCP_DROP, REASON_TCP_WINDOW, 0},
		{CONN_WAITING, REVERSE, S | A, 5, TCP_DROP, REASON_TCP_STATE, 0},
		{CONN_TOMBSTONE, REVERSE, S | A, 5, TCP_RESET_IT, REASON_TCP_STATE, 0},
		{CONN_TOMBSTONE, REVERSE, S, 5, TCP_DROP, REASON_TCP_STATE, 0},
		{CONN_TOMBSTONE, REVERSE, R | A, 5, TCP_DROP, REASON_TCP_STATE, 0},
		{CONN_TOMBSTONE, REVERSE, A, 5, TCP_DROP, REASON_TCP_STATE, 0},
		{CONN_TOMBSTONE, REVERSE, F | A, 5, TCP_DROP, REASON_TCP_STATE, 0},
		{CONN_TOMBSTONE, FORWARD, S, ISN, TCP_DROP, REASON_TCP_STATE, 0},
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct tcp_segment s = {ISN, 0, 0, WINDOW, TCP_SYN, WSCALE};
		struct tcp_result r;
		struct conn c;

		memset(&c, 0, sizeof(c));
		tcp_track_open(&c, &s, 0, &defaults);
		c.state = rows[i].state;
		s = (struct tcp_segment){rows[i].seq, ISN + 1, 0, WINDOW, rows[i].flags, WSCALE};
		r = tcp_track(&c, rows[i].dir, &s, 10 * MS, &defaults);
		CU_ASSERT_EQUAL(r.action, rows[i].action);
		CU_ASSERT_EQUAL(r.reason, rows[i].reason);
		CU_ASSERT_EQUAL(r.events, rows[i].events);
		CU_ASSERT_EQUAL(c.state, rows[i].state);
		CU_ASSERT_EQUAL(!(c.flags & CONN_VERDICT), !rows[i].events);
	}
}

int main(void)
{
	CU_initialize_registry();
	CU_pSuite s = CU_add_suite("tcp_track", NULL, NULL);

	CU_ADD_TEST(s, handshakes_follow_their_scripts);
	CU_ADD_TEST(s, closes_follow_their_scripts);
	CU_ADD_TEST(s, each_fin_has_its_own_acknowledgement);
	CU_ADD_TEST(s, segments_while_no_attempt_is_under_way);
	CU_ADD_TEST(s, segment_is_read_from_the_wire);
	CU_basic_set_mode(CU_BRM_NORMAL);
	CU_basic_run_tests();
	unsigned int failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed != 0;
}
