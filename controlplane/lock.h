/* SPDX-License-Identifier: Apache-2.0 */
/* Process locks: flock on a file that names who may write what. */
#ifndef FENDER_CONTROLPLANE_LOCK_H
#define FENDER_CONTROLPLANE_LOCK_H

#include <sys/types.h>

/**
 * lock_take() - hold @path until the descriptor is closed or the process ends
 *
 * The descriptor is close-on-exec, so no child prolongs the lock. A file that was unlinked by
 * its last holder while we opened it is not counted as held: we take the new one.
 * Return: descriptor; -EWOULDBLOCK another process holds it; -errno.
 */
int lock_take(const char *path);

/*
 * 1 when some process holds @path, 0 when none does or there is no such file, -errno. Looks by
 * taking a shared lock for a moment: do not call it while a process of ours is about to lock.
 */
int lock_held(const char *path);

/* Is @fd of lock_take(@path) still what others find there? */
int lock_is_ours(int fd, const char *path);

/**
 * lock_holder() - which process holds @path, by what the kernel says (/proc/locks)
 * Return: its number; 0 when none does or none that this process can see; -errno.
 */
pid_t lock_holder(const char *path);

#endif
