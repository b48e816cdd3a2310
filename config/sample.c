/* SPDX-License-Identifier: Apache-2.0 */
/* deploy/sample.yaml: every key once, with what it means and its default. */
#include "config/config.h"

#include <stdbool.h>
#include <string.h>

#include "config/schema.h"

enum { COMMENT_COLUMNS = 96 };

struct sample {
	FILE *out;
	bool dash; /* the next line begins a list's element */
};

static void print_map(struct sample *s, const struct schema_map *map, int indent, int element);

static void print_indent(struct sample *s, int indent)
{
	fprintf(s->out, "%*s", s->dash ? indent - 2 : indent, "");
	if (s->dash)
		fputs("- ", s->out);
	s->dash = false;
}

/* Comments wrap at COMMENT_COLUMNS and stand above the key, before its dash. */
static void print_comment(struct sample *s, const struct schema_key *key, int indent)
{
	char fallback[SCHEMA_TEXT_BYTES], text[2 * SCHEMA_TEXT_BYTES + 64];
	int column = 0, start = s->dash ? indent - 2 : indent;
	char *rest = text;

	schema_print_fallback(key, fallback);
	snprintf(text, sizeof(text), "%s%s%s%s", key->description,
		 fallback[0] != '\0' ? " Default: " : "", fallback, fallback[0] != '\0' ? "." : "");
	for (char *word = strtok_r(rest, " ", &rest); word != NULL;
	     word = strtok_r(NULL, " ", &rest)) {
		int width = (int)strlen(word);

		if (column == 0 || column + 1 + width > COMMENT_COLUMNS)
			column = fprintf(s->out, "%s%*s# %s", column == 0 ? "" : "\n", start, "",
					 word);
		else
			column += fprintf(s->out, " %s", word);
	}
	fputc('\n', s->out);
}

/* What may stand in place of a list, commented out. */
static void print_instead(struct sample *s, const struct schema_key *list, int indent)
{
	fprintf(s->out, "%*s# In place of this list a map may stand:\n", indent, "");
	for (size_t i = 0; i < list->instead->count; i++) {
		const struct schema_key *key = &list->instead->keys[i];

		print_comment(s, key, indent + 2);
		fprintf(s->out, "%*s# %s: %s\n", indent + 2, "", key->name, key->example[0]);
	}
}

static void print_elements(struct sample *s, const struct schema_key *list, int indent)
{
	int elements = list->map->keys[0].example[1] != NULL ? 2 : 1;

	for (int i = 0; i < elements; i++) {
		s->dash = true;
		print_map(s, list->map, indent + 4, i);
	}
	if (list->instead != NULL)
		print_instead(s, list, indent);
}

static void print_key(struct sample *s, const struct schema_key *key, int indent, int element)
{
	const char *example = key->example[element];

	if (example == NULL)
		return;
	if (element == 0 || key->example[0] == NULL)
		print_comment(s, key, indent);
	print_indent(s, indent);
	if (example[0] == '#')
		fprintf(s->out, "# %s: %s\n", key->name, example + 1);
	else if (example[0] != '\0')
		fprintf(s->out, "%s: %s\n", key->name, example);
	else
		fprintf(s->out, "%s:\n", key->name);
	if (example[0] != '\0')
		return;
	if (key->type == SCHEMA_LIST)
		print_elements(s, key, indent);
	else
		print_map(s, key->map, indent + 2, element);
}

static void print_map(struct sample *s, const struct schema_map *map, int indent, int element)
{
	for (size_t i = 0; i < map->count; i++) {
		if (indent == 0 && i > 0)
			fputc('\n', s->out);
		print_key(s, &map->keys[i], indent, element);
	}
}

void config_print_sample(FILE *out)
{
	struct sample s = {.out = out};

	fputs("# A policy for Fender with every key, the first of each kind explained. Generated "
	      "by\n"
	      "# `fender schema --sample`; the reference is docs/policy.md.\n\n",
	      out);
	print_map(&s, &schema_root, 0, 0);
}
