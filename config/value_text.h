/* SPDX-License-Identifier: Apache-2.0 */
/* A value of a parsed policy as it would stand in a file, whatever its key's type. */
#ifndef FENDER_CONFIG_VALUE_TEXT_H
#define FENDER_CONFIG_VALUE_TEXT_H

#include "config/schema.h"

enum { VALUE_TEXT_MOST = 256 };

/**
 * value_text() - print the field of @key
 * @object: structure of the key's map
 * @out: VALUE_TEXT_MOST bytes
 * Not of maps and lists of maps. What is not given is shown as its default; equal values have
 * equal texts.
 */
const char *value_text(const struct schema_key *key, const void *object, char *out);

#endif
