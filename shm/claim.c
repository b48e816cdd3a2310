/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/claim.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shm/names.h"
#include "shm/registry.h"
#include "shm/retire.h"

struct claim {
	struct registry registry;
	uint64_t generation;
	uint32_t missing;
};

/* A text that does not have its entry's key is nobody's name: something has written over it. */
static void mend(struct registry_entry *entry, const char *name)
{
	char text[sizeof(entry->name) + 1] = {0};

	memcpy(text, entry->name, sizeof(entry->name));
	if (strcmp(text, name) == 0 || name_key(text) == entry->key)
		return;
	memset(entry->name, 0, sizeof(entry->name));
	snprintf(entry->name, sizeof(entry->name), "%s", name);
}

/* Mark a name that has an entry; count one that has none. */
static int stamp(struct claim *claim, uint64_t key, const char *name)
{
	struct registry *registry = &claim->registry;
	const uint32_t slot = registry_find(registry->entries, registry->slots, key);

	if (slot != REGISTRY_NONE)
		mend(&registry->entries[slot], name);
	if (slot == REGISTRY_NONE)
		claim->missing++;
	else if (registry_claim(registry, key, name, claim->generation) == REGISTRY_CONFLICT)
		return -EEXIST;
	return 0;
}

static int insert(struct claim *claim, uint64_t key, const char *name)
{
	uint32_t slot = registry_claim(&claim->registry, key, name, claim->generation);

	if (slot == REGISTRY_CONFLICT)
		return -EEXIST;
	return slot == REGISTRY_NONE ? -ENOSPC : 0;
}

typedef int name_visit(struct claim *claim, uint64_t key, const char *name);

static int visit_listeners(const struct image_header *img, name_visit *visit, struct claim *claim)
{
	const struct image_listener *l = IMAGE_ARRAY(img, struct image_listener, listeners);
	int error = 0;

	for (uint32_t i = 0; i < img->listeners.count && !error; i++)
		error = visit(claim, l[i].key, image_string(img, l[i].name));
	return error;
}

static int visit_clusters(const struct image_header *img, name_visit *visit, struct claim *claim)
{
	const struct image_cluster *c = IMAGE_ARRAY(img, struct image_cluster, clusters);
	int error = 0;

	for (uint32_t i = 0; i < img->clusters.count && !error; i++)
		error = visit(claim, c[i].key, image_string(img, c[i].name));
	return error;
}

static int visit_endpoints(const struct image_header *img, name_visit *visit, struct claim *claim)
{
	const struct image_cluster *c = IMAGE_ARRAY(img, struct image_cluster, clusters);
	const struct image_endpoint *e = IMAGE_ARRAY(img, struct image_endpoint, endpoints);
	char name[STATE_NAME_BYTES];
	int error = 0;

	for (uint32_t i = 0; i < img->clusters.count; i++) {
		for (uint32_t k = 0; k < c[i].endpoint_count && !error; k++, e++) {
			endpoint_state_name(image_string(img, c[i].name),
					    image_string(img, e->name), name);
			error = visit(claim, e->key, name);
		}
	}
	return error;
}

static int visit_names(const struct image_header *img, enum state_kind kind, name_visit *visit,
		       struct claim *claim)
{
	switch (kind) {
	case STATE_LISTENER:
		return visit_listeners(img, visit, claim);
	case STATE_CLUSTER:
		return visit_clusters(img, visit, claim);
	default:
		return visit_endpoints(img, visit, claim);
	}
}

/*
 * Names that have an entry are stamped before any entry is retired: one that comes back
 * into the policy keeps its state.
 */
static int claim_kind(const struct region *region, enum state_kind kind,
		      const struct image_header *image, uint64_t generation, int reader_dead)
{
	struct claim claim = {.registry = retire_load(region, kind), .generation = generation};
	struct registry *registry = &claim.registry;
	int error = visit_names(image, kind, stamp, &claim);

	if (error)
		return error;
	if (registry->used + claim.missing > registry->slots / 2)
		retire_unnamed(region, kind, registry, generation, reader_dead);
	if (registry->used + claim.missing > registry->slots / 2)
		return retire_pending(registry) ? -EBUSY : -ENOSPC;
	return visit_names(image, kind, insert, &claim);
}

int claim_names(const struct region *region, const struct image_header *image, uint64_t generation,
		int reader_dead)
{
	int error = 0;

	for (int kind = 0; kind < STATE_KINDS && !error; kind++)
		error = claim_kind(region, (enum state_kind)kind, image, generation, reader_dead);
	return error;
}

static int look(struct claim *claim, uint64_t key, const char *name)
{
	const struct registry *registry = &claim->registry;
	const uint32_t slot = registry_find(registry->entries, registry->slots, key);

	return slot == REGISTRY_NONE || strncmp(registry->entries[slot].name, name,
						sizeof(registry->entries[slot].name)) != 0;
}

int names_are_claimed(const struct region *region, const struct image_header *image)
{
	for (int kind = 0; kind < STATE_KINDS; kind++) {
		struct claim claim = {.registry = retire_load(region, (enum state_kind)kind)};

		if (visit_names(image, (enum state_kind)kind, look, &claim) != 0)
			return 0;
	}
	return 1;
}
