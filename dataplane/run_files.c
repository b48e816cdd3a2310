/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/run_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	LOCK_TRIES = 10,
	LOCK_PAUSE_NS = 5000000,
	DIR_BYTES = 256,
	HIGH_FD = 768, /* above all others of a dataplane, below the usual limit of 1,024 */
};

static int fail(const char *path, int error, char *why, size_t why_size)
{
	snprintf(why, why_size, "%s: %s", path, strerror(error));
	return -error;
}

static void make_directory_of(const char *path)
{
	char dir[DIR_BYTES];
	const char *slash = strrchr(path, '/');

	if (!slash || slash == path || (size_t)(slash - path) >= sizeof(dir))
		return;
	snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path), path);
	(void)!mkdir(dir, 0755); /* what is still wrong shows when the file is opened */
}

static int same_file(int fd, const char *path)
{
	struct stat held, named;

	return fstat(fd, &held) == 0 && stat(path, &named) == 0 && held.st_dev == named.st_dev &&
	       held.st_ino == named.st_ino;
}

int process_lock_try(const char *path, char *why, size_t why_size)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int error;

	if (fd < 0)
		return fail(path, errno, why, why_size);
	error = flock(fd, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
	if (error == 0 && same_file(fd, path))
		return fd;
	close(fd);
	if (error != 0 && error != EWOULDBLOCK)
		return fail(path, error, why, why_size);
	snprintf(why, why_size, "another dataplane of this instance runs: it holds %s", path);
	return -EWOULDBLOCK;
}

/* The control plane looks whether the lock is held by taking it for a moment: try again. */
int process_lock_take(const char *path, char *why, size_t why_size)
{
	const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};
	int fd = -EWOULDBLOCK;

	make_directory_of(path);
	for (int i = 0; i < LOCK_TRIES && fd == -EWOULDBLOCK; i++) {
		if (i > 0)
			nanosleep(&pause, NULL);
		fd = process_lock_try(path, why, why_size);
	}
	return fd;
}

void run_files_prepare(void)
{
	int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, HIGH_FD);

	if (fd >= 0)
		close(fd);
}

/* The same with a number above all others, where there is room. */
static int raise_fd(int fd)
{
	int high = fcntl(fd, F_DUPFD_CLOEXEC, HIGH_FD);

	if (high < 0)
		return fd;
	close(fd);
	return high;
}

int wake_fifo_open(const char *path, char *why, size_t why_size)
{
	struct stat st;
	int fd;

	if (mkfifo(path, 0600) != 0 && errno != EEXIST)
		return fail(path, errno, why, why_size);
	/* Read and write: with a writer of our own there is no end of file. */
	fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return fail(path, errno, why, why_size);
	if (fstat(fd, &st) != 0 || !S_ISFIFO(st.st_mode)) {
		close(fd);
		snprintf(why, why_size, "%s is not a FIFO", path);
		return -EEXIST;
	}
	return raise_fd(fd);
}

void wake_fifo_drain(int fd)
{
	char bytes[64];

	while (read(fd, bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes))
		;
}
