/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Peak EWMA (Finagle's): an estimate of an endpoint's latency that believes bad news at once and
 * good news slowly. A sample above the estimate replaces it; one below blends in with weight
 * e^(-dt / 10 s). Read, it decays by e^(-(now - last) / 10 s), so that a host that was punished is
 * tried again. estimate_us:32 at_ms:32 in one word, the estimate above; fixed point, no division.
 * A sample that would lower the estimate by less than 8 us leaves the word, so that its time counts
 * for a later one, for up to 100 ms; then the estimate falls by 1 us at least.
 */
#ifndef FENDER_DATAPLANE_LB_EWMA_H
#define FENDER_DATAPLANE_LB_EWMA_H

#include <stdint.h>

enum { EWMA_UNMEASURED_US = 30000, EWMA_PENALTY_US = 5000000, EWMA_DECAY_MS = 10000 };

/* e^(-ms / EWMA_DECAY_MS) in 16.16, falling; off by less than 5 / 65536. */
uint32_t ewma_decay(uint32_t ms);

/* A latency sample, or with @failed a penalty of EWMA_PENALTY_US. Any thread. */
void ewma_sample(uint64_t *word, uint64_t latency_ns, int failed, uint64_t now_ns);

/* The decayed estimate in us; EWMA_UNMEASURED_US for a word of 0. */
uint32_t ewma_read(uint64_t word, uint64_t now_ns);

#endif
