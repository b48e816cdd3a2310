/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FENDER_CONTROLPLANE_HEALTH_TARGET_H
#define FENDER_CONTROLPLANE_HEALTH_TARGET_H

#include "controlplane/health_probe.h"
#include "shm/image.h"

/* Where the probes of an endpoint go to and come from; path and host stay as they are. */
void health_target_set(struct health_target *target, const struct image_endpoint *endpoint,
		       const struct image_health_check *rules);

#endif
