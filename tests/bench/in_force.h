/* SPDX-License-Identifier: Apache-2.0 */
/* A policy in force without processes: compiled, published into a region of its own, adopted. */
#ifndef FENDER_TESTS_BENCH_IN_FORCE_H
#define FENDER_TESTS_BENCH_IN_FORCE_H

#include "dataplane/adopted.h"

#include <stdio.h>

struct in_force {
	struct region region; /* its file is gone already */
	struct adopted *adopted;
};

/*
 * @write: prints the policy's YAML.
 * Return 0, or -1 with a message on stderr and nothing to stop.
 */
int in_force_start(struct in_force *f, void (*write)(FILE *out, const void *ctx), const void *ctx);
void in_force_stop(struct in_force *f);

/* The policy alone. NULL with a message on stderr; the caller frees. */
struct image_header *in_force_compile(void (*write)(FILE *out, const void *ctx), const void *ctx);

#endif
