/* SPDX-License-Identifier: Apache-2.0 */
#include "config/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/arena.h"
#include "config/checks.h"
#include "config/compile.h"
#include "config/endpoint_source.h"
#include "config/parse.h"
#include "config/read_file.h"
#include "config/yaml_tree.h"

struct input {
	const char *text;
	size_t bytes;
	const struct endpoint_sets *sets;
};

static struct image_header *compile_in(struct arena *arena, const struct input *in,
				       struct diagnostics *d)
{
	struct check check = {.arena = arena, .d = d};
	size_t errors = diagnostics_errors(d);
	const struct yaml_node *root = yaml_tree(in->text, in->bytes, arena, d);

	if (root == NULL)
		return NULL;
	check.policy = policy_parse(root, arena, d);
	if (check.policy == NULL)
		return NULL;
	if (endpoint_files_read(check.policy, arena, d) != 0 ||
	    endpoint_sets_apply(check.policy, in->sets, arena, d) != 0 ||
	    policy_check(&check) != 0) {
		diagnostics_error(d, 0, 0, "out of memory");
		return NULL;
	}
	return diagnostics_errors(d) == errors ? policy_compile(&check) : NULL;
}

struct image_header *config_compile_resolved(const char *text, size_t bytes,
					     const struct endpoint_sets *sets,
					     struct diagnostics *d)
{
	const struct input in = {text, bytes, sets};
	struct arena *arena = arena_create();
	struct image_header *image = NULL;

	if (arena != NULL)
		image = compile_in(arena, &in, d);
	else
		diagnostics_error(d, 0, 0, "out of memory");
	arena_free(arena);
	return image;
}

struct image_header *config_compile(const char *text, size_t bytes, struct diagnostics *d)
{
	return config_compile_resolved(text, bytes, NULL, d);
}

struct image_header *config_compile_file_resolved(const char *path,
						  const struct endpoint_sets *sets,
						  struct diagnostics *d)
{
	struct image_header *image = NULL;
	FILE *file = fopen(path, "re");
	char *text = NULL;
	size_t bytes;

	if (file != NULL) {
		text = read_bounded(file, MAX_POLICY_FILE_BYTES, &bytes);
		if (text != NULL)
			image = config_compile_resolved(text, bytes, sets, d);
	}
	if (text == NULL)
		diagnostics_error(d, 0, 0, "cannot be read: %s", strerror(errno));
	free(text);
	if (file != NULL)
		fclose(file);
	return image;
}

struct image_header *config_compile_file(const char *path, struct diagnostics *d)
{
	return config_compile_file_resolved(path, NULL, d);
}
