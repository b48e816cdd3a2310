/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/ctl/table.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/dataplane/suite.h"

/* @text receives what the table prints; freed by the caller. */
static void print(const struct table *table, char **text)
{
	size_t bytes;
	FILE *out = open_memstream(text, &bytes);

	table_print(table, out);
	fclose(out);
}

/* Terminal columns of a line: UTF-8 continuation bytes take none. */
static size_t columns(const char *line)
{
	size_t n = 0;

	for (; *line && *line != '\n'; line++)
		n += ((unsigned char)*line & 0xc0) != 0x80;
	return n;
}

static void without_cells_nothing_is_printed(void)
{
	struct table *table = table_create("<A|B");
	char *text;

	print(table, &text);
	CU_ASSERT_STRING_EQUAL(text, "");
	free(text);
	table_free(table);
}

static void columns_align(void)
{
	struct table *table = table_create("<NAME|CALLS|<END");
	const char *cells[] = {"web", "12", "x", "longer", "3", "yy"};
	char *text;

	for (size_t i = 0; i < 6; i++)
		table_cell(table, cells[i]);
	print(table, &text);
	CU_ASSERT_STRING_EQUAL(text, "NAME    CALLS  END\n"
				     "web        12  x\n"
				     "longer      3  yy\n");
	free(text);
	table_free(table);
}

static void long_text_is_cut_to_fit_and_numbers_are_not(void)
{
	struct table *table = table_create("<NAME|CALLS|<ADDRESS");
	char name[121];
	char *text;

	memset(name, 'n', 120);
	name[120] = '\0';
	table_cell(table, name);
	table_cell(table, "123456789");
	table_cell(table, "[2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff]:65535");
	print(table, &text);
	CU_ASSERT_EQUAL(columns(strchr(text, '\n') + 1), TABLE_WIDTH);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "n…  123456789  "));
	free(text);
	table_free(table);
}

static void characters_count_and_not_bytes(void)
{
	static const struct {
		const char *text;
		size_t columns, cut_at_3;
	} rows[] = {{"", 0, 0}, {"ab", 2, 2}, {"abcd", 4, 3}, {"äöüß", 4, 6}, {"日本語文", 4, 9}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CU_ASSERT_EQUAL(text_columns(rows[i].text), rows[i].columns);
		CU_ASSERT_EQUAL(text_bytes(rows[i].text, 3), rows[i].cut_at_3);
	}
}

static void kept_text_is_cut_last(void)
{
	struct table *table = table_create("<NAME|=ADDRESS|CALLS");
	char name[61], *text;

	memset(name, 'n', 60);
	name[60] = '\0';
	table_cell(table, name);
	table_cell(table, "[2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff]:65535");
	table_cell(table, "1");
	print(table, &text);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "ffff]:65535"));
	CU_ASSERT_EQUAL(columns(strchr(text, '\n') + 1), TABLE_WIDTH);
	free(text);
	table_free(table);
}

static void control_characters_are_not_printed(void)
{
	struct table *table = table_create("<NAME");
	char *text;

	table_cell(table, "a\033[2Jb\nc\x7f");
	print(table, &text);
	CU_ASSERT_STRING_EQUAL(text, "NAME\na?[2Jb?c?\n");
	free(text);
	table_free(table);
}

static CU_TestInfo tests[] = {
	SUITE_TEST(without_cells_nothing_is_printed),
	SUITE_TEST(columns_align),
	SUITE_TEST(long_text_is_cut_to_fit_and_numbers_are_not),
	SUITE_TEST(characters_count_and_not_bytes),
	SUITE_TEST(kept_text_is_cut_last),
	SUITE_TEST(control_characters_are_not_printed),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	return suite_run("table", tests);
}
