/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/registry_check.h"

#include <string.h>

#include "shm/names.h"
#include "shm/retire.h"

int registry_is_name(const struct registry_entry *entry)
{
	return entry->key > REGISTRY_REMOVED && memchr(entry->name, '\0', sizeof(entry->name)) &&
	       name_key(entry->name) == entry->key;
}

int registry_is_sound(const struct registry *registry)
{
	if (registry->used > registry->slots / 2)
		return 0;
	for (uint32_t slot = 0; slot < registry->slots; slot++) {
		const struct registry_entry *e = &registry->entries[slot];

		if (e->key > REGISTRY_REMOVED &&
		    (!registry_is_name(e) ||
		     registry_find(registry->entries, registry->slots, e->key) != slot))
			return 0;
	}
	return 1;
}

const char *region_damaged_names(const struct region *region)
{
	static const char *const names[STATE_KINDS] = {
		[STATE_LISTENER] = "names of listeners",
		[STATE_CLUSTER] = "names of clusters",
		[STATE_ENDPOINT] = "names of endpoints",
	};

	for (int kind = 0; kind < STATE_KINDS; kind++) {
		const struct registry registry = retire_load(region, (enum state_kind)kind);

		if (!registry_is_sound(&registry))
			return names[kind];
	}
	return NULL;
}
