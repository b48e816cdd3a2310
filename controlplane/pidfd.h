/* SPDX-License-Identifier: Apache-2.0 */
/* A process by descriptor: no other process can be met under its number. */
#ifndef FENDER_CONTROLPLANE_PIDFD_H
#define FENDER_CONTROLPLANE_PIDFD_H

#include <sys/types.h>

struct paths;

/* Descriptor that becomes readable when the process ends, or -errno. Close-on-exec. */
int pidfd_of(pid_t pid);
int pidfd_signal(int pidfd, int signal);

/**
 * pidfd_of_dataplane() - the process that holds the dataplane's lock
 * @pid: receives its number
 *
 * The kernel names it, not the region, over which anybody's number may be written. The lock is
 * looked at again afterwards, so that a number that died in between is not taken for it.
 * Return: descriptor; -ESRCH nobody holds the lock; -EAGAIN somebody does and is not known yet.
 */
int pidfd_of_dataplane(const struct paths *paths, pid_t *pid);

#endif
