/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP state of a forwarded connection: pure function of entry, segment and time.
 * It decides whether a segment passes and what it means for the call; it never
 * sends, counts or schedules. Sources: RFC 9293 3.10, RFC 5961, RFC 6191.
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

/* Read a parsed TCP packet. */
void tcp_segment_read(const struct packet *p, struct tcp_segment *s);

enum tcp_action {
	TCP_FORWARD,
	TCP_DROP,	/* with result.reason */
	TCP_CHALLENGED, /* the endpoint remembers an older connection: consume the segment, answer
			 it with RST(seq = its ack) and send the stored SYN again */
	TCP_NEW,	/* a SYN on a connection that is over: release the entry, start anew */
	TCP_RESET_IT,	/* a late or foreign SYN-ACK: drop with result.reason, answer with RST(seq =
			   its ack) */
};

/* What the segment did to the call; at most one of each kind. Bits. */
enum tcp_event {
	TCP_EV_SYN_ACKED = 1 << 0,   /* the endpoint accepted */
	TCP_EV_ESTABLISHED = 1 << 1, /* the client's handshake is complete */
	TCP_EV_SUCCESS = 1 << 2,     /* verdict */
	TCP_EV_FAILURE = 1 << 3,     /* verdict, with result.reason */
	TCP_EV_NEUTRAL = 1 << 4,     /* the client left first */
	TCP_EV_OVER = 1 << 5,	     /* now resting: caller moves it to the resting list */
	TCP_EV_SOONER = 1 << 6,	     /* the deadline moved to earlier: caller reschedules */
};

struct tcp_result {
	enum tcp_action action;
	enum reason reason;
	uint32_t events;
};

enum { TCP_REST_NS = 2000000000 }; /* TIME-WAIT, and so the rest of a SNAT port */

/* Start tracking: a client's SYN was admitted. Sets state-independent fields and the deadline. */
void tcp_track_open(struct conn *c, const struct tcp_segment *syn, uint64_t now_ns,
		    const struct image_timeouts *t);

/* Judge one segment of a known connection. Updates *c (state, flags, sequence numbers,
 * deadline_ns). */
struct tcp_result tcp_track(struct conn *c, enum direction dir, const struct tcp_segment *s,
			    uint64_t now_ns, const struct image_timeouts *t);

/* What an expired deadline means. */
enum tcp_timer {
	TCP_TIMER_NOTHING,    /* moved: schedule again */
	TCP_TIMER_REPEAT_SYN, /* SYN-SENT, 300 ms: send the stored SYN once more, schedule again */
	TCP_TIMER_CONNECT,    /* connect timeout: the attempt failed */
	TCP_TIMER_REQUEST,    /* not established in time */
	TCP_TIMER_VERDICT,    /* verdict_after: success; schedule again */
	TCP_TIMER_IDLE,
	TCP_TIMER_HALF_CLOSED,
	TCP_TIMER_MAX_DURATION,
	TCP_TIMER_REST_OVER, /* release */
};
enum tcp_timer tcp_track_expired(struct conn *c, uint64_t now_ns, const struct image_timeouts *t);

#endif
