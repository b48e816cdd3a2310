/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/resolve_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int compare_services(const void *left, const void *right)
{
	const struct resolve_service *a = left, *b = right;

	return a->priority != b->priority ? (a->priority < b->priority ? -1 : 1)
					  : strcmp(a->target, b->target);
}

static uint16_t ranked_weight(uint32_t weight, uint32_t largest)
{
	if (largest > MAX_WEIGHT)
		weight = (weight * MAX_WEIGHT + largest / 2) / largest;
	return (uint16_t)(weight > 0 ? weight : 1);
}

void resolve_services_rank(struct resolve_service *services, size_t count)
{
	uint16_t last = 0, largest = 0, rank = 0;

	if (count == 0)
		return;
	qsort(services, count, sizeof(*services), compare_services);
	last = services[0].priority;
	for (size_t i = 0; i < count; i++)
		largest = services[i].weight > largest ? services[i].weight : largest;
	for (size_t i = 0; i < count; i++) {
		struct resolve_service *s = &services[i];

		if (s->priority != last && rank < MAX_PRIORITIES - 1)
			rank++;
		last = s->priority;
		s->priority = rank;
		s->weight = ranked_weight(s->weight, largest);
	}
}

int resolve_set_add(struct resolve_set *set, const struct resolved_endpoint *endpoint)
{
	if (set->count == MAX_ENDPOINTS)
		return 0;
	if (set->count == set->capacity) {
		size_t capacity = set->capacity ? 2 * set->capacity : 16;
		void *larger = realloc(set->endpoints, capacity * sizeof(*set->endpoints));

		if (!larger)
			return -ENOMEM;
		set->endpoints = larger;
		set->capacity = capacity;
	}
	set->endpoints[set->count++] = *endpoint;
	return 0;
}

static int compare_places(const struct resolved_endpoint *a, const struct resolved_endpoint *b)
{
	int order = memcmp(&a->address.ip, &b->address.ip, sizeof(a->address.ip));

	return order != 0 ? order : memcmp(&a->address.port, &b->address.port, sizeof(uint16_t));
}

static int compare_endpoints(const void *left, const void *right)
{
	const struct resolved_endpoint *a = left, *b = right;
	int order = compare_places(a, b);

	if (order == 0 && a->priority != b->priority)
		order = a->priority < b->priority ? -1 : 1;
	if (order == 0 && a->weight != b->weight)
		order = a->weight > b->weight ? -1 : 1;
	return order;
}

void resolve_set_finish(struct resolve_set *set)
{
	struct resolved_endpoint *e = set->endpoints;
	size_t kept = 0;

	if (set->count == 0)
		return;
	qsort(e, set->count, sizeof(*e), compare_endpoints);
	for (size_t i = 0; i < set->count; i++)
		if (kept == 0 || compare_places(&e[i], &e[kept - 1]) != 0)
			e[kept++] = e[i];
	set->count = kept;
}

int resolve_set_equal(const struct resolve_set *a, const struct resolve_set *b)
{
	if (a->count != b->count)
		return 0;
	for (size_t i = 0; i < a->count; i++)
		if (compare_endpoints(&a->endpoints[i], &b->endpoints[i]) != 0)
			return 0;
	return 1;
}

int resolve_set_of_image(struct resolve_set *set, const struct image_header *image,
			 uint32_t cluster)
{
	const struct image_cluster *c = IMAGE_ARRAY(image, struct image_cluster, clusters);
	const struct image_endpoint *e = IMAGE_ARRAY(image, struct image_endpoint, endpoints);
	int rc = 0;

	*set = (struct resolve_set){0};
	e += c[cluster].first_endpoint;
	for (uint32_t i = 0; rc == 0 && i < c[cluster].endpoint_count; i++) {
		struct resolved_endpoint endpoint = {
			.address = {.ip = e[i].ip, .family = e[i].family, .port = e[i].port},
			.weight = e[i].weight,
			.priority = e[i].priority,
		};

		rc = resolve_set_add(set, &endpoint);
	}
	if (rc != 0)
		resolve_set_free(set);
	resolve_set_finish(set);
	return rc;
}

void resolve_set_free(struct resolve_set *set)
{
	free(set->endpoints);
	*set = (struct resolve_set){0};
}

int resolve_sets_of_image(struct endpoint_sets *sets, const struct image_header *image)
{
	const struct image_cluster *c = IMAGE_ARRAY(image, struct image_cluster, clusters);
	struct endpoint_set *all = calloc(image->clusters.count + 1, sizeof(*all));

	*sets = (struct endpoint_sets){.sets = all};
	if (!all)
		return -ENOMEM;
	for (uint32_t i = 0; i < image->clusters.count; i++) {
		struct resolve_set set;

		if (c[i].source.kind != SOURCE_DNS || c[i].endpoint_count == 0)
			continue;
		if (resolve_set_of_image(&set, image, i) != 0) {
			resolve_sets_free(sets);
			return -ENOMEM;
		}
		all[sets->count++] = (struct endpoint_set){image_string(image, c[i].name),
							   set.endpoints, set.count};
	}
	return 0;
}

void resolve_sets_free(struct endpoint_sets *sets)
{
	for (size_t i = 0; i < sets->count; i++)
		free((void *)(uintptr_t)sets->sets[i].endpoints);
	free((void *)(uintptr_t)sets->sets);
	*sets = (struct endpoint_sets){0};
}
