/* SPDX-License-Identifier: Apache-2.0 */
/* Where files are and who holds them. */
#include "controlplane/lock.h"
#include "controlplane/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/dataplane/suite.h"

static char lock_path[64];

static void one_process_holds_a_lock_and_it_ends_with_the_descriptor(void)
{
	int fd = lock_take(lock_path);

	CU_ASSERT_TRUE_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(lock_take(lock_path), -EWOULDBLOCK);
	CU_ASSERT_EQUAL(lock_held(lock_path), 1);
	close(fd);
	CU_ASSERT_EQUAL(lock_held(lock_path), 0);
	fd = lock_take(lock_path);
	CU_ASSERT_TRUE(fd >= 0);
	close(fd);
	unlink(lock_path);
}

static void the_holder_is_who_holds_it_and_nobody_who_looks(void)
{
	int fd = lock_take(lock_path), other;

	CU_ASSERT_TRUE_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(lock_holder(lock_path), getpid());
	close(fd);
	CU_ASSERT_EQUAL(lock_holder(lock_path), 0);
	other = open(lock_path, O_RDONLY);
	CU_ASSERT_EQUAL(flock(other, LOCK_SH), 0);
	CU_ASSERT_EQUAL(lock_holder(lock_path), 0);
	close(other);
	unlink(lock_path);
	CU_ASSERT_EQUAL(lock_holder(lock_path), 0);
}

static void a_lock_on_an_unlinked_file_does_not_count(void)
{
	int old = lock_take(lock_path);
	int fd;

	unlink(lock_path);
	CU_ASSERT_EQUAL(lock_held(lock_path), 0);
	fd = lock_take(lock_path);
	CU_ASSERT_TRUE(fd >= 0);
	CU_ASSERT_EQUAL(lock_held(lock_path), 1);
	close(fd);
	close(old);
	unlink(lock_path);
}

static void a_lock_is_no_link_to_elsewhere(void)
{
	CU_ASSERT_EQUAL_FATAL(symlink("/dev/null", lock_path), 0);
	CU_ASSERT_EQUAL(lock_take(lock_path), -ELOOP);
	unlink(lock_path);
}

static void paths_follow_from_the_instance(void)
{
	struct paths paths;
	char why[160];

	CU_ASSERT_EQUAL(paths_set(&paths, "/run/fender", "/dev/shm", "a", why, sizeof(why)), 0);
	CU_ASSERT_STRING_EQUAL(paths.socket, "/run/fender/a.sock");
	CU_ASSERT_STRING_EQUAL(paths.socket_ro, "/run/fender/a.sock.ro");
	CU_ASSERT_STRING_EQUAL(paths.lock, "/run/fender/a.lock");
	CU_ASSERT_STRING_EQUAL(paths.dataplane_lock, "/run/fender/a.dataplane.lock");
	CU_ASSERT_STRING_EQUAL(paths.wake, "/run/fender/a.wake");
	CU_ASSERT_STRING_EQUAL(paths.region, "/dev/shm/fender-a");
	CU_ASSERT_STRING_EQUAL(paths.history, "/run/fender/a.generations");
	CU_ASSERT_STRING_EQUAL(paths.program, "/run/fender/a.program");
}

static void names_that_are_no_file_names_are_refused(void)
{
	static const char *const names[] = {"", ".", "..", ".hidden", "a/b", "../a"};
	struct paths paths;
	char why[160];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		CU_ASSERT_EQUAL(paths_set(&paths, "/r", "/s", names[i], why, sizeof(why)), -EINVAL);
}

static void a_socket_path_ends_at_its_longest(void)
{
	char dir[SOCKET_PATH_BYTES + 1];
	size_t longest = SOCKET_PATH_BYTES - 1 - strlen("/a.sock.ro");
	struct paths paths;
	char why[160];

	memset(dir, 'd', sizeof(dir));
	dir[longest] = '\0';
	CU_ASSERT_EQUAL(paths_set(&paths, dir, "/s", "a", why, sizeof(why)), 0);
	dir[longest] = 'd';
	dir[longest + 1] = '\0';
	CU_ASSERT_EQUAL(paths_set(&paths, dir, "/s", "a", why, sizeof(why)), -ENAMETOOLONG);
}

static CU_TestInfo tests[] = {
	SUITE_TEST(one_process_holds_a_lock_and_it_ends_with_the_descriptor),
	SUITE_TEST(the_holder_is_who_holds_it_and_nobody_who_looks),
	SUITE_TEST(a_lock_on_an_unlinked_file_does_not_count),
	SUITE_TEST(a_lock_is_no_link_to_elsewhere),
	SUITE_TEST(paths_follow_from_the_instance),
	SUITE_TEST(names_that_are_no_file_names_are_refused),
	SUITE_TEST(a_socket_path_ends_at_its_longest),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	snprintf(lock_path, sizeof(lock_path), "/tmp/fender-unit-lock-%d", (int)getpid());
	return suite_run("files", tests);
}
