/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TSC frequency for DPDK, where the CPU does not tell it. DPDK sleeps 100 ms to measure it,
 * two thirds of a start (and of the gap when a killed dataplane comes back). Nothing here
 * depends on it but short delays in drivers, so 1 ms is enough: off by less than 0.1 %. Linked
 * in its place with -Wl,--wrap=get_tsc_freq.
 */
#include <stdint.h>
#include <time.h>

#include <rte_cycles.h>

enum { SAMPLE_NS = 1000000 };

/* The linker's name for a replacement. */
uint64_t __wrap_get_tsc_freq(void);

static uint64_t raw_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_RAW, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t __wrap_get_tsc_freq(void)
{
	const struct timespec sample = {.tv_nsec = SAMPLE_NS};
	uint64_t begin_ns = raw_ns(), begin = rte_rdtsc(), ns;

	nanosleep(&sample, NULL);
	ns = raw_ns() - begin_ns;
	return (uint64_t)((__uint128_t)(rte_rdtsc() - begin) * 1000000000u / ns);
}
