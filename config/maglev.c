/* SPDX-License-Identifier: Apache-2.0 */
#include "config/maglev.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "config/weights.h"
#include "shm/limits.h"

enum { MAGLEV_FREE = 0xffff, MAGLEV_ENTRIES_PER_WEIGHT = 100 };
_Static_assert((int)MAX_ENDPOINTS < (int)MAGLEV_FREE,
	       "a host's number never reads as a free entry");

/* A host on its way through its permutation. */
struct turn {
	const char *key;
	uint16_t host;
	uint32_t entry; /* the next one it would like */
	uint32_t skip;
	uint64_t weight;
	uint64_t target; /* takes no turn before iteration * weight reaches it */
};

bool maglev_is_prime(uint32_t n)
{
	if (n < 4)
		return n >= 2;
	if (n % 2 == 0)
		return false;
	for (uint32_t i = 3; (uint64_t)i * i <= n; i += 2) {
		if (n % i == 0)
			return false;
	}
	return true;
}

uint32_t maglev_default_size(const struct lb_host *hosts, uint32_t count)
{
	uint64_t sum = 0;
	uint32_t divisor = 0, size;

	for (uint32_t i = 0; i < count; i++) {
		sum += hosts[i].weight;
		divisor = weights_gcd(divisor, hosts[i].weight);
	}
	if (divisor != 0)
		sum = sum / divisor * MAGLEV_ENTRIES_PER_WEIGHT;
	if (sum >= MAGLEV_DEFAULT_MAX_SIZE)
		return MAGLEV_DEFAULT_MAX_SIZE;
	size = sum > MAGLEV_MIN_SIZE ? (uint32_t)sum : MAGLEV_MIN_SIZE;
	while (!maglev_is_prime(size))
		size++;
	return size;
}

static int turn_order(const void *left, const void *right)
{
	return strcmp(((const struct turn *)left)->key, ((const struct turn *)right)->key);
}

static uint64_t turns_start(struct turn *turns, const struct lb_host *hosts, uint32_t count,
			    uint32_t size)
{
	uint64_t max_weight = 0;

	for (uint32_t i = 0; i < count; i++) {
		size_t bytes = strlen(hosts[i].key);

		turns[i].key = hosts[i].key;
		turns[i].host = (uint16_t)i;
		turns[i].entry = (uint32_t)(XXH64(hosts[i].key, bytes, 0) % size);
		turns[i].skip = (uint32_t)(XXH64(hosts[i].key, bytes, 1) % (size - 1)) + 1;
		turns[i].weight = hosts[i].weight;
		if (hosts[i].weight > max_weight)
			max_weight = hosts[i].weight;
	}
	qsort(turns, count, sizeof(turns[0]), turn_order);
	return max_weight;
}

/* The permutation visits every entry once, so a free one is found while there is one. */
static void turn_take(struct turn *turn, uint16_t *table, uint32_t size)
{
	while (table[turn->entry] != MAGLEV_FREE) {
		turn->entry += turn->skip;
		if (turn->entry >= size)
			turn->entry -= size;
	}
	table[turn->entry] = turn->host;
}

static void fill(struct turn *turns, uint32_t count, uint64_t max_weight, uint16_t *table,
		 uint32_t size)
{
	uint32_t taken = 0;

	for (uint64_t iteration = 1;; iteration++) {
		for (uint32_t i = 0; i < count; i++) {
			if (iteration * turns[i].weight < turns[i].target)
				continue;
			turns[i].target += max_weight;
			turn_take(&turns[i], table, size);
			if (++taken == size)
				return;
		}
	}
}

int maglev_build(const struct lb_host *hosts, uint32_t count, uint32_t size, uint16_t *table)
{
	struct turn *turns;
	uint64_t max_weight;

	if (count == 0 || count > MAX_ENDPOINTS || size < count || size > MAGLEV_MAX_SIZE ||
	    !maglev_is_prime(size))
		return -EINVAL;
	turns = calloc(count, sizeof(*turns));
	if (turns == NULL)
		return -ENOMEM;
	max_weight = turns_start(turns, hosts, count, size);
	for (uint32_t i = 0; i < size; i++)
		table[i] = MAGLEV_FREE;
	fill(turns, count, max_weight, table, size);
	free(turns);
	return 0;
}
