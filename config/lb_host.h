/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FENDER_CONFIG_LB_HOST_H
#define FENDER_CONFIG_LB_HOST_H

#include <stdint.h>

/* An endpoint as the builders of tables by key see it. */
struct lb_host {
	const char *key; /* "ip:port", different for every host */
	uint32_t weight; /* 1..MAX_WEIGHT */
};

#endif
