/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which part of a cluster is balanced over now: priorities with spill-over, panic, the own zone.
 *
 * A worker's summary of one cluster, looked up anew at most every LEVELS_REFRESH_NS times (1 +
 * endpoints / 1024), and at once with another policy. Availability of a priority is min(100 %,
 * 1.4 * usable weight / weight); it takes its availability of what the priorities before it
 * left (72 % usable -> all, 71 -> 99, 50 -> 70, 25 -> 35); when all together have less than 100 %
 * the shares are scaled up to 100. A priority panics when under panic_threshold of its weight is
 * usable and the priorities' availabilities sum to less than 100 %.
 */
#ifndef FENDER_DATAPLANE_LB_LEVELS_H
#define FENDER_DATAPLANE_LB_LEVELS_H

#include "dataplane/policy/view.h"

enum { LEVELS_REFRESH_NS = 1000000 };

struct level {
	uint32_t share;  /* hundredths of a percent of the calls begin here; all sum to 10000 */
	uint32_t weight; /* of its endpoints */
	uint32_t usable; /* weight of the usable ones */
	uint32_t local_usable; /* and of those in the own zone */
	uint8_t panic;
	uint8_t pad[3];
};

struct levels {
	uint64_t refreshed_ns;
	uint64_t generation; /* of the policy it was made from */
	uint32_t usable_endpoints;
	uint32_t count; /* of levels; 0: never made */
	struct level level[MAX_PRIORITIES];
};

/* Bring @l up to date if it is due. Returns a bit for each level whose panic began or ended. */
uint32_t levels_refresh(struct levels *l, const struct policy_view *v, const struct policy_state *s,
			uint32_t cluster, uint64_t now_ns);

/*
 * The level a call begins at, by a random number or the client's hash (mixed here, so that the
 * tables' look-ups by that hash stay even within a level); 0 with one priority.
 */
uint32_t levels_choose(const struct levels *l, uint64_t number);

/*
 * Set the shares of @l->count levels by their weight and usable. Return: the levels'
 * availabilities summed, hundredths of a percent.
 */
uint32_t levels_shares(struct levels *l);

#endif
