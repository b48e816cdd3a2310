/* SPDX-License-Identifier: Apache-2.0 */
/* When calls begin. */
#include "dataplane/simulate/draw.h"
#include "dataplane/simulate/sim.h"

static void arrive_at(struct sim *sim, uint32_t load, uint64_t at_ns)
{
	const struct sim_load *l = &sim->scenario->loads[load];

	if (at_ns - SIM_START_NS < l->to_ns && sim->loads[load].listener != UINT32_MAX)
		sim_schedule(sim, (struct heap_item){
					  .at_ns = at_ns, .kind = ITEM_ARRIVAL, .subject = load});
}

static void next_by_rate(struct sim *sim, uint32_t load)
{
	const struct sim_load *l = &sim->scenario->loads[load];
	struct load_run *run = &sim->loads[load];
	const struct sim_times gap = {SIM_EXPONENTIAL, UINT64_C(1000000000) / l->rate, 0};

	if (l->evenly)
		run->next_ns = SIM_START_NS + l->from_ns +
			       (uint64_t)((unsigned __int128)run->count * 1000000000 / l->rate);
	else
		run->next_ns += draw_time(&run->random, &gap);
	run->count++;
	arrive_at(sim, load, run->next_ns);
}

void load_begin(struct sim *sim)
{
	for (uint32_t i = 0; i < sim->scenario->load_count; i++) {
		const struct sim_load *l = &sim->scenario->loads[i];

		sim->loads[i].random = draw_stream(sim->scenario->seed, i);
		sim->loads[i].holds = draw_stream(sim->scenario->seed, UINT64_C(4) << 32 | i);
		sim->loads[i].next_ns = SIM_START_NS + l->from_ns;
		if (l->rate != 0)
			next_by_rate(sim, i);
		for (uint32_t n = 0; l->rate == 0 && n < l->concurrency; n++)
			arrive_at(sim, i, SIM_START_NS + l->from_ns);
	}
}

void load_arrived(struct sim *sim, uint32_t load)
{
	if (sim->scenario->loads[load].rate != 0)
		next_by_rate(sim, load);
}

void load_over(struct sim *sim, uint32_t load)
{
	const struct sim_load *l = &sim->scenario->loads[load];

	if (l->rate == 0)
		arrive_at(sim, load, sim->now_ns + l->think_ns);
}
