/* SPDX-License-Identifier: Apache-2.0 */
/* A listener's rate limits as a worker applies them: computed by the main thread at adoption. */
#ifndef FENDER_DATAPLANE_LIMITER_RULES_H
#define FENDER_DATAPLANE_LIMITER_RULES_H

#include "dataplane/policy/view.h"
#include "ebpf/maps.h"

struct limiter_rules {
	uint32_t present; /* enum limit_present; 0: no limits */
	uint8_t action;   /* of the limits per connection: enum limit_action */
	uint8_t source_action;
	uint8_t listener_action;
	uint8_t pad;
	/*
	 * Words written under another shape start anew, full: it changes with the algorithm and
	 * when observe becomes enforce, not with rate and burst. Never 0.
	 */
	uint32_t connection_shape;
	uint32_t source_shape;
	uint32_t listener_shape;
	uint32_t pad2;
	uint64_t key;                    /* of the listener's name */
	struct limit_rule connection[2]; /* packets, bytes */
	struct limit_rule source;        /* starts of connections */
	struct limit_rule listener;
};

/* Every listener's rules, by slot of the state registry. */
struct limiter_policy {
	uint32_t slots;
	uint32_t limited; /* of them, how many have limits */
	struct limiter_rules rules[];
};

/* Return: 0; -EINVAL, -ERANGE: image_check() should not have let it pass. */
int limiter_rules_make(struct limiter_rules *rules, const struct image_listener *listener);

/*
 * Of all listeners of a policy; *out for free().
 * Return: 0; -ENOMEM; as limiter_rules_make().
 */
int limiter_policy_make(struct limiter_policy **out, const struct policy_view *view,
			uint32_t slots);

/* A listener that left the policy keeps the limits it had in @previous while it drains. */
void limiter_policy_keep(struct limiter_policy *p, const struct limiter_policy *previous,
			 uint32_t slot);

#endif
