/* SPDX-License-Identifier: Apache-2.0 */
/* What every tool needs. */
#ifndef FENDER_TESTS_TOOLS_TOOL_H
#define FENDER_TESTS_TOOLS_TOOL_H

#include <stdint.h>
#include <time.h>

/* CLOCK_MONOTONIC. */
static inline uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The next number, never 0; *@state is not 0. */
static inline uint32_t xorshift(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

#endif
