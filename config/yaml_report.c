/* SPDX-License-Identifier: Apache-2.0 */
/* What error messages say about a node of the tree: where it is and what stands there. */
#include "config/yaml_tree.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { CLEAN_BYTES = 60 };

const struct yaml_node *yaml_child(const struct yaml_node *map, const char *key)
{
	for (const struct yaml_node *node = map->first; node != NULL; node = node->next) {
		if (node->key != NULL && strcmp(node->key, key) == 0)
			return node;
	}
	return NULL;
}

const char *yaml_clean(const char *text, char *out)
{
	size_t n = strnlen(text, CLEAN_BYTES + 1);
	bool cut = n > CLEAN_BYTES;

	if (cut) {
		n = CLEAN_BYTES - 3;
		while (n > 0 && ((uint8_t)text[n] & 0xc0) == 0x80)
			n--;
	}
	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)text[i] < 0x20 || text[i] == 0x7f ? ' ' : text[i];
	memcpy(out + n, "...", 3);
	out[cut ? n + 3 : n] = '\0';
	return out;
}

const char *yaml_path(const struct yaml_node *node, char *out)
{
	const struct yaml_node *up[YAML_MAX_DEPTH + 1];
	size_t depth = 0, used = 0;
	char key[YAML_QUOTE_BYTES];

	for (; node->parent != NULL && depth <= YAML_MAX_DEPTH; node = node->parent)
		up[depth++] = node;
	out[0] = '\0';
	while (depth-- > 0) {
		size_t room = YAML_PATH_BYTES - used;
		int n;

		if (up[depth]->key != NULL)
			n = snprintf(out + used, room, "%s%s", used != 0 ? "." : "",
				     yaml_clean(up[depth]->key, key));
		else
			n = snprintf(out + used, room, "[%u]", up[depth]->index);
		if (n < 0 || (size_t)n >= room)
			break;
		used += (size_t)n;
	}
	return out;
}

const char *yaml_quote(const struct yaml_node *node, char *out)
{
	char clean[YAML_QUOTE_BYTES];

	if (node->kind != YAML_SCALAR)
		return node->kind == YAML_MAP ? "a map" : "a list";
	if (node->bytes == 0)
		return node->quoted ? "an empty string" : "nothing";
	yaml_clean(node->text, clean);
	snprintf(out, YAML_QUOTE_BYTES, strchr(clean, ' ') != NULL ? "'%s'" : "%s", clean);
	return out;
}

/* "path: ", nothing for the root; returns its length. */
static size_t start_text(const struct yaml_node *node, char *out)
{
	char path[YAML_PATH_BYTES];

	yaml_path(node, path);
	snprintf(out, DIAGNOSTIC_BYTES, "%s%s", path, path[0] != '\0' ? ": " : "");
	return strlen(out);
}

static struct position yaml_position(const struct yaml_node *node)
{
	return (struct position){node->file, node->line, node->column};
}

void yaml_error(struct diagnostics *d, const struct yaml_node *node, const char *format, ...)
{
	char text[DIAGNOSTIC_BYTES];
	size_t used = start_text(node, text);
	va_list args;

	va_start(args, format);
	vsnprintf(text + used, sizeof(text) - used, format, args);
	va_end(args);
	diagnostics_error_at(d, yaml_position(node), "%s", text);
}

void yaml_warning(struct diagnostics *d, const struct yaml_node *node, const char *format, ...)
{
	char text[DIAGNOSTIC_BYTES];
	size_t used = start_text(node, text);
	va_list args;

	va_start(args, format);
	vsnprintf(text + used, sizeof(text) - used, format, args);
	va_end(args);
	diagnostics_warning_at(d, yaml_position(node), "%s", text);
}

void yaml_found_instead(struct diagnostics *d, const struct yaml_node *node, const char *expected,
			const char *range)
{
	char found[YAML_QUOTE_BYTES];

	yaml_error(d, node, "found %s, expected %s%s%s", yaml_quote(node, found), expected,
		   range[0] != '\0' ? ", from " : "", range);
}
