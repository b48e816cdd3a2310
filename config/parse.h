/* SPDX-License-Identifier: Apache-2.0 */
/* From the tree of a file to a struct policy, as the schema table says. */
#ifndef FENDER_CONFIG_PARSE_H
#define FENDER_CONFIG_PARSE_H

#include "config/policy.h"
#include "config/schema.h"

/* policy_parse() for a file described by any table: the root's structure, in @arena. */
void *schema_parse(const struct schema_map *map, const struct yaml_node *root, struct arena *arena,
		   struct diagnostics *d);

/**
 * policy_parse() - read every key, report every unknown, duplicate, missing or bad one
 *
 * Return: the policy, in @arena, defaults filled in and complete enough for
 * policy_check() even after errors in single keys; NULL when out of memory (reported).
 */
struct policy *policy_parse(const struct yaml_node *root, struct arena *arena,
			    struct diagnostics *d);

/*
 * A file that holds the value of one key of type SCHEMA_LIST. @list: as POLICY_LIST, zeroed.
 * Return: 0, also after errors in @d; -ENOMEM (reported).
 */
int schema_parse_list(const struct yaml_node *node, const struct schema_key *key, void *list,
		      struct arena *arena, struct diagnostics *d);

#endif
