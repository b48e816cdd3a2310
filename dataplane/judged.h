/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ejections by statistics, on their way from the main thread, which does them, to worker 0, whose
 * counters count them: counters have one writer, and it is not the main thread.
 */
#ifndef FENDER_DATAPLANE_JUDGED_H
#define FENDER_DATAPLANE_JUDGED_H

#include "dataplane/policy/outlier.h"

struct judged {
	struct outlier_judged *cluster; /* by slot: not counted yet */
	uint32_t slots;
	uint32_t any; /* something in it may be other than 0 */
};

/* 0 or -ENOMEM. */
int judged_create(struct judged *j, uint32_t slots);
void judged_destroy(struct judged *j);

/* The main thread. */
void judged_add(struct judged *j, uint32_t slot, struct outlier_judged now);

/*
 * Worker 0, in every turn: count what came since into its counters (by slot). One load when
 * there is nothing, else O(slots).
 */
void judged_count(struct judged *j, struct policy_counters *counters);

#endif
