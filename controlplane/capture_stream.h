/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A capture for one reader: switches it on in the region, keeps it on while it is asked, and
 * turns records of all workers, in order of time, into lines of JSON. What the reader has not read
 * stays in the workers' rings: a slow one costs a line of memory and is told how many it lost.
 */
#ifndef FENDER_CONTROLPLANE_CAPTURE_STREAM_H
#define FENDER_CONTROLPLANE_CAPTURE_STREAM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "shm/region.h"

enum {
	CAPTURE_LINE_BYTES = 1024,
	CAPTURE_HOLD_MS = 2000, /* it ends so long after the reader was last heard of */
	CAPTURE_HEARTBEAT_MS = 15000,
};

/* The parameters of a request; NULL: not given. */
struct capture_words {
	const char *host;
	const char *port;
	const char *protocol;
	const char *interface;
	const char *listener;
	const char *reason;
	const char *dropped; /* "1" */
};

struct capture_stream {
	const struct region *region;
	char interface[MAX_INTERFACES][NAME_BYTES];
	uint64_t next[MAX_WORKERS]; /* numbers of records */
	uint64_t lost;
	uint8_t has[MAX_WORKERS];
	struct capture_record record[MAX_WORKERS]; /* the oldest of each that was not told yet */
	uint8_t began;
	uint64_t end_ns;    /* set by who began it; 0: goes on */
	uint64_t quiet_ns;  /* the last line's time */
	int64_t to_real_ns; /* CLOCK_REALTIME - CLOCK_MONOTONIC */
	size_t begin, end;  /* of what is left of the line */
	char line[CAPTURE_LINE_BYTES];
};

/**
 * capture_filter_make() - a filter from words
 * @why: at least 160 bytes; one sentence on failure
 * Return: 0; -EINVAL; -ENOENT: no such interface or listener.
 */
int capture_filter_make(struct capture_filter *filter, const struct capture_words *words,
			const struct region *region, const struct image_header *image, char *why,
			size_t why_size);

/* Switch it on. There is one at a time: the caller sees to that. */
void capture_stream_begin(struct capture_stream *s, const struct region *region,
			  const struct image_header *image, const struct capture_filter *filter,
			  uint64_t now_ns);
/* And off. */
void capture_stream_end(struct capture_stream *s);

/* Both keep it on. */
int capture_stream_pending(struct capture_stream *s, uint64_t now_ns);
/* Bytes put into @out, at most @size; 0: none now; -1: the end. */
ssize_t capture_stream_pull(struct capture_stream *s, char *out, size_t size, uint64_t now_ns);

#endif
