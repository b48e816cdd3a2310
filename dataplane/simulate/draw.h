/* SPDX-License-Identifier: Apache-2.0 */
/* Random times of the simulator. */
#ifndef FENDER_DATAPLANE_SIMULATE_DRAW_H
#define FENDER_DATAPLANE_SIMULATE_DRAW_H

#include "dataplane/policy/view.h"
#include "dataplane/simulate/simulate.h"

/* A generator for stream @stream of a run: streams of one seed share nothing. */
struct random draw_stream(uint64_t seed, uint64_t stream);

/* Uniform in (0, 1). */
double draw_unit(struct random *random);

/* At most DRAW_MAX_NS, so that sums of times cannot overflow. */
uint64_t draw_time(struct random *random, const struct sim_times *times);

#define DRAW_MAX_NS (UINT64_C(100) * 24 * 3600 * 1000000000)

#endif
