/* SPDX-License-Identifier: Apache-2.0 */
/* The world's policies: images bound to slots. */
#ifndef FENDER_DATAPLANE_SIMULATE_VIEW_MAPS_H
#define FENDER_DATAPLANE_SIMULATE_VIEW_MAPS_H

#include "dataplane/simulate/world.h"

/*
 * Deal slots to every name of @images and make world->policies.
 * Return: 0, -ENOMEM, or -E2BIG when the images together name more than slots can number.
 */
int world_bind(struct world *world, const struct image_header *const *images, size_t count);
void world_unbind(struct world *world);

#endif
