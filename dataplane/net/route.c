/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/net/route.h"

#include "shm/image_order.h"

#include <errno.h>
#include <string.h>

enum { V4_MAPPED_BITS = 96 };

static int same_ip(const struct image_ip *a, const uint8_t b[16])
{
	return memcmp(a->b, b, 16) == 0;
}

/* Do the first @prefix bits (counted in the family) of two addresses agree? */
static int same_prefix(const uint8_t a[16], const uint8_t b[16], uint8_t family, uint8_t prefix)
{
	uint32_t bits = prefix + (family == FAMILY_V4 ? V4_MAPPED_BITS : 0u);
	uint32_t bytes = bits / 8;

	if (memcmp(a, b, bytes) != 0)
		return 0;
	return bits % 8 == 0 || (a[bytes] ^ b[bytes]) >> (8 - bits % 8) == 0;
}

static int is_zero(const uint8_t ip[16])
{
	static const uint8_t zero[16];

	return memcmp(ip, zero, 16) == 0;
}

/* First route of (interface, family): routes are sorted by these. */
static uint32_t first_route(const struct image_route *routes, uint32_t count, uint8_t interface,
			    uint8_t family)
{
	uint32_t low = 0, high = count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct image_route *r = &routes[middle];

		if (r->interface < interface || (r->interface == interface && r->family < family))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int route_next_hop(const struct image_header *img, uint8_t interface, uint8_t family,
		   const uint8_t to[16], uint8_t next_hop[16])
{
	const struct image_route *routes = IMAGE_ARRAY(img, struct image_route, routes);
	uint32_t i = first_route(routes, img->routes.count, interface, family);

	for (; i < img->routes.count; i++) {
		const struct image_route *r = &routes[i];

		if (r->interface != interface || r->family != family)
			break;
		if (!same_prefix(r->to.b, to, family, r->prefix))
			continue;
		memcpy(next_hop, is_zero(r->via.b) ? to : r->via.b, 16);
		return 0;
	}
	return -ENETUNREACH;
}

const struct image_address *route_source(const struct image_header *img, uint8_t interface,
					 uint8_t family, const uint8_t to[16])
{
	const struct image_address *a = IMAGE_ARRAY(img, struct image_address, addresses);
	const struct image_address *best = NULL;
	int best_prefix = -1;

	for (uint32_t i = 0; i < img->addresses.count; i++) {
		int prefix;

		if (a[i].interface != interface || a[i].family != family ||
		    (a[i].flags & ADDRESS_KERNEL))
			continue;
		prefix = same_prefix(a[i].ip.b, to, family, a[i].prefix) ? a[i].prefix : -1;
		if (!best || prefix > best_prefix) {
			best = &a[i];
			best_prefix = prefix;
		}
	}
	return best;
}

static int is_address(const struct image_header *img, uint8_t interface, const uint8_t ip[16])
{
	const struct image_address *a = IMAGE_ARRAY(img, struct image_address, addresses);

	for (uint32_t i = 0; i < img->addresses.count; i++)
		if (a[i].interface == interface && !(a[i].flags & ADDRESS_KERNEL) &&
		    same_ip(&a[i].ip, ip))
			return 1;
	return 0;
}

/* First listener that is not before @key. */
static uint32_t first_listener(const struct image_header *img, const struct image_listener *key)
{
	const struct image_listener *l = IMAGE_ARRAY(img, struct image_listener, listeners);
	uint32_t low = 0, high = img->listeners.count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (image_listener_order(&l[middle], key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int is_unspecified(const uint8_t ip[16])
{
	struct image_ip v4 = image_ip_v4(0);

	return is_zero(ip) || same_ip(&v4, ip);
}

int route_is_ours(const struct image_header *img, uint8_t interface, uint8_t family,
		  const uint8_t ip[16])
{
	const struct image_listener *l = IMAGE_ARRAY(img, struct image_listener, listeners);
	struct image_listener key = {.interface = interface};

	if (is_unspecified(ip))
		return 0;
	if (is_address(img, interface, ip))
		return 1;
	for (uint32_t i = first_listener(img, &key);
	     i < img->listeners.count && l[i].interface == interface; i++)
		if (l[i].family == family && same_ip(&l[i].ip, ip))
			return 1;
	return 0;
}

static const struct image_listener *find_listener(const struct image_header *img,
						  const struct image_listener *key)
{
	const struct image_listener *l = IMAGE_ARRAY(img, struct image_listener, listeners);
	uint32_t i = first_listener(img, key);

	if (i < img->listeners.count && image_listener_order(&l[i], key) == 0)
		return &l[i];
	return NULL;
}

const struct image_listener *route_listener(const struct image_header *img, uint8_t interface,
					    uint8_t proto, uint8_t family, const uint8_t ip[16],
					    uint16_t port)
{
	struct image_listener key = {
		.interface = interface, .proto = proto, .family = family, .port = port};
	const struct image_listener *found;

	if (is_unspecified(ip))
		return NULL;
	memcpy(key.ip.b, ip, 16);
	found = find_listener(img, &key);
	if (found || !is_address(img, interface, ip))
		return found;
	key.ip = family == FAMILY_V4 ? image_ip_v4(0) : (struct image_ip){{0}};
	return find_listener(img, &key);
}
