/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/limits_claim.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

enum { TRIES = 50, PAUSE_NS = 10000000, LOCK_PATH_BYTES = 256 };

static int lock_path(char *path, const char *root)
{
	const char *slash = strrchr(root, '/');
	int folder = slash ? (int)(slash - root) + 1 : 0;
	/* No dots: a BPF file system refuses them. */
	int n = snprintf(path, LOCK_PATH_BYTES, "%.*slock-%s", folder, root, root + folder);

	return n < 0 || n >= LOCK_PATH_BYTES ? -ENAMETOOLONG : 0;
}

/* 0: nobody else can have made or opened it. */
static int check(int fd, const char *path)
{
	struct stat held, named;

	if (fstat(fd, &held))
		return -errno;
	/* Removed by its last holder while we opened it: the next try makes another. */
	if (lstat(path, &named) || held.st_ino != named.st_ino || held.st_dev != named.st_dev)
		return -EWOULDBLOCK;
	if ((held.st_uid != geteuid() && held.st_uid != 0) || (held.st_mode & (S_IWGRP | S_IWOTH)))
		return -EPERM;
	return 0;
}

static int is_bpf(const char *root)
{
	const char *slash = strrchr(root, '/');
	char parent[LOCK_PATH_BYTES];
	struct statfs fs;

	snprintf(parent, sizeof(parent), "%.*s/", slash ? (int)(slash - root) : 0, root);
	return statfs(parent, &fs) == 0 && fs.f_type == BPF_FS_MAGIC;
}

static int try_lock(const char *path)
{
	int fd, rc;

	if (mkdir(path, 0700) && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? -EWOULDBLOCK : -errno;
	rc = flock(fd, LOCK_EX | LOCK_NB) ? -errno : check(fd, path);
	if (rc == 0)
		return fd;
	close(fd);
	return rc;
}

int limits_claim(const char *root)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	char path[LOCK_PATH_BYTES];
	int rc = lock_path(path, root);

	if (rc)
		return rc;
	if (!is_bpf(root))
		return -ENODEV;
	for (int i = 0; i < TRIES; i++) {
		if (i > 0)
			nanosleep(&pause, NULL);
		rc = try_lock(path);
		if (rc != -EWOULDBLOCK)
			return rc;
	}
	return rc;
}

void limits_unclaim(const char *root, int fd)
{
	char path[LOCK_PATH_BYTES];

	if (fd < 0)
		return;
	if (lock_path(path, root) == 0)
		rmdir(path);
	close(fd);
}
