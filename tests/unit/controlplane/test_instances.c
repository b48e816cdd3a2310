/* SPDX-License-Identifier: Apache-2.0 */
/* Whose a policy file is, by what earlier control planes have left. */
#include "controlplane/instances.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controlplane/generations.h"
#include "controlplane/lock.h"
#include "controlplane/paths.h"
#include "tests/unit/dataplane/suite.h"

static char folder[64];
static char names[32];

static void set_paths(struct paths *paths, const char *instance)
{
	char why[160];

	if (paths_set(paths, folder, folder, instance, why, sizeof(why)))
		abort();
}

/* A region and a history, as a control plane that was killed leaves them. */
static void leave(const char *instance, const char *file)
{
	struct generations *g;
	struct paths paths;
	FILE *region;

	set_paths(&paths, instance);
	g = generations_create(paths.history, 1);
	generations_set_file(g, file);
	generations_hold(g, 1);
	generations_free(g);
	region = fopen(paths.region, "w");
	if (!region)
		abort();
	fclose(region);
}

static void forget(const char *instance)
{
	struct paths paths;

	set_paths(&paths, instance);
	generations_remove(paths.history);
	unlink(paths.region);
	unlink(paths.lock);
}

static int count_of(const char *file)
{
	return instances_of_file(folder, folder, file, names, sizeof(names));
}

static void the_one_that_names_the_file_is_found(void)
{
	CU_ASSERT_EQUAL(count_of("/a.yaml"), 0);
	leave("a", "/a.yaml");
	leave("b.generations", "/b.yaml");
	CU_ASSERT_EQUAL(count_of("/a.yaml"), 1);
	CU_ASSERT_STRING_EQUAL(names, "a");
	CU_ASSERT_EQUAL(count_of("/b.yaml"), 1);
	CU_ASSERT_STRING_EQUAL(names, "b.generations");
	CU_ASSERT_EQUAL(count_of("/c.yaml"), 0);
	CU_ASSERT_STRING_EQUAL(names, "");
	forget("b.generations");
	forget("a");
}

static void two_of_one_file_are_both_named(void)
{
	leave("a", "/a.yaml");
	leave("b", "/a.yaml");
	CU_ASSERT_EQUAL(count_of("/a.yaml"), 2);
	CU_ASSERT(strcmp(names, "a, b") == 0 || strcmp(names, "b, a") == 0);
	forget("b");
	forget("a");
}

static void one_that_is_run_or_has_no_region_does_not_count(void)
{
	struct paths paths;
	int fd;

	leave("a", "/a.yaml");
	set_paths(&paths, "a");
	fd = lock_take(paths.lock);
	CU_ASSERT_EQUAL(count_of("/a.yaml"), 0);
	close(fd);
	CU_ASSERT_EQUAL(count_of("/a.yaml"), 1);
	unlink(paths.region);
	CU_ASSERT_EQUAL(count_of("/a.yaml"), 0);
	forget("a");
}

static void what_is_odd_is_passed_over(void)
{
	static const char *const entries[] = {".generations", "..generations", "a.generations.old",
					      "loop.generations"};
	char path[128];

	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, entries[i]);
		CU_ASSERT_EQUAL(symlink(entries[i], path), 0);
	}
	CU_ASSERT_EQUAL(count_of("/a.yaml"), 0);
	leave("a", "/a.yaml");
	CU_ASSERT_EQUAL(count_of("/a.yaml"), 1);
	forget("a");
	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, entries[i]);
		unlink(path);
	}
	CU_ASSERT_EQUAL(instances_of_file("/proc/no/such", folder, "/a", names, sizeof(names)), 0);
}

static CU_TestInfo tests[] = {
	SUITE_TEST(the_one_that_names_the_file_is_found),
	SUITE_TEST(two_of_one_file_are_both_named),
	SUITE_TEST(one_that_is_run_or_has_no_region_does_not_count),
	SUITE_TEST(what_is_odd_is_passed_over),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	int rc;

	snprintf(folder, sizeof(folder), "/tmp/fender-unit-instances-%d", (int)getpid());
	if (mkdir(folder, 0700))
		return 1;
	rc = suite_run("instances", tests);
	rmdir(folder);
	return rc;
}
