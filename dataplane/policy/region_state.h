/* SPDX-License-Identifier: Apache-2.0 */
/* The state words and counters of a mapped region, as the policies address them. */
#ifndef FENDER_DATAPLANE_POLICY_REGION_STATE_H
#define FENDER_DATAPLANE_POLICY_REGION_STATE_H

#include "dataplane/policy/view.h"

struct region;

/* @worker: whose counters are written through *@s. */
void region_state(struct policy_state *s, const struct region *region, uint32_t worker);

#endif
