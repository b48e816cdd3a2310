/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one policy says otherwise than another, key by key of the schema table. Defaults are filled
 * in on both sides: what is written out and means the same is no difference.
 */
#ifndef FENDER_CONFIG_DIFFERENCE_H
#define FENDER_CONFIG_DIFFERENCE_H

#include "config/config.h"

enum difference_kind {
	DIFFERENCE_CHANGED, /* a key has another value */
	DIFFERENCE_ADDED,   /* an element of a list, or a policy block, that was not there */
	DIFFERENCE_REMOVED,
};

enum { DIFFERENCE_PATH_BYTES = 256, DIFFERENCE_TEXT_BYTES = 256 };

struct difference {
	enum difference_kind kind;
	/* "clusters[web].endpoints[10.0.0.1:80].weight": elements go by their first key */
	const char *path;
	const char *before; /* as it would stand in a file; "" where it has no value */
	const char *after;
	int needs_restart;
};

typedef void difference_visit(void *ctx, const struct difference *difference);

/**
 * config_difference() - visit every difference, in the order of the reference, elements by name
 * @before_d, @after_d: of the two files
 * The strings of a difference are valid during the call.
 * Return: 0; -EINVAL: one of them has errors, in its diagnostics; -ENOMEM.
 */
int config_difference(const struct config_input *before, struct diagnostics *before_d,
		      const struct config_input *after, struct diagnostics *after_d,
		      difference_visit *visit, void *ctx);

#endif
