/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Captured packets: frames that XDP redirects are invisible to tcpdump. Each worker has a ring of
 * records, older ones are overwritten; the control plane says in one control line whether, until
 * when and what is captured, and reads. Who reads too slowly learns how many it lost.
 */
#ifndef FENDER_SHM_CAPTURE_H
#define FENDER_SHM_CAPTURE_H

#include <stdint.h>

#include "shm/image.h"

enum {
	CAPTURE_RECORDS = 1024, /* a worker, a power of two */
	CAPTURE_SNAP = 128,     /* bytes of a frame that are kept */
	CAPTURE_NO_SLOT = 0xffff,
	CAPTURE_NO_INTERFACE = 0xff, /* what was made here and never came to one */
};
#define CAPTURE_NO_CONNECTION UINT32_MAX

enum capture_filter_flag {
	CAPTURE_DROPPED = 1 << 0, /* only what was dropped */
	CAPTURE_HOST = 1 << 1,    /* .host is source or destination */
	CAPTURE_PORT = 1 << 2,    /* and so on */
	CAPTURE_PROTO = 1 << 3,
	CAPTURE_INTERFACE = 1 << 4,
	CAPTURE_LISTENER = 1 << 5,
	CAPTURE_REASON = 1 << 6,
};

/* All that is set must hold. Any values are safe: a filter is only compared with. */
struct capture_filter {
	uint32_t flags;
	uint16_t port; /* network order */
	uint8_t proto; /* enum image_proto */
	uint8_t interface;
	uint16_t listener; /* slot */
	uint16_t reason;   /* enum reason */
	uint32_t pad;
	struct image_ip host; /* IPv4: mapped */
};
_Static_assert(sizeof(struct capture_filter) == 32, "ABI");

/*
 * The control plane's. The filter is written while until_ns is 0 and stays as it is until
 * then; a worker that reads it during a change compares with a mixture, once.
 */
struct capture_control {
	uint64_t until_ns; /* capture while CLOCK_MONOTONIC is below; renewed by who reads: a
			      reader that dies leaves nothing on. 0: off */
	struct capture_filter filter;
	uint64_t pad[3];
};
_Static_assert(sizeof(struct capture_control) == 64, "ABI");

enum capture_direction { CAPTURE_RECEIVED = 0, CAPTURE_SENT = 1 };

/* What became of a frame. */
enum capture_verdict {
	CAPTURE_FORWARDED =
		0,           /* received, and a frame went out for it, or waits for its next hop */
	CAPTURE_CONSUMED,    /* received, and answered or taken note of here */
	CAPTURE_DROPPED_FOR, /* .reason */
	CAPTURE_TRANSMITTED, /* what was received, with other addresses */
	CAPTURE_ORIGINATED,  /* what Fender sends itself */
	CAPTURE_VERDICTS,
};

struct capture_record {
	uint64_t seq; /* 2 * number + 2; odd while it is written; 0: never was */
	uint64_t at_ns;
	uint32_t frame_bytes;
	uint32_t connection; /* entry of its worker, or CAPTURE_NO_CONNECTION */
	uint16_t data_bytes; /* 0..CAPTURE_SNAP */
	uint16_t listener;   /* slot of the state registry, or CAPTURE_NO_SLOT */
	uint16_t reason;     /* enum reason */
	uint8_t interface;
	uint8_t direction; /* enum capture_direction */
	uint8_t verdict;   /* enum capture_verdict */
	uint8_t pad0[7];
	uint64_t pad1[3];
	uint8_t data[CAPTURE_SNAP]; /* as received, or as sent */
};
_Static_assert(sizeof(struct capture_record) == 64 + CAPTURE_SNAP, "ABI");

/* One worker's. It writes all of it. */
struct capture_ring {
	uint64_t head; /* records written so far */
	uint64_t pad[7];
	struct capture_record record[CAPTURE_RECORDS];
};
_Static_assert(sizeof(struct capture_ring) == 64 + 1024 * 192, "ABI");

/* Put a record (without its seq) in. The worker alone. */
void capture_write(struct capture_ring *ring, const struct capture_record *record);

/**
 * capture_read() - the next record behind number *@next, checked
 * @lost: raised by those that were overwritten before they could be read
 * Return: 1 with a copy in *@out, *@next raised; 0: none now. Any process.
 */
int capture_read(const struct capture_ring *ring, uint64_t *next, struct capture_record *out,
		 uint64_t *lost);

/* "forwarded" for CAPTURE_FORWARDED, and so on; else "unknown". */
const char *capture_verdict_name(unsigned int verdict);

#endif
