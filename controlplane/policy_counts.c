/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "controlplane/policy_diff.h"

/* Of one kind: elements of both images begin with their key. */
struct kind {
	const uint8_t *before;
	const uint8_t *after;
	uint32_t before_count;
	uint32_t after_count;
	size_t bytes;
	int (*same)(const struct kind *kind, const void *before, const void *after);
	const struct image_header *before_image;
	const struct image_header *after_image;
};

struct place {
	uint64_t key;
	const uint8_t *element;
};

static uint64_t key_of(const uint8_t *element)
{
	uint64_t key;

	memcpy(&key, element, sizeof(key));
	return key;
}

static int compare_places(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return (x->key > y->key) - (x->key < y->key);
}

static int compare_key(const void *key, const void *b)
{
	const struct place place = {.key = *(const uint64_t *)key};

	return compare_places(&place, b);
}

static int same_string(const struct kind *k, uint32_t before, uint32_t after)
{
	return strcmp(image_string(k->before_image, before), image_string(k->after_image, after)) ==
	       0;
}

static uint64_t cluster_key(const struct image_header *image, uint32_t cluster)
{
	return IMAGE_ARRAY(image, struct image_cluster, clusters)[cluster].key;
}

/* What says where something lies in its image is no difference. */

static int same_listener(const struct kind *k, const void *before, const void *after)
{
	struct image_listener a, b;

	memcpy(&a, before, sizeof(a));
	memcpy(&b, after, sizeof(b));
	if (cluster_key(k->before_image, a.cluster) != cluster_key(k->after_image, b.cluster))
		return 0;
	a.name = b.name = 0;
	a.cluster = b.cluster = 0;
	return memcmp(&a, &b, sizeof(a)) == 0;
}

static void forget_place(struct image_cluster *c)
{
	c->name = c->first_endpoint = c->endpoint_count = 0;
	c->table_first = c->table_count = c->point_first = c->weight_sum = 0;
	c->members_hash = 0;
	c->health.path = c->health.host = c->source.name = 0;
	c->balance.has_zones = c->balance.priorities = 0;
}

static int same_cluster(const struct kind *k, const void *before, const void *after)
{
	struct image_cluster a, b;

	memcpy(&a, before, sizeof(a));
	memcpy(&b, after, sizeof(b));
	if (!same_string(k, a.health.path, b.health.path) ||
	    !same_string(k, a.health.host, b.health.host) ||
	    !same_string(k, a.source.name, b.source.name))
		return 0;
	forget_place(&a);
	forget_place(&b);
	return memcmp(&a, &b, sizeof(a)) == 0;
}

static int same_endpoint(const struct kind *k, const void *before, const void *after)
{
	struct image_endpoint a, b;

	memcpy(&a, before, sizeof(a));
	memcpy(&b, after, sizeof(b));
	a.name = b.name = 0;
	return memcmp(&a, &b, sizeof(a)) == 0;
}

static struct policy_count count(const struct kind *k)
{
	struct policy_count out = {.added = k->after_count, .removed = k->before_count};
	struct place *places = calloc(k->before_count + 1, sizeof(*places));

	if (!places)
		return out;
	for (uint32_t i = 0; i < k->before_count; i++) {
		const uint8_t *element = k->before + i * k->bytes;

		places[i] = (struct place){key_of(element), element};
	}
	qsort(places, k->before_count, sizeof(*places), compare_places);
	for (uint32_t i = 0; i < k->after_count; i++) {
		const uint8_t *element = k->after + i * k->bytes;
		const uint64_t key = key_of(element);
		const struct place *place =
			bsearch(&key, places, k->before_count, sizeof(*places), compare_key);

		if (!place)
			continue;
		out.added--;
		out.removed--;
		out.changed += !k->same(k, place->element, element);
	}
	free(places);
	return out;
}

#define KIND(type, span, same_one)                                                          \
	((struct kind){                                                                     \
		.before = before ? (const uint8_t *)IMAGE_ARRAY(before, type, span) : NULL, \
		.after = (const uint8_t *)IMAGE_ARRAY(after, type, span),                   \
		.before_count = before ? before->span.count : 0,                            \
		.after_count = after->span.count,                                           \
		.bytes = sizeof(type),                                                      \
		.same = (same_one),                                                         \
		.before_image = before,                                                     \
		.after_image = after,                                                       \
	})

struct policy_counts policy_counts(const struct image_header *before,
				   const struct image_header *after)
{
	const struct kind listeners = KIND(struct image_listener, listeners, same_listener);
	const struct kind clusters = KIND(struct image_cluster, clusters, same_cluster);
	const struct kind endpoints = KIND(struct image_endpoint, endpoints, same_endpoint);

	return (struct policy_counts){count(&listeners), count(&clusters), count(&endpoints)};
}
