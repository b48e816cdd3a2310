/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/policy_diff.h"

#include <stdio.h>
#include <string.h>

struct diff {
	const struct image_header *running;
	const struct image_header *wanted;
	char *key;
	size_t key_size;
};

static int differs(struct diff *d, const char *key)
{
	snprintf(d->key, d->key_size, "%s", key);
	return 1;
}

static int interface_differs(struct diff *d, uint32_t number, const char *key)
{
	snprintf(d->key, d->key_size, "interfaces[%u].%s", number, key);
	return 1;
}

static int strings_differ(const struct diff *d, uint32_t running, uint32_t wanted)
{
	return strcmp(image_string(d->running, running), image_string(d->wanted, wanted)) != 0;
}

static int sidecar_differs(struct diff *d)
{
	const struct image_sidecar *a = &d->running->sidecar;
	const struct image_sidecar *b = &d->wanted->sidecar;
	const struct {
		const char *key;
		int differs;
	} rows[] = {
		{"sidecar.name", strings_differ(d, a->name, b->name)},
		{"sidecar.workers", a->workers != b->workers},
		{"sidecar.cpus", a->cpus != b->cpus},
		{"sidecar.idle", a->idle != b->idle},
		{"sidecar.spin", a->spin_us != b->spin_us},
		{"sidecar.hugepages", a->hugepages != b->hugepages},
		{"sidecar.buffers", a->buffers != b->buffers},
		{"sidecar.connections", a->connections != b->connections},
		{"sidecar.max_listeners", a->listeners != b->listeners},
		{"sidecar.max_clusters", a->clusters != b->clusters},
		{"sidecar.max_endpoints", a->endpoints != b->endpoints},
		{"sidecar.policy_slot", a->slot_bytes != b->slot_bytes},
		{"sidecar.verify_checksums", a->verify_checksums != b->verify_checksums},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].differs)
			return differs(d, rows[i].key);
	return 0;
}

static int interface_rows_differ(struct diff *d)
{
	const struct image_interface *a =
		IMAGE_ARRAY(d->running, struct image_interface, interfaces);
	const struct image_interface *b =
		IMAGE_ARRAY(d->wanted, struct image_interface, interfaces);

	if (d->running->interfaces.count != d->wanted->interfaces.count)
		return differs(d, "interfaces");
	for (uint32_t i = 0; i < d->running->interfaces.count; i++, a++, b++) {
		if (strings_differ(d, a->name, b->name))
			return interface_differs(d, i, "name");
		if (a->kind != b->kind || strings_differ(d, a->device, b->device))
			return interface_differs(d, i, "device");
		if (a->shared != b->shared)
			return interface_differs(d, i, "shared");
		if (a->limiter != b->limiter)
			return interface_differs(d, i, "limiter");
		if (a->vlan != b->vlan)
			return interface_differs(d, i, "vlan");
		if (a->mtu != b->mtu)
			return interface_differs(d, i, "mtu");
		if (a->snat_port_low != b->snat_port_low || a->snat_port_high != b->snat_port_high)
			return interface_differs(d, i, "snat.ports");
	}
	return 0;
}

static int addresses_differ(struct diff *d)
{
	const struct image_address *a = IMAGE_ARRAY(d->running, struct image_address, addresses);
	const struct image_address *b = IMAGE_ARRAY(d->wanted, struct image_address, addresses);

	if (d->running->addresses.count != d->wanted->addresses.count)
		return differs(d, "interfaces: addresses");
	for (uint32_t i = 0; i < d->running->addresses.count; i++)
		if (memcmp(&a[i], &b[i], sizeof(a[i])) != 0)
			return interface_differs(d, a[i].interface,
						 (a[i].flags | b[i].flags) & ADDRESS_KERNEL
							 ? "kernel_addresses"
							 : "addresses");
	return 0;
}

static int routes_differ(struct diff *d)
{
	const struct image_route *a = IMAGE_ARRAY(d->running, struct image_route, routes);
	const struct image_route *b = IMAGE_ARRAY(d->wanted, struct image_route, routes);

	if (d->running->routes.count != d->wanted->routes.count)
		return differs(d, "interfaces: gateway or routes");
	for (uint32_t i = 0; i < d->running->routes.count; i++)
		if (memcmp(&a[i], &b[i], sizeof(a[i])) != 0)
			return interface_differs(d, a[i].interface, "routes");
	return 0;
}

static int neighbours_differ(struct diff *d)
{
	const struct image_neighbour *a =
		IMAGE_ARRAY(d->running, struct image_neighbour, neighbours);
	const struct image_neighbour *b =
		IMAGE_ARRAY(d->wanted, struct image_neighbour, neighbours);

	if (d->running->neighbours.count != d->wanted->neighbours.count)
		return differs(d, "interfaces: neighbours");
	for (uint32_t i = 0; i < d->running->neighbours.count; i++)
		if (memcmp(&a[i], &b[i], sizeof(a[i])) != 0)
			return interface_differs(d, a[i].interface, "neighbours");
	return 0;
}

int policy_same_network(const struct image_header *running, const struct image_header *wanted)
{
	char key[64];
	struct diff d = {running, wanted, key, sizeof(key)};

	return !interface_rows_differ(&d) && !addresses_differ(&d);
}

int policy_needs_restart(const struct image_header *running, const struct image_header *wanted,
			 char *key, size_t key_size)
{
	struct diff d = {running, wanted, key, key_size};

	return sidecar_differs(&d) || interface_rows_differ(&d) || addresses_differ(&d) ||
	       routes_differ(&d) || neighbours_differ(&d);
}
