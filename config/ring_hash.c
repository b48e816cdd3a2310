/* SPDX-License-Identifier: Apache-2.0 */
#include "config/ring_hash.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "shm/limits.h"
#include "shm/names.h"

struct point {
	uint64_t hash;
	uint32_t rank; /* of its host by key */
};

/* A host's number in the order of keys. */
struct rank {
	const char *key;
	uint32_t weight;
	uint16_t host;
};

uint64_t ring_hash_count(const struct lb_host *hosts, uint32_t count, uint64_t points)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < count; i++)
		sum += hosts[i].weight;
	return __builtin_mul_overflow(sum, points, &sum) ? UINT64_MAX : sum;
}

static int rank_order(const void *left, const void *right)
{
	return strcmp(((const struct rank *)left)->key, ((const struct rank *)right)->key);
}

static int point_order(const void *left, const void *right)
{
	const struct point *a = left, *b = right;

	if (a->hash != b->hash)
		return a->hash < b->hash ? -1 : 1;
	return a->rank < b->rank ? -1 : a->rank > b->rank;
}

static void ranks_start(struct rank *ranks, const struct lb_host *hosts, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		ranks[i] = (struct rank){hosts[i].key, hosts[i].weight, (uint16_t)i};
	qsort(ranks, count, sizeof(ranks[0]), rank_order);
}

/* xxh64 of "<key>_0", "<key>_1", ... */
static struct point *add_points(struct point *out, const struct rank *host, uint32_t rank,
				uint64_t count)
{
	char text[ENDPOINT_NAME_BYTES + sizeof("_8388607")];

	for (uint64_t i = 0; i < count; i++) {
		int bytes = snprintf(text, sizeof(text), "%.*s_%u", ENDPOINT_NAME_BYTES, host->key,
				     (uint32_t)i);

		*out++ = (struct point){XXH64(text, (size_t)bytes, 0), rank};
	}
	return out;
}

int ring_hash_build(const struct lb_host *hosts, uint32_t count, uint64_t points, uint64_t *ring,
		    uint16_t *table)
{
	uint64_t total = 0;
	struct rank *ranks;
	struct point *all, *end;
	int rc = -ENOMEM;

	if (count <= MAX_ENDPOINTS)
		total = ring_hash_count(hosts, count, points);
	if (total == 0 || total > RING_MAX_POINTS)
		return -EINVAL;
	ranks = calloc(count, sizeof(*ranks));
	all = calloc(total, sizeof(*all));
	if (ranks == NULL || all == NULL)
		goto out;
	ranks_start(ranks, hosts, count);
	end = all;
	for (uint32_t i = 0; i < count; i++)
		end = add_points(end, &ranks[i], i, ranks[i].weight * points);
	qsort(all, total, sizeof(*all), point_order);
	for (uint64_t i = 0; i < total; i++) {
		ring[i] = all[i].hash;
		table[i] = ranks[all[i].rank].host;
	}
	rc = 0;
out:
	free(all);
	free(ranks);
	return rc;
}
