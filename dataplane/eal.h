/* SPDX-License-Identifier: Apache-2.0 */
/* DPDK's environment: memory for its own objects, and one lcore (thread) a worker. */
#ifndef FENDER_DATAPLANE_EAL_H
#define FENDER_DATAPLANE_EAL_H

#include <stddef.h>

#include "shm/image.h"

/**
 * eal_start() - rte_eal_init() with arguments made from the policy
 * @why: one sentence on failure
 *
 * Worker i runs on lcore i + 1: pinned when sidecar.cpus names at least as many CPUs as there are
 * workers, else floating over them; without sidecar.cpus over all CPUs this process may use,
 * as the main thread does. PCI devices are probed only when the policy names one; only then does
 * DPDK itself use hugepages. Once a process. Return 0 or -errno.
 */
int eal_start(const struct image_header *image, const char *instance, char *why, size_t why_size);
void eal_stop(void);

/* lcore of a worker. */
unsigned int eal_lcore(unsigned int worker);

#endif
