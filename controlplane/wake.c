/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/wake.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int wake_dataplane(const char *fifo)
{
	int fd = open(fifo, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	int rc = 0;

	/* No reader: no dataplane runs, and one that starts reads the region first. */
	if (fd < 0)
		return 0;
	/* A full FIFO wakes as well as one more byte would. */
	if (write(fd, "p", 1) < 0 && errno != EAGAIN)
		rc = -errno;
	close(fd);
	return rc;
}
