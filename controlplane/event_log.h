/* SPDX-License-Identifier: Apache-2.0 */
/* The region's events (shm/events.h) as lines of the log. */
#ifndef FENDER_CONTROLPLANE_EVENT_LOG_H
#define FENDER_CONTROLPLANE_EVENT_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "shm/region.h"

enum { EVENT_LOG_BURST = 64, EVENT_TEXT_BYTES = 256 };

struct event_log {
	const struct region *region;
	uint64_t seq;  /* of the last one logged */
	uint64_t lost; /* overwritten before they could be */
};

/* Begin behind what is there: an earlier control plane has logged it. */
void event_log_start(struct event_log *log, const struct region *region);

/* Log at most EVENT_LOG_BURST events. Return how many were. */
unsigned int event_log_run(struct event_log *log);

/* "event=ejected endpoint=payments/10.2.0.11:8080 for_ms=5120". @out: EVENT_TEXT_BYTES. */
void event_log_text(const struct region *region, const struct event *event, char *out);

#endif
