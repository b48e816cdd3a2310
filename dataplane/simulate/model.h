/* SPDX-License-Identifier: Apache-2.0 */
/* How the scenario's endpoints behave. */
#ifndef FENDER_DATAPLANE_SIMULATE_MODEL_H
#define FENDER_DATAPLANE_SIMULATE_MODEL_H

#include "dataplane/simulate/world.h"
#include "dataplane/simulate/simulate.h"

struct model {
	const struct sim_endpoint **by_slot;
	struct random random;
};

/* What becomes of one attempt. */
struct fate {
	enum sim_fault fault; /* SIM_WORKS, or how it fails; never SIM_SLOW */
	uint64_t connect_ns;  /* from sending it: accepted or refused */
	uint64_t answer_ns;   /* from sending it: first byte or reset */
};

/* 0 or -ENOMEM. */
int model_create(struct model *m, const struct sim_scenario *scenario, const struct world *world);
void model_free(struct model *m);

/* An attempt is sent to the endpoint in @slot, @now_ns since the scenario began. */
struct fate model_attempt(struct model *m, uint32_t slot, uint64_t now_ns);

#endif
