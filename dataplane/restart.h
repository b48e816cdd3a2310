/* SPDX-License-Identifier: Apache-2.0 */
/* What of a policy a running dataplane cannot change. Pure. */
#ifndef FENDER_DATAPLANE_RESTART_H
#define FENDER_DATAPLANE_RESTART_H

#include "shm/image.h"

/*
 * Compare two checked images, the running and the wanted one. Return what differs and needs a
 * restart ("sidecar", "interfaces",
 * ...), or NULL. The control plane names the key; this is the second line behind it.
 */
const char *restart_needed(const struct image_header *a, const struct image_header *b);

#endif
