/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/generations.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/dataplane/suite.h"

static char folder[64];

static void add(struct generations *g, uint64_t number, enum reload_result result)
{
	const struct generation entry = {
		.number = number,
		.at_ms = 1714566000123,
		.source = RELOAD_BY_COMMAND,
		.result = result,
		.policy_hash = 0xfeedfacecafebeef,
		.timings = {1, 2, 3, 4},
		.changed = {{1, 2, 3}, {4, 5, 6}, {7, 8, 9}},
		.reason = "the reason",
	};

	generations_add(g, &entry);
}

static void add_text(struct generations *g, uint64_t number, const char *text)
{
	generations_add_text(g, number, text, strlen(text));
}

static int text_is(const struct generations *g, uint64_t number, const char *text)
{
	size_t bytes;
	const char *kept = generations_text(g, number, &bytes);

	return kept && bytes == strlen(text) && memcmp(kept, text, bytes) == 0;
}

static size_t attempts(const struct generations *g)
{
	json_t *all = generations_json(g);
	size_t n = json_array_size(all);

	json_decref(all);
	return n;
}

static void a_text_serves_all_generations_that_had_it(void)
{
	struct generations *g = generations_create(NULL, 1);
	size_t bytes;

	CU_ASSERT_EQUAL(generations_before(g), 0);
	CU_ASSERT_EQUAL(generations_newest(g), 0);
	add_text(g, 1, "a");
	add_text(g, 2, "a");
	add_text(g, 4, "b");
	CU_ASSERT(text_is(g, 1, "a"));
	CU_ASSERT(text_is(g, 2, "a"));
	CU_ASSERT_PTR_NULL(generations_text(g, 3, &bytes));
	CU_ASSERT(text_is(g, 4, "b"));
	CU_ASSERT_EQUAL(generations_before(g), 1);
	CU_ASSERT_EQUAL(generations_newest(g), 4);
	add_text(g, 4, "b # the same");
	CU_ASSERT(text_is(g, 4, "b # the same"));
	CU_ASSERT_EQUAL(generations_before(g), 1);
	generations_free(g);
}

static void the_oldest_go_first(void)
{
	struct generations *g = generations_create(folder, 1);
	char text[8], list[64];
	size_t bytes;

	for (uint64_t i = 1; i <= GENERATIONS_KEPT + 3; i++) {
		snprintf(text, sizeof(text), "t%lu", i);
		add(g, i, RELOAD_APPLIED);
		add_text(g, i, text);
	}
	CU_ASSERT_EQUAL(attempts(g), GENERATIONS_KEPT);
	CU_ASSERT_PTR_NULL(generations_text(g, 27, &bytes));
	CU_ASSERT(text_is(g, 28, "t28"));
	generations_list(g, list, sizeof(list));
	CU_ASSERT_STRING_EQUAL(list, "28, 29, 30, 31, 32, 33, 34");
	generations_free(g);
	generations_remove(folder);
	CU_ASSERT_NOT_EQUAL(access(folder, F_OK), 0);
}

static void a_large_text_makes_room(void)
{
	struct generations *g = generations_create(NULL, 1);
	size_t bytes = GENERATION_TEXTS_BYTES / 2 + 1;
	char *text = malloc(bytes);

	memset(text, 'a', bytes);
	generations_add_text(g, 1, text, bytes);
	text[0] = 'b';
	generations_add_text(g, 2, text, bytes);
	CU_ASSERT_PTR_NULL(generations_text(g, 1, &bytes));
	CU_ASSERT_PTR_NOT_NULL(generations_text(g, 2, &bytes));
	free(text);
	generations_free(g);
}

static void a_late_one_is_told_once(void)
{
	struct generations *g = generations_create(NULL, 1);
	json_t *all;

	add(g, 3, RELOAD_LATE);
	add(g, 0, RELOAD_INVALID);
	add(g, 0, RELOAD_INVALID);
	add(g, 3, RELOAD_APPLIED);
	all = generations_json(g);
	CU_ASSERT_EQUAL(json_array_size(all), 3);
	CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(json_array_get(all, 0), "result")),
			       "applied");
	CU_ASSERT(json_is_null(json_object_get(json_array_get(all, 1), "generation")));
	json_decref(all);
	generations_free(g);
}

static void a_later_process_knows_it(void)
{
	struct generations *g = generations_create(folder, UINT64_MAX - 5);
	json_t *before, *after;

	add(g, 1, RELOAD_APPLIED);
	add_text(g, 1, "one");
	add(g, 0, RELOAD_INVALID);
	add(g, 2, RELOAD_REFUSED);
	add_text(g, 3, "three");
	generations_hold(g, 0x8000000000000001);
	before = generations_json(g);
	generations_free(g);
	g = generations_create(folder, UINT64_MAX - 5);
	after = generations_json(g);
	CU_ASSERT(json_equal(before, after));
	CU_ASSERT(text_is(g, 1, "one"));
	CU_ASSERT(text_is(g, 3, "three"));
	CU_ASSERT_EQUAL(generations_held(g), 0x8000000000000001);
	json_decref(before);
	json_decref(after);
	generations_free(g);
	g = generations_create(folder, 7);
	CU_ASSERT_EQUAL(attempts(g), 0);
	generations_free(g);
	generations_remove(folder);
}

/* A, B that the guard takes back, A again, and what an operator makes of it. */
static void what_was_taken_back_is_not_returned_to(void)
{
	struct generations *g = generations_create(folder, 1);

	generations_take_back(g);
	add_text(g, 1, "a");
	add_text(g, 2, "b");
	add_text(g, 3, "bad");
	generations_take_back(g);
	CU_ASSERT_EQUAL(generations_before(g), 2);
	add_text(g, 4, "b");
	CU_ASSERT_EQUAL(generations_before(g), 1);
	generations_free(g);
	g = generations_create(folder, 1);
	CU_ASSERT_EQUAL(generations_before(g), 1);
	/* Tried once more it is one like the others, until it is taken back again. */
	add_text(g, 5, "bad");
	CU_ASSERT_EQUAL(generations_before(g), 4);
	add_text(g, 6, "c");
	CU_ASSERT_EQUAL(generations_before(g), 5);
	generations_free(g);
	generations_remove(folder);
}

static void nor_is_the_same_text_of_before(void)
{
	struct generations *g = generations_create(NULL, 1);

	add_text(g, 1, "a");
	add_text(g, 2, "b");
	add_text(g, 3, "c");
	add_text(g, 4, "b");
	generations_take_back(g);
	add_text(g, 5, "c");
	CU_ASSERT_EQUAL(generations_before(g), 1);
	generations_free(g);
}

static void only_other_texts_are_returned_to(void)
{
	struct generations *g = generations_create(NULL, 1);

	add_text(g, 1, "a");
	add_text(g, 2, "bad");
	generations_take_back(g);
	add_text(g, 3, "a");
	CU_ASSERT_EQUAL(generations_before(g), 0);
	generations_free(g);
}

static void the_file_and_the_watch_are_kept(void)
{
	struct generations *g = generations_create(folder, 1);
	char path[32];

	CU_ASSERT_EQUAL(generations_file(folder, path, sizeof(path)), -ENOENT);
	generations_set_file(g, "/etc/fender/a.yaml");
	generations_watch(g, 1234567890123);
	generations_free(g);
	CU_ASSERT_EQUAL(generations_file(folder, path, sizeof(path)), 0);
	CU_ASSERT_STRING_EQUAL(path, "/etc/fender/a.yaml");
	CU_ASSERT_EQUAL(generations_file(folder, path, 5), -ENOENT);
	g = generations_create(folder, 1);
	CU_ASSERT_EQUAL(generations_watched(g), 1234567890123);
	/* Neither it nor the history is lost by a name that JSON does not take. */
	generations_set_file(g, "/etc/\xff.yaml");
	add(g, 1, RELOAD_APPLIED);
	generations_free(g);
	CU_ASSERT_EQUAL(generations_file(folder, path, sizeof(path)), -ENOENT);
	g = generations_create(folder, 1);
	CU_ASSERT_EQUAL(attempts(g), 1);
	generations_free(g);
	generations_remove(folder);
}

static void write_history(const char *text)
{
	char path[96];
	FILE *f;

	mkdir(folder, 0700);
	snprintf(path, sizeof(path), "%s/history.json", folder);
	f = fopen(path, "w");
	if (!f)
		abort();
	fputs(text, f);
	fclose(f);
}

static void what_is_odd_on_disk_is_passed_over(void)
{
	static const char *const rows[] = {
		"",
		"{",
		"[]",
		"{\"region\": 9}",
		"{\"region\": 9, \"file\": 3, \"watch_ns\": \"soon\"}",
		"{\"region\": 9, \"entries\": 3, \"texts\": {\"a\": 1}}",
		"{\"region\": 9, \"entries\": [1, null, {}, {\"source\": 99, \"result\": -1}], "
		"\"texts\": [1, [], [\"..\", 2], [5, 5]]}",
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct generations *g;

		write_history(rows[i]);
		g = generations_create(folder, 9);
		CU_ASSERT_PTR_NOT_NULL_FATAL(g);
		CU_ASSERT(attempts(g) == 0);
		CU_ASSERT_EQUAL(generations_newest(g), 0);
		add(g, 1, RELOAD_APPLIED);
		add_text(g, 1, "one");
		generations_free(g);
		generations_remove(folder);
	}
}

static void a_folder_that_cannot_be_written_loses_nothing_now(void)
{
	struct generations *g = generations_create("/proc/no/such", 1);

	add(g, 1, RELOAD_APPLIED);
	add_text(g, 1, "one");
	CU_ASSERT_EQUAL(attempts(g), 1);
	CU_ASSERT(text_is(g, 1, "one"));
	generations_free(g);
}

static CU_TestInfo tests[] = {
	SUITE_TEST(a_text_serves_all_generations_that_had_it),
	SUITE_TEST(the_oldest_go_first),
	SUITE_TEST(a_large_text_makes_room),
	SUITE_TEST(a_late_one_is_told_once),
	SUITE_TEST(a_later_process_knows_it),
	SUITE_TEST(what_was_taken_back_is_not_returned_to),
	SUITE_TEST(nor_is_the_same_text_of_before),
	SUITE_TEST(only_other_texts_are_returned_to),
	SUITE_TEST(the_file_and_the_watch_are_kept),
	SUITE_TEST(what_is_odd_on_disk_is_passed_over),
	SUITE_TEST(a_folder_that_cannot_be_written_loses_nothing_now),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	snprintf(folder, sizeof(folder), "/tmp/fender-unit-generations-%d", (int)getpid());
	return suite_run("generations", tests);
}
