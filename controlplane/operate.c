/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/operate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config/suggest.h"
#include "shm/breaker_word.h"
#include "shm/names.h"
#include "shm/registry.h"

static const char *const names[OPERATIONS] = {"open", "close", "reset", "drain", "undrain"};

const char *operation_name(unsigned int operation)
{
	return operation < OPERATIONS ? names[operation] : NULL;
}

static int is_known(const struct image_header *policy, const struct operate_target *t,
		    struct suggestion *s)
{
	const struct image_cluster *c = IMAGE_ARRAY(policy, struct image_cluster, clusters);
	const struct image_endpoint *e = IMAGE_ARRAY(policy, struct image_endpoint, endpoints);

	suggest_start(s, t->cluster);
	for (uint32_t i = 0; i < policy->clusters.count; i++) {
		suggest_consider(s, image_string(policy, c[i].name));
		if (strcmp(image_string(policy, c[i].name), t->cluster) != 0)
			continue;
		if (!t->endpoint)
			return 1;
		suggest_start(s, t->endpoint);
		for (uint32_t k = 0; k < c[i].endpoint_count; k++) {
			const char *name = image_string(policy, e[c[i].first_endpoint + k].name);

			if (strcmp(name, t->endpoint) == 0)
				return 1;
			suggest_consider(s, name);
		}
		return 0;
	}
	return 0;
}

static void tell_unknown(const struct operate_target *t, const struct suggestion *s, char *why,
			 size_t why_size)
{
	char meant[96] = "";

	if (s->best)
		snprintf(meant, sizeof(meant), "; did you mean %.63s?", s->best);
	/* The guess is for what was not found: the cluster comes first. */
	if (t->endpoint && s->found == t->endpoint)
		snprintf(why, why_size,
			 "cluster %.63s has no endpoint %.63s: `fender endpoints` lists them%s",
			 t->cluster, t->endpoint, meant);
	else
		snprintf(why, why_size, "there is no cluster %.63s: `fender breakers` lists them%s",
			 t->cluster, meant);
}

static void write_admin(uint64_t *word, enum operation operation)
{
	struct admin_word a = admin_unpack(__atomic_load_n(word, __ATOMIC_RELAXED));

	switch (operation) {
	case OPERATION_OPEN:
		a.override = OVERRIDE_OPEN;
		break;
	case OPERATION_CLOSE:
		a.override = OVERRIDE_CLOSED;
		break;
	case OPERATION_RESET:
		a.override = OVERRIDE_NONE;
		break;
	case OPERATION_DRAIN:
		a.drained = 1;
		break;
	default:
		a.drained = 0;
		break;
	}
	/* Single writer; a worker reads it with its next connection. */
	__atomic_store_n(word, admin_pack(a), __ATOMIC_RELEASE);
}

/* An endpoint that is no longer ejected. */
static void give_back_ejection(uint64_t *ejected)
{
	uint64_t n = __atomic_load_n(ejected, __ATOMIC_RELAXED);

	while (n > 0 && !__atomic_compare_exchange_n(ejected, &n, n - 1, 0, __ATOMIC_RELAXED,
						     __ATOMIC_RELAXED))
		;
}

static uint32_t cluster_slot(const struct region *region, const char *cluster)
{
	return registry_find(region->cluster_registry, region->shape.cluster_slots,
			     name_key(cluster));
}

static uint32_t endpoint_slot(const struct region *region, const struct operate_target *t)
{
	return registry_find(region->endpoint_registry, region->shape.endpoint_slots,
			     endpoint_key(t->cluster, t->endpoint));
}

int operate(const struct region *region, const struct image_header *policy,
	    const struct operate_target *t, enum operation operation, char *why, size_t why_size)
{
	struct suggestion s;
	uint32_t cluster = cluster_slot(region, t->cluster);
	uint32_t endpoint = t->endpoint ? endpoint_slot(region, t) : 0;

	if (!is_known(policy, t, &s) || cluster == REGISTRY_NONE || endpoint == REGISTRY_NONE) {
		tell_unknown(t, &s, why, why_size);
		return -ENOENT;
	}
	if (!t->endpoint && operation >= OPERATION_DRAIN) {
		snprintf(why, why_size, "only endpoints can be drained");
		return -EINVAL;
	}
	if (t->endpoint) {
		struct endpoint_state *e = &region->endpoint_state[endpoint];

		write_admin(&e->admin, operation);
		if (operation == OPERATION_RESET && breaker_word_reset(&e->breaker))
			give_back_ejection(&region->cluster_state[cluster].ejected);
	} else {
		write_admin(&region->cluster_state[cluster].admin, operation);
		if (operation == OPERATION_RESET)
			breaker_word_reset(&region->cluster_state[cluster].breaker);
	}
	return 0;
}

/* Cut the last "/word" off. */
static char *last_word(char *path)
{
	char *slash = strrchr(path, '/');

	if (!slash)
		return NULL;
	*slash = '\0';
	return slash + 1;
}

int operate_parse(char *path, struct operate_target *target, enum operation *operation)
{
	static const char breakers[] = "/breakers/", endpoints[] = "/endpoints/";
	const char *verb = last_word(path);
	unsigned int i = 0;

	while (i < OPERATIONS && (!verb || strcmp(verb, names[i]) != 0))
		i++;
	*operation = (enum operation)i;
	*target = (struct operate_target){0};
	if (i == OPERATIONS)
		return -EINVAL;
	if (strncmp(path, breakers, sizeof(breakers) - 1) == 0) {
		target->cluster = path + sizeof(breakers) - 1;
	} else if (strncmp(path, endpoints, sizeof(endpoints) - 1) == 0) {
		target->endpoint = last_word(path + sizeof(endpoints) - 1);
		target->cluster = path + sizeof(endpoints) - 1;
		if (!target->endpoint || !target->endpoint[0])
			return -EINVAL;
	}
	if (!target->cluster || !target->cluster[0] || strchr(target->cluster, '/'))
		return -EINVAL;
	return 0;
}
