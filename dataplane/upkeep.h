/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The main thread's part of the policies: their state at start and at a change, and what is judged
 * by statistics, where time does not matter.
 */
#ifndef FENDER_DATAPLANE_UPKEEP_H
#define FENDER_DATAPLANE_UPKEEP_H

#include "dataplane/adopted.h"
#include "dataplane/judged.h"

struct upkeep {
	struct policy_state state;
	void *counters;          /* what the state's pointers to a worker's counters show */
	uint32_t *last_interval; /* by cluster slot, see outlier_interval() */
	uint64_t next_ns;
	struct random random;
};

/*
 * No worker runs and no connection is left: derived words are counted anew, learned state is kept,
 * and made to fit the first policy. 0 or -ENOMEM.
 */
int upkeep_start(struct upkeep *u, const struct region *region, const struct adopted *first,
		 uint64_t now_ns);
void upkeep_stop(struct upkeep *u);

/* Before the workers get @next; when none has @previous any more. */
void upkeep_change(struct upkeep *u, const struct adopted *next, const struct adopted *previous,
		   uint64_t now_ns);
void upkeep_changed(struct upkeep *u, const struct adopted *next, const struct adopted *previous);

/*
 * At most once a second: clusters whose outlier detection looks at statistics. Adds what it did to
 * @judged. Return: the sums.
 */
struct outlier_judged upkeep_run(struct upkeep *u, const struct adopted *a, struct judged *judged,
				 uint64_t now_ns);

#endif
