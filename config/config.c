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

int config_read(struct check *check, const struct config_input *in)
{
	const size_t errors = diagnostics_errors(check->d);
	const struct yaml_node *root = yaml_tree(in->text, in->bytes, check->arena, check->d);

	if (root != NULL)
		check->policy = policy_parse(root, check->arena, check->d);
	if (check->policy == NULL)
		return -EINVAL;
	if (endpoint_files_read(check->policy, check->arena, in, check->d) != 0 ||
	    endpoint_sets_apply(check->policy, in->sets, check->arena, check->d) != 0 ||
	    policy_check(check) != 0) {
		diagnostics_error(check->d, 0, 0, "out of memory");
		return -ENOMEM;
	}
	return diagnostics_errors(check->d) == errors ? 0 : -EINVAL;
}

static struct image_header *compile_in(struct arena *arena, const struct config_input *in,
				       struct diagnostics *d)
{
	struct check check = {.arena = arena, .d = d};

	return config_read(&check, in) == 0 ? policy_compile(&check) : NULL;
}

struct image_header *config_compile_input(const struct config_input *in, struct diagnostics *d)
{
	struct arena *arena = arena_create();
	struct image_header *image = NULL;

	if (arena != NULL)
		image = compile_in(arena, in, d);
	else
		diagnostics_error(d, 0, 0, "out of memory");
	arena_free(arena);
	return image;
}

struct image_header *config_compile_resolved(const char *text, size_t bytes,
					     const struct endpoint_sets *sets,
					     struct diagnostics *d)
{
	const struct config_input in = {.text = text, .bytes = bytes, .sets = sets};

	return config_compile_input(&in, d);
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
