/* SPDX-License-Identifier: Apache-2.0 */
/* GET /stats as tables 80 columns wide. */
#ifndef FENDER_CONTROLPLANE_CTL_STATS_VIEW_H
#define FENDER_CONTROLPLANE_CTL_STATS_VIEW_H

#include <jansson.h>
#include <stdio.h>

/**
 * stats_view_print()
 * @before: an earlier answer of the same instance: counters are shown as rates a second since
 *          then; NULL: totals
 */
void stats_view_print(const json_t *now, const json_t *before, FILE *out);

/* The table of the rate limiter, if it refused, marked or observed anything. */
struct view;
void stats_view_limits(struct view *view);

#endif
