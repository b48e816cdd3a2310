/* SPDX-License-Identifier: Apache-2.0 */
/* How long to wait before the dataplane is started again. Pure. */
#ifndef FENDER_CONTROLPLANE_BACKOFF_H
#define FENDER_CONTROLPLANE_BACKOFF_H

#include <stdint.h>

enum {
	BACKOFF_FIRST_MS = 100,
	BACKOFF_MAX_MS = 5000,
	BACKOFF_WINDOW_MS = 10000,
};

struct backoff {
	uint32_t deaths; /* seen, up to 2 */
	uint32_t level;  /* back-offs in a row */
	uint64_t previous_life_ms;
};

/**
 * backoff_died() - a process died
 * @life_ms: from its start to its death
 *
 * The first and second death are answered at once. From the third within 10 s of life (time
 * spent waiting not counted) the delay is 100 ms, doubled at each further one up to 5 s.
 * Return: milliseconds to wait.
 */
uint32_t backoff_died(struct backoff *backoff, uint64_t life_ms);

#endif
