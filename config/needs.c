/* SPDX-License-Identifier: Apache-2.0 */
/* What a policy needs of the machine, for `fender check`. */
#include "config/config.h"

#include "config/values.h"
#include "shm/buffers.h"
#include "shm/region_shape.h"

/* An entry's bytes in the maps, as measured: docs/limiter.md. */
enum { MAP_V4_BYTES = 125, MAP_V6_BYTES = 149, MAP_SOURCE_BYTES = 125, MAP_PLACE_BYTES = 48 };

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
	uint64_t total, slots, connections, state, events, limits, histograms;
	char how[96];

	if (region_shape_from_spec(&spec, &shape) != 0)
		return 0;
	total = region_shape_sections(&shape, sections);
	slots = sections_bytes(sections, SECTION_SLOTS, SECTION_SLOTS);
	connections = sections_bytes(sections, SECTION_CONNECTIONS, SECTION_CONNECTIONS);
	state = sections_bytes(sections, SECTION_POLICY_COUNTERS, SECTION_ENDPOINT_OUTCOMES);
	events = sections_bytes(sections, SECTION_EVENTS, SECTION_EVENTS);
	limits = sections_bytes(sections, SECTION_LIMIT_COUNTERS, SECTION_LIMIT_SOURCES);
	histograms = sections_bytes(sections, SECTION_HISTOGRAMS, SECTION_HISTOGRAM_BLOCKS);
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
	print_bytes(out, "names and counters",
		    total - slots - connections - state - events - limits - histograms, how);
	print_bytes(out, "policy state", state, "what breakers, bulkheads and retries remember");
	snprintf(how, sizeof(how), "the last %d", EVENT_RING);
	print_bytes(out, "events", events, how);
	print_bytes(out, "rate limits", limits, "of connections, sources and listeners in workers");
	print_bytes(out, "latencies", histograms, "a histogram of each kind a cluster and worker");
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

/* Does the XDP program of Fender run in front of it? */
static int has_program(const struct image_interface *i)
{
	return i->kind == DEVICE_AF_XDP &&
	       (i->shared || i->limiter == LIMITER_AUTO || i->limiter == LIMITER_XDP);
}

/* SNAT ports of both protocols over all of Fender's own addresses. */
static uint64_t snat_places(const struct image_header *image)
{
	const struct image_interface *interfaces =
		IMAGE_ARRAY(image, struct image_interface, interfaces);
	const struct image_address *a = IMAGE_ARRAY(image, struct image_address, addresses);
	uint64_t places = 0;

	for (uint32_t i = 0; i < image->addresses.count; i++) {
		const struct image_interface *of = &interfaces[a[i].interface];

		if (!(a[i].flags & ADDRESS_KERNEL))
			places += 2 * (of->snat_port_high - of->snat_port_low + 1u);
	}
	return places;
}

/* What the maps of the XDP program take, charged to the control plane's memory cgroup. */
static uint64_t print_maps(const struct image_header *image, FILE *out)
{
	const struct image_interface *i = IMAGE_ARRAY(image, struct image_interface, interfaces);
	const uint64_t entries = 2 * (uint64_t)image->sidecar.connections;
	uint64_t connections = entries * (MAP_V4_BYTES + MAP_V6_BYTES + MAP_SOURCE_BYTES);
	uint64_t places = snat_places(image) * MAP_PLACE_BYTES;
	char how[96];
	uint32_t n = 0;

	while (n < image->interfaces.count && !has_program(&i[n]))
		n++;
	if (n == image->interfaces.count)
		return 0;
	fputs("kernel, maps of the XDP program:\n", out);
	snprintf(how, sizeof(how), "%llu entries each for IPv4, IPv6 and sources",
		 (unsigned long long)entries);
	print_bytes(out, "limits", connections, how);
	snprintf(how, sizeof(how), "%llu of both protocols",
		 (unsigned long long)snat_places(image));
	print_bytes(out, "SNAT ports", places, how);
	return connections + places;
}

void config_print_needs(const struct image_header *image, FILE *out)
{
	uint64_t total;

	fprintf(out, "interfaces %u, listeners %u, clusters %u, endpoints %u, workers %u\n",
		image->interfaces.count, image->listeners.count, image->clusters.count,
		image->endpoints.count, image->sidecar.workers);
	total = print_region(image, out);
	total += print_buffers(image, out);
	total += print_maps(image, out);
	fprintf(out, "memory in all, besides code: about %llu MiB\n",
		(unsigned long long)((total + (1 << 20) - 1) >> 20));
}
