/* SPDX-License-Identifier: Apache-2.0 */
/* The path of a request with its parameters. Pure. */
#ifndef FENDER_CONTROLPLANE_CTL_QUERY_H
#define FENDER_CONTROLPLANE_CTL_QUERY_H

#include <stddef.h>

/**
 * query_add() - append "?name=value", or "&name=value" behind another one, to a path
 * @path: NUL-terminated, in @size bytes
 * @value: as it is, escaped here; NULL: nothing is appended
 * Return: 0, -E2BIG: it does not fit, and @path is what it was.
 */
int query_add(char *path, size_t size, const char *name, const char *value);

#endif
