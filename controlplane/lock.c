/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/lock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
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

int lock_is_ours(int fd, const char *path)
{
	return same_file(fd, path);
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

/* Has the process this file open? A file system in layers names another device in /proc/locks. */
static int has_open(pid_t pid, const struct stat *file)
{
	char path[64];
	const struct dirent *entry;
	struct stat st;
	int found = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	while (dir && !found && (entry = readdir(dir)) != NULL)
		found = fstatat(dirfd(dir), entry->d_name, &st, 0) == 0 &&
			st.st_dev == file->st_dev && st.st_ino == file->st_ino;
	if (dir)
		closedir(dir);
	return found;
}

/* "1: FLOCK  ADVISORY  WRITE 2285 fe:00:11157959 0 EOF"; who waits has "->" before FLOCK. */
static pid_t holder_in(const char *line, const struct stat *file)
{
	char words[4][24];
	unsigned int device_major, device_minor;
	pid_t pid;

	if (sscanf(line, "%*[0-9]: FLOCK ADVISORY WRITE %9[0-9] %8[0-9a-f]:%8[0-9a-f]:%20[0-9]",
		   words[0], words[1], words[2], words[3]) != 4)
		return 0;
	pid = (pid_t)strtol(words[0], NULL, 10);
	device_major = (unsigned int)strtoul(words[1], NULL, 16);
	device_minor = (unsigned int)strtoul(words[2], NULL, 16);
	if (pid <= 0 || strtoull(words[3], NULL, 10) != file->st_ino)
		return 0;
	if (makedev(device_major, device_minor) == file->st_dev || has_open(pid, file))
		return pid;
	return 0;
}

pid_t lock_holder(const char *path)
{
	char line[160];
	struct stat file;
	pid_t pid = 0;
	FILE *locks;

	if (stat(path, &file) != 0)
		return errno == ENOENT ? 0 : -errno;
	locks = fopen("/proc/locks", "re");
	if (!locks)
		return -errno;
	while (pid == 0 && fgets(line, sizeof(line), locks))
		pid = holder_in(line, &file);
	(void)fclose(locks);
	return pid;
}
