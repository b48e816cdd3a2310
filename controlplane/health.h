/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Active health checks: one probe an endpoint of each cluster that wants them, its result in the
 * endpoint's admin word. The words are in the region: when this process is gone they stay what
 * they were, and the next one goes on from them.
 */
#ifndef FENDER_CONTROLPLANE_HEALTH_H
#define FENDER_CONTROLPLANE_HEALTH_H

#include <uv.h>

#include "shm/image.h"
#include "shm/region.h"

enum { HEALTH_MAX_PROBES = 256 }; /* at once; more wait their turn */

struct health;

/* Return: 0, -ENOMEM. The region outlives it. */
int health_create(struct health **out, uv_loop_t *loop, const struct region *region);

/**
 * health_sync() - probe what @policy (checked) says from now on
 *
 * Endpoints are known by key: one whose check is unchanged keeps its state and schedule, one
 * whose check changed its state. One that is no longer checked, or only observed, is unknown
 * again. Return: 0; -ENOMEM: the checks before go on.
 */
int health_sync(struct health *h, const struct image_header *policy);

/* No probe any more. */
void health_stop(struct health *h);
/* When its loop has closed all handles. NULL is fine. */
void health_free(struct health *h);

#endif
