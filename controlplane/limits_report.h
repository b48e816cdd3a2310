/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which connections are limited now: two readings of their buckets, some time apart, joined with
 * the connection table. Buckets of the XDP programs and of the workers alike.
 */
#ifndef FENDER_CONTROLPLANE_LIMITS_REPORT_H
#define FENDER_CONTROLPLANE_LIMITS_REPORT_H

#include "controlplane/json_text.h"
#include "controlplane/limits.h"
#include "shm/image.h"
#include "shm/region.h"

enum { LIMITS_REPORT_ROWS = 1024 }; /* of those refused most since they began */

struct limits_report;

/**
 * limits_report_create() - the policy's side of it; the loop's thread
 * @maps: NULL: there are none; must outlive the report, as must @region
 */
struct limits_report *limits_report_create(const struct limits *maps, const struct region *region,
					   const struct image_header *policy);
void limits_report_free(struct limits_report *report);

/*
 * First and second reading; the second also writes the answer. Any thread, one at a time. Cost: a
 * walk over all buckets and connections (some 10 ms for 100,000). Return: 0, -errno.
 */
int limits_report_read(struct limits_report *report);

/* After the second: the @count that were refused most in between. A copy; text NULL: no memory. */
struct admin_text limits_report_answer(const struct limits_report *report, size_t count);

#endif
