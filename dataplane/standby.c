/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/standby.h"

#include "dataplane/clock.h"
#include "dataplane/eal.h"
#include "dataplane/run_files.h"
#include "shm/publish.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LOCK_PAUSE_MS = 1, LINE_BYTES = 1024 };

#define LOCK_WAIT_NS 10000000000ull

static void tell(int fd, const char *line)
{
	if (fd == TAKEOVER_DEAD)
		return;
	/* Nobody listens any more: then nobody is going to stop the other one either. */
	(void)!write(fd, line, strlen(line));
}

/* What runs now, looked at only: the running dataplane alone marks what it reads. */
static struct image_header *peek(const struct options *o, char *why, size_t why_size)
{
	struct image_header *image = NULL;
	struct region region;

	if (region_open(&region, o->region, why, why_size))
		return NULL;
	if (adopt_peek(&region, &image, why, why_size))
		image = NULL;
	region_close(&region);
	return image;
}

static int has_pci(const struct image_header *image)
{
	const struct image_interface *row = IMAGE_ARRAY(image, struct image_interface, interfaces);

	for (uint32_t i = 0; i < image->interfaces.count; i++)
		if (row[i].kind == DEVICE_PCI)
			return 1;
	return 0;
}

static int prepare(const struct options *o, char *why, size_t why_size)
{
	struct image_header *image = peek(o, why, why_size);
	int rc;

	if (!image)
		return -EPROTO;
	if (has_pci(image) && o->takeover_fd == TAKEOVER_DEAD) {
		rc = 0; /* later, when its devices are free */
	} else if (has_pci(image)) {
		snprintf(why, why_size,
			 "PCI devices belong to one process: with them an upgrade is a stop and a "
			 "start");
		rc = -ENOTSUP;
	} else {
		rc = eal_start(image, o->instance, why, why_size);
	}
	free(image);
	return rc;
}

static int wait_for_lock(const struct options *o, int signal_fd, char *why, size_t why_size)
{
	const uint64_t end_ns = clock_ns() + LOCK_WAIT_NS;
	struct pollfd signals = {.fd = signal_fd, .events = POLLIN};

	do {
		int fd = process_lock_try(o->lock_path, why, why_size);

		if (fd != -EWOULDBLOCK)
			return fd;
		if (poll(&signals, 1, LOCK_PAUSE_MS) > 0) {
			snprintf(why, why_size, "stopped while it waited for its turn");
			return -EINTR;
		}
	} while (clock_ns() < end_ns);
	snprintf(why, why_size, "the running dataplane did not stop within %llu s",
		 LOCK_WAIT_NS / 1000000000);
	return -ETIME;
}

int standby(const struct options *o, int signal_fd, int *lock_fd, char *why, size_t why_size)
{
	char line[LINE_BYTES];
	int rc = prepare(o, why, why_size);

	if (rc) {
		snprintf(line, sizeof(line), "failed: %s\n", why);
		tell(o->takeover_fd, line);
		return rc;
	}
	tell(o->takeover_fd, "ready\n");
	rc = wait_for_lock(o, signal_fd, why, why_size);
	if (rc < 0) {
		eal_stop();
		return rc;
	}
	*lock_fd = rc;
	return 0;
}
