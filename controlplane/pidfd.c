/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/pidfd.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "controlplane/lock.h"
#include "controlplane/paths.h"

int pidfd_of(pid_t pid)
{
	long fd = syscall(SYS_pidfd_open, pid, 0);

	return fd < 0 ? -errno : (int)fd;
}

int pidfd_signal(int pidfd, int signal)
{
	return syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) == 0 ? 0 : -errno;
}

int pidfd_of_dataplane(const struct paths *paths, pid_t *pid)
{
	int fd;

	if (lock_held(paths->dataplane_lock) != 1)
		return -ESRCH;
	*pid = lock_holder(paths->dataplane_lock);
	if (*pid <= 0)
		return -EAGAIN;
	fd = pidfd_of(*pid);
	if (fd < 0)
		return -EAGAIN;
	if (lock_holder(paths->dataplane_lock) == *pid)
		return fd;
	close(fd);
	return -EAGAIN;
}
