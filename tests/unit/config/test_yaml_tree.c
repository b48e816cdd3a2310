/* SPDX-License-Identifier: Apache-2.0 */
#include "config/yaml_tree.h"

#include "tests/unit/config/policy_text.h"

#define TEXT(literal) literal, sizeof(literal) - 1

struct parsed {
	struct arena *arena;
	struct diagnostics *d;
	struct yaml_node *root;
};

static struct parsed parse(const char *text)
{
	struct parsed p = {.arena = arena_create(), .d = diagnostics_create("p")};

	p.root = yaml_tree(text, strlen(text), p.arena, p.d);
	return p;
}

static void end(struct parsed *p)
{
	arena_free(p->arena);
	diagnostics_free(p->d);
}

static void nodes_know_where_they_stand(void)
{
	struct parsed p = parse("# comment\na: 1\nb:\n  - x\n  - {c: 'two words'}\n");
	const struct yaml_node *b, *c;
	char path[YAML_PATH_BYTES], quote[YAML_QUOTE_BYTES];

	require(p.root != NULL);
	CU_ASSERT_EQUAL(p.root->kind, YAML_MAP);
	CU_ASSERT_EQUAL(p.root->count, 2);
	b = yaml_child(p.root, "b");
	require(b != NULL);
	CU_ASSERT_EQUAL(b->key_line, 3);
	CU_ASSERT_EQUAL(b->key_column, 1);
	CU_ASSERT_EQUAL(b->line, 4);
	CU_ASSERT_EQUAL(b->column, 3);
	CU_ASSERT_EQUAL(b->count, 2);
	c = yaml_child(b->last, "c");
	require(c != NULL);
	CU_ASSERT_EQUAL(c->line, 5);
	CU_ASSERT_EQUAL(c->column, 9);
	CU_ASSERT(c->quoted);
	CU_ASSERT_STRING_EQUAL(yaml_path(c, path), "b[1].c");
	CU_ASSERT_STRING_EQUAL(yaml_path(p.root, path), "");
	CU_ASSERT_STRING_EQUAL(yaml_quote(c, quote), "'two words'");
	CU_ASSERT_STRING_EQUAL(yaml_quote(b, quote), "a list");
	CU_ASSERT_PTR_NULL(yaml_child(p.root, "c"));
	end(&p);
}

static void columns_count_characters(void)
{
	struct parsed p = parse("{\xc3\xa4\xc3\xb6: x}\n");

	require(p.root != NULL);
	CU_ASSERT_EQUAL(p.root->first->column, 6);
	end(&p);
}

static void byte_order_mark_and_document_marks_are_taken(void)
{
	struct parsed p = parse("\xef\xbb\xbf---\na: 1\n...\n");

	require(p.root != NULL);
	CU_ASSERT_PTR_NOT_NULL(yaml_child(p.root, "a"));
	end(&p);
}

static void long_paths_are_cut(void)
{
	char text[2048] = "", path[YAML_PATH_BYTES];
	struct parsed p;
	const struct yaml_node *n;

	for (int i = 0; i < 10; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "{%0100d: ", i);
	snprintf(text + strlen(text), sizeof(text) - strlen(text), "x}}}}}}}}}}");
	p = parse(text);
	require(p.root != NULL);
	for (n = p.root; n->first != NULL;)
		n = n->first;
	CU_ASSERT(strlen(yaml_path(n, path)) < YAML_PATH_BYTES);
	CU_ASSERT_PTR_NOT_NULL(strstr(path, "..."));
	end(&p);
}

static void what_a_policy_does_not_need_of_yaml_is_refused(void)
{
	static const struct {
		const char *text;
		size_t bytes;
		const char *messages;
	} rows[] = {
		{TEXT(""),
		 "p: error: the file is empty, expected a policy: `fender schema --sample` "
		 "prints one\n"},
		{TEXT("# only a comment\n"),
		 "p: error: the file is empty, expected a policy: `fender schema --sample` prints "
		 "one\n"},
		{TEXT("a: &x 1\nb: *x\n"),
		 "p:1:4: error: anchors are not supported: write the value out\n"
		 "p:2:4: error: aliases are not supported: write the value out\n"},
		{TEXT("a: &x [&y {b: &z 1}]\n*x : 1\n"),
		 "p:1:4: error: anchors are not supported: write the value out\n"
		 "p:1:8: error: anchors are not supported: write the value out\n"
		 "p:1:15: error: anchors are not supported: write the value out\n"
		 "p:2:1: error: aliases are not supported: write the value out\n"},
		{TEXT("a: !!str 1\nb: !x {}\nc: !<tag:y> []\n"),
		 "p:1:4: error: tags are not supported: leave the tag out\n"
		 "p:2:4: error: tags are not supported: leave the tag out\n"
		 "p:3:4: error: tags are not supported: leave the tag out\n"},
		{TEXT("a:\n  <<: {b: 1}\n"),
		 "p:2:3: error: merge keys are not supported: write the keys out\n"},
		{TEXT("a: 1\n---\nb: 1\n"),
		 "p:2:1: error: found a second document, expected one: remove the ---\n"},
		{TEXT("%YAML 1.1\n---\na: 1\n"),
		 "p:1:1: error: directives are not supported: leave the % lines out\n"},
		{TEXT("%TAG ! tag:x,2000:\n---\na: 1\n"),
		 "p:1:1: error: directives are not supported: leave the % lines out\n"},
		{TEXT("? [a]\n: 1\n"),
		 "p:1:3: error: found a map or list as a key, expected a word\n"},
		{TEXT("a: 1\nb: \0\n"), "p:2:4: error: found a NUL byte, expected text\n"},
		{TEXT("a: \"x\\0y\"\n"), "p:1:4: error: found a NUL byte, expected text\n"},
		{TEXT("a: \xff\n"),
		 "p:1:4: error: found bytes that are not printable UTF-8 (invalid leading UTF-8 "
		 "octet), expected text\n"},
		{TEXT("a: 1\nb: \xc3"),
		 "p:2:4: error: found bytes that are not printable UTF-8 (incomplete UTF-8 octet "
		 "sequence), expected text\n"},
		{TEXT("a: \xc0\x80\n"), "p:1:4: error: found bytes that are not printable UTF-8 "
					"(invalid length of a UTF-8 "
					"sequence), expected text\n"},
		{TEXT("a: \x1b[31m\n"),
		 "p:1:4: error: found bytes that are not printable UTF-8 (control characters are "
		 "not allowed), expected text\n"},
		{TEXT("a:\n\tb: 1\n"),
		 "p:2:1: error: found a tab, expected spaces: YAML is indented by spaces only\n"},
		{TEXT("a: [1, 2\n"),
		 "p:2:1: error: not valid YAML: did not find expected ',' or ']', while parsing a "
		 "flow sequence of line 1\n"},
		{TEXT("a: 1\n b: 2\n"),
		 "p:2:3: error: not valid YAML: mapping values are not allowed in this context\n"},
		{TEXT("a: 1\n]\n"),
		 "p:2:1: error: not valid YAML: did not find expected key, while parsing a block "
		 "mapping of line 1\n"},
		{TEXT("[1]\n"), "p:1:1: error: found a list, expected a map\n"},
		{TEXT("text\n"), "p:1:1: error: found text, expected a map\n"},
		{TEXT("[[[[[[[[[[[[[[[[[x]]]]]]]]]]]]]]]]]\n"),
		 "p:1:17: error: nested too deeply, expected at most 16 levels\n"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_refused(rows[i].text, rows[i].bytes, rows[i].messages);
}

/* The "billion laughs": refused at its first anchor, before anything grows. */
static void bombs_do_not_go_off(void)
{
	static const char bomb[] = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
				   "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n";
	struct parsed p = parse(bomb);

	CU_ASSERT_PTR_NULL(p.root);
	CU_ASSERT_EQUAL(diagnostics_errors(p.d), 3 + 18);
	end(&p);
}

/* A text of @count list elements: @count + 2 nodes with the map and the list around them. */
static char *many_nodes(size_t count)
{
	char *text = malloc(2 * count + 8), *at = text;

	require(text != NULL);
	at = stpcpy(at, "a: [");
	for (size_t i = 0; i < count; i++) {
		*at++ = 'x';
		*at++ = ',';
	}
	stpcpy(at, "]\n");
	return text;
}

static void number_of_nodes_is_bounded(void)
{
	char *full = many_nodes(YAML_MAX_NODES - 2), *more = many_nodes(YAML_MAX_NODES - 1);
	struct parsed p = parse(full);

	CU_ASSERT_PTR_NOT_NULL(p.root);
	end(&p);
	p = parse(more);
	CU_ASSERT_PTR_NULL(p.root);
	CU_ASSERT_EQUAL(diagnostics_errors(p.d), 1);
	end(&p);
	free(full);
	free(more);
}

static void size_of_the_file_is_bounded(void)
{
	size_t bytes = MAX_POLICY_FILE_BYTES;
	char *text = malloc(bytes + 1);
	struct parsed p = {.arena = arena_create(), .d = diagnostics_create("p")};
	char *messages;

	require(text != NULL);
	memset(text, '#', bytes + 1);
	memcpy(text, (const char[]){'a', ':', ' ', '1', '\n'}, 5);
	CU_ASSERT_PTR_NOT_NULL(yaml_tree(text, bytes, p.arena, p.d));
	CU_ASSERT_PTR_NULL(yaml_tree(text, bytes + 1, p.arena, p.d));
	messages = diagnostics_text(p.d);
	CU_ASSERT_STRING_EQUAL(
		messages, "p: error: the file has 16777217 bytes, expected at most 16777216\n");
	free(messages);
	free(text);
	end(&p);
}

static void file_that_cannot_be_read_is_an_error(void)
{
	static const struct {
		const char *path;
		const char *messages;
	} rows[] = {
		{"/nonexistent/policy.yaml",
		 "/nonexistent/policy.yaml: error: cannot be read: No such file or directory\n"},
		{"/", "/: error: cannot be read: Is a directory\n"},
	};

	for (size_t i = 0; i < 2; i++) {
		struct diagnostics *d = diagnostics_create(rows[i].path);
		char *messages;

		CU_ASSERT_PTR_NULL(config_compile_file(rows[i].path, d));
		messages = diagnostics_text(d);
		CU_ASSERT_STRING_EQUAL(messages, rows[i].messages);
		free(messages);
		diagnostics_free(d);
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"positions", nodes_know_where_they_stand},
		{"columns", columns_count_characters},
		{"byte order mark", byte_order_mark_and_document_marks_are_taken},
		{"long paths", long_paths_are_cut},
		{"refused", what_a_policy_does_not_need_of_yaml_is_refused},
		{"bombs", bombs_do_not_go_off},
		{"nodes", number_of_nodes_is_bounded},
		{"bytes", size_of_the_file_is_bounded},
		{"unreadable", file_that_cannot_be_read_is_an_error},
		CU_TEST_INFO_NULL,
	};

	return run_suite("YAML tree", tests);
}
