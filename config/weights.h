/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FENDER_CONFIG_WEIGHTS_H
#define FENDER_CONFIG_WEIGHTS_H

#include <stdint.h>

/* Greatest common divisor; 0 is neutral, so a running one starts with it. */
static inline uint32_t weights_gcd(uint32_t a, uint32_t b)
{
	while (b != 0) {
		uint32_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

#endif
