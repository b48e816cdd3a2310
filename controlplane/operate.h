/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an operator may do to a name of the policy while it runs: force its breaker, reset it,
 * drain an endpoint. By words in the region that only the control plane writes (admin words);
 * they outlive reloads and restarts until they are taken back.
 */
#ifndef FENDER_CONTROLPLANE_OPERATE_H
#define FENDER_CONTROLPLANE_OPERATE_H

#include <stddef.h>

#include "shm/image.h"
#include "shm/region.h"

enum operation {
	OPERATION_OPEN,    /* refuse everything */
	OPERATION_CLOSE,   /* admit everything */
	OPERATION_RESET,   /* no override; the breaker closed, its window empty */
	OPERATION_DRAIN,   /* no new connections; endpoints only */
	OPERATION_UNDRAIN, /* endpoints only */
	OPERATIONS,
};

/* "open", or NULL. */
const char *operation_name(unsigned int operation);

struct operate_target {
	const char *cluster;
	const char *endpoint; /* as endpoint_name() writes it; NULL: the cluster itself */
};

/**
 * operate() - apply an operation to a cluster or endpoint of the policy
 * @why: at least 320 bytes; a sentence when it fails, with what was probably meant
 * Return: 0, -ENOENT (no such name), -EINVAL (not for a cluster). One thread: the loop's.
 */
int operate(const struct region *region, const struct image_header *policy,
	    const struct operate_target *target, enum operation operation, char *why,
	    size_t why_size);

/**
 * operate_parse() - "/breakers/<cluster>/open", "/endpoints/<cluster>/<ip:port>/drain"
 * @path: changed in place; the target points into it
 * Return: 0, or -EINVAL when it is no operation.
 */
int operate_parse(char *path, struct operate_target *target, enum operation *operation);

#endif
