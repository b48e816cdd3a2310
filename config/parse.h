/* SPDX-License-Identifier: Apache-2.0 */
/* From the tree of a file to a struct policy, as the schema table says. */
#ifndef FENDER_CONFIG_PARSE_H
#define FENDER_CONFIG_PARSE_H

#include "config/policy.h"

/**
 * policy_parse() - read every key, report every unknown, duplicate, missing or bad one
 *
 * Return: the policy, in @arena, defaults filled in and complete enough for
 * policy_check() even after errors in single keys; NULL when out of memory (reported).
 */
struct policy *policy_parse(const struct yaml_node *root, struct arena *arena,
			    struct diagnostics *d);

#endif
