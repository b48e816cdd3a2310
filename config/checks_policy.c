/* SPDX-License-Identifier: Apache-2.0 */
/* Names, references, capacities, sources of endpoints. */
#include "config/checks.h"

#include <string.h>

#include "config/suggest.h"

/* Interfaces, listeners or clusters by number. */
struct names {
	const void *items;
	size_t count;
	size_t item_bytes;
	const char *kind;
};

static const struct policy_named *named(const struct names *names, size_t i)
{
	return (const void *)((const uint8_t *)names->items + i * names->item_bytes);
}

static uint32_t find_name(const struct names *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		const struct policy_named *n = named(names, i);

		if (n->name != NULL && strcmp(n->name, name) == 0)
			return (uint32_t)i;
	}
	return NOT_FOUND;
}

static void check_names(struct check *c, const struct names *names)
{
	for (size_t i = 1; i < names->count; i++) {
		const struct policy_named *n = named(names, i);
		uint32_t first;

		if (n->name == NULL)
			continue;
		first = find_name(names, i, n->name);
		if (first == NOT_FOUND)
			continue;
		yaml_error(c->d, check_at(&n->map, "name"),
			   "found %s, the name of the %s on line %u too; expected another name",
			   n->name, names->kind, named(names, first)->map.node->line);
	}
}

static struct names interface_names(const struct policy *p)
{
	return (struct names){p->interfaces.items, p->interfaces.count,
			      sizeof(struct policy_interface), "interface"};
}

static struct names cluster_names(const struct policy *p)
{
	return (struct names){p->clusters.items, p->clusters.count, sizeof(struct policy_cluster),
			      "cluster"};
}

void check_unique_names(struct check *c)
{
	const struct policy *p = c->policy;
	const struct names interfaces = interface_names(p), clusters = cluster_names(p);
	const struct names listeners = {p->listeners.items, p->listeners.count,
					sizeof(struct policy_listener), "listener"};

	check_names(c, &interfaces);
	check_names(c, &listeners);
	check_names(c, &clusters);
}

/* A list that did not parse as a whole, or a name in it, may be what is meant. */
static bool all_named(const struct policy *p, const struct names *names, const char *key)
{
	for (size_t i = 0; i < names->count; i++) {
		if (named(names, i)->name == NULL)
			return false;
	}
	return names->count != 0 || p->map.errors == 0 || yaml_child(p->map.node, key) == NULL;
}

/* Number of the thing called @name, or NOT_FOUND and an error. */
static uint32_t resolve(struct check *c, const struct names *names, const struct yaml_node *node,
			const char *name, const char *list)
{
	struct suggestion s;
	uint32_t found;

	if (name == NULL)
		return NOT_FOUND;
	found = find_name(names, names->count, name);
	if (found != NOT_FOUND || !all_named(c->policy, names, list))
		return found;
	suggest_start(&s, name);
	for (size_t i = 0; i < names->count && !diagnostics_full(c->d); i++)
		suggest_consider(&s, named(names, i)->name);
	yaml_error(c->d, node, "found %s, expected the name of one of the policy's %s%s%s%s", name,
		   list, s.best != NULL ? "; did you mean \"" : "", s.best != NULL ? s.best : "",
		   s.best != NULL ? "\"?" : "");
	return NOT_FOUND;
}

/* What no listener leads to is often a mistake, but no contradiction. */
static void warn_of_clusters(struct check *c)
{
	const struct policy *p = c->policy;
	bool *used = arena_array(c->arena, p->clusters.count + 1, sizeof(*used));

	if (used == NULL)
		return;
	for (size_t i = 0; i < p->listeners.count; i++) {
		uint32_t cluster = p->listeners.items[i].cluster_index;

		used[cluster != NOT_FOUND ? cluster : p->clusters.count] = true;
	}
	for (size_t i = 0; i < p->clusters.count; i++) {
		const struct policy_cluster *cluster = &p->clusters.items[i];

		if (!used[i])
			yaml_warning(c->d, cluster->map.node, "no listener uses this cluster");
		if (cluster->endpoints.count == 0)
			yaml_warning(c->d, check_at(&cluster->map, "endpoints"), "%s",
				     cluster->source.dns.name[0] != '\0'
					     ? "the name is not resolved yet; until then every "
					       "connection is rejected"
					     : "without endpoints every connection is rejected");
	}
}

void check_references(struct check *c)
{
	struct policy *p = c->policy;
	const struct names interfaces = interface_names(p), clusters = cluster_names(p);

	for (size_t i = 0; i < p->listeners.count; i++) {
		struct policy_listener *l = &p->listeners.items[i];

		l->interface_index = resolve(c, &interfaces, check_at(&l->map, "interface"),
					     l->interface, "interfaces");
		l->cluster_index =
			resolve(c, &clusters, check_at(&l->map, "cluster"), l->cluster, "clusters");
	}
	if (diagnostics_errors(c->d) == 0)
		warn_of_clusters(c);
}

static void check_capacity(struct check *c, const char *key, uint64_t capacity, size_t count,
			   const char *list)
{
	if (count > capacity)
		yaml_error(c->d, check_at(&c->policy->sidecar.map, key),
			   "found room for %llu, expected %s of at least %zu, the number of %s",
			   (unsigned long long)capacity, key, count, list);
}

void check_sidecar(struct check *c)
{
	const struct policy *p = c->policy;
	const struct policy_sidecar *s = &p->sidecar;
	size_t endpoints = 0;

	if (s->map.node == NULL)
		return;
	if (s->cpus != 0 && (uint64_t)__builtin_popcountll(s->cpus) < s->workers)
		yaml_error(c->d, check_at(&s->map, "cpus"),
			   "found %d for %llu workers, expected one CPU each",
			   __builtin_popcountll(s->cpus), (unsigned long long)s->workers);
	for (size_t i = 0; i < p->clusters.count; i++)
		endpoints += p->clusters.items[i].endpoints.count;
	check_capacity(c, "max_listeners", s->max_listeners, p->listeners.count, "listeners");
	check_capacity(c, "max_clusters", s->max_clusters, p->clusters.count, "clusters");
	check_capacity(c, "max_endpoints", s->max_endpoints, endpoints, "endpoints");
}

static void check_source(struct check *c, const struct policy_endpoint_source *source)
{
	static const char *const of_dns[] = {"refresh", "stale_ok"};
	bool dns = source->dns.name[0] != '\0';

	if (dns == (source->file != NULL))
		yaml_error(c->d, source->map.node,
			   "found %s, expected a list of endpoints or one of file and dns",
			   dns ? "both file and dns" : "neither file nor dns");
	for (size_t i = 0; i < 2 && !dns; i++) {
		if (check_given(&source->map, of_dns[i]))
			yaml_error(c->d, check_at(&source->map, of_dns[i]),
				   "only dns uses this; expected dns, or not to find this key");
	}
}

void check_sources(struct check *c)
{
	for (size_t i = 0; i < c->policy->clusters.count; i++) {
		const struct policy_endpoint_source *source = &c->policy->clusters.items[i].source;

		if (check_sound(&source->map))
			check_source(c, source);
	}
}
