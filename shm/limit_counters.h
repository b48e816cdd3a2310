/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rate limits inside the worker (interfaces with limiter: dpdk): what it counts, and what it
 * remembers. Verdicts and events have the names and numbers of the XDP program's (ebpf/maps.h;
 * tests/unit/ebpf/test_limit_names.c), so that a listener's counters of both can be added. Words
 * are those of ebpf/limit.h; any value of one is safe. All times are CLOCK_MONOTONIC ns.
 */
#ifndef FENDER_SHM_LIMIT_COUNTERS_H
#define FENDER_SHM_LIMIT_COUNTERS_H

#include <stdint.h>

/* The last three are the XDP program's alone. */
#define WORKER_LIMIT_VERDICTS(X)                         \
	X(PASSED, passed)                                \
	X(MARKED, marked)                                \
	X(CONNECTION, rate_limited_connection)           \
	X(SOURCE, rate_limited_source)                   \
	X(LISTENER, rate_limited_listener)               \
	X(CONTENDED, rate_limited_contended)             \
	X(COLD, rate_limited_cold)                       \
	X(WOULD_CONNECTION, would_rate_limit_connection) \
	X(WOULD_SOURCE, would_rate_limit_source)         \
	X(WOULD_LISTENER, would_rate_limit_listener)     \
	X(WOULD_CONTENDED, would_rate_limit_contended)   \
	X(WOULD_COLD, would_rate_limit_cold)             \
	X(NO_SOCKET, no_socket)                          \
	X(FRAGMENT, fragment)                            \
	X(KERNEL, kernel)

enum worker_limit_verdict {
#define X(id, name) WORKER_LIMIT_##id,
	WORKER_LIMIT_VERDICTS(X)
#undef X
		WORKER_LIMIT_COUNT,
};

enum worker_limit_event {
	WORKER_LIMIT_FULL_START, /* a connection's bucket began full */
	WORKER_LIMIT_COLD_START, /* a source's began empty: see struct source_limit_line */
};

enum { WORKER_LIMIT_SLOTS = 16, WORKER_LIMIT_EVENT_SLOTS = 4 };
_Static_assert((int)WORKER_LIMIT_COUNT <= (int)WORKER_LIMIT_SLOTS, "counters are full");

/*
 * Packets of one listener that has limits, in both directions, as one worker judged them. Each is
 * counted under one verdict. Bytes are IP total length.
 */
struct worker_limit_counters {
	uint64_t packets[WORKER_LIMIT_SLOTS];
	uint64_t bytes[WORKER_LIMIT_SLOTS];
	uint64_t events[WORKER_LIMIT_EVENT_SLOTS];
};
_Static_assert(sizeof(struct worker_limit_counters) == 288, "ABI");

/* One direction of a connection. */
struct flow_bucket {
	uint64_t words[2]; /* packets, bytes */
	/* (packets << 40) + bytes passed, modulo 2^64, as in ebpf/maps.h struct limit_flow */
	uint64_t passed;
	uint32_t refused; /* packets dropped, marked, or that would have been; wraps */
	uint32_t shape;   /* the rules' when the words began; 0: not begun */
};
_Static_assert(sizeof(struct flow_bucket) == 32, "ABI");

/* Of the connection entry with the same number; its worker writes. Outlives a restart with it. */
struct flow_limit {
	struct flow_bucket to[2]; /* endpoint, client */
};
_Static_assert(sizeof(struct flow_limit) == 64, "a cache line");

/*
 * Starts of one source's connections to one listener: any worker, by atomics. A source lies in the
 * line its hash names. An entry of which nothing is in use is as good as none: it may be taken by
 * another source at no loss. Where a line has none such, the one that is nearest to it gives way,
 * and the newcomer begins empty but for the start that brought it: pushed out n times it has
 * at most n starts more than its limit, each for as many of others that the limits charge.
 */
enum { SOURCE_LIMITS_PER_LINE = 4 };
struct source_limit {
	uint64_t key; /* hash:48 slot of the listener:16; 0: free */
	uint64_t word;
};
struct source_limit_line {
	struct source_limit entry[SOURCE_LIMITS_PER_LINE];
};
_Static_assert(sizeof(struct source_limit_line) == 64, "a cache line");

/* "rate_limited_connection" for WORKER_LIMIT_CONNECTION, and so on; else "unknown". */
const char *worker_limit_name(unsigned int verdict);

#endif
