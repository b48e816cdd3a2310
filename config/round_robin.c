/* SPDX-License-Identifier: Apache-2.0 */
#include "config/round_robin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/weights.h"
#include "shm/limits.h"

/* Divisors are tried in sixteenths; the largest makes every weight 1. */
enum { DIVISOR_ONE = 16, DIVISOR_MAX = DIVISOR_ONE * 2 * MAX_WEIGHT };
_Static_assert(MAX_ENDPOINTS <= ROUND_ROBIN_MAX_CYCLE, "weights of 1 must fit");

static uint32_t divided(uint32_t weight, uint32_t divisor)
{
	uint32_t result = (weight * DIVISOR_ONE + divisor / 2) / divisor;

	return result != 0 ? result : 1;
}

static uint64_t divided_sum(const uint16_t *weights, uint32_t count, uint32_t divisor)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < count; i++)
		sum += divided(weights[i], divisor);
	return sum;
}

static void divide(uint16_t *weights, uint32_t count, uint32_t divisor)
{
	for (uint32_t i = 0; i < count; i++)
		weights[i] = (uint16_t)divided(weights[i], divisor);
}

static void divide_by_gcd(uint16_t *weights, uint32_t count)
{
	uint32_t gcd = 0;

	for (uint32_t i = 0; i < count; i++)
		gcd = weights_gcd(gcd, weights[i]);
	for (uint32_t i = 0; i < count && gcd > 1; i++)
		weights[i] = (uint16_t)(weights[i] / gcd);
}

uint32_t round_robin_reduce(uint16_t *weights, uint32_t count)
{
	uint32_t low = DIVISOR_ONE, high = DIVISOR_MAX;

	divide_by_gcd(weights, count);
	while (low < high) { /* the sum never grows with the divisor */
		uint32_t middle = (low + high) / 2;

		if (divided_sum(weights, count, middle) <= ROUND_ROBIN_MAX_CYCLE)
			high = middle;
		else
			low = middle + 1;
	}
	divide(weights, count, low);
	divide_by_gcd(weights, count);
	return (uint32_t)divided_sum(weights, count, DIVISOR_ONE);
}

/* Hosts of one weight. All have been chosen `rounds` times, those before `next` once more. */
struct weight_class {
	uint32_t weight;
	uint32_t hosts;
	const uint16_t *host;
	uint32_t next;
	int64_t credit; /* of the next host */
};

/* Sorts the hosts by weight, in order among equals; returns the number of classes. */
static uint32_t classify(const uint16_t *weights, uint32_t count, struct weight_class *classes,
			 uint16_t *hosts)
{
	uint32_t place[MAX_WEIGHT + 2] = {0};
	uint32_t used = 0;

	for (uint32_t i = 0; i < count; i++)
		place[weights[i] + 1]++;
	for (uint32_t w = 1; w <= MAX_WEIGHT; w++) {
		if (place[w + 1] != 0)
			classes[used++] = (struct weight_class){
				.weight = w, .hosts = place[w + 1], .host = &hosts[place[w]]};
		place[w + 1] += place[w];
	}
	for (uint32_t i = 0; i < count; i++)
		hosts[place[weights[i]]++] = (uint16_t)i;
	return used;
}

/* The class whose next host has the most credit, the lowest number among equals. */
static struct weight_class *richest(struct weight_class *classes, uint32_t count)
{
	struct weight_class *best = &classes[0];

	for (uint32_t i = 1; i < count; i++) {
		struct weight_class *c = &classes[i];

		if (c->credit > best->credit ||
		    (c->credit == best->credit && c->host[c->next] < best->host[best->next]))
			best = c;
	}
	return best;
}

/*
 * All hosts of a class earn alike, so only what they have paid sets them apart: the next one has
 * paid least, and once the last of them is through, all have paid one round more.
 */
static void deal(struct weight_class *classes, uint32_t used, uint32_t length, uint16_t *table)
{
	for (uint32_t step = 0; step < length; step++) {
		struct weight_class *best;

		for (uint32_t i = 0; i < used; i++)
			classes[i].credit += classes[i].weight;
		best = richest(classes, used);
		table[step] = best->host[best->next];
		if (++best->next == best->hosts) {
			best->next = 0;
			best->credit -= length;
		}
	}
}

int round_robin_build(const uint16_t *weights, uint32_t count, uint32_t length, uint16_t *table)
{
	struct weight_class *classes = calloc(MAX_WEIGHT, sizeof(*classes));
	uint16_t *hosts = calloc(count, sizeof(*hosts));
	int rc = -ENOMEM;

	if (classes != NULL && hosts != NULL) {
		deal(classes, classify(weights, count, classes, hosts), length, table);
		rc = 0;
	}
	free(classes);
	free(hosts);
	return rc;
}
