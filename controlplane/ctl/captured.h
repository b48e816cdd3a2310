/* SPDX-License-Identifier: Apache-2.0 */
/* One captured packet, as GET /capture tells it, and how it is shown. Pure. */
#ifndef FENDER_CONTROLPLANE_CTL_CAPTURED_H
#define FENDER_CONTROLPLANE_CTL_CAPTURED_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

enum { CAPTURED_DATA_BYTES = 128, CAPTURED_TEXT_BYTES = 256 };

struct captured {
	uint64_t time_ns; /* since 1970 */
	const char *interface;
	const char *verdict;
	const char *reason;   /* "" but of what was dropped */
	const char *listener; /* "" when it belongs to none */
	int worker;
	int64_t entry; /* of its connection; -1: none */
	int is_out;
	uint32_t length; /* of the frame */
	uint32_t bytes;  /* of it that are here */
	uint8_t data[CAPTURED_DATA_BYTES];
};

/* Return 1 when @line is a packet; its words stay those of @line. */
int captured_read(struct captured *c, const json_t *line);

/* "10.0.0.1:4711 > 10.0.0.2:80 tcp SYN", in CAPTURED_TEXT_BYTES. Any bytes are safe. */
void captured_packet_text(const struct captured *c, char *out);

/* "dropped: no_listener" and what is known of it, in CAPTURED_TEXT_BYTES. */
void captured_verdict_text(const struct captured *c, char *out);

#endif
