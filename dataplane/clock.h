/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FENDER_DATAPLANE_CLOCK_H
#define FENDER_DATAPLANE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* CLOCK_MONOTONIC in ns, by the vDSO: no system call. */
static inline uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

#endif
