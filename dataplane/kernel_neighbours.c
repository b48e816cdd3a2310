/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/kernel_neighbours.h"

#include "dataplane/net/neighbour.h"

static int is_shared(const struct image_header *image, uint8_t interface)
{
	const struct image_interface *i = IMAGE_ARRAY(image, struct image_interface, interfaces);

	return interface < image->interfaces.count && i[interface].shared;
}

static void take(struct neighbour_table *to, const struct kernel_neighbour_value *value,
		 uint64_t now_ns)
{
	if (value->state == KERNEL_NEIGHBOUR_KNOWN)
		neighbour_set_kernel(to, value->interface, value->ip, value->mac, now_ns);
	else if (value->state == KERNEL_NEIGHBOUR_GONE)
		neighbour_kernel_gone(to, value->interface, value->ip);
}

uint32_t kernel_neighbours_take(struct kernel_neighbours_view *view,
				const struct kernel_neighbours *from,
				const struct image_header *image, struct neighbour_table *to,
				uint64_t now_ns)
{
	/* Acquire: pairs with the release of kernel_neighbour_write(); rows are read after it. */
	uint64_t changes = __atomic_load_n(&from->changes, __ATOMIC_ACQUIRE);
	struct kernel_neighbour_value value;
	uint32_t taken = 0;

	if (changes == view->changes)
		return 0;
	view->changes = changes;
	for (uint32_t i = 0; i < KERNEL_NEIGHBOURS; i++) {
		if (!kernel_neighbour_read(from, i, &view->version[i], &value) ||
		    !is_shared(image, value.interface))
			continue;
		take(to, &value, now_ns);
		taken++;
	}
	return taken;
}
