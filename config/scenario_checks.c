/* SPDX-License-Identifier: Apache-2.0 */
#include "config/scenario_checks.h"

#include <string.h>

#include "config/checks.h"
#include "shm/names.h"

static void must_not_stand(struct diagnostics *d, const struct policy_map *map, const char *key,
			   const char *expected)
{
	if (check_given(map, key))
		yaml_error(d, check_at(map, key), "does nothing here, expected %s", expected);
}

static void must_stand(struct diagnostics *d, const struct policy_map *map, const char *key)
{
	if (!check_given(map, key))
		yaml_error(d, map->node, "found no %s, expected one with this distribution", key);
}

static void check_times(const struct scenario_times *t, struct diagnostics *d)
{
	static const struct {
		const char *key;
		enum scenario_shape shape;
		const char *expected;
	} rows[] = {
		{"value", SCENARIO_FIXED, "distribution: fixed, or not to find this key"},
		{"min", SCENARIO_UNIFORM, "distribution: uniform, or not to find this key"},
		{"max", SCENARIO_UNIFORM, "distribution: uniform, or not to find this key"},
		{"mean", SCENARIO_EXPONENTIAL,
		 "distribution: exponential, or not to find this key"},
		{"median", SCENARIO_LOGNORMAL, "distribution: lognormal, or not to find this key"},
		{"p99", SCENARIO_LOGNORMAL, "distribution: lognormal, or not to find this key"},
	};

	if (t->map.node == NULL || t->map.errors != 0)
		return;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].shape == t->distribution)
			must_stand(d, &t->map, rows[i].key);
		else
			must_not_stand(d, &t->map, rows[i].key, rows[i].expected);
	}
	if (t->distribution == SCENARIO_UNIFORM && t->min_us > t->max_us)
		yaml_error(d, check_at(&t->map, "max"), "expected at least min");
	if (t->distribution == SCENARIO_LOGNORMAL && t->median_us > t->p99_us)
		yaml_error(d, check_at(&t->map, "p99"), "expected at least median");
}

static void check_span(const struct policy_map *map, uint64_t from_us, uint64_t to_us,
		       struct diagnostics *d)
{
	if (from_us >= to_us)
		yaml_error(d, check_at(map, "from"), "expected a time before `to`");
}

static void check_load(const struct scenario_load *l, struct diagnostics *d)
{
	check_times(&l->hold, d);
	if (l->map.errors != 0)
		return;
	check_span(&l->map, l->from_us, l->to_us, d);
	if ((l->rate == 0) == (l->concurrency == 0))
		yaml_error(d, l->map.node, "expected either a rate or a concurrency");
	if (l->rate != 0)
		must_not_stand(d, &l->map, "think", "concurrency, or not to find this key");
	else
		must_not_stand(d, &l->map, "arrivals", "rate, or not to find this key");
}

static void check_calls(const struct scenario *s, struct diagnostics *d)
{
	double calls = 0;

	for (size_t i = 0; i < s->load.count; i++) {
		const struct scenario_load *l = &s->load.items[i];
		uint64_t to = l->to_us < s->duration_us ? l->to_us : s->duration_us;

		if (l->from_us < to)
			calls += (double)l->rate * (double)(to - l->from_us) / 1e6;
	}
	if (calls > SCENARIO_MAX_CALLS)
		yaml_error(d, s->load.items[0].map.node->parent,
			   "found %.0f calls in all, expected at most %d", calls,
			   SCENARIO_MAX_CALLS);
}

static void check_endpoint(const struct scenario_endpoint *e, struct diagnostics *d)
{
	check_times(&e->connect, d);
	check_times(&e->latency, d);
	for (size_t i = 0; i < e->outages.count; i++) {
		const struct scenario_outage *o = &e->outages.items[i];

		if (o->map.errors != 0)
			continue;
		check_span(&o->map, o->from_us, o->to_us, d);
		if (o->kind != SCENARIO_SLOW)
			must_not_stand(d, &o->map, "factor", "kind: slow, or not to find this key");
	}
	if (e->flap.map.node != NULL && e->flap.map.errors == 0 &&
	    e->flap.down_us >= e->flap.period_us)
		yaml_error(d, check_at(&e->flap.map, "down"),
			   "expected less than period; for ever down is an outage");
}

static bool same_address(const struct address *a, const struct address *b)
{
	return a->family == b->family && a->port == b->port &&
	       (a->family == 0 || address_same_ip(a, b));
}

static void check_repeated(const struct scenario *s, size_t number, struct diagnostics *d)
{
	const struct scenario_endpoint *e = &s->endpoints.items[number];

	if (e->map.errors != 0)
		return;
	for (size_t i = 0; i < number; i++) {
		const struct scenario_endpoint *other = &s->endpoints.items[i];

		if (other->map.errors == 0 && same_address(&other->address, &e->address)) {
			yaml_error(d, check_at(&e->map, "address"),
				   e->address.family != 0
					   ? "stands twice"
					   : "expected one entry without an address at most");
			return;
		}
	}
}

static void check_word(const struct scenario_event *e, struct diagnostics *d)
{
	if ((e->endpoint.family != 0) == (e->cluster != NULL))
		yaml_error(d, e->map.node, "expected either an endpoint or a cluster");
	else if (e->cluster != NULL && e->breaker == SCENARIO_UNSET)
		yaml_error(d, check_at(&e->map, "cluster"),
			   "expected an endpoint: only breaker is a cluster's");
}

static void check_event(const struct scenario *s, const struct scenario_event *e,
			struct diagnostics *d)
{
	int words = (e->reload != NULL) + (e->health != SCENARIO_UNSET) +
		    (e->drained != SCENARIO_UNSET) + (e->breaker != SCENARIO_UNSET);

	if (e->map.errors != 0)
		return;
	if (e->at_us > s->duration_us)
		yaml_error(d, check_at(&e->map, "at"), "expected a time within the duration");
	if (words != 1) {
		yaml_error(d, e->map.node,
			   "expected one of reload, health, drained and breaker in an event");
		return;
	}
	if (e->reload != NULL) {
		must_not_stand(d, &e->map, "endpoint", "a reload alone");
		must_not_stand(d, &e->map, "cluster", "a reload alone");
	} else {
		check_word(e, d);
	}
}

static void check_reloads(const struct scenario *s, struct diagnostics *d)
{
	size_t reloads = 0;

	for (size_t i = 0; i < s->events.count; i++) {
		if (s->events.items[i].reload != NULL && ++reloads == SCENARIO_MAX_RELOADS + 1)
			yaml_error(d, check_at(&s->events.items[i].map, "reload"),
				   "expected at most %d reloads", SCENARIO_MAX_RELOADS);
	}
}

void scenario_check(const struct scenario *s, struct diagnostics *d)
{
	for (size_t i = 0; i < s->load.count; i++)
		check_load(&s->load.items[i], d);
	if (s->map.errors == 0 && s->load.count != 0)
		check_calls(s, d);
	for (size_t i = 0; i < s->endpoints.count; i++) {
		check_endpoint(&s->endpoints.items[i], d);
		check_repeated(s, i, d);
	}
	for (size_t i = 0; i < s->events.count; i++)
		check_event(s, &s->events.items[i], d);
	check_reloads(s, d);
}

enum thing { LISTENER, CLUSTER, ENDPOINT };

static bool image_has(const struct image_header *image, enum thing thing, const char *name)
{
	const struct image_listener *listeners =
		IMAGE_ARRAY(image, struct image_listener, listeners);
	const struct image_cluster *clusters = IMAGE_ARRAY(image, struct image_cluster, clusters);
	const struct image_endpoint *endpoints =
		IMAGE_ARRAY(image, struct image_endpoint, endpoints);

	for (uint32_t i = 0; thing == LISTENER && i < image->listeners.count; i++) {
		if (strcmp(image_string(image, listeners[i].name), name) == 0)
			return true;
	}
	for (uint32_t i = 0; thing == CLUSTER && i < image->clusters.count; i++) {
		if (strcmp(image_string(image, clusters[i].name), name) == 0)
			return true;
	}
	for (uint32_t i = 0; thing == ENDPOINT && i < image->endpoints.count; i++) {
		if (strcmp(image_string(image, endpoints[i].name), name) == 0)
			return true;
	}
	return false;
}

struct names {
	const struct image_header *const *images;
	size_t count;
	struct diagnostics *d;
};

static void check_name(const struct names *n, enum thing thing, const char *name,
		       const struct yaml_node *node)
{
	static const char *const things[] = {"a listener", "a cluster", "an endpoint"};

	for (size_t i = 0; i < n->count; i++) {
		if (image_has(n->images[i], thing, name))
			return;
	}
	yaml_error(n->d, node, "found %s, expected %s of the policy", name, things[thing]);
}

static void check_address(const struct names *n, const struct address *address,
			  const struct yaml_node *node)
{
	char name[ENDPOINT_NAME_BYTES];

	if (address->family == 0)
		return;
	endpoint_name(&address->ip, address->family, address->port, name);
	check_name(n, ENDPOINT, name, node);
}

void scenario_check_names(const struct scenario *s, const struct image_header *const *images,
			  size_t count, struct diagnostics *d)
{
	const struct names n = {images, count, d};

	for (size_t i = 0; i < s->load.count; i++)
		check_name(&n, LISTENER, s->load.items[i].listener,
			   check_at(&s->load.items[i].map, "listener"));
	for (size_t i = 0; i < s->endpoints.count; i++)
		check_address(&n, &s->endpoints.items[i].address,
			      check_at(&s->endpoints.items[i].map, "address"));
	for (size_t i = 0; i < s->events.count; i++) {
		const struct scenario_event *e = &s->events.items[i];

		check_address(&n, &e->endpoint, check_at(&e->map, "endpoint"));
		if (e->cluster != NULL)
			check_name(&n, CLUSTER, e->cluster, check_at(&e->map, "cluster"));
	}
}
