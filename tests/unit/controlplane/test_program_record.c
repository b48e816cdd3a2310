/* SPDX-License-Identifier: Apache-2.0 */
/* The program an upgrade brought, known to the next control plane; and absolute paths. */
#include "controlplane/program_record.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controlplane/paths.h"
#include "tests/unit/dataplane/suite.h"

static char path[64];
static char program[256];

static int read_for(const char *named)
{
	return program_record_read(path, named, program, sizeof(program));
}

static void the_program_is_kept_as_long_as_run_names_the_same(void)
{
	CU_ASSERT_EQUAL(read_for("/bin/old"), -ENOENT);
	program_record_write(path, "/bin/old", "/opt/../bin/new");
	CU_ASSERT_EQUAL(read_for("/bin/old"), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(program, "bin/new"));
	CU_ASSERT_PTR_NULL(strstr(program, ".."));
	CU_ASSERT_EQUAL(read_for("/bin/other"), -ENOENT);
	CU_ASSERT_EQUAL(program_record_read(path, "/bin/old", program, 4), -ENOENT);
	program_record_write(path, "/bin/old", "/bin/old");
	CU_ASSERT_EQUAL(read_for("/bin/old"), -ENOENT);
	CU_ASSERT_EQUAL(access(path, F_OK), -1);
}

static void write_bytes(const char *bytes, size_t count, mode_t mode)
{
	FILE *f = fopen(path, "w");

	if (!f || fwrite(bytes, 1, count, f) != count)
		abort();
	fclose(f);
	chmod(path, mode);
}

static void what_others_may_have_written_is_not_believed(void)
{
	static const struct {
		const char *bytes;
		size_t count;
		mode_t mode;
		int rc;
	} rows[] = {
		{"/old\0/new", 10, 0600, 0},         {"/old\0/new", 10, 0620, -ENOENT},
		{"/old\0/new", 10, 0602, -ENOENT},   {"/old\0/new", 9, 0600, -ENOENT},
		{"/old\0new", 9, 0600, -ENOENT},     {"/old\0", 5, 0600, -ENOENT},
		{"/old", 4, 0600, -ENOENT},          {"", 0, 0600, -ENOENT},
		{"/old\0/a\0/b", 11, 0600, -ENOENT},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		write_bytes(rows[i].bytes, rows[i].count, rows[i].mode);
		CU_ASSERT_EQUAL(read_for("/old"), rows[i].rc);
	}
	unlink(path);
	CU_ASSERT_EQUAL(symlink("/etc/passwd", path), 0);
	CU_ASSERT_EQUAL(read_for("/old"), -ENOENT);
	unlink(path);
}

static void a_path_means_the_same_from_everywhere(void)
{
	char out[PATH_MAX], link[128], wanted[PATH_MAX];

	CU_ASSERT_EQUAL(paths_absolute("/bin", out, sizeof(out)), 0);
	CU_ASSERT_STRING_EQUAL(out, "/bin");
	CU_ASSERT_EQUAL(paths_absolute("/proc/self/../no-such-file", out, sizeof(out)), 0);
	CU_ASSERT_STRING_EQUAL(out, "/proc/no-such-file");
	CU_ASSERT_EQUAL(paths_absolute("/no/such/folder/x", out, sizeof(out)), -ENOENT);
	CU_ASSERT_EQUAL(paths_absolute("/proc/x", out, 7), -ENAMETOOLONG);
	CU_ASSERT_PTR_NOT_NULL_FATAL(getcwd(wanted, sizeof(wanted) - 8));
	strcat(wanted, "/p.yaml");
	CU_ASSERT_EQUAL(paths_absolute("p.yaml", out, sizeof(out)), 0);
	CU_ASSERT_STRING_EQUAL(out, wanted);
	/* The last link is not followed: the kubelet makes it point elsewhere with each version. */
	snprintf(link, sizeof(link), "%s.link", path);
	CU_ASSERT_EQUAL(symlink("/etc/passwd", link), 0);
	CU_ASSERT_EQUAL(paths_absolute(link, out, sizeof(out)), 0);
	CU_ASSERT_STRING_EQUAL(out, link);
	unlink(link);
}

static CU_TestInfo tests[] = {
	SUITE_TEST(the_program_is_kept_as_long_as_run_names_the_same),
	SUITE_TEST(what_others_may_have_written_is_not_believed),
	SUITE_TEST(a_path_means_the_same_from_everywhere),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	snprintf(path, sizeof(path), "/tmp/fender-unit-program-%d", (int)getpid());
	return suite_run("program_record", tests);
}
