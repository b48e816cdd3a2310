/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/limits_resolve.h"

#include <stddef.h>

static const struct image_interface *row_of(const struct image_header *image, uint32_t interface)
{
	return &IMAGE_ARRAY(image, struct image_interface, interfaces)[interface];
}

static int has_kernel_addresses(const struct image_header *image, uint32_t interface)
{
	const struct image_address *a = IMAGE_ARRAY(image, struct image_address, addresses);

	for (uint32_t i = 0; i < image->addresses.count; i++)
		if (a[i].interface == interface && (a[i].flags & ADDRESS_KERNEL))
			return 1;
	return 0;
}

const char *limits_need(const struct image_header *image, uint32_t interface)
{
	const struct image_interface *i = row_of(image, interface);

	if (i->kind != DEVICE_AF_XDP)
		return NULL;
	if (i->limiter == LIMITER_XDP)
		return "limiter: xdp";
	if (i->shared)
		return "shared: true";
	return has_kernel_addresses(image, interface) ? "kernel_addresses" : NULL;
}

int limits_needs_program(const struct image_header *image, uint32_t interface)
{
	return limits_need(image, interface) != NULL;
}

int limits_wants_program(const struct image_header *image, uint32_t interface)
{
	const struct image_interface *i = row_of(image, interface);

	return i->kind == DEVICE_AF_XDP &&
	       (i->limiter == LIMITER_AUTO || limits_needs_program(image, interface));
}

void limits_resolve(struct interface_control *out, const struct image_header *image,
		    uint32_t interface, int have_maps)
{
	const struct image_interface *i = row_of(image, interface);
	int program = have_maps && limits_wants_program(image, interface);

	*out = (struct interface_control){.limiter = i->limiter, .row = interface};
	if (i->limiter == LIMITER_AUTO)
		out->limiter = program ? LIMITER_XDP : LIMITER_DPDK;
	if (i->kind == DEVICE_AF_XDP)
		out->program = program ? PROGRAM_FENDER : PROGRAM_DEFAULT;
}

const char *limiter_name(uint32_t limiter)
{
	static const char *const names[] = {
		[LIMITER_AUTO] = "auto",
		[LIMITER_XDP] = "xdp",
		[LIMITER_DPDK] = "dpdk",
		[LIMITER_NONE] = "none",
	};

	return limiter < sizeof(names) / sizeof(names[0]) ? names[limiter] : "unknown";
}
