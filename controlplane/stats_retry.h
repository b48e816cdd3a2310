/* SPDX-License-Identifier: Apache-2.0 */
/* What a cluster's retries did and may do. */
#ifndef FENDER_CONTROLPLANE_STATS_RETRY_H
#define FENDER_CONTROLPLANE_STATS_RETRY_H

#include "controlplane/stats.h"
#include "shm/budget_view.h"

struct stats_retry {
	struct budget_view window;
	/* Attempts a call, in hundredths: measured since the names were made, and the bound that
	 * the policy sets for the last window's number of calls. */
	uint64_t amplification;
	uint64_t amplification_bound;
};

void stats_retry(struct stats_retry *out, const struct stats_cluster *c,
		 const struct image_retry *policy, uint64_t now_ns);

#endif
