/* SPDX-License-Identifier: Apache-2.0 */
/* Is an endpoint to be considered? A pure read of its state. */
#ifndef FENDER_DATAPLANE_POLICY_USABLE_H
#define FENDER_DATAPLANE_POLICY_USABLE_H

#include "dataplane/policy/breaker.h"

enum usability {
	USABLE,   /* healthy or unknown (initial_unhealthy: healthy), and its breaker may admit */
	UNUSABLE, /* unhealthy or ejected: balanced over in panic only */
	NEVER_USABLE, /* drained or forced open by an operator: not even in panic */
};

/*
 * Health counts when the cluster's health_check is enforced, the breaker when its
 * outlier_detection is; a breaker forced closed always admits.
 */
enum usability endpoint_usability_in_full(const struct endpoint_state *s,
					  const struct image_cluster *c, uint64_t now_ns);

/* The same. Nearly always nothing speaks against it, and sums over all endpoints ask for each. */
static inline enum usability endpoint_usability(const struct endpoint_state *s,
						const struct image_cluster *c, uint64_t now_ns)
{
	const uint64_t breaker = __atomic_load_n(&s->breaker, __ATOMIC_RELAXED);
	const struct admin_word admin = admin_unpack(__atomic_load_n(&s->admin, __ATOMIC_RELAXED));

	if (!admin.drained && admin.override == OVERRIDE_NONE && admin.health != HEALTH_UNHEALTHY &&
	    !c->health.initial_unhealthy && breaker_unpack(breaker).phase == BREAKER_CLOSED)
		return USABLE;
	return endpoint_usability_in_full(s, c, now_ns);
}

#endif
