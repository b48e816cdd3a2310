/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ring hash (Karger et al., "Consistent Hashing and Random Trees", STOC 1997), with weights.
 *
 * A host of weight w has w * `points` places on the ring of 64-bit numbers: xxh64 of "<key>_<i>",
 * i from 0. A hash belongs to the first point at or after it. The number of a host's points
 * depends on nothing but its own weight, so a host that leaves moves its own keys alone.
 *
 * Shares of n hosts scatter around their weights by 1 / sqrt(points): with 160 the largest is
 * about 1.10 of the mean for 10 hosts, 1.16 for 50.
 */
#ifndef FENDER_CONFIG_RING_HASH_H
#define FENDER_CONFIG_RING_HASH_H

#include "config/lb_host.h"

/* Points in all: @points a unit of weight. May exceed RING_MAX_POINTS. */
uint64_t ring_hash_count(const struct lb_host *hosts, uint32_t count, uint64_t points);

/**
 * ring_hash_build() - fill a ring
 * @hosts: 1..MAX_ENDPOINTS of them in any order
 * @points: a unit of weight, 1 and up; ring_hash_count() at most RING_MAX_POINTS
 * @ring: ring_hash_count() numbers, ascending; equal ones in the order of their hosts' keys
 * @table: as many; whose point it is, a position in @hosts
 *
 * Return: 0, -EINVAL (count or points out of bounds), -ENOMEM.
 */
int ring_hash_build(const struct lb_host *hosts, uint32_t count, uint64_t points, uint64_t *ring,
		    uint16_t *table);

#endif
