/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an answer about all counters is made of: what belongs to the loop's thread is copied there
 * (the policy's image, 1 ms for 16,384 endpoints), the region and the limiter's maps are read by
 * the one thread that makes the answer.
 *
 * A name that leaves the policy while the region is read, and whose place another one takes at
 * once, may be told with that one's numbers.
 */
#ifndef FENDER_CONTROLPLANE_API_SNAPSHOT_H
#define FENDER_CONTROLPLANE_API_SNAPSHOT_H

#include "controlplane/stats.h"
#include "controlplane/stats_json.h"

struct limits;
struct region;
struct run;

struct api_snapshot {
	struct stats stats;
	struct stats_process process;
	struct image_header *policy; /* a copy: a reload may free the original */
	uint64_t events_lost;        /* that the log could not write */
	struct table_report *reports;
	uint8_t *is_reported;
	const struct region *region;
	const struct limits *maps; /* NULL: there are none */
	const char *fallback;
	uint64_t build_us;
};

/*
 * Without .stats. The loop's thread. 0, or -ENOMEM with nothing to release. @s must stay where it
 * is.
 */
int api_snapshot_take(struct api_snapshot *s, struct run *run);
/* Read .stats (10 ms for 16,384 endpoints). Once; any thread. 0, -ENOMEM. */
int api_snapshot_fill(struct api_snapshot *s);
void api_snapshot_release(struct api_snapshot *s);

#endif
