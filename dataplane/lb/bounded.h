/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bounded load (Mirrokni, Thorup, Zadimoghaddam, "Consistent Hashing with Bounded Loads") and slow
 * start: by how much an endpoint may be loaded now.
 */
#ifndef FENDER_DATAPLANE_LB_BOUNDED_H
#define FENDER_DATAPLANE_LB_BOUNDED_H

#include "dataplane/policy/view.h"

/*
 * The cap of an endpoint of weight @w: (c * (total + 1) * w + 100 * sum - 1) / (100 * sum), over
 * the usable endpoints of its priority: @total their in_flight, @weights the sum of their weights.
 * @percent 100..1000.
 */
uint64_t bounded_cap(uint32_t percent, uint64_t total, uint32_t w, uint64_t weights);

/* Sum in_flight and weights of the usable endpoints of a priority (all of it in panic). O(n). */
void bounded_totals(const struct policy_view *v, const struct policy_state *s, uint32_t cluster,
		    uint32_t priority, int panic, uint64_t now_ns, uint64_t *total,
		    uint64_t *weights);

/*
 * Admission of one attempt: in_flight + 1 <= limit, by compare-and-swap; @limit 0: no bound.
 * Return 1 when taken.
 */
int endpoint_enter(uint64_t *in_flight, uint64_t limit);
void endpoint_leave(uint64_t *in_flight);

/*
 * Slow start: the part of its weight an endpoint has now, in 16.16: max(10 %, t / window), t since
 * ramp_ns or since its health came back (admin.since_ms), whichever is later; 65536 when over.
 */
uint32_t slow_start_factor(const struct endpoint_state *s, const struct image_balance *b,
			   uint64_t now_ns);

/*
 * Does an endpoint in slow start take this call? A number of call and endpoint is compared with
 * the factor, so that a growing factor only adds keys: @hash of the client for hash algorithms, a
 * random number for the others. No table is rebuilt.
 */
int slow_start_takes(uint32_t factor, uint64_t endpoint_key, uint64_t hash);

#endif
