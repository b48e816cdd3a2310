/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/shm_dump.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/connections_json.h"
#include "controlplane/events_stream.h"
#include "controlplane/stats_json_parts.h"
#include "controlplane/stats_sum.h"
#include "shm/publish.h"
#include "shm/registry.h"

enum { WHY_BYTES = 160 };

/* Any bytes as text that JSON takes. */
static void set_text(json_t *object, const char *key, const char *bytes, size_t size)
{
	char text[256];
	size_t n = strnlen(bytes, size < sizeof(text) ? size : sizeof(text) - 1);

	for (size_t i = 0; i < n; i++)
		text[i] = bytes[i] >= ' ' && bytes[i] <= '~' ? bytes[i] : '?';
	text[n] = '\0';
	stats_json_set_string(object, key, text);
}

static void set_hex(json_t *object, const char *key, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%016lx", value);
	stats_json_set_string(object, key, text);
}

/* -- header ------------------------------------------------------------------------------ */

static json_t *header_json(const struct region *region)
{
	const struct region_header *h = region->header;
	json_t *object = json_object();

	set_text(object, "instance", h->instance, sizeof(h->instance));
	stats_json_set(object, "abi", h->abi_version);
	stats_json_set(object, "bytes", region->bytes);
	set_hex(object, "region_id", h->region_id);
	stats_json_set(object, "created_ns", h->created_ns);
	stats_json_set(object, "workers", region->shape.workers);
	stats_json_set(object, "connections_per_worker", region->shape.connections_per_worker);
	stats_json_set(object, "active_generation", active_generation(h->active));
	stats_json_set(object, "active_slot", active_slot(h->active));
	stats_json_set(object, "adopted_generation", h->adopted_generation);
	stats_json_set(object, "refused_generation", h->nacked_generation);
	set_text(object, "refused_because", h->nack_text, sizeof(h->nack_text));
	stats_json_set(object, "controlplane_pid", h->controlplane_pid);
	stats_json_set(object, "controlplane_heartbeat_ns", h->controlplane_heartbeat_ns);
	stats_json_set(object, "dataplane_pid", h->dataplane_pid);
	stats_json_set(object, "dataplane_heartbeat_ns", h->dataplane_heartbeat_ns);
	stats_json_set(object, "dataplane_starts", h->dataplane_starts);
	return object;
}

static json_t *sections_json(const struct region *region)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < SECTION_KIND_END - 1; i++) {
		const struct section *s = &region->header->sections[i];

		json_array_append_new(list, json_pack("{s:i,s:I,s:I,s:I,s:i}", "kind", (int)s->kind,
						      "offset", (json_int_t)s->off, "bytes",
						      (json_int_t)s->bytes, "elements",
						      (json_int_t)s->count, "element_bytes",
						      (int)s->element_bytes));
	}
	return list;
}

static json_t *slot_json(const struct region *region, unsigned int slot)
{
	const uint32_t room = region->shape.slot_bytes;
	struct image_header *image = aligned_alloc(64, (room + 63) / 64 * 64);
	char why[WHY_BYTES] = "";
	json_t *row = json_object();
	int rc;

	if (!image)
		return row;
	memcpy(image, region->slots[slot], room);
	rc = image->magic == 0 ? -1 : image_check(image, room, why, sizeof(why));
	stats_json_set(row, "slot", slot);
	stats_json_set_string(row, "state", rc == 0 ? "good" : image->magic == 0 ? "empty" : "bad");
	if (rc != 0 && image->magic != 0)
		set_text(row, "because", why, sizeof(why));
	if (rc == 0) {
		stats_json_set(row, "generation", image->generation);
		set_hex(row, "hash", image->content_hash);
		stats_json_set(row, "bytes", image->length);
		stats_json_set(row, "listeners", image->listeners.count);
		stats_json_set(row, "clusters", image->clusters.count);
		stats_json_set(row, "endpoints", image->endpoints.count);
	}
	free(image);
	return row;
}

static json_t *slots_json(const struct region *region)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < POLICY_SLOTS; i++)
		json_array_append_new(list, slot_json(region, i));
	return list;
}

/* -- workers and names ------------------------------------------------------------------- */

static json_t *workers_json(const struct region *region)
{
	static const char *const states[] = {"stopped", "running", "parked"};
	json_t *list = json_array();

	for (uint32_t i = 0; i < region->shape.workers; i++) {
		const struct worker_block *b = &region->workers[i];
		json_t *row = json_object();

		stats_json_set(row, "worker", i);
		stats_json_set_string(row, "state", b->state < 3 ? states[b->state] : "unknown");
		stats_json_set(row, "applied_generation", b->applied_generation);
		stats_json_set(row, "heartbeat_ns", b->heartbeat_ns);
		stats_json_set(row, "loops", b->loops);
		stats_json_set(row, "connections_open", b->connections_open);
		stats_json_set(row, "received", b->packets.received);
		stats_json_set(row, "transmitted", b->packets.transmitted);
		stats_json_set(row, "consumed", b->packets.consumed);
		json_object_set_new(row, "dropped", stats_json_reasons(b->packets.dropped));
		json_array_append_new(list, row);
	}
	return list;
}

enum name_kind { NAME_LISTENER, NAME_CLUSTER, NAME_ENDPOINT };

static struct call_counters counters_of(const struct region *region, enum name_kind kind,
					uint32_t slot)
{
	struct listener_counters listener;
	struct call_counters sum;

	switch (kind) {
	case NAME_LISTENER:
		stats_sum_listener(&listener, region, slot);
		return listener.calls;
	case NAME_CLUSTER:
		stats_sum_cluster(&sum, region, slot);
		return sum;
	default:
		stats_sum_endpoint(&sum, region, slot);
		return sum;
	}
}

static json_t *names_json(const struct region *region, enum name_kind kind)
{
	const struct registry_entry *const entries[] = {
		region->listener_registry, region->cluster_registry, region->endpoint_registry};
	const uint32_t slots[] = {region->shape.listener_slots, region->shape.cluster_slots,
				  region->shape.endpoint_slots};
	json_t *list = json_array();

	for (uint32_t i = 0; i < slots[kind]; i++) {
		const struct registry_entry *entry = &entries[kind][i];
		struct call_counters sum;
		json_t *row;

		if (entry->key == REGISTRY_FREE)
			continue;
		row = json_object();
		set_text(row, "name", entry->name, sizeof(entry->name));
		stats_json_set(row, "slot", i);
		if (entry->key == REGISTRY_REMOVED)
			stats_json_set_bool(row, "removed", 1);
		else
			stats_json_set(row, "generation", entry->generation);
		sum = counters_of(region, kind, i);
		stats_json_set_calls(row, &sum);
		json_array_append_new(list, row);
	}
	return list;
}

/* -- connections and events -------------------------------------------------------------- */

static json_t *connections_of(const struct region *region, uint64_t now_ns)
{
	const struct connections_look look = {.region = region, .now_ns = now_ns};
	const struct connections_filter filter = {
		.listener = CONNECTIONS_ANY_SLOT,
		.cluster = CONNECTIONS_ANY_SLOT,
		.states = connections_states("all"),
	};
	struct json_text text = {0};
	json_t *all;

	connections_write(&text, &look, &filter, 0, CONNECTIONS_ROWS_MAX);
	all = text.failed ? NULL : json_loadb(text.text, text.bytes, 0, NULL);
	free(text.text);
	return all;
}

static json_t *events_json(const struct region *region, uint64_t now_ns)
{
	static const size_t room = (size_t)EVENTS_LINE_BYTES * (EVENT_RING + 2);
	struct events_stream *stream = malloc(sizeof(*stream));
	char *lines = malloc(room), *line, *next;
	json_t *list = json_array();
	ssize_t n = 0;

	if (stream && lines) {
		events_stream_begin(stream, region, 0, now_ns);
		n = events_stream_pull(stream, lines, room - 1, now_ns);
	}
	if (n > 0) {
		lines[n] = '\0';
		for (line = lines; (next = strchr(line, '\n')); line = next + 1)
			json_array_append_new(list,
					      json_loadb(line, (size_t)(next - line), 0, NULL));
	}
	free(stream);
	free(lines);
	return list;
}

json_t *shm_dump(const struct region *region, uint64_t now_ns)
{
	json_t *body = json_object(), *connections = connections_of(region, now_ns);

	json_object_set_new(body, "header", header_json(region));
	json_object_set_new(body, "sections", sections_json(region));
	json_object_set_new(body, "policies", slots_json(region));
	json_object_set_new(body, "workers", workers_json(region));
	json_object_set_new(body, "listeners", names_json(region, NAME_LISTENER));
	json_object_set_new(body, "clusters", names_json(region, NAME_CLUSTER));
	json_object_set_new(body, "endpoints", names_json(region, NAME_ENDPOINT));
	if (connections)
		json_object_update_missing(body, connections);
	json_decref(connections);
	json_object_set_new(body, "events", events_json(region, now_ns));
	return body;
}
