/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/budget_view.h"

/* What the totals were when @tick began; those of now when nothing has happened since. */
static struct budget_totals totals_since(const struct budget_state *b, uint64_t tick,
					 uint64_t newest, const struct budget_totals *now)
{
	struct budget_totals were;

	return tick <= newest && budget_read_mark(b, tick, &were) ? were : *now;
}

void budget_look(const struct budget_state *b, const struct image_retry *rules, uint64_t now_ns,
		 struct budget_view *out)
{
	const uint64_t newest = __atomic_load_n(&b->newest_tick, __ATOMIC_ACQUIRE);
	const uint64_t tick = budget_tick_at(rules, now_ns);
	const uint64_t last = budget_has_begun(tick, newest) ? newest : tick;
	const struct budget_totals now = {
		.calls = __atomic_load_n(&b->calls, __ATOMIC_RELAXED),
		.retries = __atomic_load_n(&b->retries, __ATOMIC_RELAXED),
	};
	const struct budget_totals inside =
		totals_since(b, last - (BUDGET_TICKS - 1), newest, &now);
	const struct budget_totals outside = totals_since(b, last - BUDGET_TICKS, newest, &now);

	out->calls = (now.calls - inside.calls) & BUDGET_TOTAL_MASK;
	out->retries = (now.retries - outside.retries) & BUDGET_TOTAL_MASK;
	out->allowed = budget_allowed(rules, out->calls);
}

uint32_t budget_amplification_bound(const struct image_retry *rules, uint64_t calls_per_second)
{
	const uint32_t most = rules->max_attempts * 100u;
	uint64_t extra = (rules->ratio + 99u) / 100;
	uint64_t minimum;

	if (calls_per_second == 0)
		return most;
	minimum = (rules->minimum_per_second * UINT64_C(100) + calls_per_second - 1) /
		  calls_per_second;
	extra = minimum > extra ? minimum : extra;
	return 100 + extra < most ? (uint32_t)(100 + extra) : most;
}
