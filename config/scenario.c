/* SPDX-License-Identifier: Apache-2.0 */
#include "config/scenario.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/parse.h"
#include "config/scenario_checks.h"
#include "config/yaml_tree.h"

/* Times left out that mean "until the end". */
static void fill_ends(struct scenario *s)
{
	for (size_t i = 0; i < s->load.count; i++) {
		if (s->load.items[i].to_us == 0)
			s->load.items[i].to_us = s->duration_us;
	}
	for (size_t i = 0; i < s->endpoints.count; i++) {
		struct scenario_endpoint *e = &s->endpoints.items[i];

		for (size_t n = 0; n < e->outages.count; n++) {
			if (e->outages.items[n].to_us == 0)
				e->outages.items[n].to_us = s->duration_us;
		}
	}
}

struct scenario *scenario_parse(const char *text, size_t bytes, struct arena *arena,
				struct diagnostics *d)
{
	size_t errors = diagnostics_errors(d);
	const struct yaml_node *root = yaml_tree(text, bytes, arena, d);
	struct scenario *s;

	if (root == NULL)
		return NULL;
	s = schema_parse(&schema_scenario, root, arena, d);
	if (s == NULL)
		return NULL;
	fill_ends(s);
	scenario_check(s, d);
	return diagnostics_errors(d) == errors ? s : NULL;
}

struct scenario *scenario_parse_file(const char *path, struct arena *arena, struct diagnostics *d)
{
	char *text = arena_alloc(arena, SCENARIO_MAX_BYTES + 1);
	FILE *file = fopen(path, "re");
	struct scenario *s = NULL;
	size_t bytes = 0;

	errno = file != NULL && text == NULL ? ENOMEM : errno;
	if (file != NULL && text != NULL) {
		errno = 0;
		bytes = fread(text, 1, SCENARIO_MAX_BYTES + 1, file);
	}
	if (file == NULL || text == NULL || ferror(file))
		diagnostics_error(d, 0, 0, "cannot be read: %s", strerror(errno));
	else if (bytes > SCENARIO_MAX_BYTES)
		diagnostics_error(d, 0, 0, "found more than %d KiB, expected a scenario file",
				  SCENARIO_MAX_BYTES / 1024);
	else
		s = scenario_parse(text, bytes, arena, d);
	if (file != NULL)
		fclose(file);
	return s;
}
