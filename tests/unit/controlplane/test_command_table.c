/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/ctl/command_table.h"

#include <stdlib.h>
#include <string.h>

#include "controlplane/ctl/completion.h"
#include "controlplane/ctl/help.h"
#include "tests/unit/dataplane/suite.h"

enum { LINE_MAX_COLUMNS = 100 };

static size_t longest_line(const char *text)
{
	size_t longest = 0;

	while (*text) {
		size_t bytes = strcspn(text, "\n");

		longest = bytes > longest ? bytes : longest;
		text += bytes + (text[bytes] == '\n');
	}
	return longest;
}

/* What @print writes; freed by the caller. */
static char *printed(void (*print)(const struct command *, FILE *), const struct command *command)
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	print(command, out);
	fclose(out);
	return text;
}

static void every_command_is_found_and_explained(void)
{
	for (size_t i = 0; i < command_count; i++) {
		char *help = printed(help_print, &commands[i]);

		CU_ASSERT_PTR_EQUAL(command_find(commands[i].name), &commands[i]);
		CU_ASSERT_PTR_NOT_NULL(commands[i].run);
		CU_ASSERT_PTR_NOT_NULL(strstr(help, "--help"));
		CU_ASSERT_PTR_NOT_NULL(strstr(commands[i].exit_help, "  0  "));
		CU_ASSERT_PTR_NOT_NULL(strstr(commands[i].exit_help, "  2  "));
		CU_ASSERT_TRUE(longest_line(help) <= LINE_MAX_COLUMNS);
		if (longest_line(help) > LINE_MAX_COLUMNS)
			fprintf(stderr, "fender %s --help is too wide\n", commands[i].name);
		free(help);
	}
}

static void manual_pages_have_their_sections(void)
{
	static const char *const sections[] = {".TH FENDER",     ".SH NAME\n",
					       ".SH SYNOPSIS\n", ".SH DESCRIPTION",
					       ".SH OPTIONS\n",  ".SH EXIT STATUS\n.TP\n.B 0\n"};

	for (size_t i = 0; i < command_count; i++) {
		char *page = printed(man_print, &commands[i]);

		for (size_t s = 0; s < sizeof(sections) / sizeof(sections[0]); s++)
			CU_ASSERT_PTR_NOT_NULL(strstr(page, sections[s]));
		CU_ASSERT_PTR_NULL(strchr(page, '`'));
		free(page);
	}
}

static void the_nearest_command_is_suggested(void)
{
	static const char *const rows[][2] = {{"stat", "stats"},
					      {"conections", "connections"},
					      {"drian", "drain"},
					      {"RELOAD", "reload"}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		CU_ASSERT_STRING_EQUAL(command_nearest(rows[i][0]), rows[i][1]);
	CU_ASSERT_PTR_NULL(command_nearest("teapot-and-kettle"));
}

/* All in one line, a blank behind each. */
static char *completed(const char *line)
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	completion_print(line, out);
	fclose(out);
	for (char *c = text; *c; c++)
		*c = *c == '\n' ? ' ' : *c;
	return text;
}

static void lines_are_completed_from_the_tables(void)
{
	static const char *const rows[][2] = {
		{"", ""},
		{"fender", ""},
		{"fender sta", "stats "},
		{"fender nonsense x", ""},
		{"fender help conn", "connections "},
		{"fender breaker ", "open close reset "},
		{"fender breaker c", "close "},
		{"fender breaker --run-dir /nowhere re", "reset "},
		{"fender stats --wa", "--watch "},
		{"fender check --instance", ""},
		{"fender check pol", ""},
		{"fender completion ", "bash "},
		{"fender connections st", "state= "},
		{"fender connections state=syn", "state=syn_sent state=syn_rcvd "},
		{"fender connections state=all li", "listener= "},
		{"fender run --config ", ""},
		{"fender stats --run-dir /nowhere -i ", ""},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text = completed(rows[i][0]);

		CU_ASSERT_STRING_EQUAL(text, rows[i][1]);
		if (strcmp(text, rows[i][1]) != 0)
			fprintf(stderr, "'%s': '%s'\n", rows[i][0], text);
		free(text);
	}
}

static CU_TestInfo tests[] = {
	SUITE_TEST(every_command_is_found_and_explained),
	SUITE_TEST(manual_pages_have_their_sections),
	SUITE_TEST(the_nearest_command_is_suggested),
	SUITE_TEST(lines_are_completed_from_the_tables),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	return suite_run("command_table", tests);
}
