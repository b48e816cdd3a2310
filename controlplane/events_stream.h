/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The region's events as lines of JSON, for one reader. What it has not read stays in the region's
 * ring and nowhere else: a slow reader costs one line of memory and is told how many it lost.
 */
#ifndef FENDER_CONTROLPLANE_EVENTS_STREAM_H
#define FENDER_CONTROLPLANE_EVENTS_STREAM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "shm/region.h"

enum { EVENTS_LINE_BYTES = 1024, EVENTS_HEARTBEAT_MS = 15000 };

struct events_stream {
	const struct region *region;
	uint64_t seq; /* of the last event seen */
	int follow;
	int restarted;     /* say that the numbers have begun anew */
	uint64_t quiet_ns; /* the last line's time, CLOCK_MONOTONIC */
	size_t begin, end; /* of what is left of the line */
	char line[EVENTS_LINE_BYTES];
};

/* Begin with what the ring still holds, or behind it when @follow. */
void events_stream_begin(struct events_stream *s, const struct region *region, int follow,
			 uint64_t now_ns);
/* Begin behind number @seq. One that was not given yet is of a region before this one. */
void events_stream_begin_after(struct events_stream *s, const struct region *region, int follow,
			       uint64_t seq, uint64_t now_ns);

int events_stream_pending(const struct events_stream *s, uint64_t now_ns);
/* Bytes put into @out, at most @size; 0: none now; -1: the end, of one that does not follow. */
ssize_t events_stream_pull(struct events_stream *s, char *out, size_t size, uint64_t now_ns);

#endif
