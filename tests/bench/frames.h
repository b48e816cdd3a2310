/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of 60 bytes (64 on a wire) as a client and a server send them. */
#ifndef FENDER_TESTS_BENCH_FRAMES_H
#define FENDER_TESTS_BENCH_FRAMES_H

#include <stdint.h>

enum { FRAME_BYTES = 60, FRAME_PAYLOAD = 6 };

struct frame {
	uint8_t bytes[64];
} __attribute__((aligned(64)));

/* Addresses and ports in network order. */
struct frame_tuple {
	uint32_t src;
	uint32_t dst;
	uint16_t sport;
	uint16_t dport;
};

/* What a TCP frame says; all zero for UDP. */
struct frame_tcp {
	uint32_t seq;
	uint32_t ack;
	uint8_t flags;
	uint8_t payload; /* bytes; a SYN carries an MSS option instead */
};

/* The tuple of client number @flow, to the bench's listener; distinct for 2^29 flows. */
struct frame_tuple frame_client(uint32_t flow);

/* A complete frame; @tcp NULL makes it UDP. All checksums are right. */
void frame_build(struct frame *f, const struct frame_tuple *t, const struct frame_tcp *tcp);

/*
 * Another tuple for a built frame: addresses, ports and the IPv4 checksum. The TCP checksum
 * becomes wrong, which nobody on the measured path computes (verify_checksums is off).
 */
void frame_retarget(struct frame *f, const struct frame_tuple *t);

/* The tuple an answer to this frame carries. */
struct frame_tuple frame_answer(const uint8_t *bytes);

#endif
