/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TAKE_TRIES = 16 };

static int same_file(int fd, const char *path)
{
	struct stat held;
	struct stat named;

	return fstat(fd, &held) == 0 && stat(path, &named) == 0 && held.st_dev == named.st_dev &&
	       held.st_ino == named.st_ino;
}

int lock_take(const char *path)
{
	for (int i = 0; i < TAKE_TRIES; i++) {
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		int error;

		if (fd < 0)
			return -errno;
		if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
			error = errno;
			close(fd);
			return -error;
		}
		if (same_file(fd, path))
			return fd;
		close(fd);
	}
	return -EWOULDBLOCK;
}

int lock_held(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int held;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	held = flock(fd, LOCK_SH | LOCK_NB) == 0 ? 0 : 1;
	if (held && errno != EWOULDBLOCK)
		held = -errno;
	close(fd);
	return held;
}
