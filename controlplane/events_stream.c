/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/events_stream.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "controlplane/event_subject.h"
#include "controlplane/health_reason.h"
#include "shm/events.h"
#include "shm/state.h"

static uint64_t head_of(const struct region *region)
{
	return __atomic_load_n(&region->events->head, __ATOMIC_RELAXED);
}

void events_stream_begin(struct events_stream *s, const struct region *region, int follow,
			 uint64_t now_ns)
{
	uint64_t head = head_of(region);
	uint64_t oldest = head > EVENT_RING ? head - EVENT_RING : 0;

	*s = (struct events_stream){.region = region,
				    .seq = follow ? head : oldest,
				    .follow = follow,
				    .quiet_ns = now_ns};
}

void events_stream_begin_after(struct events_stream *s, const struct region *region, int follow,
			       uint64_t seq, uint64_t now_ns)
{
	events_stream_begin(s, region, 0, now_ns);
	s->follow = follow;
	s->restarted = seq > head_of(region);
	if (!s->restarted)
		s->seq = seq;
}

/* -- lines ------------------------------------------------------------------------------- */

/* "2024-05-01T12:00:00.123Z" of an instant of CLOCK_MONOTONIC. */
static void time_text(uint64_t at_ns, uint64_t now_ns, char *out, size_t size)
{
	uint64_t age_ns = now_ns > at_ns ? now_ns - at_ns : 0;
	struct timespec now;
	uint64_t real_ns;
	char seconds[32];
	struct tm utc;
	time_t at;

	clock_gettime(CLOCK_REALTIME, &now);
	real_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	real_ns -= age_ns < real_ns ? age_ns : 0;
	at = (time_t)(real_ns / 1000000000);
	gmtime_r(&at, &utc);
	strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(out, size, "%s.%03luZ", seconds, real_ns / 1000000 % 1000);
}

static void set_detail(json_t *line, const struct event *event)
{
	const json_int_t detail = (json_int_t)event->detail;
	struct admin_word a;

	switch ((enum event_kind)event->kind) {
	case EVENT_BREAKER_OPENED:
	case EVENT_EJECTED:
		json_object_set_new(line, "for_ms", json_integer(detail));
		break;
	case EVENT_PANIC_BEGAN:
	case EVENT_PANIC_ENDED:
		json_object_set_new(line, "priority", json_integer(detail));
		break;
	case EVENT_POLICY_APPLIED:
	case EVENT_POLICY_REFUSED:
	case EVENT_POLICY_ROLLED_BACK:
		json_object_set_new(line, "generation", json_integer(detail));
		break;
	case EVENT_DATAPLANE_READY:
	case EVENT_DATAPLANE_DIED:
		json_object_set_new(line, "pid", json_integer(detail));
		break;
	case EVENT_DRAINING:
		json_object_set_new(line, "for_ms", json_integer(detail));
		break;
	case EVENT_ENDPOINTS_CHANGED:
		json_object_set_new(line, "endpoints", json_integer(detail));
		break;
	case EVENT_HEALTH_CHANGED:
		a = admin_unpack(event->detail);
		json_object_set_new(line, "health",
				    json_string(a.health == HEALTH_UNHEALTHY ? "unhealthy"
						: a.health == HEALTH_HEALTHY ? "healthy"
									     : "unknown"));
		if (a.health == HEALTH_UNHEALTHY)
			json_object_set_new(line, "why", json_string(health_reason_name(a.why)));
		break;
	default:
		break;
	}
}

/* Takes @line over. One that does not fit is left out: none is that long. */
static void add_line(struct events_stream *s, json_t *line)
{
	size_t room = sizeof(s->line) - s->end - 1;
	size_t bytes = line ? json_dumpb(line, s->line + s->end, room, JSON_COMPACT) : 0;

	json_decref(line);
	if (bytes == 0 || bytes > room)
		return;
	s->end += bytes;
	s->line[s->end++] = '\n';
}

static void add_event(struct events_stream *s, const struct event *event, uint64_t now_ns)
{
	char name[EVENT_SUBJECT_BYTES], time[64];
	json_t *line;

	event_subject_name(s->region, event, name);
	time_text(event->at_ns, now_ns, time, sizeof(time));
	line = json_pack("{s:I,s:s,s:s}", "seq", (json_int_t)event->seq, "time", time, "event",
			 event_name(event->kind));
	if (event->subject != SUBJECT_NONE)
		json_object_set_new(line, event_subject_kind(event), json_string(name));
	set_detail(line, event);
	if (event->observed)
		json_object_set_new(line, "observed", json_true());
	add_line(s, line);
}

static int is_heartbeat_due(const struct events_stream *s, uint64_t now_ns)
{
	return s->follow && now_ns > s->quiet_ns &&
	       now_ns - s->quiet_ns >= EVENTS_HEARTBEAT_MS * 1000000ull;
}

/* Return 0 when there is nothing to say. */
static int next_line(struct events_stream *s, uint64_t now_ns)
{
	struct event event;
	uint64_t lost = 0;
	int found;

	s->begin = s->end = 0;
	if (s->restarted) {
		s->restarted = 0;
		add_line(s, json_pack("{s:b,s:I}", "restarted", 1, "last",
				      (json_int_t)head_of(s->region)));
		return s->end > 0;
	}
	found = event_read(s->region->events, &s->seq, &event, &lost);
	if (lost > 0)
		add_line(s, json_pack("{s:I,s:I}", "lost", (json_int_t)lost, "seq",
				      (json_int_t)(s->seq - (uint64_t)found)));
	if (found)
		add_event(s, &event, now_ns);
	if (s->end == 0 && is_heartbeat_due(s, now_ns))
		add_line(s, json_pack("{s:b,s:I}", "heartbeat", 1, "seq", (json_int_t)s->seq));
	if (s->end > 0)
		s->quiet_ns = now_ns;
	return s->end > 0;
}

int events_stream_pending(const struct events_stream *s, uint64_t now_ns)
{
	return s->begin < s->end || s->restarted || s->seq != head_of(s->region) ||
	       is_heartbeat_due(s, now_ns);
}

ssize_t events_stream_pull(struct events_stream *s, char *out, size_t size, uint64_t now_ns)
{
	size_t used = 0;

	while (used < size) {
		size_t bytes = s->end - s->begin;

		if (bytes == 0 && !next_line(s, now_ns))
			break;
		bytes = s->end - s->begin;
		bytes = bytes < size - used ? bytes : size - used;
		memcpy(out + used, s->line + s->begin, bytes);
		s->begin += bytes;
		used += bytes;
	}
	if (used > 0)
		return (ssize_t)used;
	return s->follow ? 0 : -1;
}
