/* SPDX-License-Identifier: Apache-2.0 */
/* Why a probe failed: kept in the admin word, shown in statistics, events and the log. */
#ifndef FENDER_CONTROLPLANE_HEALTH_REASON_H
#define FENDER_CONTROLPLANE_HEALTH_REASON_H

#include <stdint.h>

enum health_reason {
	HEALTH_REASON_NONE = 0,
	HEALTH_REASON_TIMEOUT,     /* nothing came back in time */
	HEALTH_REASON_REFUSED,     /* the port answered with a reset */
	HEALTH_REASON_UNREACHABLE, /* no route, or an ICMP error */
	HEALTH_REASON_RESET,       /* reset or closed before the whole answer */
	HEALTH_REASON_STATUS,      /* an HTTP status outside 200..399 */
	HEALTH_REASON_PROTOCOL,    /* an answer that is not HTTP */
	HEALTH_REASONS,
};

static inline const char *health_reason_name(uint8_t reason)
{
	static const char *const names[HEALTH_REASONS] = {
		"none", "timeout", "refused", "unreachable", "reset", "status", "protocol",
	};

	return reason < HEALTH_REASONS ? names[reason] : "unknown";
}

#endif
