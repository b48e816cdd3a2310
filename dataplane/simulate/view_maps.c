/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/simulate/view_maps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Slots by key while they are dealt: open addressing, at most half full. */
struct dealer {
	uint32_t *place; /* slot + 1, 0: empty */
	uint32_t mask;
	struct world_names *names;
};

static int dealer_open(struct dealer *d, struct world_names *names, size_t most)
{
	uint32_t places = 16;

	while (places < 2 * most)
		places *= 2;
	*d = (struct dealer){.mask = places - 1, .names = names};
	d->place = calloc(places, sizeof(*d->place));
	names->items = calloc(most + 1, sizeof(*names->items));
	return d->place != NULL && names->items != NULL ? 0 : -ENOMEM;
}

static uint16_t deal(struct dealer *d, uint64_t key, const char *name, uint32_t cluster)
{
	uint32_t at = (uint32_t)key & d->mask;
	uint32_t slot;

	for (; d->place[at] != 0; at = (at + 1) & d->mask) {
		if (d->names->items[d->place[at] - 1].key == key)
			return (uint16_t)(d->place[at] - 1);
	}
	slot = d->names->count++;
	d->names->items[slot] = (struct world_name){key, name, cluster};
	d->place[at] = slot + 1;
	return (uint16_t)slot;
}

/* Slots of one policy, in the order: listeners, clusters, endpoints. */
struct dealers {
	struct dealer listeners;
	struct dealer clusters;
	struct dealer endpoints;
};

static void deal_policy(struct dealers *d, const struct image_header *image,
			const struct world_policy *p)
{
	const struct policy_view *v = &p->view;
	const uint32_t listeners = image->listeners.count;
	const uint32_t clusters = image->clusters.count;
	uint16_t *slot = p->maps;

	for (uint32_t i = 0; i < listeners; i++)
		slot[i] = deal(&d->listeners, v->listeners[i].key,
			       image_string(image, v->listeners[i].name), 0);
	slot += listeners;
	for (uint32_t i = 0; i < clusters; i++)
		slot[i] = deal(&d->clusters, v->clusters[i].key,
			       image_string(image, v->clusters[i].name), 0);
	for (uint32_t c = 0; c < clusters; c++) {
		const struct image_cluster *cluster = &v->clusters[c];

		for (uint32_t i = 0; i < cluster->endpoint_count; i++) {
			const struct image_endpoint *e = &v->endpoints[cluster->first_endpoint + i];

			slot[clusters + cluster->first_endpoint + i] =
				deal(&d->endpoints, e->key, image_string(image, e->name), slot[c]);
		}
	}
}

/* A copy, because a published image has a generation and a compiled one has not. */
static int copy_image(struct world_policy *p, const struct image_header *image, uint64_t generation)
{
	struct policy_view *v = &p->view;

	p->image = malloc(image->length);
	if (p->image == NULL)
		return -ENOMEM;
	memcpy(p->image, image, image->length);
	p->image->generation = generation;
	v->image = p->image;
	v->listeners = IMAGE_ARRAY(p->image, struct image_listener, listeners);
	v->clusters = IMAGE_ARRAY(p->image, struct image_cluster, clusters);
	v->endpoints = IMAGE_ARRAY(p->image, struct image_endpoint, endpoints);
	v->tables = IMAGE_ARRAY(p->image, uint16_t, tables);
	v->points = IMAGE_ARRAY(p->image, uint64_t, points);
	return 0;
}

static void point_back(uint16_t *at, const uint16_t *slot, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		at[slot[i]] = (uint16_t)i;
}

/* Room for the three forward maps, then for the three back. */
static int make_maps(struct world_policy *p, size_t listeners, size_t clusters, size_t endpoints)
{
	const struct image_header *image = p->image;
	struct policy_view *v = &p->view;
	size_t forward =
		(size_t)image->listeners.count + image->clusters.count + image->endpoints.count;
	size_t all = forward + listeners + clusters + endpoints;

	p->maps = malloc((all + 1) * sizeof(*p->maps));
	if (p->maps == NULL)
		return -ENOMEM;
	memset(p->maps, 0xff, all * sizeof(*p->maps));
	v->listener_slot = p->maps;
	v->cluster_slot = v->listener_slot + image->listeners.count;
	v->endpoint_slot = v->cluster_slot + image->clusters.count;
	v->listener_at = v->endpoint_slot + image->endpoints.count;
	v->cluster_at = v->listener_at + listeners;
	v->endpoint_at = v->cluster_at + clusters;
	return 0;
}

static void make_maps_back(struct world_policy *p)
{
	const struct image_header *image = p->image;
	uint16_t *listener_at = p->maps + (p->view.listener_at - p->maps);
	uint16_t *cluster_at = p->maps + (p->view.cluster_at - p->maps);
	uint16_t *endpoint_at = p->maps + (p->view.endpoint_at - p->maps);

	point_back(listener_at, p->view.listener_slot, image->listeners.count);
	point_back(cluster_at, p->view.cluster_slot, image->clusters.count);
	point_back(endpoint_at, p->view.endpoint_slot, image->endpoints.count);
}

static int bind_all(struct world *w, struct dealers *d, const struct image_header *const *images)
{
	size_t listeners = 0, clusters = 0, endpoints = 0;
	int rc;

	for (size_t i = 0; i < w->policy_count; i++) {
		listeners += images[i]->listeners.count;
		clusters += images[i]->clusters.count;
		endpoints += images[i]->endpoints.count;
	}
	if (listeners >= VIEW_NONE || clusters >= VIEW_NONE || endpoints >= VIEW_NONE)
		return -E2BIG; /* before slots are 16 bits */
	rc = dealer_open(&d->listeners, &w->listeners, listeners);
	if (rc == 0)
		rc = dealer_open(&d->clusters, &w->clusters, clusters);
	if (rc == 0)
		rc = dealer_open(&d->endpoints, &w->endpoints, endpoints);
	for (size_t i = 0; rc == 0 && i < w->policy_count; i++) {
		rc = copy_image(&w->policies[i], images[i], i + 1);
		if (rc == 0)
			rc = make_maps(&w->policies[i], listeners, clusters, endpoints);
		if (rc == 0)
			deal_policy(d, images[i], &w->policies[i]);
	}
	if (rc == 0 && (w->listeners.count > MAX_LISTENERS || w->clusters.count > MAX_CLUSTERS))
		rc = -E2BIG;
	for (size_t i = 0; rc == 0 && i < w->policy_count; i++)
		make_maps_back(&w->policies[i]);
	return rc;
}

int world_bind(struct world *world, const struct image_header *const *images, size_t count)
{
	struct dealers d = {0};
	int rc = -ENOMEM;

	world->policy_count = count;
	world->policies = calloc(count, sizeof(*world->policies));
	if (world->policies != NULL)
		rc = bind_all(world, &d, images);
	free(d.listeners.place);
	free(d.clusters.place);
	free(d.endpoints.place);
	return rc;
}

void world_unbind(struct world *world)
{
	for (size_t i = 0; world->policies != NULL && i < world->policy_count; i++) {
		free(world->policies[i].image);
		free(world->policies[i].maps);
	}
	free(world->policies);
	free(world->listeners.items);
	free(world->clusters.items);
	free(world->endpoints.items);
}
