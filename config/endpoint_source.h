/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints that do not stand in the policy: from files of their own, and resolved from DNS. */
#ifndef FENDER_CONFIG_ENDPOINT_SOURCE_H
#define FENDER_CONFIG_ENDPOINT_SOURCE_H

#include "config/checks.h"
#include "config/config.h"

/* Of all endpoint files of a policy together. */
enum { MAX_ENDPOINT_FILE_BYTES = MAX_POLICY_FILE_BYTES };

/**
 * endpoint_files_read() - read the file of each cluster that names one
 *
 * Only regular files are opened. What is wrong in one is reported in @d with its own name and
 * positions. @in: its `instead` and `read` are used. Once the policy has more than MAX_ENDPOINTS no
 * further file is read. Return: 0, also after errors in @d; -ENOMEM.
 */
int endpoint_files_read(struct policy *policy, struct arena *arena, const struct config_input *in,
			struct diagnostics *d);

/*
 * Gives each cluster with `dns` the endpoints of its set; those that find no room, all clusters
 * together or by the algorithm of its own, are left out with a warning. Return: 0, -ENOMEM.
 */
int endpoint_sets_apply(struct policy *policy, const struct endpoint_sets *sets,
			struct arena *arena, struct diagnostics *d);

#endif
