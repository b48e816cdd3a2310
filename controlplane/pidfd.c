/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/pidfd.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "controlplane/lock.h"
#include "controlplane/paths.h"
#include "shm/region.h"

int pidfd_of(pid_t pid)
{
	long fd = syscall(SYS_pidfd_open, pid, 0);

	return fd < 0 ? -errno : (int)fd;
}

int pidfd_signal(int pidfd, int signal)
{
	return syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) == 0 ? 0 : -errno;
}

int pidfd_of_dataplane(const struct paths *paths, const struct region *region, pid_t *pid)
{
	int fd;

	if (lock_held(paths->dataplane_lock) != 1)
		return -ESRCH;
	*pid = (pid_t)__atomic_load_n(&region->header->dataplane_pid, __ATOMIC_ACQUIRE);
	if (*pid <= 0)
		return -EAGAIN;
	fd = pidfd_of(*pid);
	if (fd < 0)
		return -EAGAIN;
	if (lock_held(paths->dataplane_lock) == 1 &&
	    (pid_t)__atomic_load_n(&region->header->dataplane_pid, __ATOMIC_ACQUIRE) == *pid)
		return fd;
	close(fd);
	return -EAGAIN;
}
