/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/event_log.h"

#include <stdio.h>

#include "controlplane/health_reason.h"
#include "controlplane/log.h"
#include "shm/registry.h"
#include "shm/state.h"

void event_log_start(struct event_log *log, const struct region *region)
{
	*log = (struct event_log){.region = region};
	log->seq = __atomic_load_n(&region->events->head, __ATOMIC_RELAXED);
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

/* The name, or its key when another name has the slot by now. */
static void subject_text(const struct region *region, const struct event *event, char *out,
			 size_t size)
{
	static const char *const kinds[] = {"subject", "listener", "cluster", "endpoint"};
	const char *kind = kinds[event->subject <= SUBJECT_ENDPOINT ? event->subject : 0];
	const struct registry_entry *entry = entry_of(region, event);

	if (entry && registry_key(entry) == event->key)
		snprintf(out, size, "%s=%.*s", kind, (int)sizeof(entry->name) - 1, entry->name);
	else
		snprintf(out, size, "%s=%016llx", kind, (unsigned long long)event->key);
}

static void detail_text(const struct event *event, char *out, size_t size)
{
	const unsigned long long detail = event->detail;
	struct admin_word a;

	out[0] = '\0';
	switch ((enum event_kind)event->kind) {
	case EVENT_BREAKER_OPENED:
	case EVENT_EJECTED:
		snprintf(out, size, " for_ms=%llu", detail);
		break;
	case EVENT_PANIC_BEGAN:
	case EVENT_PANIC_ENDED:
		snprintf(out, size, " priority=%llu", detail);
		break;
	case EVENT_ENDPOINTS_CHANGED:
		snprintf(out, size, " endpoints=%llu", detail);
		break;
	case EVENT_HEALTH_CHANGED:
		a = admin_unpack(event->detail);
		if (a.health == HEALTH_UNHEALTHY)
			snprintf(out, size, " health=unhealthy why=%s", health_reason_name(a.why));
		else
			snprintf(out, size, " health=%s",
				 a.health == HEALTH_HEALTHY ? "healthy" : "unknown");
		break;
	default:
		break;
	}
}

void event_log_text(const struct region *region, const struct event *event, char *out)
{
	char subject[160], detail[64];

	subject_text(region, event, subject, sizeof(subject));
	detail_text(event, detail, sizeof(detail));
	snprintf(out, EVENT_TEXT_BYTES, "event=%s %s%s%s", event_name(event->kind), subject, detail,
		 event->observed ? " observed=yes" : "");
}

unsigned int event_log_run(struct event_log *log)
{
	uint64_t lost = log->lost;
	char text[EVENT_TEXT_BYTES];
	struct event event;
	unsigned int n = 0;

	while (n < EVENT_LOG_BURST && event_read(log->region->events, &log->seq, &event, &lost)) {
		event_log_text(log->region, &event, text);
		log_info("policy", "%s", text);
		n++;
	}
	if (lost != log->lost)
		log_warn("policy", "event=events_lost count=%lu", lost - log->lost);
	log->lost = lost;
	return n;
}
