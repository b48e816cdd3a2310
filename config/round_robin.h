/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One full cycle of smooth weighted round robin, the order nginx deals in: every step each
 * host's credit grows by its weight, the host with the most (the first of equals) is chosen and
 * pays the sum of all weights. Weights {5, 1, 1} give a a b a c a a: in any stretch of the
 * cycle a host's share stays near its weight, without bursts.
 *
 * Weights are divided by their greatest common divisor first, so equal weights give each host
 * once, in order. A cycle longer than ROUND_ROBIN_MAX_CYCLE is made to fit by dividing all
 * weights by the smallest number that does it, rounding to the nearest, never below 1.
 */
#ifndef FENDER_CONFIG_ROUND_ROBIN_H
#define FENDER_CONFIG_ROUND_ROBIN_H

#include <stdint.h>

/**
 * round_robin_reduce() - weights as the cycle will use them
 * @weights: @count of 1..MAX_WEIGHT; changed in place
 * @count: 1..MAX_ENDPOINTS
 *
 * Return: their sum, the length of the cycle, at most ROUND_ROBIN_MAX_CYCLE.
 */
uint32_t round_robin_reduce(uint16_t *weights, uint32_t count);

/**
 * round_robin_build() - write the cycle
 * @weights: as round_robin_reduce() left them
 * @length: their sum
 * @table: @length entries; receives numbers of hosts; host i appears weights[i] times
 *
 * @length * (number of different weights) steps: hosts of equal weight take turns, so only the
 * next one of each weight competes.
 * Return: 0, -ENOMEM.
 */
int round_robin_build(const uint16_t *weights, uint32_t count, uint32_t length, uint16_t *table);

#endif
