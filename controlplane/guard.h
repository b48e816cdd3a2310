/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watches a policy that was just put in force, as its `reload` block says: a cluster whose calls
 * fail or linger more than it allows takes the policy back.
 */
#ifndef FENDER_CONTROLPLANE_GUARD_H
#define FENDER_CONTROLPLANE_GUARD_H

#include <uv.h>

#include "shm/image.h"
#include "shm/region.h"

enum { GUARD_LOOK_MS = 250 };

struct guard_config {
	uv_loop_t *loop;
	const struct region *region;
	void *ctx;
	/* The watch is over; @why is a sentence, valid during the call. */
	void (*tripped)(void *ctx, const char *why);
};

struct guard;

/* Return: 0, -ENOMEM. */
int guard_create(struct guard **out, const struct guard_config *config);

/*
 * Begin the watch of @policy (checked, published) anew, from the counters as they are now. One
 * without a guard ends it. Counted are calls that ended since, of each cluster by itself, but those
 * that a dataplane took with it: they say nothing of the policy. Fewer than the policy's minimum
 * judge nothing. Without memory nothing is watched, and that is logged.
 */
void guard_watch(struct guard *g, const struct image_header *policy);

/*
 * Go on with the watch of @policy that a control plane before began and that ends at @end_ns
 * (CLOCK_MONOTONIC); over already, or 0: nothing happens. Counted are calls from now on.
 */
void guard_resume(struct guard *g, const struct image_header *policy, uint64_t end_ns);

/* When the watch ends; 0: there is none. */
uint64_t guard_end_ns(const struct guard *g);

void guard_stop(struct guard *g);
/* When its loop has closed all handles. NULL is fine. */
void guard_free(struct guard *g);

#endif
