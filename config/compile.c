/* SPDX-License-Identifier: Apache-2.0 */
#include "config/compile.h"

#include <stdlib.h>
#include <string.h>

#include "config/compile_blocks.h"
#include "config/compile_limits.h"
#include "config/image_writer.h"
#include "config/tables.h"
#include "shm/image_order.h"
#include "shm/names.h"

struct compile {
	const struct policy *policy;
	const struct routing *routing;
	struct image_writer writer;
	struct tables tables;
};

static void compile_sidecar(struct compile *c, struct image_sidecar *out)
{
	const struct policy_sidecar *in = &c->policy->sidecar;

	out->workers = (uint32_t)in->workers;
	out->connections = (uint32_t)in->connections;
	out->listeners = (uint32_t)in->max_listeners;
	out->clusters = (uint32_t)in->max_clusters;
	out->endpoints = (uint32_t)in->max_endpoints;
	out->slot_bytes = (uint32_t)in->policy_slot_bytes;
	out->idle = (uint32_t)in->idle;
	out->hugepages = (uint32_t)in->hugepages;
	out->cpus = in->cpus;
	out->spin_us = (uint32_t)in->spin_us;
	out->name = image_writer_string(&c->writer, in->name);
	out->verify_checksums = (uint32_t)in->verify_checksums;
	out->buffers = (uint32_t)in->buffers;
	out->on_dataplane_loss = (uint32_t)in->on_dataplane_loss;
}

static void compile_interfaces(struct compile *c)
{
	for (size_t i = 0; i < c->policy->interfaces.count; i++) {
		const struct policy_interface *in = &c->policy->interfaces.items[i];
		struct image_interface *out = image_writer_add(&c->writer, IMAGE_INTERFACES);

		if (out == NULL)
			return;
		out->name = image_writer_string(&c->writer, in->name);
		out->device = image_writer_string(&c->writer, in->device.name);
		out->kind = in->device.kind;
		out->shared = (uint8_t)in->shared;
		out->limiter = (uint8_t)in->limiter;
		out->vlan = (uint16_t)in->vlan;
		out->mtu = (uint16_t)in->mtu;
		out->snat_port_low = in->snat.ports.low;
		out->snat_port_high = in->snat.ports.high;
	}
}

static void compile_address(struct compile *c, uint16_t interface, const struct address *address,
			    uint32_t flags)
{
	struct image_address *out = image_writer_add(&c->writer, IMAGE_ADDRESSES);

	if (out == NULL)
		return;
	out->ip = address->ip;
	out->family = address->family;
	out->prefix = address->prefix;
	out->interface = interface;
	out->flags = flags;
}

static void compile_addresses(struct compile *c, uint16_t interface)
{
	const struct policy_interface *in = &c->policy->interfaces.items[interface];

	for (size_t i = 0; i < in->addresses.count; i++)
		compile_address(c, interface, &in->addresses.items[i].address, 0);
	for (size_t i = 0; i < in->kernel_addresses.count; i++) {
		struct address host = in->kernel_addresses.items[i].address;

		host.prefix = host.family == FAMILY_V4 ? 32 : 128;
		compile_address(c, interface, &host, ADDRESS_KERNEL);
	}
	for (size_t i = 0; i < in->neighbours.count; i++) {
		struct image_neighbour *out = image_writer_add(&c->writer, IMAGE_NEIGHBOURS);

		if (out == NULL)
			return;
		out->ip = in->neighbours.items[i].address.ip;
		memcpy(out->mac, in->neighbours.items[i].mac, sizeof(out->mac));
		out->interface = interface;
	}
}

static void compile_routes(struct compile *c)
{
	for (size_t i = 0; i < c->routing->count; i++) {
		const struct route *in = &c->routing->routes[i];
		struct image_route *out = image_writer_add(&c->writer, IMAGE_ROUTES);

		if (out == NULL)
			return;
		out->to = in->to.ip;
		if (in->via.family != 0)
			out->via = in->via.ip;
		out->family = in->to.family;
		out->prefix = in->to.prefix;
		out->interface = in->interface;
	}
}

static int listener_order(const void *left, const void *right)
{
	return image_listener_order(left, right);
}

static void compile_listeners(struct compile *c)
{
	size_t count = c->policy->listeners.count;

	for (size_t i = 0; i < count; i++) {
		const struct policy_listener *in = &c->policy->listeners.items[i];
		struct image_listener *out = image_writer_add(&c->writer, IMAGE_LISTENERS);

		if (out == NULL)
			return;
		out->key = name_key(in->name);
		out->ip = in->bind.ip;
		out->name = image_writer_string(&c->writer, in->name);
		out->port = in->bind.port;
		out->interface = (uint16_t)in->interface_index;
		out->cluster = (uint16_t)in->cluster_index;
		out->proto = (uint8_t)in->protocol;
		out->family = in->bind.family;
		out->bulkhead = compile_bulkhead(&in->bulkhead);
		out->rate_limit = compile_rate_limit(&in->rate_limit);
	}
	image_writer_sort(&c->writer, IMAGE_LISTENERS, listener_order);
}

static bool is_local(const struct compile *c, const struct policy_endpoint *e)
{
	const char *zone = c->policy->sidecar.zone;

	return zone != NULL && e->zone != NULL && strcmp(zone, e->zone) == 0;
}

static void compile_endpoints(struct compile *c, const struct policy_cluster *cluster)
{
	for (size_t i = 0; i < cluster->endpoints.count; i++) {
		const struct policy_endpoint *in = &cluster->endpoints.items[i];
		struct image_endpoint *out = image_writer_add(&c->writer, IMAGE_ENDPOINTS);
		char name[ENDPOINT_NAME_BYTES];

		if (out == NULL)
			return;
		endpoint_name(&in->address.ip, in->address.family, in->address.port, name);
		out->key = endpoint_key(cluster->name, name);
		out->ip = in->address.ip;
		out->snat = in->snat;
		out->next_hop = in->next_hop;
		out->name = image_writer_string(&c->writer, name);
		out->port = in->address.port;
		out->weight = (uint16_t)in->weight;
		out->interface = (uint16_t)in->interface_index;
		out->family = in->address.family;
		out->priority = (uint8_t)in->priority;
		out->local = is_local(c, in);
	}
}

static void compile_cluster(struct compile *c, size_t number, uint32_t first_endpoint)
{
	const struct policy_cluster *in = &c->policy->clusters.items[number];
	const struct table *table = &c->tables.of[number];
	struct image_cluster *out = image_writer_add(&c->writer, IMAGE_CLUSTERS);
	size_t local = 0;

	if (out == NULL)
		return;
	out->key = name_key(in->name);
	out->name = image_writer_string(&c->writer, in->name);
	out->first_endpoint = first_endpoint;
	out->endpoint_count = (uint32_t)in->endpoints.count;
	out->algorithm = (uint8_t)in->load_balancing.algorithm;
	out->hash_on = (uint8_t)in->load_balancing.hash_on;
	out->table_first = table->first;
	out->table_count = table->count;
	out->point_first = table->point_first;
	for (size_t i = 0; i < in->endpoints.count; i++) {
		out->weight_sum += (uint32_t)in->endpoints.items[i].weight;
		local += is_local(c, &in->endpoints.items[i]);
	}
	out->timeouts = compile_timeouts(&in->timeouts);
	out->balance = compile_balance(in, local);
	out->breaker = compile_breaker(&in->circuit_breaker);
	out->outlier = compile_outlier(&in->outlier_detection);
	out->bulkhead = compile_bulkhead(&in->bulkhead);
	out->endpoint_bulkhead = compile_bulkhead(&in->endpoint_bulkhead);
	out->retry = compile_retry(&in->retry);
	out->health = compile_health_check(&c->writer, &in->health_check);
	out->source = compile_source(&c->writer, &in->source);
}

static void compile_clusters(struct compile *c)
{
	uint32_t endpoints = 0;

	for (size_t i = 0; i < c->policy->clusters.count; i++) {
		const struct policy_cluster *cluster = &c->policy->clusters.items[i];

		compile_cluster(c, i, endpoints);
		compile_endpoints(c, cluster);
		endpoints += (uint32_t)cluster->endpoints.count;
	}
	image_writer_tables(&c->writer, c->tables.entries, c->tables.count);
	image_writer_points(&c->writer, c->tables.points, c->tables.point_count);
}

/* What each cluster's table was built from. */
static void hash_members(struct image_header *image)
{
	uint8_t *bytes = (uint8_t *)image;
	struct image_cluster *clusters = (void *)(bytes + image->clusters.off);
	const struct image_endpoint *endpoints =
		IMAGE_ARRAY(image, struct image_endpoint, endpoints);

	for (uint32_t i = 0; i < image->clusters.count; i++)
		clusters[i].members_hash = image_members_hash(
			endpoints + clusters[i].first_endpoint, clusters[i].endpoint_count);
}

static struct image_header *assemble(struct compile *c)
{
	struct image_sidecar sidecar = {0};
	struct image_header *image;

	compile_sidecar(c, &sidecar);
	compile_interfaces(c);
	for (uint16_t i = 0; i < c->policy->interfaces.count; i++)
		compile_addresses(c, i);
	compile_routes(c);
	compile_listeners(c);
	compile_clusters(c);
	image = image_writer_finish(&c->writer, &sidecar);
	if (image != NULL) {
		image->guard = compile_guard(&c->policy->reload);
		hash_members(image);
		image_seal(image, 0);
	}
	return image;
}

/* The reader has the last word; what it refuses here is a fault of the compiler. */
static struct image_header *verify(const struct check *check, struct image_header *image)
{
	const struct policy_sidecar *sidecar = &check->policy->sidecar;
	char slot[VALUE_TEXT_BYTES], why[160];

	if (image->length > sidecar->policy_slot_bytes)
		yaml_error(check->d, check_at(&sidecar->map, "policy_slot"),
			   "policy_slot is %s, expected at least %uB, the size of this policy "
			   "compiled",
			   value_print_size(sidecar->policy_slot_bytes, slot), image->length);
	else if (image_check(image, image->length, why, sizeof(why)) != 0)
		diagnostics_error(check->d, 0, 0,
				  "the compiled policy is refused by its reader, which is a fault "
				  "of Fender: %s",
				  why);
	else
		return image;
	free(image);
	return NULL;
}

struct image_header *policy_compile(const struct check *check)
{
	struct compile c = {.policy = check->policy, .routing = &check->routing};
	size_t errors = diagnostics_errors(check->d);
	struct image_header *image = NULL;

	if (tables_build(&c.tables, check->policy, check->arena, check->d) == 0) {
		image_writer_start(&c.writer);
		image = assemble(&c);
		image_writer_free(&c.writer);
		tables_free(&c.tables);
	}
	if (image != NULL)
		return verify(check, image);
	if (diagnostics_errors(check->d) == errors)
		diagnostics_error(check->d, 0, 0, "out of memory");
	return NULL;
}
