/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/health_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Nobody says of it any more whether it is healthy. */
static void forget_health(const struct region *region, uint64_t key)
{
	uint32_t slot;
	uint64_t *word = health_admin_of(region, key, &slot);
	struct admin_word a;

	if (!word)
		return;
	a = admin_unpack(__atomic_load_n(word, __ATOMIC_RELAXED));
	if (a.health == HEALTH_UNKNOWN)
		return;
	a.health = HEALTH_UNKNOWN;
	a.why = HEALTH_REASON_NONE;
	a.since_ms = 0;
	/* Single writer; a worker reads it with its next connection. */
	__atomic_store_n(word, admin_pack(a), __ATOMIC_RELEASE);
}

void health_free_checks(struct checks *checks)
{
	for (uint32_t i = 0; i < checks->count; i++) {
		free(checks->all[i].cluster);
		free(checks->all[i].path);
		free(checks->all[i].host);
	}
	free(checks->all);
}

/* One for each cluster, those without a check among them. */
static int make_checks(struct checks *out, const struct image_header *policy)
{
	const struct image_cluster *c = IMAGE_ARRAY(policy, struct image_cluster, clusters);
	uint32_t active = 0;

	*out = (struct checks){.all = calloc(policy->clusters.count + 1, sizeof(struct check))};
	if (!out->all)
		return -ENOMEM;
	for (; out->count < policy->clusters.count; out->count++, c++) {
		struct check *check = &out->all[out->count];

		active += c->health.type != HEALTH_NONE;
		check->rules = c->health;
		check->cluster = strdup(image_string(policy, c->name));
		check->path = strdup(image_string(policy, c->health.path));
		check->host = strdup(image_string(policy, c->health.host));
		if (!check->cluster || !check->path || !check->host) {
			out->count++;
			health_free_checks(out);
			return -ENOMEM;
		}
	}
	out->share = HEALTH_MAX_PROBES / (active > 0 ? active : 1);
	if (out->share == 0)
		out->share = 1;
	return 0;
}

static int same_check(const struct check *a, const struct check *b)
{
	struct image_health_check x = a->rules, y = b->rules;

	x.path = y.path = x.host = y.host = 0; /* places in their images */
	return memcmp(&x, &y, sizeof(x)) == 0 && strcmp(a->path, b->path) == 0 &&
	       strcmp(a->host, b->host) == 0;
}

static int compare_keys(const void *left, const void *right)
{
	const struct probe *const *a = left, *const *b = right;

	return (*a)->key < (*b)->key ? -1 : (*a)->key > (*b)->key;
}

static struct probe *find_probe(const struct probes *probes, uint64_t key)
{
	const struct probe wanted = {.key = key}, *at = &wanted;
	struct probe **found;

	if (probes->count == 0)
		return NULL;
	found = bsearch(&at, probes->by_key, probes->count, sizeof(struct probe *), compare_keys);
	return found ? *found : NULL;
}

static struct probe *new_probe(struct health *h, const struct image_endpoint *e)
{
	struct probe *p = calloc(1, sizeof(*p));
	uint32_t slot;
	const uint64_t *word = health_admin_of(h->region, e->key, &slot);

	if (!p)
		return NULL;
	p->key = e->key;
	p->health = h;
	if (word) {
		const struct admin_word a = admin_unpack(__atomic_load_n(word, __ATOMIC_RELAXED));

		p->track.health = a.health <= HEALTH_UNHEALTHY ? a.health : HEALTH_UNKNOWN;
		p->track.why = a.why;
	}
	return p;
}

/* Those of before that stay, and new ones for the rest of the endpoints that are checked. */
static int make_probes(struct health *h, const struct image_header *policy, struct probes *out)
{
	const struct image_cluster *c = IMAGE_ARRAY(policy, struct image_cluster, clusters);
	const struct image_endpoint *e = IMAGE_ARRAY(policy, struct image_endpoint, endpoints);

	*out = (struct probes){.by_key =
				       calloc(policy->endpoints.count + 1, sizeof(struct probe *))};
	if (!out->by_key)
		return -ENOMEM;
	for (uint32_t i = 0; i < policy->clusters.count; i++, c++) {
		for (uint32_t k = 0; k < c->endpoint_count && c->health.type != HEALTH_NONE; k++) {
			const struct image_endpoint *at = &e[c->first_endpoint + k];
			struct probe *p = find_probe(&h->probes, at->key);

			if (!p)
				p = new_probe(h, at);
			if (!p)
				return -ENOMEM;
			out->by_key[out->count++] = p;
		}
	}
	return 0;
}

/* Undo make_probes(). */
static void drop_new(const struct probes *old, struct probes *made)
{
	for (uint32_t i = 0; i < made->count; i++)
		if (find_probe(old, made->by_key[i]->key) != made->by_key[i])
			free(made->by_key[i]);
	free(made->by_key);
}

static void attach(struct health *h, struct probe *p, struct check *check,
		   const struct image_endpoint *e)
{
	int unchanged = p->check && same_check(p->check, check);

	if (p->check ? p->check->rules.mode != check->rules.mode
		     : check->rules.mode == MODE_OBSERVE)
		p->track = (struct health_track){0};
	p->check = check;
	check->under_way += p->end.place != 0;
	p->kept = 1;
	health_target_set(&p->target, e, &check->rules);
	p->target.path = check->path;
	p->target.host = check->host;
	if (unchanged)
		return;
	health_cancel(p);
	p->track.streak = 0;
	due_heap_set(&h->starts, &p->start,
		     uv_now(h->loop) + health_first_wait_ms(&check->rules, health_random(h)));
}

/* In the order in which make_probes() went, before they are sorted. */
static void attach_all(struct health *h, const struct image_header *policy, struct probes *probes,
		       struct checks *checks)
{
	const struct image_cluster *c = IMAGE_ARRAY(policy, struct image_cluster, clusters);
	const struct image_endpoint *e = IMAGE_ARRAY(policy, struct image_endpoint, endpoints);
	uint32_t n = 0;

	for (uint32_t i = 0; i < policy->clusters.count; i++, c++) {
		for (uint32_t k = 0; k < c->endpoint_count; k++) {
			const struct image_endpoint *at = &e[c->first_endpoint + k];

			if (c->health.type == HEALTH_NONE || c->health.mode == MODE_OBSERVE)
				forget_health(h->region, at->key);
			if (c->health.type != HEALTH_NONE)
				attach(h, probes->by_key[n++], &checks->all[i], at);
		}
	}
}

void health_free_probe(struct health *h, struct probe *p)
{
	health_cancel(p);
	due_heap_remove(&h->starts, &p->start);
	free(p);
}

/* Free the probes of before that nothing has kept. */
static void drop_old(struct health *h)
{
	for (uint32_t i = 0; i < h->probes.count; i++) {
		struct probe *p = h->probes.by_key[i];

		if (p->kept)
			continue;
		forget_health(h->region, p->key);
		health_free_probe(h, p);
	}
	free(h->probes.by_key);
}

int health_sync(struct health *h, const struct image_header *policy)
{
	/* Of both sets until the old one is dropped. */
	uint32_t most = h->probes.count + policy->endpoints.count;
	struct checks checks;
	struct probes probes;

	if (due_heap_reserve(&h->starts, most) != 0 || due_heap_reserve(&h->ends, most) != 0 ||
	    make_checks(&checks, policy) != 0)
		return -ENOMEM;
	if (make_probes(h, policy, &probes) != 0) {
		drop_new(&h->probes, &probes);
		health_free_checks(&checks);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < h->probes.count; i++)
		h->probes.by_key[i]->kept = 0;
	attach_all(h, policy, &probes, &checks);
	drop_old(h);
	health_free_checks(&h->checks);
	h->checks = checks;
	h->probes = probes;
	if (probes.count > 0)
		qsort(probes.by_key, probes.count, sizeof(struct probe *), compare_keys);
	health_run(h);
	return 0;
}
