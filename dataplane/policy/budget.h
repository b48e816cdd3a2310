/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The retry budget of a cluster: over every interval of one window,
 *
 *   retries <= max(ratio * calls, minimum_per_second * window)
 *
 * calls being first attempts really sent. Exact over all workers: retries are admitted by a
 * compare-and-swap on their running total, and the window is the difference to what the totals
 * were when its oldest tick began (shm/state.h, marks). Retries are counted over eleven ticks and
 * calls over ten, each a tenth of the window, so both err to the safe side. So the attempts a call
 * causes over at least one window are at most min(max_attempts, 1 + max(ratio,
 * minimum_per_second / call rate)).
 *
 * A clock that is behind by up to 16 ticks counts in the newest tick. One further behind, or a
 * changed window, begins a new history: none of what was before counts for it.
 */
#ifndef FENDER_DATAPLANE_POLICY_BUDGET_H
#define FENDER_DATAPLANE_POLICY_BUDGET_H

#include "dataplane/policy/view.h"
#include "shm/budget_view.h"

/* A call's first attempt was sent. */
void budget_call(struct budget_state *b, const struct image_retry *rules, uint64_t now_ns);

/* May one more retry start now? Return 1 and count it, or 0. */
int budget_retry(struct budget_state *b, const struct image_retry *rules, uint64_t now_ns);

/*
 * A retry goes on the wire: at most max_concurrent at once (0: max(64, 20 % of
 * @attempts_in_flight)). Return 1 and count it in *@on_wire, or 0.
 */
int budget_take_wire(uint64_t *on_wire, const struct image_retry *rules,
		     uint64_t attempts_in_flight);
void budget_leave_wire(uint64_t *on_wire);

/*
 * Back-off before retry @k (1, 2, ...) in ns: uniform in [0, min(base * factor^(k-1), max));
 * JITTER_NONE: that minimum itself.
 */
uint64_t backoff_ns(const struct image_retry *rules, uint32_t k, uint64_t random);

#endif
