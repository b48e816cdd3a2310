/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/policy/usable.h"

static int is_unhealthy(const struct image_health_check *check, uint8_t health)
{
	if (check->type == HEALTH_NONE || check->mode != MODE_ENFORCE)
		return 0;
	return health == HEALTH_UNHEALTHY || (health == HEALTH_UNKNOWN && check->initial_unhealthy);
}

enum usability endpoint_usability_in_full(const struct endpoint_state *s,
					  const struct image_cluster *c, uint64_t now_ns)
{
	struct admin_word admin = admin_unpack(__atomic_load_n(&s->admin, __ATOMIC_RELAXED));

	if (admin.drained || admin.override == OVERRIDE_OPEN)
		return NEVER_USABLE;
	if (is_unhealthy(&c->health, admin.health))
		return UNUSABLE;
	if (c->outlier.breaker.mode == MODE_ENFORCE &&
	    !breaker_looks_admitting(__atomic_load_n(&s->breaker, __ATOMIC_RELAXED),
				     &c->outlier.breaker, admin.override, now_ns))
		return UNUSABLE;
	return USABLE;
}
