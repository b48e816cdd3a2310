/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/liveness.h"

#include <time.h>

uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int is_older(uint64_t heartbeat_ns, uint64_t now_ns, uint64_t ms)
{
	return heartbeat_ns < now_ns && now_ns - heartbeat_ns > ms * 1000000;
}

void liveness_read(struct liveness *out, const struct region *region, uint64_t since_ns,
		   uint64_t now_ns)
{
	uint64_t lowest = UINT64_MAX;

	*out = (struct liveness){
		.workers = region->shape.workers, .hung = NO_WORKER, .slowest = NO_WORKER};
	for (uint32_t i = 0; i < out->workers; i++) {
		const struct worker_block *w = &region->workers[i];
		uint32_t state = __atomic_load_n(&w->state, __ATOMIC_RELAXED);
		uint64_t heartbeat_ns = __atomic_load_n(&w->heartbeat_ns, __ATOMIC_RELAXED);
		/* Pairs with the worker's release store: its policy is in force. */
		uint64_t applied = __atomic_load_n(&w->applied_generation, __ATOMIC_ACQUIRE);
		int up = (state == WORKER_RUNNING || state == WORKER_PARKED) &&
			 heartbeat_ns >= since_ns;

		out->up += up;
		if (up && state == WORKER_RUNNING &&
		    is_older(heartbeat_ns, now_ns, HEARTBEAT_HUNG_MS))
			out->hung = (int)i;
		if (applied < lowest) {
			lowest = applied;
			out->slowest = (int)i;
		}
	}
	if (out->workers == 0 || out->up != out->workers)
		return;
	out->applied_generation = lowest;
	out->main_hung = is_older(counter_read(&region->header->dataplane_heartbeat_ns), now_ns,
				  MAIN_HUNG_MS);
}
