/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whoever first comes in a new tick reads the totals, moves newest_tick on by compare-and-swap and,
 * having won, writes the marks of all ticks since: so every tick has a mark, idle ones too, and
 * what other workers do in the new tick comes after the totals that its mark holds. Until a mark
 * is written its place shows another tick, and a retry that needs it is refused.
 *
 * Accepted race: a call by a worker whose clock is still in the old tick while another has
 * begun the new one counts in the new one, so it lives longer by its worker's burst.
 */
#include "dataplane/policy/budget.h"

_Static_assert(BUDGET_TICKS + 1 < BUDGET_MARKS,
	       "the mark of the oldest tick is kept through this one");

/* Release pairs with the acquire in budget_read_mark(): who sees the mark sees totals no older. */
static void write_marks(struct budget_state *b, uint64_t from, uint64_t to,
			const struct budget_totals *were)
{
	const uint64_t rest =
		(were->calls & BUDGET_TOTAL_MASK) << 24 | (were->retries & BUDGET_TOTAL_MASK);

	for (uint64_t tick = from; tick <= to; tick++)
		__atomic_store_n(&b->marks[tick % BUDGET_MARKS], tick << 48 | rest,
				 __ATOMIC_RELEASE);
}

/* Begin the tick if nobody has. Return the tick that counts now: never less than before. */
static uint64_t begin_tick(struct budget_state *b, const struct image_retry *rules, uint64_t now_ns)
{
	const uint64_t tick = budget_tick_at(rules, now_ns);
	/* Pairs with the release of the swap that begins it. */
	uint64_t newest = __atomic_load_n(&b->newest_tick, __ATOMIC_ACQUIRE);

	while (!budget_has_begun(tick, newest)) {
		const uint64_t first = tick - BUDGET_MARKS + 1;
		const uint64_t from = newest < tick && newest >= first ? newest + 1 : first;
		const struct budget_totals are = {
			.calls = __atomic_load_n(&b->calls, __ATOMIC_RELAXED),
			.retries = __atomic_load_n(&b->retries, __ATOMIC_RELAXED),
		};

		if (__atomic_compare_exchange_n(&b->newest_tick, &newest, tick, 0, __ATOMIC_ACQ_REL,
						__ATOMIC_ACQUIRE)) {
			write_marks(b, from, tick, &are);
			return tick;
		}
	}
	return newest;
}

void budget_call(struct budget_state *b, const struct image_retry *rules, uint64_t now_ns)
{
	begin_tick(b, rules, now_ns);
	__atomic_fetch_add(&b->calls, 1, __ATOMIC_RELAXED);
}

int budget_retry(struct budget_state *b, const struct image_retry *rules, uint64_t now_ns)
{
	const uint64_t tick = begin_tick(b, rules, now_ns);
	struct budget_totals inside, outside; /* when the window's tenth and eleventh tick began */
	uint64_t retries, allowed;

	if (!budget_read_mark(b, tick - (BUDGET_TICKS - 1), &inside) ||
	    !budget_read_mark(b, tick - BUDGET_TICKS, &outside))
		return 0;
	allowed = budget_allowed(rules,
				 (__atomic_load_n(&b->calls, __ATOMIC_RELAXED) - inside.calls) &
					 BUDGET_TOTAL_MASK);
	retries = __atomic_load_n(&b->retries, __ATOMIC_RELAXED);
	/* A swap fails only after another worker's retry was counted. */
	while (((retries - outside.retries) & BUDGET_TOTAL_MASK) < allowed) {
		if (__atomic_compare_exchange_n(&b->retries, &retries, retries + 1, 1,
						__ATOMIC_RELAXED, __ATOMIC_RELAXED))
			return 1;
	}
	return 0;
}

int budget_take_wire(uint64_t *on_wire, const struct image_retry *rules,
		     uint64_t attempts_in_flight)
{
	const uint64_t share = attempts_in_flight / 5;
	const uint64_t most =
		rules->max_concurrent ? rules->max_concurrent : (share > 64 ? share : 64);
	uint64_t taken = __atomic_load_n(on_wire, __ATOMIC_RELAXED);

	while (taken < most) {
		if (__atomic_compare_exchange_n(on_wire, &taken, taken + 1, 1, __ATOMIC_RELAXED,
						__ATOMIC_RELAXED))
			return 1;
	}
	return 0;
}

void budget_leave_wire(uint64_t *on_wire)
{
	uint64_t taken = __atomic_load_n(on_wire, __ATOMIC_RELAXED);

	while (taken != 0 && !__atomic_compare_exchange_n(on_wire, &taken, taken - 1, 1,
							  __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}
