/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `fender-dataplane --takeover FD`: prepare beside the dataplane that runs, then take its place.
 * Two processes never hold one queue: everything that needs no interface is done first, and the
 * process lock, which the running one drops when its interfaces are closed, is waited for.
 *
 * FD, a pipe to who started us, gets one line: "ready", when the other one may stop, or
 * "failed: <why>". `dead` in place of FD: the other one is dying, which lasts as long as the kernel
 * needs to close its sockets.
 */
#ifndef FENDER_DATAPLANE_STANDBY_H
#define FENDER_DATAPLANE_STANDBY_H

#include <stddef.h>

#include "dataplane/options.h"

/**
 * standby() - start DPDK by the policy in force, say ready, take the process lock
 * @signal_fd: readable: give up
 * @lock_fd: receives the lock
 * Return: 0 with DPDK started, but for PCI devices of a dead one; -errno and @why, then nothing is
 * held: -ENOTSUP PCI devices cannot be handed over; -ETIME the lock was not free within 10 s;
 * -EINTR.
 */
int standby(const struct options *options, int signal_fd, int *lock_fd, char *why, size_t why_size);

#endif
