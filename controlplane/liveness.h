/* SPDX-License-Identifier: Apache-2.0 */
/* What the region says about the dataplane that should be alive. Pure: reads only. */
#ifndef FENDER_CONTROLPLANE_LIVENESS_H
#define FENDER_CONTROLPLANE_LIVENESS_H

#include <stdint.h>

#include "shm/region.h"

enum { HEARTBEAT_HUNG_MS = 1000, MAIN_HUNG_MS = 1500, NO_WORKER = -1 };

struct liveness {
	uint32_t workers; /* there should be */
	uint32_t up;      /* running or parked, of this process */
	int hung;         /* number of a running worker whose heartbeat is too old, or NO_WORKER */
	int main_hung;    /* all are up and the main thread's heartbeat is too old */
	int slowest;      /* worker with the lowest applied generation */
	uint64_t applied_generation; /* lowest over the workers, 0 unless all are up */
};

/**
 * liveness_read() - judge the workers
 * @since_ns: when the process was started; what an earlier one left in the region is older
 * @now_ns: CLOCK_MONOTONIC
 */
void liveness_read(struct liveness *out, const struct region *region, uint64_t since_ns,
		   uint64_t now_ns);

/* CLOCK_MONOTONIC, the clock of every time in the region. */
uint64_t monotonic_ns(void);

#endif
