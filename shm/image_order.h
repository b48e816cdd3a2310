/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sort orders of the policy image: the compiler sorts by them, image_check() verifies
 * them (strictly ascending, so duplicates are refused), look-ups search by them. Each returns
 * < 0, 0 or > 0 like memcmp(); addresses and ports compare as the bytes on the wire.
 */
#ifndef FENDER_SHM_IMAGE_ORDER_H
#define FENDER_SHM_IMAGE_ORDER_H

#include <string.h>

#include "shm/image.h"

/* interface, family, longest prefix first, destination */
static inline int image_route_order(const struct image_route *a, const struct image_route *b)
{
	if (a->interface != b->interface)
		return a->interface < b->interface ? -1 : 1;
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	if (a->prefix != b->prefix)
		return a->prefix > b->prefix ? -1 : 1;
	return memcmp(&a->to, &b->to, sizeof(a->to));
}

/* interface, proto, family, port, address */
static inline int image_listener_order(const struct image_listener *a,
				       const struct image_listener *b)
{
	int order;

	if (a->interface != b->interface)
		return a->interface < b->interface ? -1 : 1;
	if (a->proto != b->proto)
		return a->proto < b->proto ? -1 : 1;
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	order = memcmp(&a->port, &b->port, sizeof(a->port));
	return order ? order : memcmp(&a->ip, &b->ip, sizeof(a->ip));
}

/* within a cluster: address, port */
static inline int image_endpoint_order(const struct image_endpoint *a,
				       const struct image_endpoint *b)
{
	int order = memcmp(&a->ip, &b->ip, sizeof(a->ip));

	return order ? order : memcmp(&a->port, &b->port, sizeof(a->port));
}

#endif
