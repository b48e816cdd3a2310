/* SPDX-License-Identifier: Apache-2.0 */
/* What was written over in shared memory, put right by the main thread and told. */
#ifndef FENDER_DATAPLANE_REPAIR_H
#define FENDER_DATAPLANE_REPAIR_H

#include "dataplane/upkeep.h"
#include "dataplane/worker.h"

struct repairs {
	uint64_t next_ns;
	uint64_t damaged_entries; /* told so far */
};

/*
 * At most once a second: impossible words of the policies' state (policy/repair.h), by what the
 * calls of all workers hold, and connections that workers had to end. Both are logged.
 */
void repairs_run(struct repairs *r, const struct worker_shared *shared,
		 const struct policy_state *state, uint64_t now_ns);

#endif
