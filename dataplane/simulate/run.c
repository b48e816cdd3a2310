/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/simulate/sim.h"

/* A statistical interval of a second or more is judged several times. */
enum { TICK_NS = 200 * 1000 * 1000, TICKS_A_SECOND = 5 };

void sim_schedule(struct sim *sim, struct heap_item item)
{
	if (heap_push(&sim->heap, (uint8_t)item.kind, item) != 0)
		sim->out_of_memory = 1;
}

static const struct world_name *find_name(const struct world_names *names, const char *name)
{
	for (uint32_t i = 0; i < names->count; i++) {
		if (strcmp(names->items[i].name, name) == 0)
			return &names->items[i];
	}
	return NULL;
}

static void set_health(struct sim *sim, struct endpoint_state *e, const struct sim_change *change)
{
	struct admin_word a = admin_unpack(e->admin);

	if (change->kind == SIM_HEALTH) {
		a.health = (uint8_t)change->value;
		a.since_ms = state_ms(sim->now_ns);
	} else if (change->kind == SIM_DRAIN) {
		a.drained = (uint8_t)change->value;
	} else {
		a.override = (uint8_t)change->value;
	}
	e->admin = admin_pack(a);
}

/* The same address may serve several clusters. */
static void change_endpoints(struct sim *sim, const struct sim_change *change)
{
	for (uint32_t i = 0; i < sim->world.endpoints.count; i++) {
		if (strcmp(sim->world.endpoints.items[i].name, change->name) == 0)
			set_health(sim, &sim->world.state.endpoints[i], change);
	}
}

static void force_cluster(struct sim *sim, const struct world_name *cluster, uint32_t override)
{
	uint64_t *word = &sim->world.state.clusters[cluster - sim->world.clusters.items].admin;
	struct admin_word a = admin_unpack(*word);

	a.override = (uint8_t) override;
	*word = admin_pack(a);
}

static void apply_change(struct sim *sim, uint32_t number)
{
	const struct sim_change *change = &sim->scenario->changes[number];
	size_t policy = 1;

	if (change->kind == SIM_RELOAD) {
		for (uint32_t i = 0; i < number; i++)
			policy += sim->scenario->changes[i].kind == SIM_RELOAD;
		world_adopt(&sim->world, policy, sim->now_ns);
		record_limits(sim);
	} else {
		const struct world_name *cluster = find_name(&sim->world.clusters, change->name);

		if (change->kind == SIM_BREAKER && cluster != NULL)
			force_cluster(sim, cluster, change->value);
		else
			change_endpoints(sim, change);
	}
}

/* Return: not 0 to stop here. */
static int tick(struct sim *sim, uint32_t number)
{
	const struct sim_scenario *s = sim->scenario;

	world_interval(&sim->world, sim->now_ns);
	record_windows(sim);
	sim_schedule(sim, (struct heap_item){.at_ns = sim->now_ns + TICK_NS,
					     .kind = ITEM_TICK,
					     .subject = number + 1});
	if (s->progress != NULL && number % TICKS_A_SECOND == 0)
		return s->progress(s->progress_ctx, sim->now_ns - SIM_START_NS);
	return 0;
}

static int handle(struct sim *sim, const struct heap_item *item)
{
	int stop = 0;

	sim->now_ns = item->at_ns;
	for (uint32_t i = 0; i < sim->world.workers; i++)
		sim->world.engines[i].now_ns = item->at_ns;
	if (item->kind == ITEM_CHANGE)
		apply_change(sim, item->subject);
	else if (item->kind == ITEM_TICK)
		stop = tick(sim, item->subject);
	else if (item->kind == ITEM_ARRIVAL)
		sim_arrive(sim, item->subject);
	else
		sim_call_item(sim, item);
	sim_settle(sim);
	record_events(sim);
	sim->steps++;
	return stop;
}

static void run(struct sim *sim)
{
	uint64_t end_ns = SIM_START_NS + sim->scenario->duration_ns;
	struct heap_item item;
	int stop = 0;

	for (uint32_t i = 0; i < sim->scenario->change_count; i++)
		sim_schedule(sim, (struct heap_item){.at_ns = SIM_START_NS +
							      sim->scenario->changes[i].at_ns,
						     .kind = ITEM_CHANGE,
						     .subject = i});
	sim_schedule(sim, (struct heap_item){.at_ns = SIM_START_NS, .kind = ITEM_TICK});
	load_begin(sim);
	while (!stop && !sim->out_of_memory && heap_pop(&sim->heap, &item) && item.at_ns <= end_ns)
		stop = handle(sim, &item);
	if (!stop)
		sim->now_ns = end_ns;
}

static int create_lanes(struct sim *sim, uint32_t entries)
{
	sim->lanes = calloc(sim->world.workers, sizeof(*sim->lanes));
	if (sim->lanes == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < sim->world.workers; i++) {
		struct lane *lane = &sim->lanes[i];

		lane->engine = &sim->world.engines[i];
		lane->free = CALL_NOBODY;
		lane->calls = calloc(entries, sizeof(*lane->calls));
		if (lane->calls == NULL)
			return -ENOMEM;
		lane->engine->calls =
			(struct calls){(uint8_t *)lane->calls, sizeof(struct sim_call)};
	}
	return 0;
}

static int create_records(struct sim *sim)
{
	uint32_t listeners = sim->world.listeners.count + 1;
	uint32_t clusters = sim->world.clusters.count + 1;

	sim->loads = calloc(sim->scenario->load_count + 1, sizeof(*sim->loads));
	sim->latency = calloc(listeners, sizeof(*sim->latency));
	sim->last_answer_ns = calloc(listeners, sizeof(*sim->last_answer_ns));
	sim->no_entry = calloc(listeners, sizeof(*sim->no_entry));
	sim->no_listener = calloc(listeners, sizeof(*sim->no_listener));
	sim->listener_gauges = calloc(listeners, sizeof(*sim->listener_gauges));
	sim->cluster_gauges = calloc(clusters, sizeof(*sim->cluster_gauges));
	sim->allowances = calloc(clusters, sizeof(*sim->allowances));
	sim->endpoint_peaks = calloc(sim->world.endpoints.count + 1, sizeof(*sim->endpoint_peaks));
	sim->edges = calloc(SIM_EDGES, sizeof(*sim->edges));
	if (sim->loads == NULL || sim->latency == NULL || sim->last_answer_ns == NULL ||
	    sim->no_entry == NULL || sim->no_listener == NULL || sim->listener_gauges == NULL ||
	    sim->cluster_gauges == NULL || sim->allowances == NULL || sim->endpoint_peaks == NULL ||
	    sim->edges == NULL)
		return -ENOMEM;
	return 0;
}

static void find_listeners(struct sim *sim)
{
	for (size_t i = 0; i < sim->scenario->load_count; i++) {
		const struct world_name *name =
			find_name(&sim->world.listeners, sim->scenario->loads[i].listener);

		sim->loads[i].listener =
			name != NULL ? (uint32_t)(name - sim->world.listeners.items) : UINT32_MAX;
	}
}

static int create_world(struct sim *sim, const struct image_header *image, uint32_t entries)
{
	const struct sim_scenario *s = sim->scenario;
	const struct image_header **images = calloc(s->change_count + 1, sizeof(const void *));
	size_t count = 1;
	int rc = -ENOMEM;

	if (images == NULL)
		return rc;
	images[0] = image;
	for (size_t i = 0; i < s->change_count; i++) {
		if (s->changes[i].kind == SIM_RELOAD)
			images[count++] = s->changes[i].image;
	}
	rc = world_create(&sim->world, images, count, s->workers, entries, s->seed);
	free(images);
	return rc;
}

static void free_sim(struct sim *sim)
{
	for (uint32_t i = 0; sim->lanes != NULL && i < sim->world.workers; i++)
		free(sim->lanes[i].calls);
	free(sim->lanes);
	free(sim->loads);
	free(sim->latency);
	free(sim->last_answer_ns);
	free(sim->no_entry);
	free(sim->no_listener);
	free(sim->listener_gauges);
	free(sim->cluster_gauges);
	free(sim->allowances);
	free(sim->endpoint_peaks);
	free(sim->edges);
	heap_free(&sim->heap);
	model_free(&sim->model);
	world_free(&sim->world);
}

static uint32_t entries_of(const struct image_header *image, uint32_t workers)
{
	return (image->sidecar.connections + workers - 1) / workers;
}

struct sim_result *sim_run(const struct image_header *image, const struct sim_scenario *scenario)
{
	struct sim sim = {.scenario = scenario, .now_ns = SIM_START_NS};
	uint32_t entries = entries_of(image, scenario->workers);
	struct sim_result *result = NULL;

	if (create_world(&sim, image, entries) != 0)
		return NULL;
	if (create_lanes(&sim, entries) == 0 && create_records(&sim) == 0 &&
	    model_create(&sim.model, scenario, &sim.world) == 0) {
		find_listeners(&sim);
		record_limits(&sim);
		run(&sim);
		if (!sim.out_of_memory)
			result = record_result(&sim);
	}
	free_sim(&sim);
	return result;
}
