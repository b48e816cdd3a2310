/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Latency histograms of struct outcomes: 4 buckets an octave from 64 us, each 2^(1/4) wide, so a
 * bucket's geometric middle lies within 9.1 % of everything in it. Less than 64 us counts as the
 * first, more than 2.1 s as the last.
 */
#ifndef FENDER_DATAPLANE_POLICY_LATENCY_H
#define FENDER_DATAPLANE_POLICY_LATENCY_H

#include "shm/state.h"

/* Count one latency. All buckets are halved when one is full. The worker that owns @o. */
void latency_add(struct outcomes *o, uint64_t latency_ns);

/* The median within 10 % between 64 us and 2 s; 0 when nothing was counted. */
uint64_t latency_median_ns(const uint32_t sum[LATENCY_BUCKETS]);

#endif
