/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/stats_retry.h"

enum { ONE = 100 };

void stats_retry(struct stats_retry *out, const struct stats_cluster *c,
		 const struct image_retry *policy, uint64_t now_ns)
{
	uint64_t first = c->policy.attempts - c->policy.retries;
	uint64_t per_second;

	*out = (struct stats_retry){.amplification_bound = ONE};
	if (policy->mode != MODE_OFF)
		budget_look(&c->state.budget, policy, now_ns, &out->window);
	per_second = policy->window_ms ? out->window.calls * 1000 / policy->window_ms : 0;
	out->amplification = first ? c->policy.attempts * ONE / first : ONE;
	if (policy->mode == MODE_ENFORCE)
		out->amplification_bound = budget_amplification_bound(policy, per_second);
}
