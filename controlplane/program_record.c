/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/program_record.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controlplane/log.h"
#include "controlplane/paths.h"

/* Two paths, each with its NUL: what `fender run` names, and what runs. */
enum { RECORD_BYTES = 2 * PATH_MAX };

static int write_whole(const char *path, const char *bytes, size_t count)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int failed;

	if (fd < 0)
		return -errno;
	failed = write(fd, bytes, count) != (ssize_t)count;
	failed |= close(fd) != 0;
	return failed ? -EIO : 0;
}

void program_record_write(const char *path, const char *named, const char *program)
{
	char record[RECORD_BYTES], next[PATH_MAX], where[PATH_MAX], absolute[PATH_MAX];
	size_t bytes;
	int rc = paths_absolute(named, where, sizeof(where));

	if (rc == 0)
		rc = paths_absolute(program, absolute, sizeof(absolute));
	if (rc == 0 && strcmp(where, absolute) == 0) {
		unlink(path);
		return;
	}
	if (rc == 0) {
		bytes = (size_t)snprintf(record, sizeof(record), "%s%c%s", where, 0, absolute) + 1;
		snprintf(next, sizeof(next), "%s.new", path);
		rc = write_whole(next, record, bytes);
	}
	if (rc == 0 && rename(next, path) != 0)
		rc = -errno;
	if (rc != 0)
		log_warn("dataplane", "event=program_not_kept file=%s error=\"%s\"", path,
			 strerror(-rc));
}

/* Whoever may write it may name a program that runs with our privileges. */
static int is_ours(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
	       !(st.st_mode & (S_IWGRP | S_IWOTH));
}

/* Return the bytes read; 0: nothing to believe. */
static size_t read_record(const char *path, char record[RECORD_BYTES])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	ssize_t bytes = 0;

	if (fd < 0)
		return 0;
	if (is_ours(fd))
		bytes = read(fd, record, RECORD_BYTES);
	close(fd);
	return bytes > 0 ? (size_t)bytes : 0;
}

int program_record_read(const char *path, const char *named, char *program, size_t size)
{
	char record[RECORD_BYTES], where[PATH_MAX];
	const size_t bytes = read_record(path, record);
	const char *end = memchr(record, '\0', bytes);
	size_t rest;

	if (!end || paths_absolute(named, where, sizeof(where)) != 0 || strcmp(record, where) != 0)
		return -ENOENT;
	end++;
	rest = bytes - (size_t)(end - record);
	if (rest < 2 || rest > size || end[rest - 1] || strlen(end) != rest - 1 || end[0] != '/')
		return -ENOENT;
	memcpy(program, end, rest);
	return 0;
}
