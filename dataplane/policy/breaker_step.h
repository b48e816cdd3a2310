/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The steps of a breaker as functions of its word and the time: nothing here reads or changes
 * shared memory. breaker.c takes them by compare-and-swap. Each is another epoch.
 */
#ifndef FENDER_DATAPLANE_POLICY_BREAKER_STEP_H
#define FENDER_DATAPLANE_POLICY_BREAKER_STEP_H

#include "dataplane/policy/breaker.h"

/* Open for the time that @trips failed recoveries give. */
struct breaker_word step_opened(const struct image_breaker *rules, uint16_t epoch, uint32_t trips,
				uint32_t now_ms, uint64_t random);

/* Closed and clean. @epoch: the one that ends. */
struct breaker_word step_closed(uint16_t epoch);

/*
 * What an admission to a breaker that is not closed comes to. *@next is the word that makes it so:
 * equal to @word when refused, but half-open past its deadline is refused and reopens.
 */
enum breaker_admission step_admitted(const struct image_breaker *rules, uint64_t word,
				     uint64_t now_ns, struct breaker_word *next);

#endif
