/* SPDX-License-Identifier: Apache-2.0 */
/* What a policy changes, and what of it a reload cannot change. Pure. */
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

/* 1 when interfaces and addresses of both are the same, in the same order. */
int policy_same_network(const struct image_header *running, const struct image_header *wanted);

struct policy_count {
	uint32_t added;
	uint32_t removed;
	uint32_t changed;
};

struct policy_counts {
	struct policy_count listeners;
	struct policy_count clusters; /* changed: a key of its own, not its endpoints */
	struct policy_count endpoints;
};

/**
 * policy_counts() - compare two checked images by name
 * @before: NULL: nothing was there
 */
struct policy_counts policy_counts(const struct image_header *before,
				   const struct image_header *after);

#endif
