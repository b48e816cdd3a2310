/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/image_check.h"

#include <errno.h>
#include <string.h>

#include "shm/image_order.h"

static int in(uint32_t value, uint32_t low, uint32_t high)
{
	return value >= low && value <= high;
}

/* Where the kernel can take over: what DESIGN calls pod mode. */
static int has_shared(const struct image_header *img)
{
	const struct image_interface *i = IMAGE_ARRAY(img, struct image_interface, interfaces);

	for (uint32_t n = 0; n < img->interfaces.count; n++) {
		if (i[n].shared)
			return 1;
	}
	return 0;
}

static int check_sidecar(const struct image_header *img, const struct why *why)
{
	const struct image_sidecar *s = &img->sidecar;
	const struct {
		const char *name;
		uint32_t value, low, high;
	} rows[] = {
		{"workers", s->workers, 1, MAX_WORKERS},
		{"connections", s->connections, MIN_CONNECTIONS, MAX_CONNECTIONS},
		{"listeners", s->listeners, 1, MAX_LISTENERS},
		{"clusters", s->clusters, 1, MAX_CLUSTERS},
		{"endpoints", s->endpoints, 1, MAX_ENDPOINTS},
		{"slot_bytes", s->slot_bytes, MIN_SLOT_BYTES, MAX_SLOT_BYTES},
		{"idle", s->idle, IDLE_ADAPTIVE, IDLE_POLL},
		{"hugepages", s->hugepages, HUGEPAGES_AUTO, HUGEPAGES_ALWAYS},
		{"spin_us", s->spin_us, 0, MAX_SPIN_US},
		{"verify_checksums", s->verify_checksums, 0, 1},
		{"buffers", s->buffers, 0, MAX_BUFFERS},
		{"on_dataplane_loss", s->on_dataplane_loss, ON_LOSS_DROP,
		 has_shared(img) ? ON_LOSS_PASS : ON_LOSS_DROP},
		{"padding", s->pad, 0, 0},
		{"number of listeners", img->listeners.count, 0, s->listeners},
		{"number of clusters", img->clusters.count, 0, s->clusters},
		{"number of endpoints", img->endpoints.count, 0, s->endpoints},
		{"length", img->length, 0, s->slot_bytes},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!in(rows[i].value, rows[i].low, rows[i].high))
			return why_fail(why, -EINVAL, "sidecar: %s %u is not within %u..%u",
					rows[i].name, rows[i].value, rows[i].low, rows[i].high);
	}
	if (!image_name_ok(img, s->name, NAME_BYTES))
		return why_fail(why, -EINVAL, "sidecar: bad name");
	return 0;
}

static int check_interface(const struct image_header *img, uint32_t n, const struct why *why)
{
	const struct image_interface *all = IMAGE_ARRAY(img, struct image_interface, interfaces);
	const struct image_interface *i = &all[n];

	if (!image_name_ok(img, i->name, NAME_BYTES) ||
	    !image_name_ok(img, i->device, MAX_DEVICE_BYTES))
		return why_fail(why, -EINVAL, "interface %u: bad name or device", n);
	if (!in(i->kind, DEVICE_AF_XDP, DEVICE_VDEV))
		return why_fail(why, -EINVAL, "interface %u: unknown kind %u", n, i->kind);
	if (i->vlan > MAX_VLAN)
		return why_fail(why, -EINVAL, "interface %u: VLAN %u", n, i->vlan);
	if (i->mtu != 0 && !in(i->mtu, MIN_MTU, MAX_MTU))
		return why_fail(why, -EINVAL, "interface %u: MTU %u", n, i->mtu);
	if (i->snat_port_low == 0 || i->snat_port_low > i->snat_port_high)
		return why_fail(why, -EINVAL, "interface %u: SNAT ports %u-%u", n, i->snat_port_low,
				i->snat_port_high);
	if (i->shared > 1 || (i->shared && i->kind != DEVICE_AF_XDP))
		return why_fail(why, -EINVAL, "interface %u: shared %u", n, i->shared);
	if (i->limiter > LIMITER_NONE || (i->limiter == LIMITER_XDP && i->kind != DEVICE_AF_XDP))
		return why_fail(why, -EINVAL, "interface %u: limiter %u", n, i->limiter);
	if (i->pad0 || i->pad1[0] || i->pad1[1])
		return why_fail(why, -EINVAL, "interface %u: padding is not zero", n);
	for (uint32_t k = 0; k < n; k++) {
		if (strcmp(image_string(img, all[k].name), image_string(img, i->name)) == 0)
			return why_fail(why, -EINVAL, "interfaces %u and %u have one name", k, n);
	}
	return 0;
}

static unsigned int family_bits(uint8_t family)
{
	return family == FAMILY_V4 ? 32 : 128;
}

static int check_address(const struct image_header *img, uint32_t n, const struct why *why)
{
	const struct image_address *all = IMAGE_ARRAY(img, struct image_address, addresses);
	const struct image_interface *interface;
	const struct image_address *a = &all[n];

	if (a->interface >= img->interfaces.count)
		return why_fail(why, -EINVAL, "address %u: interface %u", n, a->interface);
	interface = &IMAGE_ARRAY(img, struct image_interface, interfaces)[a->interface];
	if (!image_ip_ok(&a->ip, a->family) || image_ip_unspecified(&a->ip, a->family) ||
	    a->prefix > family_bits(a->family))
		return why_fail(why, -EINVAL, "address %u: bad family, address or prefix", n);
	if (a->flags & ~(uint32_t)ADDRESS_KERNEL)
		return why_fail(why, -EINVAL, "address %u: flags %#x", n, a->flags);
	if ((a->flags & ADDRESS_KERNEL) && (interface->kind != DEVICE_AF_XDP || interface->shared))
		return why_fail(why, -EINVAL, "address %u: no kernel keeps it", n);
	for (uint32_t k = 0; k < n; k++) {
		if (memcmp(&all[k].ip, &a->ip, sizeof(a->ip)) == 0)
			return why_fail(why, -EINVAL, "addresses %u and %u are equal", k, n);
	}
	return 0;
}

/* True when no bit behind the prefix is set. */
static int is_network(const struct image_ip *ip, uint8_t family, uint8_t prefix)
{
	unsigned int bits = prefix + 128 - family_bits(family);

	for (unsigned int i = bits / 8; i < sizeof(ip->b); i++) {
		uint8_t host = i == bits / 8 ? (uint8_t)(0xff >> (bits % 8)) : 0xff;

		if (ip->b[i] & host)
			return 0;
	}
	return 1;
}

static int check_route(const struct image_header *img, uint32_t n, const struct why *why)
{
	const struct image_route *r = &IMAGE_ARRAY(img, struct image_route, routes)[n];

	if (r->interface >= img->interfaces.count)
		return why_fail(why, -EINVAL, "route %u: interface %u", n, r->interface);
	if (!image_ip_ok(&r->to, r->family) || r->prefix > family_bits(r->family) ||
	    !is_network(&r->to, r->family, r->prefix))
		return why_fail(why, -EINVAL, "route %u: bad family, destination or prefix", n);
	if (!image_ip_unspecified(&r->via, FAMILY_V6) &&
	    (!image_ip_ok(&r->via, r->family) || image_ip_unspecified(&r->via, r->family)))
		return why_fail(why, -EINVAL, "route %u: bad gateway", n);
	if (r->pad)
		return why_fail(why, -EINVAL, "route %u: padding is not zero", n);
	if (n > 0 && image_route_order(r - 1, r) >= 0)
		return why_fail(why, -EINVAL, "route %u: out of order or twice", n);
	return 0;
}

static int check_neighbour(const struct image_header *img, uint32_t n, const struct why *why)
{
	static const uint8_t none[6];
	const struct image_neighbour *all = IMAGE_ARRAY(img, struct image_neighbour, neighbours);
	const struct image_neighbour *a = &all[n];

	if (a->interface >= img->interfaces.count)
		return why_fail(why, -EINVAL, "neighbour %u: interface %u", n, a->interface);
	if (image_ip_unspecified(&a->ip, FAMILY_V6) || image_ip_unspecified(&a->ip, FAMILY_V4) ||
	    (a->mac[0] & 1) || memcmp(a->mac, none, sizeof(none)) == 0)
		return why_fail(why, -EINVAL, "neighbour %u: bad address or MAC", n);
	for (uint32_t k = 0; k < n; k++) {
		if (all[k].interface == a->interface &&
		    memcmp(&all[k].ip, &a->ip, sizeof(a->ip)) == 0)
			return why_fail(why, -EINVAL, "neighbours %u and %u are equal", k, n);
	}
	return 0;
}

int image_check_network(const struct image_header *img, const struct why *why)
{
	int error = check_sidecar(img, why);

	for (uint32_t i = 0; i < img->interfaces.count && !error; i++)
		error = check_interface(img, i, why);
	for (uint32_t i = 0; i < img->addresses.count && !error; i++)
		error = check_address(img, i, why);
	for (uint32_t i = 0; i < img->routes.count && !error; i++)
		error = check_route(img, i, why);
	for (uint32_t i = 0; i < img->neighbours.count && !error; i++)
		error = check_neighbour(img, i, why);
	return error;
}
