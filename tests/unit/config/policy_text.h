/* SPDX-License-Identifier: Apache-2.0 */
/* A policy to change one thing of, and the compiler on text that ends at a guard page. */
#ifndef FENDER_TESTS_UNIT_CONFIG_POLICY_TEXT_H
#define FENDER_TESTS_UNIT_CONFIG_POLICY_TEXT_H

#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config/config.h"
#include "config/diagnostics.h"

static const char good_policy[] =
	"version: 1\n"                                                                    /* 1 */
	"sidecar:\n"                                                                      /* 2 */
	"  name: t\n"                                                                     /* 3 */
	"  workers: 1\n"                                                                  /* 4 */
	"interfaces:\n"                                                                   /* 5 */
	"  - name: app\n"                                                                 /* 6 */
	"    device: af_xdp:a\n"                                                          /* 7 */
	"    addresses: [10.1.0.1/24, 2001:db8:1::1/64]\n"                                /* 8 */
	"  - name: net\n"                                                                 /* 9 */
	"    device: af_xdp:b\n"                                                          /* 10 */
	"    addresses: [10.2.0.1/24, 2001:db8:2::1/64]\n"                                /* 11 */
	"    gateway: [10.2.0.254]\n"                                                     /* 12 */
	"    routes: [{to: 10.3.0.0/16, via: 10.2.0.253}]\n"                              /* 13 */
	"    neighbours: [{address: 10.2.0.254, mac: 02:00:00:00:00:01}]\n"               /* 14 */
	"    snat: {ports: 40000-41000}\n"                                                /* 15 */
	"listeners:\n"                                                                    /* 16 */
	"  - name: web\n"                                                                 /* 17 */
	"    bind: 10.1.0.1:80\n"                                                         /* 18 */
	"    interface: app\n"                                                            /* 19 */
	"    protocol: tcp\n"                                                             /* 20 */
	"    cluster: web\n"                                                              /* 21 */
	"clusters:\n"                                                                     /* 22 */
	"  - name: web\n"                                                                 /* 23 */
	"    endpoints:\n"                                                                /* 24 */
	"      - address: 10.2.0.11:8080\n"                                               /* 25 */
	"        weight: 2\n"                                                             /* 26 */
	"      - address: 10.2.0.12:8080\n"                                               /* 27 */
	"    load_balancing: {algorithm: maglev, hash_on: source_ip, table_size: 1009}\n" /* 28 */
	"    timeouts: {connect: 1s, request: 15s}\n";                                    /* 29 */

/* What a test cannot go on without. */
static inline void require_at(int holds, int line)
{
	if (holds)
		return;
	fprintf(stderr, "\nline %d: the test cannot go on\n", line);
	abort();
}
#define require(holds) require_at(holds, __LINE__)

/* @policy with @find, which stands there once, replaced. The caller frees. */
static inline char *changed_policy(const char *policy, const char *find, const char *replace)
{
	const char *at = strstr(policy, find);
	size_t before, bytes;
	char *text;

	require(at != NULL && strstr(at + 1, find) == NULL);
	before = (size_t)(at - policy);
	bytes = strlen(policy) - strlen(find) + strlen(replace) + 1;
	text = malloc(bytes);
	require(text != NULL);
	snprintf(text, bytes, "%.*s%s%s", (int)before, policy, replace,
		 policy + before + strlen(find));
	return text;
}

/* Compiles a copy of @text whose last byte is the last one mapped. */
static inline struct image_header *compile_bytes(const char *text, size_t bytes,
						 struct diagnostics *d)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t room = (bytes + page - 1) / page * page;
	char *map =
		mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct image_header *image;

	require(map != MAP_FAILED);
	require(mprotect(map + room, page, PROT_NONE) == 0);
	memcpy(map + room - bytes, text, bytes);
	image = config_compile(map + room - bytes, bytes, d);
	munmap(map, room + page);
	return image;
}

/* The image of a text that must compile. The caller frees. */
static inline struct image_header *compile_good(const char *text)
{
	struct diagnostics *d = diagnostics_create("p");
	struct image_header *image = compile_bytes(text, strlen(text), d);

	if (image == NULL)
		diagnostics_print(d, stderr);
	require(image != NULL);
	diagnostics_free(d);
	return image;
}

/* What is said about a text, malloc'ed; *compiled tells whether there was an image. */
static inline char *messages_of(const char *text, size_t bytes, int *compiled)
{
	struct diagnostics *d = diagnostics_create("p");
	struct image_header *image = compile_bytes(text, bytes, d);
	char *messages = diagnostics_text(d);

	*compiled = image != NULL;
	CU_ASSERT_EQUAL(image == NULL, diagnostics_errors(d) != 0);
	free(image);
	diagnostics_free(d);
	return messages;
}

/* @text is refused with exactly the messages @expected; whether it was. */
static inline int assert_refused(const char *text, size_t bytes, const char *expected)
{
	int compiled;
	char *messages = messages_of(text, bytes, &compiled);
	int as_expected = !compiled && strcmp(messages, expected) == 0;

	if (!as_expected)
		fprintf(stderr, "\n--- expected%s\n%s--- got\n%s",
			compiled ? ", but it compiled" : "", expected, messages);
	CU_ASSERT(as_expected);
	free(messages);
	return as_expected;
}

/* good_policy with one or two changes, and what is then said. */
struct refused {
	const char *name;
	struct {
		const char *find;
		const char *replace;
	} change[2];
	const char *messages;
};

static inline void assert_row_refused(const struct refused *row)
{
	char *text = changed_policy(good_policy, row->change[0].find, row->change[0].replace);

	if (row->change[1].find != NULL) {
		char *twice = changed_policy(text, row->change[1].find, row->change[1].replace);

		free(text);
		text = twice;
	}
	if (!assert_refused(text, strlen(text), row->messages))
		fprintf(stderr, "--- row: %s\n", row->name);
	free(text);
}

static inline int run_suite(const char *name, CU_TestInfo *tests)
{
	CU_SuiteInfo suites[] = {{name, NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
	int failed;

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failed = CU_get_number_of_failures() != 0 || CU_get_number_of_tests_failed() != 0;
	CU_cleanup_registry();
	return failed;
}

#endif
