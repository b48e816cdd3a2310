/* SPDX-License-Identifier: Apache-2.0 */
/* Documents made from the schema table: up to date in the tree, complete, and true. */
#include "config/config.h"

#include "config/schema.h"
#include "tests/unit/config/policy_text.h"

typedef void printer(FILE *out);

static char *printed(printer *print)
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	require(out != NULL);
	print(out);
	fclose(out);
	return text;
}

static char *file_text(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = calloc(1, 1 << 20);

	require(text != NULL);
	if (file == NULL) {
		fprintf(stderr, "\n%s is not there: run from the top of the tree\n", path);
	} else {
		CU_ASSERT(fread(text, 1, (1 << 20) - 1, file) > 0);
		fclose(file);
	}
	return text;
}

static void files_in_the_tree_are_what_is_generated(void)
{
	static const struct {
		const char *path;
		printer *print;
		const char *option;
	} rows[] = {
		{"docs/policy.md", config_print_reference, "--markdown"},
		{"docs/policy.schema.json", config_print_json_schema, "--json"},
		{"deploy/sample.yaml", config_print_sample, "--sample"},
	};

	for (size_t i = 0; i < 3; i++) {
		char *expected = printed(rows[i].print), *found = file_text(rows[i].path);

		if (strcmp(expected, found) != 0)
			fprintf(stderr, "\n%s is out of date: fender schema %s >%s\n", rows[i].path,
				rows[i].option, rows[i].path);
		CU_ASSERT(strcmp(expected, found) == 0);
		free(expected);
		free(found);
	}
}

static void sample_compiles_without_a_word(void)
{
	struct diagnostics *d = diagnostics_create("sample");
	char *text = printed(config_print_sample);
	struct image_header *image = config_compile(text, strlen(text), d);
	char *messages = diagnostics_text(d);

	CU_ASSERT_PTR_NOT_NULL(image);
	CU_ASSERT_STRING_EQUAL(messages, "");
	free(messages);
	free(image);
	free(text);
	diagnostics_free(d);
}

/* Every key stands in all three documents, with its description where there are any. */
static void check_keys(const struct schema_map *map, const char *reference, const char *json,
		       const char *sample)
{
	CU_ASSERT(map->count <= SCHEMA_MAX_KEYS);
	for (size_t i = 0; i < map->count; i++) {
		const struct schema_key *key = &map->keys[i];
		char text[512];

		snprintf(text, sizeof(text), "| `%s` |", key->name);
		CU_ASSERT_PTR_NOT_NULL(strstr(reference, text));
		CU_ASSERT_PTR_NOT_NULL(strstr(reference, key->description));
		snprintf(text, sizeof(text), "\"%s\": {", key->name);
		CU_ASSERT_PTR_NOT_NULL(strstr(json, text));
		snprintf(text, sizeof(text), "%s:", key->name);
		CU_ASSERT_PTR_NOT_NULL(strstr(sample, text));
		/* the first words of its comment */
		snprintf(text, sizeof(text), "# %.20s", key->description);
		CU_ASSERT_PTR_NOT_NULL(strstr(sample, text));
		CU_ASSERT(key->description[strlen(key->description) - 1] == '.');
		if (key->map != NULL)
			check_keys(key->map, reference, json, sample);
		if (key->instead != NULL)
			check_keys(key->instead, reference, json, sample);
	}
}

static void every_key_is_in_every_document(void)
{
	char *reference = printed(config_print_reference);
	char *json = printed(config_print_json_schema), *sample = printed(config_print_sample);

	check_keys(&schema_root, reference, json, sample);
	free(reference);
	free(json);
	free(sample);
}

/* A default outside its own range would be refused when written out. */
static void check_fallbacks(const struct schema_map *map)
{
	for (size_t i = 0; i < map->count; i++) {
		const struct schema_key *key = &map->keys[i];

		if (key->map != NULL)
			check_fallbacks(key->map);
		if (key->instead != NULL)
			check_fallbacks(key->instead);
		/* where 0 stands for "none" or "the other's", or is never used */
		if ((key->flags & SCHEMA_REQUIRED) != 0 ||
		    (key->type > SCHEMA_FACTOR && key->type != SCHEMA_WINDOW) ||
		    (key->fallback_text != NULL && key->fallback == 0))
			continue;
		CU_ASSERT(key->min <= key->max);
		CU_ASSERT(key->fallback >= key->min && key->fallback <= key->max);
		CU_ASSERT(key->type != SCHEMA_DURATION || key->unit_ns != 0);
	}
}

static void defaults_are_within_their_ranges(void)
{
	check_fallbacks(&schema_root);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"up to date", files_in_the_tree_are_what_is_generated},
		{"sample", sample_compiles_without_a_word},
		{"complete", every_key_is_in_every_document},
		{"defaults", defaults_are_within_their_ranges},
		CU_TEST_INFO_NULL,
	};

	return run_suite("generated documents", tests);
}
