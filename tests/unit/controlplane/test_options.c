/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/ctl/options.h"

#include "controlplane/ctl/help.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/dataplane/suite.h"

static const struct command run = {"run", COMMAND_RUN, NULL, "s", "", "e", NULL};
static const struct command check = {"check", COMMAND_CHECK, "FILE", "s", "", "e", NULL};
static const struct command stats = {"stats", COMMAND_STATS, NULL, "s", "", "e", NULL};

static const struct command connections = {
	"connections", COMMAND_CONNECTIONS, "[FILTER]...", "s", "", "e", NULL};

/* Parse words separated by blanks; what is printed on errors goes to *said, freed by the caller. */
static int parse(struct options *o, const struct command *command, const char *line, char **said)
{
	static char words[256]; /* options point into it */
	char *argv[16];
	int argc = 0;
	size_t bytes;
	FILE *err = open_memstream(said, &bytes);
	int rc;

	snprintf(words, sizeof(words), "%s", line);
	for (char *w = strtok(words, " "); w; w = strtok(NULL, " "))
		argv[argc++] = w;
	argv[argc] = NULL;
	rc = options_parse(o, command, argc, argv, err);
	fclose(err);
	return rc;
}

static void defaults_are_set(void)
{
	struct options o;
	char *said;

	CU_ASSERT_EQUAL(parse(&o, &stats, "stats", &said), 0);
	CU_ASSERT_STRING_EQUAL(o.run_dir, "/run/fender");
	CU_ASSERT_STRING_EQUAL(o.shm_dir, "/dev/shm");
	CU_ASSERT_PTR_NULL(o.instance);
	CU_ASSERT_PTR_NULL(o.watch);
	CU_ASSERT_FALSE(o.json);
	free(said);
}

static void values_are_taken_in_every_spelling(void)
{
	struct options o;
	char *said;

	CU_ASSERT_EQUAL(parse(&o, &run, "run -c a.yaml --run-dir=/r --shm-dir /s", &said), 0);
	CU_ASSERT_STRING_EQUAL(o.policy, "a.yaml");
	CU_ASSERT_STRING_EQUAL(o.run_dir, "/r");
	CU_ASSERT_STRING_EQUAL(o.shm_dir, "/s");
	free(said);
}

static void watch_takes_seconds_or_none(void)
{
	static const char *const rows[][2] = {
		{"stats --watch", ""},    {"stats --watch=2", "2"}, {"stats --watch 2", "2"},
		{"stats -w", ""},         {"stats -w3", "3"},       {"stats -w 3", "3"},
		{"stats --watch -j", ""},
	};
	struct options o;
	char *said;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CU_ASSERT_EQUAL(parse(&o, &stats, rows[i][0], &said), 0);
		CU_ASSERT_STRING_EQUAL(o.watch ? o.watch : "(unset)", rows[i][1]);
		free(said);
	}
}

static void wrong_usage_names_the_word(void)
{
	static const struct {
		const struct command *command;
		const char *line;
		const char *word;
	} rows[] = {
		{&stats, "stats --jsn", "--jsn"},
		{&stats, "stats -c x", "-c"},
		{&run, "run --json", "--json"},
		{&run, "run -c", "-c"},
		{&run, "run --dataplane", "--dataplane"},
		{&run, "run stray", "stray"},
		{&check, "check", "FILE"},
		{&check, "check a b", "b"},
		{&stats, "stats 2", "2"},
	};
	struct options o;
	char *said;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CU_ASSERT_EQUAL(parse(&o, rows[i].command, rows[i].line, &said), EXIT_USAGE);
		CU_ASSERT_PTR_NOT_NULL(strstr(said, rows[i].word));
		free(said);
	}
}

static void dots_take_any_number_of_operands(void)
{
	static const char *const lines[] = {"connections", "connections a", "connections a b c d"};
	static const int counts[] = {0, 1, 4};
	struct options o;
	char *said;

	for (size_t i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(parse(&o, &connections, lines[i], &said), 0);
		CU_ASSERT_EQUAL(o.word_count, counts[i]);
		CU_ASSERT_STRING_EQUAL(o.word_count ? o.words[o.word_count - 1] : "",
				       strrchr(lines[i], ' ') ? strrchr(lines[i], ' ') + 1 : "");
		free(said);
	}
}

static void options_are_described_in_order(void)
{
	struct option_help option = {0};
	size_t count = 0;

	while (options_describe(&stats, count, &option))
		count++;
	CU_ASSERT_TRUE(count >= 4);
	CU_ASSERT_STRING_EQUAL(option.name, "help");
	CU_ASSERT_EQUAL(option.letter, 'h');
	CU_ASSERT_FALSE(options_describe(&stats, 1000, &option));
}

static void help_lists_a_command_s_own_options_only(void)
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	help_print(&stats, out);
	fclose(out);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "--watch [SECONDS]"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "Exit status:"));
	CU_ASSERT_PTR_NULL(strstr(text, "--dataplane"));
	CU_ASSERT_PTR_NULL(strstr(text, "--markdown"));
	free(text);
}

static CU_TestInfo tests[] = {
	SUITE_TEST(defaults_are_set),
	SUITE_TEST(values_are_taken_in_every_spelling),
	SUITE_TEST(watch_takes_seconds_or_none),
	SUITE_TEST(wrong_usage_names_the_word),
	SUITE_TEST(dots_take_any_number_of_operands),
	SUITE_TEST(options_are_described_in_order),
	SUITE_TEST(help_lists_a_command_s_own_options_only),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	return suite_run("options", tests);
}
