/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/arena.h"
#include "config/checks.h"
#include "config/compile.h"
#include "config/parse.h"
#include "config/yaml_tree.h"

static struct image_header *compile_in(struct arena *arena, const char *text, size_t bytes,
				       struct diagnostics *d)
{
	struct check check = {.arena = arena, .d = d};
	size_t errors = diagnostics_errors(d);
	const struct yaml_node *root = yaml_tree(text, bytes, arena, d);

	if (root == NULL)
		return NULL;
	check.policy = policy_parse(root, arena, d);
	if (check.policy == NULL)
		return NULL;
	if (policy_check(&check) != 0) {
		diagnostics_error(d, 0, 0, "out of memory");
		return NULL;
	}
	return diagnostics_errors(d) == errors ? policy_compile(&check) : NULL;
}

struct image_header *config_compile(const char *text, size_t bytes, struct diagnostics *d)
{
	struct arena *arena = arena_create();
	struct image_header *image = NULL;

	if (arena != NULL)
		image = compile_in(arena, text, bytes, d);
	else
		diagnostics_error(d, 0, 0, "out of memory");
	arena_free(arena);
	return image;
}

/* The whole file, or enough of one that is too long; NULL with errno set. */
static char *read_file(FILE *file, size_t *bytes)
{
	size_t capacity = 64 * 1024;
	char *text = malloc(capacity);

	*bytes = 0;
	while (text != NULL) {
		char *larger;

		*bytes += fread(text + *bytes, 1, capacity - *bytes, file);
		if (*bytes < capacity || capacity > MAX_POLICY_FILE_BYTES)
			break;
		capacity *= 2;
		larger = realloc(text, capacity);
		if (larger == NULL)
			free(text);
		text = larger;
	}
	if (text != NULL && ferror(file)) {
		free(text);
		return NULL;
	}
	return text;
}

struct image_header *config_compile_file(const char *path, struct diagnostics *d)
{
	struct image_header *image = NULL;
	FILE *file = fopen(path, "re");
	char *text = NULL;
	size_t bytes;

	if (file != NULL) {
		text = read_file(file, &bytes);
		if (text != NULL)
			image = config_compile(text, bytes, d);
	}
	if (text == NULL)
		diagnostics_error(d, 0, 0, "cannot be read: %s", strerror(errno));
	free(text);
	if (file != NULL)
		fclose(file);
	return image;
}
