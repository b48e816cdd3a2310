/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a hash finds its endpoint: the rules that the dataplane picks by and that the control plane
 * counts moved keys by (config/table_report.h). No division, no floating point.
 */
#ifndef FENDER_SHM_LOOKUP_H
#define FENDER_SHM_LOOKUP_H

#include <stdint.h>

#include "shm/image.h"

#define LOOKUP_NONE UINT32_MAX

/* Place of @hash in a table of @count: hash * count / 2^64, as even as the remainder. */
static inline uint32_t lookup_place(uint64_t hash, uint32_t count)
{
	return (uint32_t)(((unsigned __int128)hash * count) >> 64);
}

/*
 * The first of @count > 0 ascending @points at or after @hash, the first of all behind the last.
 * Points are hashes, so the place lookup_place() guesses is off by about sqrt(count): gallop from
 * there, then halve.
 */
static inline uint32_t lookup_point(const uint64_t *points, uint32_t count, uint64_t hash)
{
	uint32_t low = lookup_place(hash, count), high = low, step = 16;

	if (points[low] < hash) {
		do {
			low = high + 1;
			high = count - low > step ? low + step : count;
			step *= 2;
		} while (high < count && points[high] < hash);
	} else {
		while (low > 0 && points[low - 1] >= hash) {
			high = low - 1;
			low = high > step ? high - step : 0;
			step *= 2;
		}
	}
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (points[middle] < hash)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count ? low : 0;
}

/*
 * An even number of a host's key and a client's hash, different for each pair. Both are hashes, so
 * two multiplications do: over 400,000 clients and 1,000 hosts as even as xxh64, and a look-up
 * takes half the time. One alone deals hashes that differ in their high bits visibly unevenly.
 */
static inline uint64_t lookup_mixed(uint64_t key, uint64_t hash)
{
	uint64_t x = (key ^ hash) * 0x9e3779b97f4a7c15ull;

	return (x ^ x >> 32) * 0xd6e8feb86659fd93ull;
}

/*
 * -log2(u) in 32.32, u = (hash + 1) / 2^64, by a table and linear interpolation; 1 at least. Off
 * by less than 0.1 % and 2 units of the last place.
 */
uint64_t lookup_exponent(uint64_t hash);

/**
 * lookup_rendezvous() - the host with the highest -weight / ln(u), u of lookup_mixed(key, hash)
 * @endpoints: @count of one cluster, in its order, which decides between equal scores
 * @after: a number this returned: the best of those behind it; LOOKUP_NONE: the best of all
 *
 * O(@count). Return: a number, LOOKUP_NONE when there is none (behind @after).
 */
uint32_t lookup_rendezvous(const struct image_endpoint *endpoints, uint32_t count, uint64_t hash,
			   uint32_t after);

#endif
