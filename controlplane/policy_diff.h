/* SPDX-License-Identifier: Apache-2.0 */
/* What of a policy a reload cannot change. Pure. */
#ifndef FENDER_CONTROLPLANE_POLICY_DIFF_H
#define FENDER_CONTROLPLANE_POLICY_DIFF_H

#include <stddef.h>

#include "shm/image.h"

/**
 * policy_needs_restart() - compare two checked images
 * @key: receives the first policy key that differs and needs a restart, "interfaces[1].mtu"
 * @key_size: at least 64
 * Return: 1 with @key set, else 0.
 */
int policy_needs_restart(const struct image_header *running, const struct image_header *wanted,
			 char *key, size_t key_size);

#endif
