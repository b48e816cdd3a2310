/* SPDX-License-Identifier: Apache-2.0 */
/* Paths and parameters of the admin API. Pure: what a client sent is an argument. */
#ifndef FENDER_CONTROLPLANE_ADMIN_ROUTE_H
#define FENDER_CONTROLPLANE_ADMIN_ROUTE_H

#include <stddef.h>
#include <stdint.h>

#include "controlplane/admin.h"

enum { ADMIN_PARAMETERS = 8, ADMIN_ALLOW_BYTES = 64 };

/* What the stars of a route stand for in a path. Points into text. */
struct admin_parts {
	char text[ADMIN_PATH_BYTES];
	const char *part[ADMIN_PATH_PARTS];
	unsigned int count;
};

/* 1 when @path fits @pattern; a star takes one segment that is not empty. */
int admin_route_fits(const char *pattern, const char *path, struct admin_parts *parts);

/**
 * admin_route_find() - who answers @method @path
 * @allow: what the path's methods are, "GET, HEAD, OPTIONS"; "" when there is no such path
 * Return: the route with @parts filled, or NULL.
 */
const struct admin_route *admin_route_find(const struct admin_config *config, const char *method,
					   const char *path, struct admin_parts *parts,
					   char allow[ADMIN_ALLOW_BYTES]);

/* Values are the caller's. */
struct admin_parameters {
	const char *name[ADMIN_PARAMETERS];
	const char *value[ADMIN_PARAMETERS];
	unsigned int count;
};

/**
 * admin_parameters_add() - take a decoded parameter, or say why not
 * @known: names it may have, "listener limit", or NULL
 * @value: NUL-terminated at @value_bytes, or NULL
 * @why: a sentence
 * Return: 0 or -EINVAL: unknown, twice, without a value, or with a NUL or control in it.
 */
int admin_parameters_add(struct admin_parameters *p, const char *known, const char *name,
			 const char *value, size_t value_bytes, char *why, size_t why_size);

const char *admin_parameters_find(const struct admin_parameters *p, const char *name);

/* Decimal digits of a number from @min to @max, nothing else. Return 0 or -EINVAL. */
int admin_parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *value);

#endif
