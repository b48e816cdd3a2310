/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/capture_stream.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "controlplane/stats_sum.h"
#include "shm/registry.h"

static void hold(const struct capture_stream *s, uint64_t now_ns)
{
	/* Release: the filter is there (capture_look() of the dataplane). */
	__atomic_store_n(&s->region->capture->until_ns, now_ns + CAPTURE_HOLD_MS * 1000000ull,
			 __ATOMIC_RELEASE);
}

static void set_filter(struct capture_control *control, const struct capture_filter *filter)
{
	uint64_t words[sizeof(*filter) / sizeof(uint64_t)];
	uint64_t *to = (uint64_t *)&control->filter;

	memcpy(words, filter, sizeof(words));
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		__atomic_store_n(&to[i], words[i], __ATOMIC_RELAXED);
}

static int64_t real_less(uint64_t monotonic_ns)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec - (int64_t)monotonic_ns;
}

void capture_stream_begin(struct capture_stream *s, const struct region *region,
			  const struct image_header *image, const struct capture_filter *filter,
			  uint64_t now_ns)
{
	const struct image_interface *i = IMAGE_ARRAY(image, struct image_interface, interfaces);

	memset(s, 0, sizeof(*s));
	s->region = region;
	s->quiet_ns = now_ns;
	s->to_real_ns = real_less(now_ns);
	for (uint32_t n = 0; n < image->interfaces.count && n < MAX_INTERFACES; n++)
		snprintf(s->interface[n], sizeof(s->interface[n]), "%s",
			 image_string(image, i[n].name));
	for (uint32_t w = 0; w < region->shape.workers; w++)
		s->next[w] = counter_read(&region->capture_rings[w].head);
	capture_stream_end(s);
	set_filter(region->capture, filter);
	hold(s, now_ns);
}

void capture_stream_end(struct capture_stream *s)
{
	__atomic_store_n(&s->region->capture->until_ns, 0, __ATOMIC_RELEASE);
}

/* -- lines ------------------------------------------------------------------------------- */

/* Takes @line over. One that does not fit is left out: none is that long. */
static void add_line(struct capture_stream *s, json_t *line)
{
	size_t room = sizeof(s->line) - s->end - 1;
	size_t bytes = line ? json_dumpb(line, s->line + s->end, room, JSON_COMPACT) : 0;

	json_decref(line);
	if (bytes == 0 || bytes > room)
		return;
	s->end += bytes;
	s->line[s->end++] = '\n';
}

static void set_listener(const struct capture_stream *s, json_t *line, uint16_t slot)
{
	const struct registry_entry *entry;
	union {
		uint64_t words[sizeof(entry->name) / sizeof(uint64_t)];
		char text[sizeof(entry->name)];
	} name;

	if (slot >= s->region->shape.listener_slots)
		return;
	entry = &s->region->listener_registry[slot];
	if (registry_key(entry) <= REGISTRY_REMOVED)
		return;
	stats_copy_state(name.words, entry->name, sizeof(name));
	name.text[sizeof(name.text) - 1] = '\0';
	json_object_set_new(line, "listener", json_string(name.text));
}

static void hex_text(const uint8_t *data, size_t bytes, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < bytes; i++) {
		out[2 * i] = digits[data[i] >> 4];
		out[2 * i + 1] = digits[data[i] & 15];
	}
	out[2 * bytes] = '\0';
}

static void add_record(struct capture_stream *s, uint32_t worker, const struct capture_record *r)
{
	char data[2 * CAPTURE_SNAP + 1];
	const char *interface = r->interface < MAX_INTERFACES ? s->interface[r->interface] : "none";
	json_t *line;

	hex_text(r->data, r->data_bytes, data);
	line = json_pack("{s:I,s:i,s:s,s:s,s:s,s:i,s:s}", "time_ns",
			 (json_int_t)(r->at_ns + (uint64_t)s->to_real_ns), "worker", (int)worker,
			 "interface", interface, "direction",
			 r->direction == CAPTURE_RECEIVED ? "in" : "out", "verdict",
			 capture_verdict_name(r->verdict), "length", (int)r->frame_bytes, "data",
			 data);
	if (!line)
		return;
	if (r->verdict == CAPTURE_DROPPED_FOR)
		json_object_set_new(line, "reason", json_string(reason_name(r->reason)));
	if (r->connection != CAPTURE_NO_CONNECTION)
		json_object_set_new(
			line, "entry",
			json_integer((json_int_t)worker * s->region->shape.connections_per_worker +
				     r->connection));
	set_listener(s, line, r->listener);
	add_line(s, line);
}

/* The worker with the oldest record, or MAX_WORKERS. */
static uint32_t oldest(struct capture_stream *s)
{
	uint32_t best = MAX_WORKERS;

	for (uint32_t w = 0; w < s->region->shape.workers; w++) {
		if (!s->has[w])
			s->has[w] = (uint8_t)capture_read(&s->region->capture_rings[w], &s->next[w],
							  &s->record[w], &s->lost);
		if (s->has[w] &&
		    (best == MAX_WORKERS || s->record[w].at_ns < s->record[best].at_ns))
			best = w;
	}
	return best;
}

static int is_heartbeat_due(const struct capture_stream *s, uint64_t now_ns)
{
	return now_ns > s->quiet_ns && now_ns - s->quiet_ns >= CAPTURE_HEARTBEAT_MS * 1000000ull;
}

/* Return 0 when there is nothing to say. */
static int next_line(struct capture_stream *s, uint64_t now_ns)
{
	uint32_t worker = oldest(s);

	s->begin = s->end = 0;
	if (!s->began) {
		s->began = 1;
		add_line(s, json_pack("{s:b}", "capturing", 1));
	} else if (s->lost > 0) {
		add_line(s, json_pack("{s:I}", "lost", (json_int_t)s->lost));
		s->lost = 0;
	} else if (worker != MAX_WORKERS) {
		s->has[worker] = 0;
		add_record(s, worker, &s->record[worker]);
	} else if (is_heartbeat_due(s, now_ns)) {
		add_line(s, json_pack("{s:b}", "heartbeat", 1));
	}
	if (s->end > 0)
		s->quiet_ns = now_ns;
	return s->end > 0;
}

int capture_stream_pending(struct capture_stream *s, uint64_t now_ns)
{
	hold(s, now_ns);
	return (s->end_ns && now_ns >= s->end_ns) || s->begin < s->end || !s->began ||
	       s->lost > 0 || oldest(s) != MAX_WORKERS || is_heartbeat_due(s, now_ns);
}

ssize_t capture_stream_pull(struct capture_stream *s, char *out, size_t size, uint64_t now_ns)
{
	size_t used = 0;

	hold(s, now_ns);
	while (used < size) {
		size_t bytes;

		if (s->begin == s->end && !next_line(s, now_ns))
			break;
		bytes = s->end - s->begin;
		bytes = bytes < size - used ? bytes : size - used;
		memcpy(out + used, s->line + s->begin, bytes);
		s->begin += bytes;
		used += bytes;
	}
	if (used == 0 && s->end_ns && now_ns >= s->end_ns)
		return -1;
	return (ssize_t)used;
}
