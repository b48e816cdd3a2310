/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/lb/bounded.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "dataplane/lb/elapsed.h"
#include "dataplane/policy/usable.h"

enum { WHOLE = 65536, NS_PER_MS = 1000000 };

uint64_t bounded_cap(uint32_t percent, uint64_t total, uint32_t w, uint64_t weights)
{
	/* It became usable after the sums were made. */
	if (weights < w)
		weights = w;
	return (percent * (total + 1) * w + 100 * weights - 1) / (100 * weights);
}

void bounded_totals(const struct policy_view *v, const struct policy_state *s, uint32_t cluster,
		    uint32_t priority, int panic, uint64_t now_ns, uint64_t *total,
		    uint64_t *weights)
{
	const struct image_cluster *c = &v->clusters[cluster];

	*total = 0;
	*weights = 0;
	for (uint32_t i = c->first_endpoint; i < c->first_endpoint + c->endpoint_count; i++) {
		const struct endpoint_state *state = &s->endpoints[v->endpoint_slot[i]];
		enum usability usability;

		if (v->endpoints[i].priority != priority)
			continue;
		usability = endpoint_usability(state, c, now_ns);
		if (usability == NEVER_USABLE || (usability == UNUSABLE && !panic))
			continue;
		*total += __atomic_load_n(&state->in_flight, __ATOMIC_RELAXED);
		*weights += v->endpoints[i].weight;
	}
}

/* A number alone: it orders nothing else, so relaxed. A swap fails only when another succeeded. */
int endpoint_enter(uint64_t *in_flight, uint64_t limit)
{
	uint64_t now = __atomic_load_n(in_flight, __ATOMIC_RELAXED);

	do {
		if (limit != 0 && now >= limit)
			return 0;
	} while (!__atomic_compare_exchange_n(in_flight, &now, now + 1, 0, __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
	return 1;
}

void endpoint_leave(uint64_t *in_flight)
{
	uint64_t now = __atomic_load_n(in_flight, __ATOMIC_RELAXED);

	do {
		if (now == 0)
			return;
	} while (!__atomic_compare_exchange_n(in_flight, &now, now - 1, 0, __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
}

/* part * 2^16 / whole, part < whole: sixteen steps of the long division. */
static uint32_t part_of(uint64_t part, uint64_t whole)
{
	uint32_t quotient = 0;

	for (int i = 0; i < 16; i++) {
		part <<= 1;
		quotient <<= 1;
		if (part >= whole) {
			part -= whole;
			quotient |= 1;
		}
	}
	return quotient;
}

uint32_t slow_start_factor(const struct endpoint_state *s, const struct image_balance *b,
			   uint64_t now_ns)
{
	uint64_t window_ns = (uint64_t)b->slow_start_ms * NS_PER_MS;
	uint64_t ramp_ns = __atomic_load_n(&s->ramp_ns, __ATOMIC_RELAXED);
	struct admin_word admin = admin_unpack(__atomic_load_n(&s->admin, __ATOMIC_RELAXED));
	uint64_t age_ns = window_ns, back_ns;
	uint32_t factor;

	if (ramp_ns != 0)
		age_ns = now_ns > ramp_ns ? now_ns - ramp_ns : 0;
	if (admin.health == HEALTH_HEALTHY && admin.since_ms != 0) {
		back_ns = (uint64_t)elapsed_ms(state_ms(now_ns), admin.since_ms) * NS_PER_MS;
		age_ns = back_ns < age_ns ? back_ns : age_ns;
	}
	if (age_ns >= window_ns)
		return WHOLE;
	factor = part_of(age_ns, window_ns);
	return factor > WHOLE / 10 ? factor : WHOLE / 10;
}

int slow_start_takes(uint32_t factor, uint64_t endpoint_key, uint64_t hash)
{
	/* Not the number rendezvous scores by: there the winner's is always high. */
	return XXH64(&hash, sizeof(hash), endpoint_key) >> 48 < factor;
}
