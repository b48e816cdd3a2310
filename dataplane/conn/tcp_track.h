/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP state of a forwarded connection: pure function of entry, segment and time.
 * It decides whether a segment passes and what it means for the call; it never
 * sends, counts or schedules. Sources: RFC 9293 3.10, RFC 5961, RFC 6191, RFC 7323 2.2.
 *
 * Segments of an established connection pass even where they look implausible, for the ends
 * to judge; only plausible ones are learnt from. Dropped are resets outside the receiver's window
 * and what no honest end sends in the state.
 */
#ifndef FENDER_DATAPLANE_CONN_TCP_TRACK_H
#define FENDER_DATAPLANE_CONN_TCP_TRACK_H

#include "dataplane/packet.h"

struct tcp_segment {
	uint32_t seq;
	uint32_t ack;
	uint32_t bytes; /* of payload */
	uint16_t window;
	uint8_t flags;
	uint8_t wscale; /* of a SYN: 0..14, 0xff without the option */
};

/* Read a parsed TCP packet. A SYN's wscale is the caller's to set (pkt/tcp_syn.h); here 0xff. */
void tcp_segment_read(const struct packet *p, struct tcp_segment *s);

enum tcp_action {
	TCP_FORWARD,
	TCP_DROP,       /* with result.reason */
	TCP_CHALLENGED, /* the endpoint remembers an older connection: consume the segment, answer
			 it with RST(seq = its ack) and send the stored SYN again */
	TCP_NEW,        /* a SYN on a connection that is over: release the entry, start anew */
	TCP_CONSUME,    /* the client's SYN or its change of mind while no attempt is under way */
	TCP_RESET_IT,   /* a late or foreign SYN-ACK: drop with result.reason, answer with RST(seq =
			   its ack) */
};

/* What the segment did to the call; at most one of each kind. Bits. */
enum tcp_event {
	TCP_EV_SYN_ACKED = 1 << 0,   /* the endpoint accepted */
	TCP_EV_ESTABLISHED = 1 << 1, /* the client's handshake is complete */
	TCP_EV_SUCCESS = 1 << 2,     /* verdict */
	TCP_EV_FAILURE = 1 << 3,     /* verdict, with result.reason */
	TCP_EV_NEUTRAL = 1 << 4,     /* the client left first */
	TCP_EV_OVER = 1 << 5,        /* now resting: caller moves it to the resting list */
	TCP_EV_SOONER = 1 << 6,      /* the deadline moved to earlier: caller reschedules */
};

struct tcp_result {
	enum tcp_action action;
	enum reason reason;
	uint32_t events;
};

enum { TCP_REST_NS = 2000000000 }; /* TIME-WAIT, and so the rest of a SNAT port */

/*
 * Start tracking: a client's SYN came. Sets state-independent fields and the deadline of an
 * attempt that begins at c->call.attempt_ns; a waiting call's is the caller's to set.
 */
void tcp_track_open(struct conn *c, const struct tcp_segment *syn, uint64_t now_ns,
		    const struct image_timeouts *t);

/*
 * An attempt with the stored SYN begins at c->call.attempt_ns: forgets what an earlier one left
 * behind and sets the deadline.
 */
void tcp_track_attempt(struct conn *c, const struct image_timeouts *t);

/**
 * tcp_track() - judge one segment of a known connection
 *
 * Updates *c (state, flags, sequence numbers, deadline_ns). One verdict event at most over the
 * life of a connection, with CONN_VERDICT set; TCP_EV_OVER once, with the state CONN_RESTING and
 * deadline_ns the end of the rest; no event after it. FAILURE and NEUTRAL come with a reason also
 * where the segment is forwarded. In CONN_WAITING the client's reset is NEUTRAL without OVER: the
 * caller releases the entry, which has nothing to rest for. A FAILURE with connect_refused ends
 * the attempt only, if the caller makes another: tcp_track_attempt().
 *
 * Verdicts (POLICY): SUCCESS at the endpoint's first payload byte or FIN, or at establishment when
 * verdict_after_ms is 0; FAILURE at the endpoint's reset before; NEUTRAL at the client's reset
 * before. A client's FIN alone is none: it may wait for the answer.
 */
struct tcp_result tcp_track(struct conn *c, enum direction dir, const struct tcp_segment *s,
			    uint64_t now_ns, const struct image_timeouts *t);

/* What an expired deadline means. */
enum tcp_timer {
	TCP_TIMER_NOTHING,    /* moved: schedule again */
	TCP_TIMER_REPEAT_SYN, /* SYN-SENT, 300 ms: send the stored SYN once more, schedule again */
	TCP_TIMER_CONNECT,    /* connect timeout: the attempt failed */
	TCP_TIMER_REQUEST,    /* SYN-SENT until the request timeout: the attempt failed */
	TCP_TIMER_VERDICT,    /* verdict_after: success; schedule again */
	TCP_TIMER_IDLE,       /* silence; also a client that never completed its handshake */
	TCP_TIMER_HALF_CLOSED,
	TCP_TIMER_MAX_DURATION,
	TCP_TIMER_REST_OVER, /* release; also a tombstone's end */
};

/**
 * tcp_track_expired() - what the deadline of a connection means at @now_ns
 *
 * Not for CONN_WAITING, whose deadline is the call's. NOTHING, REPEAT_SYN and VERDICT leave a new
 * deadline behind; VERDICT sets CONN_VERDICT. The others end the connection and change nothing: the
 * caller takes the verdict where CONN_VERDICT is not set (CONNECT, REQUEST: failure; IDLE: neutral,
 * the client left in its handshake; the rest come after a verdict), then rests or releases the
 * entry.
 */
enum tcp_timer tcp_track_expired(struct conn *c, uint64_t now_ns, const struct image_timeouts *t);

#endif
