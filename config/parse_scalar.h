/* SPDX-License-Identifier: Apache-2.0 */
/* One value of the file into one field, within the type and range of its key. */
#ifndef FENDER_CONFIG_PARSE_SCALAR_H
#define FENDER_CONFIG_PARSE_SCALAR_H

#include "config/schema.h"
#include "config/yaml_tree.h"

/**
 * parse_scalar() - read a value of any type but SCHEMA_SET, SCHEMA_LIST and SCHEMA_MAP
 * @field: of the key's type, see enum schema_type; names point into the tree. After an error
 *         in @d numbers keep what was there (the default), the rest is zero.
 */
void parse_scalar(struct diagnostics *d, const struct yaml_node *node, const struct schema_key *key,
		  void *field);

#endif
