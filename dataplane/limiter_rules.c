/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/limiter_rules.h"

#include <errno.h>
#include <stdlib.h>

#include "ebpf/limit_rule.h"

_Static_assert((int)IMAGE_LIMIT_TOKEN_BUCKET == (int)LIMIT_TOKEN_BUCKET &&
		       (int)IMAGE_LIMIT_LEAKY_BUCKET == (int)LIMIT_LEAKY_BUCKET &&
		       (int)IMAGE_LIMIT_FIXED_WINDOW == (int)LIMIT_FIXED_WINDOW &&
		       (int)IMAGE_LIMIT_SLIDING_WINDOW == (int)LIMIT_SLIDING_WINDOW,
	       "an image's algorithms have the numbers of ebpf/limit.h");
_Static_assert((int)IMAGE_LIMIT_DROP == (int)LIMIT_DROP &&
		       (int)IMAGE_LIMIT_MARK == (int)LIMIT_MARK &&
		       (int)IMAGE_LIMIT_OBSERVE == (int)LIMIT_OBSERVE,
	       "and its actions those of ebpf/maps.h");

static int make_rule(struct limit_rule *rule, const struct image_limit *limit)
{
	const struct limit_spec spec = {
		.algorithm = limit->algorithm,
		.rate_per_second = limit->rate,
		.burst = limit->burst,
		.window_ns = limit->window_ms * 1000000ull,
	};

	return limit_rule_make(rule, &spec);
}

static uint32_t shape_of(uint32_t shape, const struct image_limit *limit, int observed)
{
	return shape * 16 + limit->algorithm * 2u + (observed ? 1 : 0);
}

static uint32_t present_of(const struct image_rate_limit *r)
{
	uint32_t present = (r->packets.algorithm ? LIMIT_HAS_PACKETS : 0u) |
			   (r->bytes.algorithm ? LIMIT_HAS_BYTES : 0u) |
			   (r->source.algorithm ? LIMIT_HAS_SOURCE : 0u) |
			   (r->listener.algorithm ? LIMIT_HAS_LISTENER : 0u);

	if ((present & LIMIT_PER_CONNECTION) && (r->directions & IMAGE_LIMIT_TO_ENDPOINT))
		present |= LIMIT_TO_ENDPOINT;
	if ((present & LIMIT_PER_CONNECTION) && (r->directions & IMAGE_LIMIT_TO_CLIENT))
		present |= LIMIT_TO_CLIENT;
	return present;
}

int limiter_rules_make(struct limiter_rules *rules, const struct image_listener *listener)
{
	const struct image_rate_limit *r = &listener->rate_limit;
	int rc;

	*rules = (struct limiter_rules){
		.present = present_of(r),
		.action = r->action,
		.source_action = r->source_action,
		.listener_action = r->listener_action,
		.key = listener->key,
		.connection_shape = shape_of(shape_of(1, &r->packets, 0), &r->bytes,
					     r->action == IMAGE_LIMIT_OBSERVE),
		.source_shape = shape_of(1, &r->source, r->source_action == IMAGE_LIMIT_OBSERVE),
		.listener_shape =
			shape_of(1, &r->listener, r->listener_action == IMAGE_LIMIT_OBSERVE),
	};
	rc = make_rule(&rules->connection[0], &r->packets);
	if (!rc)
		rc = make_rule(&rules->connection[1], &r->bytes);
	if (!rc)
		rc = make_rule(&rules->source, &r->source);
	if (!rc)
		rc = make_rule(&rules->listener, &r->listener);
	return rc;
}

int limiter_policy_make(struct limiter_policy **out, const struct policy_view *view, uint32_t slots)
{
	struct limiter_policy *p = calloc(1, sizeof(*p) + slots * sizeof(p->rules[0]));
	int rc = 0;

	if (!p)
		return -ENOMEM;
	p->slots = slots;
	for (uint32_t i = 0; i < view->image->listeners.count && rc == 0; i++) {
		struct limiter_rules *rules = &p->rules[view->listener_slot[i]];

		rc = limiter_rules_make(rules, &view->listeners[i]);
		p->limited += rules->present != 0;
	}
	if (rc) {
		free(p);
		return rc;
	}
	*out = p;
	return 0;
}

void limiter_policy_keep(struct limiter_policy *p, const struct limiter_policy *previous,
			 uint32_t slot)
{
	if (previous->rules[slot].present == 0)
		return;
	p->rules[slot] = previous->rules[slot];
	p->limited++;
}
