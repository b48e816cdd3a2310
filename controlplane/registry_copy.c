/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/registry_copy.h"

#include <stdlib.h>
#include <string.h>

enum { REGISTRIES = 3 };

struct registry_copy {
	const struct region *region;
	struct {
		struct registry_entry *live;
		struct registry_entry *copy;
		uint32_t slots;
	} registry[REGISTRIES];
};

static size_t bytes_of(const struct registry_copy *c, int kind)
{
	return c->registry[kind].slots * sizeof(struct registry_entry);
}

struct registry_copy *registry_copy_create(const struct region *region)
{
	const struct registry_copy all = {
		.region = region,
		.registry = {{region->listener_registry, NULL, region->shape.listener_slots},
			     {region->cluster_registry, NULL, region->shape.cluster_slots},
			     {region->endpoint_registry, NULL, region->shape.endpoint_slots}},
	};
	struct registry_copy *c = malloc(sizeof(*c));

	if (!c)
		return NULL;
	*c = all;
	for (int i = 0; i < REGISTRIES; i++) {
		c->registry[i].copy = malloc(bytes_of(c, i));
		if (!c->registry[i].copy) {
			registry_copy_free(c);
			return NULL;
		}
	}
	registry_copy_take(c);
	return c;
}

void registry_copy_take(struct registry_copy *c)
{
	for (int i = 0; i < REGISTRIES; i++)
		memcpy(c->registry[i].copy, c->registry[i].live, bytes_of(c, i));
}

static void put_back(struct registry_entry *live, const struct registry_entry *copy)
{
	live->generation = copy->generation;
	memcpy(live->name, copy->name, sizeof(live->name));
	/* As registry_claim() does: the name is complete. */
	__atomic_store_n(&live->key, copy->key, __ATOMIC_RELEASE);
}

uint32_t registry_copy_put_back(const struct registry_copy *c)
{
	uint32_t count = 0;

	/* Another control plane writes the region now. */
	if (__atomic_load_n(&c->region->header->writer_epoch, __ATOMIC_SEQ_CST) != c->region->epoch)
		return 0;
	for (int i = 0; i < REGISTRIES; i++) {
		struct registry_entry *live = c->registry[i].live;
		const struct registry_entry *copy = c->registry[i].copy;

		if (memcmp(live, copy, bytes_of(c, i)) == 0)
			continue;
		for (uint32_t slot = 0; slot < c->registry[i].slots; slot++) {
			if (memcmp(&live[slot], &copy[slot], sizeof(*live)) == 0)
				continue;
			put_back(&live[slot], &copy[slot]);
			count++;
		}
	}
	return count;
}

void registry_copy_free(struct registry_copy *c)
{
	if (!c)
		return;
	for (int i = 0; i < REGISTRIES; i++)
		free(c->registry[i].copy);
	free(c);
}
