/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Maglev look-up tables (Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load
 * Balancer", NSDI 2016, section 3.4), with weights.
 *
 * A table of M entries, M prime, says for every hash modulo M which host serves it. Hosts take
 * turns in the order of their keys; in its turn a host takes the next free entry of its own
 * permutation (offset + skip * n) mod M, offset = xxh64(key, 0) mod M, skip = xxh64(key, 1) mod
 * (M - 1) + 1. A host of weight w takes w of every max-weight turns.
 *
 * Bounds: entries of equal hosts differ by at most one; a share is within one entry of
 * M * w / sum(w) for M >> sum(w) / max(w); every host has at least one.
 */
#ifndef FENDER_CONFIG_MAGLEV_H
#define FENDER_CONFIG_MAGLEV_H

#include <stdbool.h>
#include <stdint.h>

#include "config/lb_host.h"

bool maglev_is_prime(uint32_t n);

/*
 * The smallest prime >= 100 * sum(weight / gcd of the weights), at least MAGLEV_MIN_SIZE, at
 * most MAGLEV_DEFAULT_MAX_SIZE, which is more than MAX_ENDPOINTS.
 */
uint32_t maglev_default_size(const struct lb_host *hosts, uint32_t count);

/**
 * maglev_build() - fill a table
 * @hosts: 1..MAX_ENDPOINTS of them in any order
 * @size: a prime, at least @count, at most MAGLEV_MAX_SIZE
 * @table: @size entries; receives positions in @hosts
 *
 * The table depends on keys and weights alone, not on the order of @hosts beyond the numbers
 * it is written in. About @size * ln(@size) steps with equal weights: 1 ms for 65,537.
 * Return: 0, -EINVAL (size or count out of bounds, size not prime), -ENOMEM.
 */
int maglev_build(const struct lb_host *hosts, uint32_t count, uint32_t size, uint16_t *table);

#endif
