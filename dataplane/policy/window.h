/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The windows a breaker looks at: the last N calls, or the calls of the last T.
 *
 * Count window: WINDOW_BUCKETS parts of window/10 calls (layout in shm/state.h), shared by all
 * workers; it covers between window - window/10 + 1 and window calls. A call draws its number
 * from the position word and adds itself to its part by compare-and-swap. Parts of another epoch,
 * of an older lap or begun more than 60 s ago count for nothing, so a new epoch starts empty
 * without a store. Duration window: WINDOW_BUCKETS parts of window/10, each worker its own (struct
 * outcomes), summed over the workers by whoever asks.
 *
 * The compare-and-swap loops are lock-free: one more turn means that another thread got on.
 */
#ifndef FENDER_DATAPLANE_POLICY_WINDOW_H
#define FENDER_DATAPLANE_POLICY_WINDOW_H

#include "dataplane/policy/view.h"

struct window_sum {
	uint64_t calls;
	uint64_t failed;
	uint64_t slow;
	uint64_t epoch_calls; /* recorded since the epoch began; duration windows: calls */
};

/* What a window is kept in. outcomes: of worker 0; the same slot of worker i is at + i * stride. */
struct window {
	uint64_t *recorded;
	struct count_window *count;
	struct outcomes *outcomes;
	uint32_t stride;
	uint32_t workers;
};

/* One call that ended. */
struct window_call {
	const uint64_t *word; /* the breaker's, which says what the current epoch is */
	uint16_t epoch;
	uint8_t failed;
	uint8_t slow;
	uint32_t worker; /* the caller's */
};

/* Record a call; of an epoch that is over it changes nothing. Any thread. */
void window_record(const struct window *w, const struct image_breaker *rules,
		   const struct window_call *call, uint64_t now_ns);

/* What the window holds of @epoch. Concurrent records may be missed, never counted twice. */
void window_sum(const struct window *w, const struct image_breaker *rules, uint16_t epoch,
		uint64_t now_ns, struct window_sum *sum);

#endif
