/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/policy/view_bind.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shm/registry.h"

/* One kind of names: positions in the image and slots of the registry, both ways. */
struct names {
	const struct registry_entry *entries;
	uint32_t slots;
	const uint8_t *first_key; /* of an array whose elements have a key */
	size_t element_bytes;
	uint32_t count;
	const uint16_t **slot;
	const uint16_t **at;
};

/* Both maps of one kind, in memory that ends at *@maps afterwards. */
static int bind_names(const struct names *n, uint16_t **maps)
{
	uint16_t *slot = *maps;
	uint16_t *at = slot + n->count;

	*n->slot = slot;
	*n->at = at;
	*maps = at + n->slots;
	memset(at, 0xff, n->slots * sizeof(*at));
	for (uint32_t i = 0; i < n->count; i++) {
		uint64_t key;
		uint32_t found;

		memcpy(&key, n->first_key + i * n->element_bytes, sizeof(key));
		found = registry_find(n->entries, n->slots, key);
		if (found >= n->slots || found >= VIEW_NONE)
			return -ENOENT;
		slot[i] = (uint16_t)found;
		at[found] = (uint16_t)i;
	}
	return 0;
}

int view_bind(struct policy_view *v, const struct image_header *image, const struct region *r,
	      uint16_t **maps)
{
	const struct names kinds[] = {
		{r->listener_registry, r->shape.listener_slots,
		 (const uint8_t *)IMAGE_ARRAY(image, struct image_listener, listeners),
		 sizeof(struct image_listener), image->listeners.count, &v->listener_slot,
		 &v->listener_at},
		{r->cluster_registry, r->shape.cluster_slots,
		 (const uint8_t *)IMAGE_ARRAY(image, struct image_cluster, clusters),
		 sizeof(struct image_cluster), image->clusters.count, &v->cluster_slot,
		 &v->cluster_at},
		{r->endpoint_registry, r->shape.endpoint_slots,
		 (const uint8_t *)IMAGE_ARRAY(image, struct image_endpoint, endpoints),
		 sizeof(struct image_endpoint), image->endpoints.count, &v->endpoint_slot,
		 &v->endpoint_at},
	};
	const size_t count = sizeof(kinds) / sizeof(kinds[0]);
	size_t places = 0;
	uint16_t *rest;
	int rc = 0;

	v->image = image;
	v->listeners = IMAGE_ARRAY(image, struct image_listener, listeners);
	v->clusters = IMAGE_ARRAY(image, struct image_cluster, clusters);
	v->endpoints = IMAGE_ARRAY(image, struct image_endpoint, endpoints);
	v->tables = IMAGE_ARRAY(image, uint16_t, tables);
	v->points = IMAGE_ARRAY(image, uint64_t, points);
	for (size_t i = 0; i < count; i++)
		places += kinds[i].count + kinds[i].slots;
	rest = *maps = malloc(places * sizeof(*rest));
	if (!rest)
		return -ENOMEM;
	for (size_t i = 0; i < count && rc == 0; i++)
		rc = bind_names(&kinds[i], &rest);
	return rc;
}
