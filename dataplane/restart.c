/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/restart.h"

#include <string.h>

static int strings_differ(const struct image_header *a, uint32_t a_off,
			  const struct image_header *b, uint32_t b_off)
{
	return strcmp(image_string(a, a_off), image_string(b, b_off)) != 0;
}

static int sidecars_differ(const struct image_header *a, const struct image_header *b)
{
	struct image_sidecar x = a->sidecar, y = b->sidecar;

	if (strings_differ(a, x.name, b, y.name))
		return 1;
	x.name = y.name = 0; /* where the string lies may differ */
	x.on_dataplane_loss = y.on_dataplane_loss = 0;
	return memcmp(&x, &y, sizeof(x)) != 0;
}

static int interfaces_differ(const struct image_header *a, const struct image_header *b)
{
	const struct image_interface *x = IMAGE_ARRAY(a, struct image_interface, interfaces);
	const struct image_interface *y = IMAGE_ARRAY(b, struct image_interface, interfaces);

	if (a->interfaces.count != b->interfaces.count)
		return 1;
	for (uint32_t i = 0; i < a->interfaces.count; i++) {
		struct image_interface p = x[i], q = y[i];

		if (strings_differ(a, p.name, b, q.name) ||
		    strings_differ(a, p.device, b, q.device))
			return 1;
		p.name = q.name = p.device = q.device = 0;
		if (memcmp(&p, &q, sizeof(p)) != 0)
			return 1;
	}
	return 0;
}

static int arrays_differ(const struct image_header *a, struct image_span x,
			 const struct image_header *b, struct image_span y, size_t element_bytes)
{
	return x.count != y.count || memcmp((const uint8_t *)a + x.off, (const uint8_t *)b + y.off,
					    x.count * element_bytes) != 0;
}

const char *restart_needed(const struct image_header *a, const struct image_header *b)
{
	if (sidecars_differ(a, b))
		return "sidecar";
	if (interfaces_differ(a, b))
		return "interfaces";
	if (arrays_differ(a, a->addresses, b, b->addresses, sizeof(struct image_address)))
		return "addresses of interfaces";
	if (arrays_differ(a, a->routes, b, b->routes, sizeof(struct image_route)))
		return "routes of interfaces";
	if (arrays_differ(a, a->neighbours, b, b->neighbours, sizeof(struct image_neighbour)))
		return "neighbours of interfaces";
	return NULL;
}
