/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection (TCP) or flow (UDP) as it lies in shared memory. Only its
 * owning worker writes it. Five cache lines: what every packet reads, what
 * TCP tracking writes, the IPv6 addresses, what is rarely needed, and the call.
 *
 * Direction names: forward is client -> endpoint, reverse is endpoint -> client.
 * The forward key is what a client's packet carries (src client, dst listener),
 * the reverse key what the endpoint's carries (src endpoint, dst SNAT address).
 */
#ifndef FENDER_SHM_CONN_H
#define FENDER_SHM_CONN_H

#include <stdint.h>

#include "shm/call.h"

/*
 * Half of a key. Ports and addresses as on the wire. For IPv6, src and dst are
 * zero here and the addresses stand in the third line.
 */
struct conn_key {
	uint32_t src;
	uint32_t dst;
	uint16_t sport;
	uint16_t dport;
	uint8_t interface; /* the packet comes in by */
	uint8_t proto;     /* enum image_proto */
	uint8_t family;    /* enum image_family */
	uint8_t pad;
};
_Static_assert(sizeof(struct conn_key) == 16, "ABI");

enum conn_state {
	CONN_FREE = 0,
	CONN_SYN_SENT,    /* the SYN went to the endpoint */
	CONN_SYN_RCVD,    /* the endpoint's SYN-ACK went to the client */
	CONN_ESTABLISHED, /* also every UDP flow */
	CONN_CLOSING,     /* a FIN from either or both sides, see flags */
	CONN_RESTING,     /* over: holds its ports so that late packets find it */
	CONN_WAITING,     /* no attempt is under way: queued, or between two attempts; it has a
			     forward key only */
	CONN_TOMBSTONE,   /* an attempt that was given up: holds its port, has a reverse key only */
};

enum conn_flag {
	CONN_FIN_FWD = 1 << 0, /* the client's FIN was seen */
	CONN_FIN_REV = 1 << 1,
	CONN_FIN_FWD_ACKED = 1 << 2, /* and acknowledged by the endpoint */
	CONN_FIN_REV_ACKED = 1 << 3,
	CONN_VERDICT = 1 << 4,      /* the call has its verdict (POLICY "Verdicts") */
	CONN_SYN_REPEATED = 1 << 5, /* Fender's own repeat was sent */
	CONN_REPLIED = 1 << 6,      /* the endpoint has answered: a payload byte, a datagram */
	CONN_SHARED_PORT = 1 << 7,  /* the SNAT port serves other endpoints too */
	CONN_RST_SEEN = 1 << 8,     /* a reset or SYN came that its receiver must judge itself */
	CONN_SYN_ACKED = 1 << 9,    /* the endpoint accepted the SYN */
	CONN_ASKED = 1 << 10,       /* TCP: a payload byte of the client went to the endpoint */
};

enum { CONN_NONE = 0xffffffffu, CONN_SYN_OPTION_BYTES = 40 };

struct conn {
	/* line 0: read by every packet */
	struct conn_key fwd;
	struct conn_key rev;
	uint8_t state;        /* stored last with release when created, first when freed */
	uint8_t snat_address; /* position of the SNAT address among the image's addresses */
	uint16_t flags;
	uint16_t listener; /* slots of the state registry, not positions in an image */
	uint16_t cluster;
	uint16_t endpoint;
	uint16_t l3_delta; /* ones' complement sum added to the IPv4 header checksum, forward; */
	uint16_t l4_delta; /* and to TCP's or UDP's; reverse adds the complement */
	uint16_t neighbour_fwd; /* next hop towards the endpoint */
	uint16_t neighbour_rev; /* towards the client */
	uint8_t neighbour_fwd_gen;
	uint8_t neighbour_rev_gen;
	uint32_t isn; /* the client's initial sequence number */
	uint64_t deadline_ns;

	/* line 1: TCP tracking and totals */
	uint32_t fwd_end; /* highest sequence number + length the client sent */
	uint32_t fwd_ack; /* highest acknowledgement the client sent */
	uint32_t rev_end;
	uint32_t rev_ack;
	uint32_t fwd_fin; /* sequence number after the client's FIN */
	uint32_t rev_fin;
	uint16_t fwd_window; /* last window the client announced, unscaled */
	uint16_t rev_window;
	uint8_t fwd_wscale;
	uint8_t rev_wscale;
	uint8_t challenges; /* challenge ACKs answered for this SYN */
	uint8_t pad2;
	uint64_t fwd_packets;
	uint64_t fwd_bytes;
	uint64_t rev_packets;
	uint64_t rev_bytes;

	/* line 2: IPv6 addresses */
	uint8_t client6[16];
	uint8_t listener6[16];
	uint8_t endpoint6[16];
	uint8_t snat6[16];

	/* line 3: rarely used */
	uint64_t created_ns;
	uint32_t next; /* of no meaning: lists are private to the worker (conn/wheel.h) */
	uint32_t prev;
	uint32_t list;
	uint16_t syn_window;
	uint8_t syn_option_bytes;
	uint8_t syn_ttl;
	uint8_t syn_options[CONN_SYN_OPTION_BYTES]; /* as sent: MSS clamped, TFO removed */

	/* line 4: permits, epochs, attempts */
	struct call call;
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct conn) == 320, "ABI");
_Static_assert(__builtin_offsetof(struct conn, fwd_end) == 64, "ABI");
_Static_assert(__builtin_offsetof(struct conn, client6) == 128, "ABI");
_Static_assert(__builtin_offsetof(struct conn, created_ns) == 192, "ABI");
_Static_assert(__builtin_offsetof(struct conn, call) == 256, "ABI");

#endif
