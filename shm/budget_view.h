/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a retry budget (struct budget_state): by the dataplane, which also writes it
 * (dataplane/policy/budget.h), and by the control plane for the statistics.
 *
 * Time is counted in ticks of a tenth of the window, from BUDGET_FIRST_TICK so that fresh memory
 * is long ago. A mark holds what the totals were, modulo 2^24, when its tick began.
 */
#ifndef FENDER_SHM_BUDGET_VIEW_H
#define FENDER_SHM_BUDGET_VIEW_H

#include "shm/image.h"
#include "shm/state.h"

enum {
	BUDGET_TICKS = 10, /* a window */
	BUDGET_FIRST_TICK = BUDGET_MARKS,
	BUDGET_MAX_BACK =
		BUDGET_MARKS, /* ticks a clock may be behind and still be taken for late */
	BUDGET_TOTAL_MASK = (1 << 24) - 1,
};

struct budget_totals {
	uint64_t calls;
	uint64_t retries;
};

static inline uint64_t budget_tick_at(const struct image_retry *rules, uint64_t now_ns)
{
	uint64_t tick_ns = (uint64_t)rules->window_ms * 1000000 / BUDGET_TICKS;

	return BUDGET_FIRST_TICK + now_ns / (tick_ns ? tick_ns : 1);
}

/* The same tick or a late clock's; anything else moves on, a changed window's ticks too. */
static inline int budget_has_begun(uint64_t tick, uint64_t newest)
{
	return tick <= newest && newest - tick <= BUDGET_MAX_BACK;
}

/* Return 0 when the place shows another tick. */
static inline int budget_read_mark(const struct budget_state *b, uint64_t tick,
				   struct budget_totals *were)
{
	/* Pairs with the release of whoever began the tick. */
	uint64_t mark = __atomic_load_n(&b->marks[tick % BUDGET_MARKS], __ATOMIC_ACQUIRE);

	were->calls = mark >> 24 & BUDGET_TOTAL_MASK;
	were->retries = mark & BUDGET_TOTAL_MASK;
	return mark >> 48 == (tick & 0xffff);
}

/* Retries that @calls in a window allow; at most what a mark can count. */
static inline uint64_t budget_allowed(const struct image_retry *rules, uint64_t calls)
{
	uint64_t by_ratio = calls * rules->ratio / 10000;
	uint64_t minimum = (uint64_t)rules->minimum_per_second * rules->window_ms / 1000;
	uint64_t allowed = by_ratio > minimum ? by_ratio : minimum;

	return allowed < BUDGET_TOTAL_MASK ? allowed : BUDGET_TOTAL_MASK;
}

/* What the window holds and allows now. */
struct budget_view {
	uint64_t calls;
	uint64_t retries;
	uint64_t allowed;
};
void budget_look(const struct budget_state *b, const struct image_retry *rules, uint64_t now_ns,
		 struct budget_view *out);

/*
 * Attempts a call can cause over at least one window, in hundredths (250: 2.5), rounded up:
 * min(max_attempts, 1 + max(ratio, minimum_per_second / call rate)).
 */
uint32_t budget_amplification_bound(const struct image_retry *rules, uint64_t calls_per_second);

#endif
