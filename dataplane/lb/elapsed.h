/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FENDER_DATAPLANE_LB_ELAPSED_H
#define FENDER_DATAPLANE_LB_ELAPSED_H

#include <stdint.h>

enum { ELAPSED_BEHIND_MS = 60000 };

/*
 * ms from @since_ms to @now_ms, both the low 32 bits of a clock: 0 for a @now_ms up to
 * ELAPSED_BEHIND_MS behind (another thread's clock reading), else modulo 49 days.
 */
static inline uint32_t elapsed_ms(uint32_t now_ms, uint32_t since_ms)
{
	uint32_t ms = now_ms - since_ms;

	return ms > UINT32_MAX - ELAPSED_BEHIND_MS ? 0 : ms;
}

#endif
