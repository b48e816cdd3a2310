/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the policies remember, outside every image: keyed by name (slots of the state registry),
 * it outlives generations and both processes. Words are changed by any worker with single atomic
 * operations unless another writer is named. Learned state (breakers, windows, estimates,
 * budgets) survives a restart; derived words (permits, queue lengths, probe slots, attempts in
 * flight) are counted anew from the live connections (dataplane/policy/rebuild.h).
 * All times are CLOCK_MONOTONIC. Fresh memory (zero) is the state of a new name.
 */
#ifndef FENDER_SHM_STATE_H
#define FENDER_SHM_STATE_H

#include <stdint.h>

#include "shm/breaker_word.h"

enum { WINDOW_BUCKETS = 10, BUDGET_MARKS = 16, LATENCY_BUCKETS = 60, SOURCES_PER_LINE = 8 };

/* Low 32 bits of milliseconds, as the packed words keep them. */
static inline uint32_t state_ms(uint64_t ns)
{
	return (uint32_t)(ns / 1000000);
}

/*
 * A window over the last calls, WINDOW_BUCKETS parts. recorded = epoch:16 n:48, n calls recorded
 * in this epoch. bucket[i] = epoch:16 part:12 calls:12 failed:12 slow:12, part = n / calls a part;
 * one of another epoch or an older part is empty. started_ds[i]: tenths of a second, when its
 * first call came; a part older than 60 s is ignored.
 */
struct count_window {
	uint64_t bucket[WINDOW_BUCKETS];
	uint32_t started_ds[WINDOW_BUCKETS];
	uint64_t pad;
};
_Static_assert(sizeof(struct count_window) == 128, "ABI");

/* Bulkhead: in_flight:32 left:16 queued:16 (dataplane/policy/bulkhead.h). */
struct bulkhead_state {
	uint64_t word;
	uint64_t overshoot_max; /* most permits ever above the limit in force at an admission: 0 */
};

/* What the control plane says of an endpoint or cluster: it is the only writer. */
enum health_state { HEALTH_UNKNOWN = 0, HEALTH_HEALTHY = 1, HEALTH_UNHEALTHY = 2 };
enum breaker_override { OVERRIDE_NONE = 0, OVERRIDE_OPEN = 1, OVERRIDE_CLOSED = 2 };
struct admin_word {
	uint8_t health;   /* enum health_state */
	uint8_t override; /* enum breaker_override */
	uint8_t drained;
	uint8_t why;       /* unhealthy: enum health_reason of the prober */
	uint32_t since_ms; /* of the last change of health */
};

static inline struct admin_word admin_unpack(uint64_t w)
{
	return (struct admin_word){.health = (uint8_t)w,
				   .override = (uint8_t)(w >> 8),
				   .drained = (uint8_t)(w >> 16),
				   .why = (uint8_t)(w >> 24),
				   .since_ms = (uint32_t)(w >> 32)};
}

static inline uint64_t admin_pack(struct admin_word a)
{
	return (uint64_t)a.since_ms << 32 | (uint64_t)a.why << 24 | (uint64_t)a.drained << 16 |
	       (uint64_t)a.override << 8 | a.health;
}

struct endpoint_state {
	/* One line answers "usable?" and "how loaded?". */
	uint64_t breaker;   /* breaker_word.h */
	uint64_t recorded;  /* count window */
	uint64_t admin;     /* struct admin_word; control plane */
	uint64_t ramp_ns;   /* slow start began: it joined, or its breaker closed; 0: never */
	uint64_t in_flight; /* attempts and connections it carries */
	uint64_t ewma;      /* estimate_us:32 at_ms:32; 0: unmeasured */
	uint64_t pad[2];
	struct count_window window;
};
_Static_assert(sizeof(struct endpoint_state) == 192, "ABI");

/*
 * Retry budget. calls and retries only grow; marks[tick % BUDGET_MARKS] = tick:16 calls:24
 * retries:24, what they were (modulo 2^24) when the tick began, a tenth of the window.
 */
struct budget_state {
	uint64_t calls;
	uint64_t retries;
	uint64_t newest_tick; /* the last that has begun (shm/budget_view.h) */
	uint64_t pad[5];
	uint64_t marks[BUDGET_MARKS];
};
_Static_assert(sizeof(struct budget_state) == 192, "ABI");

struct cluster_state {
	uint64_t breaker;
	uint64_t recorded;
	uint64_t admin;   /* override only; control plane */
	uint64_t ramp_ns; /* its breaker closed last; 0: never */
	uint64_t ejected; /* endpoints of it whose breaker is not closed */
	uint64_t modes;   /* of the policy adopted last, a byte a block: breaker, outlier, bulkhead,
			     retry; dataplane main thread: observe turned enforce starts clean */
	uint64_t pad0[2];

	struct bulkhead_state bulkhead;
	uint64_t attempts_in_flight;
	uint64_t retries_in_flight; /* on the wire */
	uint64_t ticket;            /* the last one drawn in its queue */
	uint64_t pad1[3];

	struct count_window window;
	struct budget_state budget;
};
_Static_assert(sizeof(struct cluster_state) == 448, "ABI");
_Static_assert(__builtin_offsetof(struct cluster_state, bulkhead) == 64, "ABI");

struct listener_state {
	struct bulkhead_state bulkhead;
	uint64_t ticket;
	uint64_t limit_starts; /* ebpf/limit.h: starts of connections, where a worker limits them */
	uint32_t limit_shape;  /* the rule's when that began; 0: not begun */
	uint32_t pad0;
	uint64_t pad[3];
};
_Static_assert(sizeof(struct listener_state) == 64, "ABI");

/*
 * Permits by client: each word tag:32 permits:32. A source lives in the line its hash names; its
 * permits are the sum over that line's words with its tag (dataplane/policy/source_permits.h).
 */
struct source_line {
	uint64_t word[SOURCES_PER_LINE];
};
_Static_assert(sizeof(struct source_line) == 64, "ABI");

/* What one worker saw end at one cluster or endpoint; that worker writes. */
struct outcome_bucket {
	uint32_t tick;  /* of a tenth of a duration window; another tick: empty */
	uint16_t calls; /* all three are halved when one is full */
	uint16_t failed;
	uint16_t slow;
	uint16_t epoch;
};
struct outcomes {
	struct outcome_bucket window[WINDOW_BUCKETS];
	/* Since the start of the statistical interval numbered so. */
	uint32_t interval;
	uint32_t calls;
	uint32_t failed;
	uint32_t latencies; /* in the histogram */
	/* Times to the verdict: 4 buckets an octave from 64 us (dataplane/policy/latency.h). */
	uint16_t latency[LATENCY_BUCKETS];
};
_Static_assert(sizeof(struct outcomes) == 256, "ABI");

#endif
