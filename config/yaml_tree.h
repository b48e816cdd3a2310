/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of YAML that a policy needs, as a tree with positions: maps with plain keys, lists
 * and scalars. Anchors, aliases, tags, merge keys, directives and further documents are errors,
 * so a file's tree is never larger than the file.
 */
#ifndef FENDER_CONFIG_YAML_TREE_H
#define FENDER_CONFIG_YAML_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/arena.h"
#include "config/diagnostics.h"

enum yaml_bounds {
	YAML_MAX_DEPTH = 16,
	YAML_MAX_NODES = 256 * 1024,
	YAML_PATH_BYTES = 192,  /* of yaml_path() */
	YAML_QUOTE_BYTES = 128, /* of yaml_quote() */
};

enum yaml_kind { YAML_MAP, YAML_LIST, YAML_SCALAR };

struct yaml_node {
	enum yaml_kind kind;
	uint32_t file; /* diagnostics_number() */
	uint32_t line; /* from 1 */
	uint32_t column;
	uint32_t index; /* position in the parent */
	uint32_t count; /* of children */
	uint32_t bytes; /* of text, the final NUL not counted */
	bool quoted;
	const char *text; /* scalars; no NUL inside, valid UTF-8 */
	const char *key;  /* of a child of a map, else NULL */
	uint32_t key_line;
	uint32_t key_column;
	struct yaml_node *parent;
	struct yaml_node *first;
	struct yaml_node *last;
	struct yaml_node *next;
};

/**
 * yaml_tree() - parse one document
 * @text: @bytes bytes of UTF-8, not necessarily NUL-terminated
 *
 * Return: the root, which lives in @arena; NULL with at least one error in @d.
 */
struct yaml_node *yaml_tree(const char *text, size_t bytes, struct arena *arena,
			    struct diagnostics *d);

/* The first child named @key, or NULL. */
const struct yaml_node *yaml_child(const struct yaml_node *map, const char *key);

/* "clusters[0].endpoints[1].weight", cut to YAML_PATH_BYTES; "" for the root. */
const char *yaml_path(const struct yaml_node *node, char *out);

/* What stands there, for a message: 300, 'two words', a map, a list, nothing. */
const char *yaml_quote(const struct yaml_node *node, char *out);

/* Text of a file made fit for a terminal: control bytes replaced, cut to 60 bytes. */
const char *yaml_clean(const char *text, char *out);

/* "path: message" at the node's position. */
void yaml_error(struct diagnostics *d, const struct yaml_node *node, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* "found X, expected <expected>[, from <range>]"; @range: "" for none. */
void yaml_found_instead(struct diagnostics *d, const struct yaml_node *node, const char *expected,
			const char *range);
void yaml_warning(struct diagnostics *d, const struct yaml_node *node, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
