/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/event_subject.h"

#include <stdio.h>

#include "shm/registry.h"

const char *event_subject_kind(const struct event *event)
{
	static const char *const kinds[] = {"subject", "listener", "cluster", "endpoint"};

	return kinds[event->subject <= SUBJECT_ENDPOINT ? event->subject : 0];
}

static const struct registry_entry *entry_of(const struct region *region, const struct event *event)
{
	const struct region_shape *shape = &region->shape;

	switch (event->subject) {
	case SUBJECT_LISTENER:
		return event->slot < shape->listener_slots ? &region->listener_registry[event->slot]
							   : NULL;
	case SUBJECT_CLUSTER:
		return event->slot < shape->cluster_slots ? &region->cluster_registry[event->slot]
							  : NULL;
	case SUBJECT_ENDPOINT:
		return event->slot < shape->endpoint_slots ? &region->endpoint_registry[event->slot]
							   : NULL;
	default:
		return NULL;
	}
}

void event_subject_name(const struct region *region, const struct event *event,
			char out[EVENT_SUBJECT_BYTES])
{
	const struct registry_entry *entry = entry_of(region, event);

	if (entry && registry_key(entry) == event->key)
		snprintf(out, EVENT_SUBJECT_BYTES, "%.*s", (int)sizeof(entry->name) - 1,
			 entry->name);
	else
		snprintf(out, EVENT_SUBJECT_BYTES, "%016llx", (unsigned long long)event->key);
}
