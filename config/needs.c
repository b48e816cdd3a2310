/* SPDX-License-Identifier: Apache-2.0 */
/* What a policy needs of the machine, for `fender check`. */
#include "config/config.h"

#include "config/values.h"
#include "shm/buffers.h"
#include "shm/region_shape.h"

enum { COMMON_MTU = 1500 };

static void print_bytes(FILE *out, const char *what, uint64_t bytes, const char *how)
{
	if (bytes >= 10240)
		fprintf(out, "  %-22s %9llu KiB  %s\n", what,
			(unsigned long long)((bytes + 1023) / 1024), how);
	else
		fprintf(out, "  %-22s %9llu B    %s\n", what, (unsigned long long)bytes, how);
}

/* Of the region, the sections @first to @last. */
static uint64_t sections_bytes(const struct section sections[REGION_SECTIONS],
			       enum section_kind first, enum section_kind last)
{
	uint64_t bytes = 0;

	for (int i = 0; i < REGION_SECTIONS; i++) {
		if (sections[i].kind >= first && sections[i].kind <= last)
			bytes += sections[i].bytes;
	}
	return bytes;
}

static uint64_t print_region(const struct image_header *image, FILE *out)
{
	const struct image_sidecar *s = &image->sidecar;
	const struct region_spec spec = {
		.instance = image_string(image, s->name),
		.workers = s->workers,
		.connections = s->connections,
		.listeners = s->listeners,
		.clusters = s->clusters,
		.endpoints = s->endpoints,
		.slot_bytes = s->slot_bytes,
	};
	struct section sections[REGION_SECTIONS];
	struct region_shape shape;
	uint64_t total, slots, connections, state, events;
	char how[96];

	if (region_shape_from_spec(&spec, &shape) != 0)
		return 0;
	total = region_shape_sections(&shape, sections);
	slots = sections_bytes(sections, SECTION_SLOTS, SECTION_SLOTS);
	connections = sections_bytes(sections, SECTION_CONNECTIONS, SECTION_CONNECTIONS);
	state = sections_bytes(sections, SECTION_POLICY_COUNTERS, SECTION_ENDPOINT_OUTCOMES);
	events = sections_bytes(sections, SECTION_EVENTS, SECTION_EVENTS);
	fprintf(out, "shared memory, /dev/shm/fender-%s:\n", spec.instance);
	snprintf(how, sizeof(how), "%d of %u KiB; this policy fills %u KiB of one", POLICY_SLOTS,
		 s->slot_bytes / 1024, (image->length + 1023) / 1024);
	print_bytes(out, "policy slots", slots, how);
	snprintf(how, sizeof(how), "%llu entries of %zu B",
		 (unsigned long long)shape.workers * shape.connections_per_worker,
		 sizeof(struct conn));
	print_bytes(out, "connection table", connections, how);
	snprintf(how, sizeof(how), "room for %u listeners, %u clusters, %u endpoints", s->listeners,
		 s->clusters, s->endpoints);
	print_bytes(out, "names and counters", total - slots - connections - state - events, how);
	print_bytes(out, "policy state", state, "what breakers, bulkheads and retries remember");
	snprintf(how, sizeof(how), "the last %d", EVENT_RING);
	print_bytes(out, "events", events, how);
	print_bytes(out, "in all", total, "allocated and locked in at start");
	return total;
}

/* With a queue for every worker, which is the most there can be. */
static uint64_t print_buffers(const struct image_header *image, FILE *out)
{
	const struct image_interface *interfaces =
		IMAGE_ARRAY(image, struct image_interface, interfaces);
	uint32_t workers = image->sidecar.workers;
	uint32_t buffers = buffers_of_workers(workers) + image->sidecar.buffers, mtu = 0;
	uint64_t bytes;
	char how[96];

	for (uint32_t i = 0; i < image->interfaces.count; i++) {
		uint32_t own = interfaces[i].mtu != 0 ? interfaces[i].mtu : COMMON_MTU;

		buffers += workers * buffers_of_queue((enum image_device)interfaces[i].kind);
		mtu = own > mtu ? own : mtu;
	}
	bytes = (uint64_t)buffers * buffer_bytes(mtu);
	snprintf(how, sizeof(how), "about %u of %u B, for packets of %u B", buffers,
		 buffer_bytes(mtu), mtu);
	fputs("dataplane process:\n", out);
	print_bytes(out, "packet buffers", bytes, how);
	return bytes;
}

void config_print_needs(const struct image_header *image, FILE *out)
{
	uint64_t total;

	fprintf(out, "%u interfaces, %u listeners, %u clusters, %u endpoints, %u workers\n",
		image->interfaces.count, image->listeners.count, image->clusters.count,
		image->endpoints.count, image->sidecar.workers);
	total = print_region(image, out);
	total += print_buffers(image, out);
	fprintf(out, "memory in all, besides code: about %llu MiB\n",
		(unsigned long long)((total + (1 << 20) - 1) >> 20));
}
