/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/event_log.h"

#include <stdio.h>

#include "controlplane/event_subject.h"
#include "controlplane/health_reason.h"
#include "controlplane/log.h"
#include "shm/state.h"

void event_log_start(struct event_log *log, const struct region *region)
{
	*log = (struct event_log){.region = region};
	log->seq = __atomic_load_n(&region->events->head, __ATOMIC_RELAXED);
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
	char subject[EVENT_SUBJECT_BYTES], detail[64];

	event_subject_name(region, event, subject);
	detail_text(event, detail, sizeof(detail));
	snprintf(out, EVENT_TEXT_BYTES, "event=%s %s=%s%s%s", event_name(event->kind),
		 event_subject_kind(event), subject, detail,
		 event->observed ? " observed=yes" : "");
}

/* Ours: whoever wrote it has said more about it. */
static int is_logged(const struct event *event)
{
	return event->kind >= EVENT_POLICY_APPLIED && event->kind < EVENT_KINDS;
}

unsigned int event_log_run(struct event_log *log)
{
	uint64_t lost = log->lost;
	char text[EVENT_TEXT_BYTES];
	struct event event;
	unsigned int n = 0;

	while (n < EVENT_LOG_BURST && event_read(log->region->events, &log->seq, &event, &lost)) {
		n++;
		if (is_logged(&event))
			continue;
		event_log_text(log->region, &event, text);
		log_info("policy", "%s", text);
	}
	if (lost != log->lost)
		log_warn("policy", "event=events_lost count=%lu", lost - log->lost);
	log->lost = lost;
	return n;
}
