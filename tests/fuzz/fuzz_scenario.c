/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a scenario file: it is refused with an error, or what was read keeps the bounds that
 * the simulator relies on; and again in the same words. Its names are looked up in one policy.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/arena.h"
#include "config/config.h"
#include "config/scenario.h"

static const char policy[] =
	"version: 1\n"
	"sidecar: {name: web-0}\n"
	"interfaces:\n"
	"  - {name: app, device: af_xdp:fnd1, addresses: [169.254.77.1/30]}\n"
	"  - {name: net, device: af_xdp:eth1, addresses: [10.2.0.2/24]}\n"
	"listeners:\n"
	"  - {name: web, bind: 10.96.0.20:80, interface: app, protocol: tcp, cluster: web}\n"
	"clusters:\n"
	"  - {name: web, endpoints: [{address: 10.2.0.11:80}, {address: 10.2.0.12:80}]}\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
	if (!holds)
		abort();
}

static void check_times(const struct scenario_times *t)
{
	must(t->distribution <= SCENARIO_LOGNORMAL);
	must(t->distribution != SCENARIO_UNIFORM || t->min_us <= t->max_us);
	must(t->distribution != SCENARIO_LOGNORMAL || t->median_us <= t->p99_us);
}

static void check_load(const struct scenario_load *l)
{
	must(l->listener && l->listener[0]);
	must((l->rate == 0) != (l->concurrency == 0));
	must(l->rate <= SCENARIO_MAX_RATE && l->concurrency <= SCENARIO_MAX_CONCURRENCY);
	must(l->clients >= 1 && l->clients <= SCENARIO_MAX_CLIENTS);
	must(l->from_us < l->to_us && l->evenly <= 1);
	must(l->rate != 0 || l->think_us >= 1);
	check_times(&l->hold);
}

static void check_endpoint(const struct scenario_endpoint *e)
{
	check_times(&e->connect);
	check_times(&e->latency);
	must(e->failure_rate <= 10000 && e->failure <= SCENARIO_RESET);
	must(e->outages.count <= SCENARIO_MAX_OUTAGES);
	for (size_t i = 0; i < e->outages.count; i++) {
		const struct scenario_outage *o = &e->outages.items[i];

		must(o->from_us < o->to_us && o->kind <= SCENARIO_SLOW && o->factor >= 1);
	}
	must(!e->flap.map.node || (e->flap.period_us > e->flap.down_us && e->flap.down_us > 0));
}

/* One change each: a reload, or one word of one endpoint or cluster. */
static void check_event(const struct scenario_event *e)
{
	const int words = (e->health != SCENARIO_UNSET) + (e->drained != SCENARIO_UNSET) +
			  (e->breaker != SCENARIO_UNSET);
	const int names = (e->endpoint.family != 0) + (e->cluster != NULL);

	must(e->reload ? words == 0 && names == 0 : words == 1 && names == 1);
	must(!e->cluster || e->breaker != SCENARIO_UNSET);
}

static void check(const struct scenario *s)
{
	must(s->duration_us >= 1 && s->workers <= MAX_WORKERS);
	must(s->load.count >= 1 && s->load.count <= SCENARIO_MAX_LOADS);
	must(s->events.count <= SCENARIO_MAX_EVENTS);
	for (size_t i = 0; i < s->load.count; i++)
		check_load(&s->load.items[i]);
	for (size_t i = 0; i < s->endpoints.count; i++)
		check_endpoint(&s->endpoints.items[i]);
	for (size_t i = 0; i < s->events.count; i++)
		check_event(&s->events.items[i]);
}

static const struct image_header *compiled(void)
{
	static struct image_header *image;

	if (!image) {
		struct diagnostics *d = diagnostics_create("policy");

		must(d != NULL);
		image = config_compile(policy, sizeof(policy) - 1, d);
		must(image != NULL);
		diagnostics_free(d);
	}
	return image;
}

/* What was said of it. */
static char *parse(const uint8_t *data, size_t size)
{
	const struct image_header *images[] = {compiled()};
	struct arena *arena = arena_create();
	struct diagnostics *d = diagnostics_create("scenario");
	struct scenario *s;
	char *messages;

	must(arena && d);
	s = scenario_parse((const char *)data, size, arena, d);
	must((s == NULL) == (diagnostics_errors(d) != 0));
	if (s) {
		check(s);
		scenario_check_names(s, images, 1, d);
	}
	messages = diagnostics_text(d);
	must(messages != NULL);
	diagnostics_free(d);
	arena_free(arena);
	return messages;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *first = parse(data, size), *second = parse(data, size);

	must(strcmp(first, second) == 0);
	free(first);
	free(second);
	return 0;
}
