/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/region_guard.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "shm/why.h"

/* What the handler of SIGBUS may look at: written before it is installed. */
static struct {
	uint8_t *base;
	uint64_t bytes;
} watched;

static void give_up(void)
{
	signal(SIGBUS, SIG_DFL); /* the instruction is run again and ends us */
}

/*
 * The file was cut under our feet. Zeros take the place of what is gone, so that the instruction
 * succeeds and the loop can end the run in order. mmap() is a mere system call here.
 */
static void on_bus_error(int number, siginfo_t *info, void *context)
{
	const uint8_t *at = info->si_addr;
	const int saved = errno;
	uint64_t offset;

	if (!watched.base || at < watched.base || at >= watched.base + watched.bytes) {
		give_up();
		return;
	}
	offset = (uint64_t)(at - watched.base) / REGION_PAGE_BYTES * REGION_PAGE_BYTES;
	if (mmap(watched.base + offset, watched.bytes - offset, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		give_up();
	errno = saved;
}

static void watch(const struct region *region)
{
	watched.base = (uint8_t *)region->header;
	watched.bytes = region->bytes;
}

void region_guard_start(struct region_guard *guard, struct region *region, const char *path)
{
	struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};

	*guard = (struct region_guard){.region = region, .path = path, .good = *region->header};
	watch(region);
	sigemptyset(&action.sa_mask);
	sigaction(SIGBUS, &action, NULL);
}

void region_guard_stop(void)
{
	give_up();
	watched.base = NULL;
}

/* Written once, at creation. */
static int header_is_good(const struct region_guard *g)
{
	const struct region_header *now = g->region->header;
	const size_t fixed = offsetof(struct region_header, static_crc32c) + sizeof(uint32_t);

	return memcmp(now, &g->good, fixed) == 0 &&
	       memcmp(now->sections, g->good.sections, sizeof(now->sections)) == 0;
}

/*
 * Who wrote over it has not stopped where the fixed part ends: all of it becomes what it was half a
 * second ago at most. The reader's mark goes: a copy that it would have protected fails its
 * checksum, is refused and published again.
 */
static void repair(const struct region_guard *g)
{
	struct region_header good = g->good;

	good.reading = 0;
	memcpy(g->region->header, &good, sizeof(good));
}

static int has_its_name(const struct region_guard *g, const struct stat *live)
{
	struct stat named;

	return lstat(g->path, &named) == 0 && named.st_dev == live->st_dev &&
	       named.st_ino == live->st_ino;
}

/* The live file has another name still. Return 0 or -errno. */
static int link_again(const struct region_guard *g)
{
	char self[32], made[PATH_MAX];

	snprintf(self, sizeof(self), "/proc/self/fd/%d", g->region->fd);
	if (snprintf(made, sizeof(made), "%s.new", g->path) >= (int)sizeof(made))
		return -ENAMETOOLONG;
	unlink(made);
	if (linkat(AT_FDCWD, self, AT_FDCWD, made, AT_SYMLINK_FOLLOW) != 0 ||
	    rename(made, g->path) != 0)
		return -errno;
	return 0;
}

/* For a second one, where the live one is; a tmpfs without a limit counts no blocks. */
static int has_room(const struct region *region)
{
	struct statvfs fs;

	return fstatvfs(region->fd, &fs) != 0 || fs.f_blocks == 0 ||
	       (uint64_t)fs.f_bavail * fs.f_frsize >= region->bytes;
}

enum region_state region_guard_look(struct region_guard *g, char *why_text, size_t why_size)
{
	const struct why why = {why_text, why_size};
	struct stat live;

	if (fstat(g->region->fd, &live) != 0 || (uint64_t)live.st_size < g->region->bytes) {
		why_fail(&why, 0, "%.80s was cut to %lld bytes of %llu", g->path,
			 (long long)live.st_size, (unsigned long long)g->region->bytes);
		return REGION_CUT;
	}
	if (!header_is_good(g)) {
		repair(g);
		why_fail(&why, 0, "the header of %.80s was written over", g->path);
		return REGION_REPAIRED;
	}
	memcpy(&g->good, g->region->header, sizeof(g->good));
	/* Whoever opens it next would refuse it. */
	if ((uint64_t)live.st_size > g->region->bytes)
		(void)!ftruncate(g->region->fd, (off_t)g->region->bytes);
	if (has_its_name(g, &live))
		return REGION_FINE;
	if (live.st_nlink > 0 && link_again(g) == 0) {
		why_fail(&why, 0, "%.80s was another file", g->path);
		return REGION_RELINKED;
	}
	if (!has_room(g->region)) {
		why_fail(&why, 0,
			 "%.80s was deleted or replaced: No space left on device for another",
			 g->path);
		return REGION_STUCK;
	}
	why_fail(&why, 0, "%.80s was deleted or replaced", g->path);
	return REGION_NAMELESS;
}

/* A file without a name that has all the region holds. Return its descriptor or -errno. */
static int copy_to(const char *path, const struct region *region)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	int error;

	if (fd < 0)
		return -errno;
	error = posix_fallocate(fd, 0, (off_t)region->bytes);
	for (uint64_t done = 0; !error && done < region->bytes;) {
		ssize_t n = pwrite(fd, (const uint8_t *)region->header + done, region->bytes - done,
				   (off_t)done);

		if (n <= 0)
			error = n < 0 ? errno : EIO;
		else
			done += (uint64_t)n;
	}
	if (!error)
		return fd;
	unlink(path);
	close(fd);
	return -error;
}

int region_guard_move(struct region_guard *g, char *why_text, size_t why_size)
{
	const struct why why = {why_text, why_size};
	struct region *region = g->region;
	char made[PATH_MAX];
	int fd;

	if (snprintf(made, sizeof(made), "%s.new", g->path) >= (int)sizeof(made))
		return why_fail(&why, -ENAMETOOLONG, "the region's path is too long");
	unlink(made);
	fd = copy_to(made, region);
	if (fd < 0) {
		errno = -fd;
		return why_fail(&why, fd, "cannot write %.80s: %m", made);
	}
	/* The same address: nobody of this process notices. */
	if (mmap(region->header, region->bytes, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_POPULATE | MAP_FIXED, fd, 0) == MAP_FAILED ||
	    rename(made, g->path) != 0) {
		why_fail(&why, -errno, "cannot use %.80s: %m", made);
		unlink(made);
		close(fd);
		return -EIO;
	}
	close(region->fd);
	region->fd = fd;
	watch(region);
	return 0;
}
