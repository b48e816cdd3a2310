/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/lb/pick.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <string.h>

/*
 * Candidates that are told apart, and look-ups made for all of them before the remaining endpoints
 * are taken in order (a cluster may have endpoints whose weight is next to nothing).
 */
enum { MAX_CANDIDATES = 16, MAX_LOOKUPS = 128 };

uint64_t lb_hash(const struct flow_key *client, uint8_t hash_on)
{
	uint8_t bytes[18];
	size_t n = 0;

	if (hash_on & HASH_ON_SOURCE_IP) {
		struct image_ip source = flow_source(client);

		memcpy(bytes, source.b, 16);
		n = 16;
	}
	if (hash_on & HASH_ON_SOURCE_PORT) {
		memcpy(bytes + n, &client->k.sport, 2);
		n += 2;
	}
	return XXH64(bytes, n, 0);
}

/* hash x count / 2^64: as even as the remainder, without a division. */
static uint32_t look_up(const struct image_cluster *cluster, const uint16_t *table, uint64_t hash)
{
	return table[(uint32_t)(((unsigned __int128)hash * cluster->table_count) >> 64)];
}

static int is_among(const uint32_t *seen, uint32_t n, uint32_t number)
{
	for (uint32_t i = 0; i < n; i++)
		if (seen[i] == number)
			return 1;
	return 0;
}

static uint32_t maglev(const struct image_cluster *cluster, const uint16_t *table, uint64_t hash,
		       uint32_t attempt)
{
	uint32_t seen[MAX_CANDIDATES];
	uint32_t n = 1;

	seen[0] = look_up(cluster, table, hash);
	for (uint32_t a = 1; n <= attempt && a <= MAX_LOOKUPS; a++) {
		uint32_t number = look_up(cluster, table, XXH64(&hash, sizeof(hash), a));

		if (!is_among(seen, n, number))
			seen[n++] = number;
	}
	/* Chance has not shown enough of them. */
	for (uint32_t number = seen[n - 1]; n <= attempt;) {
		number = number + 1 < cluster->endpoint_count ? number + 1 : 0;
		if (!is_among(seen, n, number))
			seen[n++] = number;
	}
	return seen[attempt];
}

static uint32_t round_robin(const struct image_cluster *cluster, const uint16_t *table,
			    uint32_t *cursor)
{
	/* A new policy may have a shorter cycle. */
	uint32_t at = *cursor < cluster->table_count ? *cursor : 0;

	*cursor = at + 1;
	return table[at];
}

uint32_t lb_pick(const struct image_cluster *cluster, const uint16_t *table, uint32_t *cursor,
		 uint64_t hash, uint32_t attempt)
{
	if (cluster->endpoint_count == 0)
		return UINT32_MAX;
	if (cluster->algorithm != LB_MAGLEV)
		return round_robin(cluster, table, cursor);
	if (attempt >= MAX_CANDIDATES)
		attempt = MAX_CANDIDATES - 1;
	while (attempt >= cluster->endpoint_count)
		attempt -= cluster->endpoint_count;
	return maglev(cluster, table, hash, attempt);
}
