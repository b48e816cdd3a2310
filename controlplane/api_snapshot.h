/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an answer about all counters is made of, once the loop goes on: taken in the loop's
 * thread (10 ms for 16,384 endpoints), then read by any one thread.
 */
#ifndef FENDER_CONTROLPLANE_API_SNAPSHOT_H
#define FENDER_CONTROLPLANE_API_SNAPSHOT_H

#include "controlplane/stats.h"
#include "controlplane/stats_json.h"

struct run;

struct api_snapshot {
	struct stats stats;
	struct stats_process process;
	struct image_header *policy; /* a copy: a reload may free the original */
	uint64_t events_lost;        /* that the log could not write */
	struct table_report *reports;
	uint8_t *is_reported;
};

/* 0, or -ENOMEM with nothing to release. @s must stay where it is. */
int api_snapshot_take(struct api_snapshot *s, struct run *run);
void api_snapshot_release(struct api_snapshot *s);

#endif
