/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of one compilation: taken piece by piece, given back all at once. */
#ifndef FENDER_CONFIG_ARENA_H
#define FENDER_CONFIG_ARENA_H

#include <stddef.h>

struct arena;

struct arena *arena_create(void);
void arena_free(struct arena *arena);

/* Zeroed, 16-aligned memory that lives as long as the arena; NULL when there is none. */
void *arena_alloc(struct arena *arena, size_t bytes);
void *arena_array(struct arena *arena, size_t count, size_t element_bytes);

/* NUL-terminated copy of @bytes bytes. */
char *arena_copy(struct arena *arena, const char *text, size_t bytes);

#endif
