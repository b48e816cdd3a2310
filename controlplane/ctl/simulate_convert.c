/* SPDX-License-Identifier: Apache-2.0 */
/* From a scenario file's terms to the simulator's. */
#include <errno.h>
#include <stdlib.h>

#include "controlplane/ctl/simulate.h"
#include "shm/names.h"
#include "shm/state.h"

enum { US = 1000 };

static struct sim_times times_of(const struct scenario_times *t)
{
	switch ((enum scenario_shape)t->distribution) {
	case SCENARIO_UNIFORM:
		return (struct sim_times){SIM_UNIFORM, t->min_us * US, t->max_us * US};
	case SCENARIO_EXPONENTIAL:
		return (struct sim_times){SIM_EXPONENTIAL, t->mean_us * US, 0};
	case SCENARIO_LOGNORMAL:
		return (struct sim_times){SIM_LOGNORMAL, t->median_us * US, t->p99_us * US};
	default:
		return (struct sim_times){SIM_FIXED, t->value_us * US, 0};
	}
}

static enum sim_fault fault_of(uint64_t kind)
{
	static const enum sim_fault faults[] = {
		[SCENARIO_REFUSE] = SIM_REFUSE, [SCENARIO_BLACKHOLE] = SIM_BLACKHOLE,
		[SCENARIO_HANG] = SIM_HANG,     [SCENARIO_RESET] = SIM_RESET,
		[SCENARIO_SLOW] = SIM_SLOW,
	};

	return faults[kind];
}

static struct sim_load load_of(const struct scenario_load *l)
{
	return (struct sim_load){
		.listener = l->listener,
		.from_ns = l->from_us * US,
		.to_ns = l->to_us * US,
		.rate = (uint32_t)l->rate,
		.concurrency = (uint32_t)l->concurrency,
		.evenly = (uint32_t)l->evenly,
		.clients = (uint32_t)l->clients,
		.hold = times_of(&l->hold),
		.patience_ns = l->patience_us * US,
		.think_ns = l->think_us * US,
	};
}

/* @outages: room for its own. @name: ENDPOINT_NAME_BYTES. */
static struct sim_endpoint endpoint_of(const struct scenario_endpoint *e,
				       struct sim_outage *outages, char *name)
{
	for (size_t i = 0; i < e->outages.count; i++) {
		const struct scenario_outage *o = &e->outages.items[i];

		outages[i] = (struct sim_outage){.from_ns = o->from_us * US,
						 .to_ns = o->to_us * US,
						 .fault = fault_of(o->kind),
						 .factor = (uint32_t)o->factor};
	}
	if (e->address.family != 0)
		endpoint_name(&e->address.ip, e->address.family, e->address.port, name);
	return (struct sim_endpoint){
		.name = e->address.family != 0 ? name : NULL,
		.connect = times_of(&e->connect),
		.latency = times_of(&e->latency),
		.failure_rate = (uint32_t)e->failure_rate,
		.failure = fault_of(e->failure),
		.outages = outages,
		.outage_count = e->outages.count,
		.flap_period_ns = e->flap.map.node ? e->flap.period_us * US : 0,
		.flap_down_ns = e->flap.down_us * US,
		.flap_fault = fault_of(e->flap.kind),
	};
}

static void set_word(struct sim_change *c, const struct scenario_event *e)
{
	static const uint32_t health[] = {[SCENARIO_UNKNOWN] = HEALTH_UNKNOWN,
					  [SCENARIO_HEALTHY] = HEALTH_HEALTHY,
					  [SCENARIO_UNHEALTHY] = HEALTH_UNHEALTHY};
	static const uint32_t breaker[] = {[SCENARIO_AUTO] = OVERRIDE_NONE,
					   [SCENARIO_OPEN] = OVERRIDE_OPEN,
					   [SCENARIO_CLOSED] = OVERRIDE_CLOSED};

	if (e->health != SCENARIO_UNSET) {
		c->kind = SIM_HEALTH;
		c->value = health[e->health];
	} else if (e->drained != SCENARIO_UNSET) {
		c->kind = SIM_DRAIN;
		c->value = e->drained == SCENARIO_DRAINED;
	} else {
		c->kind = SIM_BREAKER;
		c->value = breaker[e->breaker];
	}
}

/* @name: ENDPOINT_NAME_BYTES. */
static struct sim_change change_of(const struct scenario_event *e, char *name)
{
	struct sim_change c = {.at_ns = e->at_us * US, .name = e->cluster};

	set_word(&c, e);
	if (!e->cluster) {
		endpoint_name(&e->endpoint.ip, e->endpoint.family, e->endpoint.port, name);
		c.name = name;
	}
	return c;
}

static void fill(struct simulate_input *input, const struct scenario *s)
{
	struct sim_outage *outages = input->outages;
	char *name = input->names;
	size_t reloads = 0;

	for (size_t i = 0; i < s->load.count; i++)
		input->loads[i] = load_of(&s->load.items[i]);
	for (size_t i = 0; i < s->endpoints.count; i++, name += ENDPOINT_NAME_BYTES) {
		input->endpoints[i] = endpoint_of(&s->endpoints.items[i], outages, name);
		outages += s->endpoints.items[i].outages.count;
	}
	for (size_t i = 0; i < s->events.count; i++, name += ENDPOINT_NAME_BYTES) {
		const struct scenario_event *e = &s->events.items[i];

		if (e->reload)
			input->changes[i] = (struct sim_change){.at_ns = e->at_us * US,
								.kind = SIM_RELOAD,
								.image = input->reloads[reloads++]};
		else
			input->changes[i] = change_of(e, name);
	}
}

int simulate_convert(struct simulate_input *input, const struct scenario *s,
		     const struct image_header *image)
{
	size_t outages = 0;

	for (size_t i = 0; i < s->endpoints.count; i++)
		outages += s->endpoints.items[i].outages.count;
	input->loads = calloc(s->load.count + 1, sizeof(*input->loads));
	input->endpoints = calloc(s->endpoints.count + 1, sizeof(*input->endpoints));
	input->outages = calloc(outages + 1, sizeof(*input->outages));
	input->changes = calloc(s->events.count + 1, sizeof(*input->changes));
	input->names = calloc(s->endpoints.count + s->events.count + 1, ENDPOINT_NAME_BYTES);
	if (!input->loads || !input->endpoints || !input->outages || !input->changes ||
	    !input->names)
		return -ENOMEM;
	fill(input, s);
	input->scenario = (struct sim_scenario){
		.duration_ns = s->duration_us * US,
		.seed = s->seed,
		.workers = s->workers ? (uint32_t)s->workers : image->sidecar.workers,
		.loads = input->loads,
		.load_count = s->load.count,
		.endpoints = input->endpoints,
		.endpoint_count = s->endpoints.count,
		.changes = input->changes,
		.change_count = s->events.count,
	};
	return 0;
}

void simulate_release(struct simulate_input *input)
{
	for (size_t i = 0; i < input->reload_count; i++)
		free(input->reloads[i]);
	free(input->reloads);
	free(input->loads);
	free(input->endpoints);
	free(input->outages);
	free(input->changes);
	free(input->names);
}
