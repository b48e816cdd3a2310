/* SPDX-License-Identifier: Apache-2.0 */
/* Paths and parameters of the admin API, as clients may write them. */
#include "controlplane/admin_route.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/dataplane/suite.h"

static void a_star_is_one_segment(void)
{
	static const struct {
		const char *pattern, *path;
		int fits;
		const char *first, *second;
	} rows[] = {
		{"/", "/", 1, NULL, NULL},
		{"/", "", 0, NULL, NULL},
		{"/", "//", 0, NULL, NULL},
		{"/stats", "/stats", 1, NULL, NULL},
		{"/stats", "/stats/", 0, NULL, NULL},
		{"/stats", "/STATS", 0, NULL, NULL},
		{"/stats", "/stat", 0, NULL, NULL},
		{"/stats", "stats", 0, NULL, NULL},
		{"/stats", "/", 0, NULL, NULL},
		{"/clusters/*", "/clusters/web", 1, "web", NULL},
		{"/clusters/*", "/clusters/*", 1, "*", NULL},
		{"/clusters/*", "/clusters/", 0, NULL, NULL},
		{"/clusters/*", "/clusters", 0, NULL, NULL},
		{"/clusters/*", "/clusters/a/b", 0, NULL, NULL},
		{"/clusters/*", "/clusters//b", 0, NULL, NULL},
		{"/e/*/*", "/e/a/10.0.0.1:80", 1, "a", "10.0.0.1:80"},
		{"/e/*/*", "/e/a/[::1]:80", 1, "a", "[::1]:80"},
		{"/e/*/x", "/e/a/x", 1, "a", NULL},
		{"/e/*/x", "/e/a/y", 0, NULL, NULL},
		{"/e/*/x", "/e/a/xx", 0, NULL, NULL},
		{"/e/*", "/e/..", 1, "..", NULL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct admin_parts parts;

		CU_ASSERT_EQUAL(admin_route_fits(rows[i].pattern, rows[i].path, &parts),
				rows[i].fits);
		if (!rows[i].fits)
			continue;
		CU_ASSERT_EQUAL(parts.count,
				(rows[i].first != NULL) + (unsigned int)(rows[i].second != NULL));
		if (rows[i].first)
			CU_ASSERT_STRING_EQUAL(parts.part[0], rows[i].first);
		if (rows[i].second)
			CU_ASSERT_STRING_EQUAL(parts.part[1], rows[i].second);
	}
}

static void a_path_of_the_longest_size_is_the_last_that_fits(void)
{
	char path[ADMIN_PATH_BYTES + 1];
	struct admin_parts parts;

	memset(path, 'a', sizeof(path));
	memcpy(path, "/e/", 3);
	path[ADMIN_PATH_BYTES - 1] = '\0';
	CU_ASSERT_EQUAL(admin_route_fits("/e/*", path, &parts), 1);
	CU_ASSERT_EQUAL(strlen(parts.part[0]), ADMIN_PATH_BYTES - 4);
	path[ADMIN_PATH_BYTES - 1] = 'a';
	path[ADMIN_PATH_BYTES] = '\0';
	CU_ASSERT_EQUAL(admin_route_fits("/e/*", path, &parts), 0);
}

static void on_request(void *ctx, struct admin_request *request)
{
}

static const struct admin_route routes[] = {
	{"GET", "/both", ADMIN_READ, NULL, on_request, ""},
	{"POST", "/both", ADMIN_OPERATE, NULL, on_request, ""},
	{"GET", "/read", ADMIN_READ, NULL, on_request, ""},
	{"POST", "/write/*", ADMIN_OPERATE, NULL, on_request, ""},
};

static void a_method_finds_its_route_or_what_there_is(void)
{
	static const struct {
		const char *method, *path;
		int route; /* -1: none */
		const char *allow;
	} rows[] = {
		{"GET", "/both", 0, NULL},
		{"HEAD", "/both", 0, NULL},
		{"POST", "/both", 1, NULL},
		{"PUT", "/both", -1, "GET, HEAD, POST, OPTIONS"},
		{"POST", "/read", -1, "GET, HEAD, OPTIONS"},
		{"get", "/read", -1, "GET, HEAD, OPTIONS"},
		{"", "/read", -1, "GET, HEAD, OPTIONS"},
		{"GET", "/write/a", -1, "POST, OPTIONS"},
		{"OPTIONS", "/write/a", -1, "POST, OPTIONS"},
		{"GET", "/none", -1, ""},
	};
	const struct admin_config config = {.routes = routes, .route_count = 4};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char allow[ADMIN_ALLOW_BYTES];
		struct admin_parts parts;
		const struct admin_route *route =
			admin_route_find(&config, rows[i].method, rows[i].path, &parts, allow);

		CU_ASSERT_PTR_EQUAL(route, rows[i].route < 0 ? NULL : &routes[rows[i].route]);
		if (rows[i].allow)
			CU_ASSERT_STRING_EQUAL(allow, rows[i].allow);
	}
}

static void parameters_are_known_once_and_text(void)
{
	static const struct {
		const char *known, *name, *value;
		size_t bytes;
		int rc;
	} rows[] = {
		{"a bc", "a", "1", 1, 0},      {"a bc", "bc", "x y", 3, 0},
		{"a bc", "b", "1", 1, -22},    {"a bc", "abc", "1", 1, -22},
		{"a bc", "a bc", "1", 1, -22}, {"a bc", "", "1", 1, -22},
		{NULL, "a", "1", 1, -22},      {"", "a", "1", 1, -22},
		{"a", "a", NULL, 0, -22},      {"a", "a", "", 0, -22},
		{"a", "a", "x\0y", 3, -22},    {"a", "a", "x\ny", 3, -22},
		{"a", "a", "\xff\xfe", 2, 0},
	};
	char why[160];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct admin_parameters p = {.count = 0};

		why[0] = '\0';
		CU_ASSERT_EQUAL(admin_parameters_add(&p, rows[i].known, rows[i].name, rows[i].value,
						     rows[i].bytes, why, sizeof(why)),
				rows[i].rc);
		CU_ASSERT_EQUAL(p.count, rows[i].rc == 0);
		CU_ASSERT_EQUAL(why[0] == '\0', rows[i].rc == 0);
	}
}

static void there_is_room_for_so_many_parameters_and_no_more(void)
{
	static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i"};
	struct admin_parameters p = {.count = 0};
	char why[160];

	for (unsigned int i = 0; i < ADMIN_PARAMETERS; i++)
		CU_ASSERT_EQUAL(admin_parameters_add(&p, "a b c d e f g h i", names[i], "1", 1, why,
						     sizeof(why)),
				0);
	CU_ASSERT_NOT_EQUAL(
		admin_parameters_add(&p, "a b c d e f g h i", "i", "1", 1, why, sizeof(why)), 0);
	CU_ASSERT_NOT_EQUAL(admin_parameters_add(&p, "a b", "a", "1", 1, why, sizeof(why)), 0);
	CU_ASSERT_PTR_NOT_NULL(admin_parameters_find(&p, "h"));
	CU_ASSERT_PTR_NULL(admin_parameters_find(&p, "i"));
}

static void numbers_are_digits_within_bounds(void)
{
	static const struct {
		const char *text;
		uint64_t min, max;
		int rc;
		uint64_t value;
	} rows[] = {
		{"0", 0, 9, 0, 0},
		{"9", 0, 9, 0, 9},
		{"10", 0, 9, -22, 0},
		{"0", 1, 9, -22, 0},
		{"007", 0, 9, 0, 7},
		{"", 0, 9, -22, 0},
		{"-1", 0, 9, -22, 0},
		{"+1", 0, 9, -22, 0},
		{" 1", 0, 9, -22, 0},
		{"1 ", 0, 9, -22, 0},
		{"0x1", 0, 9, -22, 0},
		{"1.0", 0, 9, -22, 0},
		{"18446744073709551615", 0, UINT64_MAX, 0, UINT64_MAX},
		{"18446744073709551616", 0, UINT64_MAX, -22, 0},
		{"99999999999999999999999999", 0, UINT64_MAX, -22, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t value = 0;

		CU_ASSERT_EQUAL(admin_parse_number(rows[i].text, rows[i].min, rows[i].max, &value),
				rows[i].rc);
		CU_ASSERT_EQUAL(value, rows[i].value);
	}
}

/* Printable garbage around what means something, a few hundred thousand times. */
static void no_path_breaks_it(void)
{
	static const char alphabet[] = "/*a.%:[]\xff\x01";
	static const char *const patterns[] = {"/", "/*", "/a/*", "/*/*/*", "/a/*/a", "/a"};
	unsigned int seed = 1;

	for (int i = 0; i < 300000; i++) {
		char path[16];
		size_t bytes = (size_t)rand_r(&seed) % sizeof(path);
		struct admin_parts parts;

		for (size_t k = 0; k < bytes; k++)
			path[k] = alphabet[(size_t)rand_r(&seed) % (sizeof(alphabet) - 1)];
		path[bytes] = '\0';
		if (!admin_route_fits(patterns[i % 6], path, &parts))
			continue;
		for (unsigned int k = 0; k < parts.count; k++)
			if (!parts.part[k][0] || strchr(parts.part[k], '/'))
				CU_FAIL("an empty or a double segment");
	}
}

static CU_TestInfo tests[] = {
	SUITE_TEST(a_star_is_one_segment),
	SUITE_TEST(a_path_of_the_longest_size_is_the_last_that_fits),
	SUITE_TEST(a_method_finds_its_route_or_what_there_is),
	SUITE_TEST(parameters_are_known_once_and_text),
	SUITE_TEST(there_is_room_for_so_many_parameters_and_no_more),
	SUITE_TEST(numbers_are_digits_within_bounds),
	SUITE_TEST(no_path_breaks_it),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	return suite_run("admin_route", tests);
}
