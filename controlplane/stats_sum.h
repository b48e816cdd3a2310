/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sums of the region's counters over the workers. Ends are read before beginnings
 * (closed before opened, succeeded before started), so differences are never negative.
 */
#ifndef FENDER_CONTROLPLANE_STATS_SUM_H
#define FENDER_CONTROLPLANE_STATS_SUM_H

#include "controlplane/stats.h"

void stats_sum_worker(struct stats_worker *out, const struct worker_block *block, uint64_t now_ns);
void stats_sum_interface(struct interface_counters *out, const struct region *region,
			 uint32_t interface);
void stats_sum_listener(struct listener_counters *out, const struct region *region, uint32_t slot);
void stats_sum_cluster(struct call_counters *out, const struct region *region, uint32_t slot);
void stats_sum_endpoint(struct call_counters *out, const struct region *region, uint32_t slot);
void stats_sum_policy(struct policy_counters *out, const struct region *region, uint32_t slot);

/*
 * Copy @bytes of policy state, word by word: each word is whole, words among each other are not of
 * one instant.
 */
void stats_copy_state(void *out, const void *state, size_t bytes);

#endif
