/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/registry.h"

#include <stdio.h>
#include <string.h>

static uint32_t next_slot(uint32_t slot, uint32_t slots)
{
	return (slot + 1) & (slots - 1);
}

/* Keys are hashes already. */
static uint32_t home_slot(uint64_t key, uint32_t slots)
{
	return (uint32_t)(key >> 32) & (slots - 1);
}

uint32_t registry_find(const struct registry_entry *entries, uint32_t slots, uint64_t key)
{
	uint32_t slot = home_slot(key, slots);

	for (uint32_t probes = 0; probes < slots; probes++) {
		uint64_t found = registry_key(&entries[slot]);

		if (found == key)
			return slot;
		if (found == REGISTRY_FREE)
			break;
		slot = next_slot(slot, slots);
	}
	return REGISTRY_NONE;
}

static int usable_again(const struct registry_entry *entry)
{
	return entry->key == REGISTRY_REMOVED && entry->generation == 0;
}

struct registry registry_load(struct registry_entry *entries, uint32_t slots)
{
	struct registry registry = {.entries = entries, .slots = slots};

	for (uint32_t slot = 0; slot < slots; slot++) {
		if (entries[slot].key != REGISTRY_FREE && !usable_again(&entries[slot]))
			registry.used++;
	}
	return registry;
}

/* First entry of the probe sequence that may take a new name. */
static uint32_t vacant_slot(const struct registry *registry, uint64_t key)
{
	uint32_t slot = home_slot(key, registry->slots);

	if (registry->used >= registry->slots / 2)
		return REGISTRY_NONE;
	/* At most half of them are used, unless the region was damaged meanwhile. */
	for (uint32_t probes = 0; probes < registry->slots; probes++) {
		if (registry->entries[slot].key == REGISTRY_FREE ||
		    usable_again(&registry->entries[slot]))
			return slot;
		slot = next_slot(slot, registry->slots);
	}
	return REGISTRY_NONE;
}

uint32_t registry_claim(struct registry *registry, uint64_t key, const char *name,
			uint64_t generation)
{
	uint32_t slot = registry_find(registry->entries, registry->slots, key);
	struct registry_entry *entry;

	if (slot != REGISTRY_NONE) {
		entry = &registry->entries[slot];
		if (strncmp(entry->name, name, sizeof(entry->name)) != 0)
			return REGISTRY_CONFLICT;
		entry->generation = generation;
		return slot;
	}
	slot = vacant_slot(registry, key);
	if (slot == REGISTRY_NONE)
		return REGISTRY_NONE;
	entry = &registry->entries[slot];
	registry->used++;
	memset(entry->name, 0, sizeof(entry->name));
	snprintf(entry->name, sizeof(entry->name), "%s", name);
	entry->generation = generation;
	/* Pairs with registry_key(). */
	__atomic_store_n(&entry->key, key, __ATOMIC_RELEASE);
	return slot;
}

void registry_remove(struct registry *registry, uint32_t slot, uint64_t now_ns)
{
	struct registry_entry *entry = &registry->entries[slot];

	entry->generation = now_ns;
	__atomic_store_n(&entry->key, REGISTRY_REMOVED, __ATOMIC_RELEASE);
}

void registry_recycle(struct registry *registry, uint32_t slot)
{
	struct registry_entry *entries = registry->entries;

	entries[slot].generation = 0;
	registry->used--;
	/* Nothing probes past the end of its run: what ends a run may be free. */
	if (entries[next_slot(slot, registry->slots)].key != REGISTRY_FREE)
		return;
	for (uint32_t n = 0; n < registry->slots && usable_again(&entries[slot]); n++) {
		__atomic_store_n(&entries[slot].key, REGISTRY_FREE, __ATOMIC_RELEASE);
		slot = (slot - 1) & (registry->slots - 1);
	}
}
