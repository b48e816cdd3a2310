/* SPDX-License-Identifier: Apache-2.0 */
#include "config/yaml_tree.h"

#include <string.h>
#include <yaml.h>

struct builder {
	yaml_parser_t parser;
	struct arena *arena;
	struct diagnostics *d;
	const char *text;
	size_t bytes;
	struct yaml_node *root;
	struct yaml_node *current; /* the open map or list */
	const char *key;           /* of the next child of a map; NULL: a key comes next */
	yaml_mark_t key_mark;
	uint32_t depth;
	uint32_t nodes;
	uint32_t documents;
};

/* What a step says about the rest of the file. */
enum step { STEP_NEXT, STEP_END, STEP_GIVE_UP };

static void fail_at(struct builder *b, yaml_mark_t mark, const char *message)
{
	diagnostics_error(b->d, (uint32_t)mark.line + 1, (uint32_t)mark.column + 1, "%s", message);
}

/* libyaml names no position for bad bytes, only their offset. */
static void fail_bytes(struct builder *b)
{
	size_t end = b->parser.problem_offset < b->bytes ? b->parser.problem_offset : b->bytes;
	uint32_t line = 1, column = 1;

	for (size_t i = 0; i < end; i++) {
		if (b->text[i] == '\n') {
			line++;
			column = 1;
		} else if (((uint8_t)b->text[i] & 0xc0) != 0x80) {
			column++;
		}
	}
	if (end < b->bytes && b->text[end] == '\0')
		diagnostics_error(b->d, line, column, "found a NUL byte, expected text");
	else
		diagnostics_error(b->d, line, column,
				  "found bytes that are not printable UTF-8 (%s), expected text",
				  b->parser.problem);
}

static void fail_syntax(struct builder *b)
{
	const yaml_parser_t *p = &b->parser;
	uint32_t line = (uint32_t)p->problem_mark.line + 1;
	uint32_t column = (uint32_t)p->problem_mark.column + 1;
	size_t at = p->problem_mark.index;

	if (p->error == YAML_MEMORY_ERROR)
		diagnostics_error(b->d, 0, 0, "out of memory");
	else if (p->error == YAML_READER_ERROR)
		fail_bytes(b);
	else if (at < b->bytes && b->text[at] == '\t')
		diagnostics_error(b->d, line, column,
				  "found a tab, expected spaces: YAML is indented by spaces only");
	else if (p->context != NULL)
		diagnostics_error(b->d, line, column, "not valid YAML: %s, %s of line %zu",
				  p->problem, p->context, p->context_mark.line + 1);
	else
		diagnostics_error(b->d, line, column, "not valid YAML: %s", p->problem);
}

static struct yaml_node *add_node(struct builder *b, enum yaml_kind kind, yaml_mark_t mark)
{
	struct yaml_node *node, *parent = b->current;

	if (b->nodes++ >= YAML_MAX_NODES) {
		fail_at(b, mark, "the file has too many values, expected at most 262144");
		return NULL;
	}
	node = arena_alloc(b->arena, sizeof(*node));
	if (node == NULL) {
		fail_at(b, mark, "out of memory");
		return NULL;
	}
	node->kind = kind;
	node->file = diagnostics_number(b->d);
	node->line = (uint32_t)mark.line + 1;
	node->column = (uint32_t)mark.column + 1;
	node->parent = parent;
	if (parent == NULL) {
		b->root = node;
		return node;
	}
	node->index = parent->count++;
	node->key = b->key;
	node->key_line = (uint32_t)b->key_mark.line + 1;
	node->key_column = (uint32_t)b->key_mark.column + 1;
	b->key = NULL;
	if (parent->last != NULL)
		parent->last->next = node;
	else
		parent->first = node;
	parent->last = node;
	return node;
}

static bool key_expected(const struct builder *b)
{
	return b->current != NULL && b->current->kind == YAML_MAP && b->key == NULL;
}

static void refuse_decorations(struct builder *b, const yaml_event_t *e, const yaml_char_t *anchor,
			       const yaml_char_t *tag)
{
	if (anchor != NULL)
		fail_at(b, e->start_mark, "anchors are not supported: write the value out");
	if (tag != NULL)
		fail_at(b, e->start_mark, "tags are not supported: leave the tag out");
}

static enum step on_scalar(struct builder *b, const yaml_event_t *e)
{
	const char *value = (const char *)e->data.scalar.value;
	size_t length = e->data.scalar.length;
	struct yaml_node *node;
	char *copy;

	refuse_decorations(b, e, e->data.scalar.anchor, e->data.scalar.tag);
	if (strlen(value) != length) {
		fail_at(b, e->start_mark, "found a NUL byte, expected text");
		length = strlen(value);
	}
	copy = arena_copy(b->arena, value, length);
	if (copy == NULL) {
		fail_at(b, e->start_mark, "out of memory");
		return STEP_GIVE_UP;
	}
	if (key_expected(b)) {
		if (strcmp(copy, "<<") == 0)
			fail_at(b, e->start_mark,
				"merge keys are not supported: write the keys out");
		b->key = copy;
		b->key_mark = e->start_mark;
		return STEP_NEXT;
	}
	node = add_node(b, YAML_SCALAR, e->start_mark);
	if (node == NULL)
		return STEP_GIVE_UP;
	node->text = copy;
	node->bytes = (uint32_t)length;
	node->quoted = e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	return STEP_NEXT;
}

static enum step on_open(struct builder *b, const yaml_event_t *e, enum yaml_kind kind)
{
	struct yaml_node *node;

	if (key_expected(b)) {
		fail_at(b, e->start_mark, "found a map or list as a key, expected a word");
		return STEP_GIVE_UP;
	}
	if (b->depth++ >= YAML_MAX_DEPTH) {
		fail_at(b, e->start_mark, "nested too deeply, expected at most 16 levels");
		return STEP_GIVE_UP;
	}
	node = add_node(b, kind, e->start_mark);
	if (node == NULL)
		return STEP_GIVE_UP;
	b->current = node;
	return STEP_NEXT;
}

static enum step on_close(struct builder *b)
{
	b->current = b->current->parent;
	b->depth--;
	return STEP_NEXT;
}

static enum step on_alias(struct builder *b, const yaml_event_t *e)
{
	fail_at(b, e->start_mark, "aliases are not supported: write the value out");
	if (key_expected(b)) {
		b->key = "*";
		b->key_mark = e->start_mark;
		return STEP_NEXT;
	}
	return add_node(b, YAML_SCALAR, e->start_mark) != NULL ? STEP_NEXT : STEP_GIVE_UP;
}

static enum step on_document(struct builder *b, const yaml_event_t *e)
{
	if (e->data.document_start.version_directive != NULL ||
	    e->data.document_start.tag_directives.start !=
		    e->data.document_start.tag_directives.end)
		fail_at(b, e->start_mark, "directives are not supported: leave the % lines out");
	if (b->documents++ == 0)
		return STEP_NEXT;
	fail_at(b, e->start_mark, "found a second document, expected one: remove the ---");
	return STEP_GIVE_UP;
}

static enum step on_event(struct builder *b, const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_DOCUMENT_START_EVENT:
		return on_document(b, e);
	case YAML_SCALAR_EVENT:
		return on_scalar(b, e);
	case YAML_ALIAS_EVENT:
		return on_alias(b, e);
	case YAML_MAPPING_START_EVENT:
		refuse_decorations(b, e, e->data.mapping_start.anchor, e->data.mapping_start.tag);
		return on_open(b, e, YAML_MAP);
	case YAML_SEQUENCE_START_EVENT:
		refuse_decorations(b, e, e->data.sequence_start.anchor, e->data.sequence_start.tag);
		return on_open(b, e, YAML_LIST);
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		return on_close(b);
	case YAML_STREAM_END_EVENT:
		return STEP_END;
	default:
		return STEP_NEXT;
	}
}

static void build(struct builder *b)
{
	enum step step = STEP_NEXT;

	while (step == STEP_NEXT) {
		yaml_event_t event;

		if (!yaml_parser_parse(&b->parser, &event)) {
			fail_syntax(b);
			return;
		}
		step = on_event(b, &event);
		yaml_event_delete(&event);
	}
}

struct yaml_node *yaml_tree(const char *text, size_t bytes, struct arena *arena,
			    struct diagnostics *d)
{
	struct builder b = {.arena = arena, .d = d};
	size_t errors = diagnostics_errors(d);

	if (bytes > MAX_POLICY_FILE_BYTES) {
		diagnostics_error(d, 0, 0, "the file has %zu bytes, expected at most %d", bytes,
				  MAX_POLICY_FILE_BYTES);
		return NULL;
	}
	if (bytes >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		text += 3;
		bytes -= 3;
	}
	b.text = text;
	b.bytes = bytes;
	if (!yaml_parser_initialize(&b.parser)) {
		diagnostics_error(d, 0, 0, "out of memory");
		return NULL;
	}
	yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&b.parser, (const unsigned char *)text, bytes);
	build(&b);
	yaml_parser_delete(&b.parser);
	if (diagnostics_errors(d) != errors)
		return NULL;
	if (b.root == NULL)
		diagnostics_error(d, 0, 0, "the file is empty, expected %s",
				  diagnostics_number(d) == 0
					  ? "a policy: `fender schema --sample` prints one"
					  : "a list of endpoints");
	return b.root;
}
