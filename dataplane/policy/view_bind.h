/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FENDER_DATAPLANE_POLICY_VIEW_BIND_H
#define FENDER_DATAPLANE_POLICY_VIEW_BIND_H

#include "dataplane/policy/view.h"
#include "shm/region.h"

/**
 * view_bind() - make a view of a checked image and the slots its names have
 * @image: stays as long as the view
 * @maps: receives the memory of the positions and slots, for free(); of a failure too
 * Return: 0; -ENOENT a name has no slot; -ENOMEM.
 */
int view_bind(struct policy_view *v, const struct image_header *image, const struct region *r,
	      uint16_t **maps);

#endif
