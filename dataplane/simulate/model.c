/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/simulate/model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/simulate/draw.h"

/* An endpoint the scenario does not speak of: in the same data centre, and well. */
static const struct sim_endpoint ordinary = {
	.connect = {SIM_FIXED, 500 * 1000, 0},
	.latency = {SIM_FIXED, 1000 * 1000, 0},
};

/* The entry with the endpoint's own name, else the one for all. */
static const struct sim_endpoint *find(const struct sim_scenario *s, const char *name)
{
	const struct sim_endpoint *any = &ordinary;

	for (size_t i = 0; i < s->endpoint_count; i++) {
		if (s->endpoints[i].name == NULL)
			any = &s->endpoints[i];
		else if (strcmp(s->endpoints[i].name, name) == 0)
			return &s->endpoints[i];
	}
	return any;
}

int model_create(struct model *m, const struct sim_scenario *scenario, const struct world *world)
{
	m->random = draw_stream(scenario->seed, UINT64_C(3) << 32);
	m->by_slot = calloc(world->endpoints.count + 1, sizeof(*m->by_slot));
	if (m->by_slot == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < world->endpoints.count; i++)
		m->by_slot[i] = find(scenario, world->endpoints.items[i].name);
	return 0;
}

void model_free(struct model *m)
{
	free(m->by_slot);
	m->by_slot = NULL;
}

/* Of several outages at once the first listed counts. */
static const struct sim_outage *outage_at(const struct sim_endpoint *e, uint64_t now_ns)
{
	for (size_t i = 0; i < e->outage_count; i++) {
		if (now_ns >= e->outages[i].from_ns && now_ns < e->outages[i].to_ns)
			return &e->outages[i];
	}
	return NULL;
}

static int flap_is_down(const struct sim_endpoint *e, uint64_t now_ns)
{
	return e->flap_period_ns != 0 &&
	       now_ns % e->flap_period_ns >= e->flap_period_ns - e->flap_down_ns;
}

static enum sim_fault fault_at(const struct sim_endpoint *e, const struct sim_outage *outage,
			       uint64_t now_ns, int failed)
{
	if (outage != NULL && outage->fault != SIM_SLOW)
		return outage->fault;
	if (flap_is_down(e, now_ns))
		return e->flap_fault;
	return failed ? e->failure : SIM_WORKS;
}

struct fate model_attempt(struct model *m, uint32_t slot, uint64_t now_ns)
{
	const struct sim_endpoint *e = m->by_slot[slot];
	const struct sim_outage *outage = outage_at(e, now_ns);
	struct fate fate = {.connect_ns = draw_time(&m->random, &e->connect)};
	uint64_t latency = draw_time(&m->random, &e->latency);
	int failed = random_below(&m->random, 10000) < e->failure_rate;

	if (outage != NULL && outage->fault == SIM_SLOW &&
	    __builtin_mul_overflow(latency, outage->factor, &latency))
		latency = DRAW_MAX_NS;
	fate.fault = fault_at(e, outage, now_ns, failed);
	fate.answer_ns = fate.connect_ns + (latency < DRAW_MAX_NS ? latency : DRAW_MAX_NS);
	return fate;
}
