/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/dataplane/suite.h"

/* The service manager's end: bound to @name, where '@' begins an abstract one. */
static int manager(const char *name)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	const size_t bytes = strlen(name);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	memcpy(at.sun_path, name, bytes);
	if (name[0] == '@')
		at.sun_path[0] = '\0';
	if (bind(fd, (struct sockaddr *)&at,
		 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + bytes)) != 0)
		abort();
	setenv("NOTIFY_SOCKET", name, 1);
	return fd;
}

static void messages_arrive(const char *name)
{
	char got[600] = "", whole[600];
	struct notify n;
	int fd = manager(name);

	unsetenv("WATCHDOG_USEC");
	CU_ASSERT_EQUAL(notify_open(&n), 0);
	CU_ASSERT_EQUAL(n.watchdog_us, 0);
	notify_send(&n, "READY=1\nSTATUS=%s", "fine");
	CU_ASSERT_TRUE(recv(fd, got, sizeof(got) - 1, 0) > 0);
	CU_ASSERT_STRING_EQUAL(got, "READY=1\nSTATUS=fine");
	memset(whole, 'x', sizeof(whole) - 1);
	whole[sizeof(whole) - 1] = '\0';
	notify_send(&n, "%s", whole);
	CU_ASSERT_EQUAL(recv(fd, got, sizeof(got), 0), 511);
	/* Nobody there, and nobody reading: no error, no wait. */
	for (int i = 0; i < 1000; i++)
		notify_send(&n, "WATCHDOG=1");
	close(fd);
	notify_send(&n, "STOPPING=1");
	notify_close(&n);
	CU_ASSERT_EQUAL(n.fd, -1);
	notify_send(&n, "after the end");
}

static void paths_and_abstract_names_are_sockets(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/tmp/fender-unit-notify-%d", (int)getpid());
	messages_arrive(path);
	unlink(path);
	path[0] = '@';
	messages_arrive(path);
}

static void without_a_socket_nothing_is_sent(void)
{
	struct notify n;

	unsetenv("NOTIFY_SOCKET");
	CU_ASSERT_EQUAL(notify_open(&n), 0);
	CU_ASSERT_EQUAL(n.fd, -1);
	setenv("NOTIFY_SOCKET", "", 1);
	CU_ASSERT_EQUAL(notify_open(&n), 0);
	notify_send(&n, "READY=1");
}

static void other_addresses_are_refused(void)
{
	char longest[200];
	struct notify n;

	memset(longest, 'a', sizeof(longest) - 1);
	longest[0] = '/';
	longest[sizeof(longest) - 1] = '\0';
	setenv("NOTIFY_SOCKET", longest, 1);
	CU_ASSERT_EQUAL(notify_open(&n), -EINVAL);
	setenv("NOTIFY_SOCKET", "vsock:2:3", 1);
	CU_ASSERT_EQUAL(notify_open(&n), -EINVAL);
	setenv("NOTIFY_SOCKET", "@", 1);
	CU_ASSERT_EQUAL(notify_open(&n), -EINVAL);
	CU_ASSERT_EQUAL(n.fd, -1);
}

static void the_watchdog_is_for_its_process(void)
{
	char pid[16];
	struct notify n;

	setenv("NOTIFY_SOCKET", "/nowhere", 1);
	setenv("WATCHDOG_USEC", "5000000", 1);
	unsetenv("WATCHDOG_PID");
	notify_open(&n);
	CU_ASSERT_EQUAL(n.watchdog_us, 5000000);
	notify_close(&n);
	setenv("WATCHDOG_PID", "1", 1);
	notify_open(&n);
	CU_ASSERT_EQUAL(n.watchdog_us, 0);
	notify_close(&n);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("WATCHDOG_PID", pid, 1);
	notify_open(&n);
	CU_ASSERT_EQUAL(n.watchdog_us, 5000000);
	notify_close(&n);
}

static CU_TestInfo tests[] = {
	SUITE_TEST(paths_and_abstract_names_are_sockets),
	SUITE_TEST(without_a_socket_nothing_is_sent),
	SUITE_TEST(other_addresses_are_refused),
	SUITE_TEST(the_watchdog_is_for_its_process),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	return suite_run("notify", tests);
}
