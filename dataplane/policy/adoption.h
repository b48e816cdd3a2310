/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a change of policy does to the state that outlives policies. One thread calls, in this
 * order for each policy; the workers go on deciding meanwhile.
 */
#ifndef FENDER_DATAPLANE_POLICY_ADOPTION_H
#define FENDER_DATAPLANE_POLICY_ADOPTION_H

#include "dataplane/policy/view.h"

/**
 * adoption_begin() - before the workers get @next
 * @previous: NULL at start: the modes of the last run are in the cluster's state
 *
 * Endpoints that join a cluster which was there before start slowly. A breaker or outlier
 * detection whose mode changes starts with clean state (from enforce to observe alone it keeps
 * what it has learned). Writes cluster_state.modes.
 */
void adoption_begin(const struct policy_view *next, const struct policy_view *previous,
		    const struct policy_state *s, uint64_t now_ns);

/*
 * When no worker decides by @previous any more: endpoints that @next does not name count as ejected
 * no longer; should they come back, their breaker is closed.
 */
void adoption_end(const struct policy_view *next, const struct policy_view *previous,
		  const struct policy_state *s);

/* Was the table of a cluster (position) built from other endpoints than the image has? */
int adoption_table_is_stale(const struct policy_view *v, uint32_t cluster);

#endif
