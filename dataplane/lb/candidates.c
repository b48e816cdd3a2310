/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/lb/candidates.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "dataplane/lb/ewma.h"
#include "shm/lookup.h"

static int hashes(const struct image_cluster *cluster)
{
	return cluster->algorithm == LB_MAGLEV || cluster->algorithm == LB_RING_HASH ||
	       cluster->algorithm == LB_RENDEZVOUS;
}

static const uint64_t *points(const struct candidates *c)
{
	return c->view->points + c->cluster->point_first;
}

void candidates_begin(struct candidates *c)
{
	const struct image_cluster *cluster = c->cluster;

	c->endpoints = c->view->endpoints + cluster->first_endpoint;
	c->table = c->view->tables + cluster->table_first;
	c->shown = 0;
	c->vain = 0;
	c->at = 0;
	c->spare = CANDIDATE_NONE;
	c->scan = CANDIDATE_NONE;
	c->noted = 0;
	if (cluster->algorithm == LB_RING_HASH && cluster->table_count != 0)
		c->at = lookup_point(points(c), cluster->table_count, c->hash);
	if (cluster->algorithm == LB_RENDEZVOUS)
		c->at = LOOKUP_NONE;
}

static int is_seen(const struct candidates *c, uint32_t number)
{
	for (uint32_t i = 0; i < c->noted; i++)
		if (c->seen[i] == number)
			return 1;
	return 0;
}

static const struct endpoint_state *state_of(const struct candidates *c, uint32_t number)
{
	uint32_t position = c->cluster->first_endpoint + number;

	return &c->state->endpoints[c->view->endpoint_slot[position]];
}

static uint32_t next_of_cycle(struct candidates *c)
{
	/* A new policy may have a shorter cycle. */
	uint32_t at = *c->cursor < c->cluster->table_count ? *c->cursor : 0;

	*c->cursor = at + 1;
	return c->table[at];
}

static uint32_t draw(const struct candidates *c)
{
	return c->table[random_below(c->random, c->cluster->table_count)];
}

/* Another one than @first; there are two at least. */
static uint32_t draw_other(const struct candidates *c, uint32_t first)
{
	uint32_t count = c->cluster->endpoint_count;
	uint32_t number = draw(c);

	if (number == first)
		number += 1 + random_below(c->random, count - 1);
	return number < count ? number : number - count;
}

static uint32_t next_point(struct candidates *c)
{
	uint32_t at = c->at;

	c->at = at + 1 < c->cluster->table_count ? at + 1 : 0;
	return c->table[at];
}

static uint32_t next_maglev(struct candidates *c)
{
	uint32_t a = c->at++;
	uint64_t hash = a == 0 ? c->hash : XXH64(&c->hash, sizeof(c->hash), a);

	return c->table[lookup_place(hash, c->cluster->table_count)];
}

static uint32_t next_score(struct candidates *c)
{
	c->at = lookup_rendezvous(c->endpoints, c->cluster->endpoint_count, c->hash, c->at);
	return c->at;
}

static uint32_t look_up(struct candidates *c)
{
	switch (c->cluster->algorithm) {
	case LB_ROUND_ROBIN:
		return next_of_cycle(c);
	case LB_RING_HASH:
		return next_point(c);
	case LB_MAGLEV:
		return next_maglev(c);
	case LB_RENDEZVOUS:
		return next_score(c);
	default:
		return draw(c);
	}
}

static uint64_t requests(const struct endpoint_state *s)
{
	return __atomic_load_n(&s->in_flight, __ATOMIC_RELAXED);
}

/*
 * Cost of one more call, not yet divided by the weight. Counting a half for it deals calls in
 * proportion to the weights; a whole one starves light endpoints, none floods them (at 3 calls in
 * flight, weights 1 2 3 4: the lightest got 0.99 of its part, 0.52 and 1.35).
 */
static uint64_t cost(const struct candidates *c, const struct endpoint_state *s)
{
	const uint64_t ewma = __atomic_load_n(&s->ewma, __ATOMIC_RELAXED);

	if (c->cluster->algorithm == LB_LEAST_REQUESTS)
		return 2 * requests(s) + 1;
	/* Nobody knows it and nobody is finding out: else 30 ms would keep it out for ever. */
	if (ewma == 0 && requests(s) == 0)
		return 0;
	return ewma_read(ewma, c->now_ns) * (requests(s) + 1);
}

/* Is @b the better choice? */
static int is_better(const struct candidates *c, uint32_t b, uint32_t a)
{
	const struct endpoint_state *sa = state_of(c, a), *sb = state_of(c, b);

	if (c->cluster->algorithm == LB_LEAST_REQUESTS && requests(sa) == 0 && requests(sb) == 0)
		return 0;
	return (unsigned __int128)cost(c, sb) * c->endpoints[a].weight <
	       (unsigned __int128)cost(c, sa) * c->endpoints[b].weight;
}

static void note(struct candidates *c, uint32_t number)
{
	c->seen[c->noted++] = number;
}

/* @first was drawn and is noted: the better of it and another, which is kept for the next time. */
static uint32_t better_of_two(struct candidates *c, uint32_t first)
{
	uint32_t second;

	if (c->cluster->endpoint_count < 2)
		return first;
	second = draw_other(c, first);
	if (is_seen(c, second))
		return first;
	note(c, second);
	if (is_better(c, second, first)) {
		c->spare = first;
		return second;
	}
	c->spare = second;
	return first;
}

static int of_two(const struct image_cluster *cluster)
{
	return cluster->algorithm == LB_LEAST_REQUESTS || cluster->algorithm == LB_PEAK_EWMA;
}

/* There is room to note two more, and look-ups have not been in vain too often. */
static int may_look_up(const struct candidates *c)
{
	if (c->cluster->algorithm == LB_RENDEZVOUS)
		return c->noted < CANDIDATES_SCORED;
	return c->noted + 2 <= CANDIDATES_SEEN && c->vain < CANDIDATES_LOOKUPS;
}

static uint32_t next_in_order(struct candidates *c)
{
	uint32_t count = c->cluster->endpoint_count;
	uint32_t number;

	if (c->scan == CANDIDATE_NONE)
		c->scan = hashes(c->cluster) ? lookup_place(c->hash, count)
					     : random_below(c->random, count);
	/* Each is passed once, and as fewer were shown than there are, one is left. */
	do {
		number = c->scan;
		c->scan = number + 1 < count ? number + 1 : 0;
	} while (is_seen(c, number));
	return number;
}

static uint32_t next(struct candidates *c)
{
	uint32_t number = c->spare;

	if (number != CANDIDATE_NONE) {
		c->spare = CANDIDATE_NONE;
		return number;
	}
	while (c->scan == CANDIDATE_NONE && may_look_up(c)) {
		number = look_up(c);
		if (is_seen(c, number)) {
			c->vain++;
			continue;
		}
		note(c, number);
		return of_two(c->cluster) ? better_of_two(c, number) : number;
	}
	return next_in_order(c);
}

uint32_t candidates_next(struct candidates *c)
{
	if (c->shown >= c->cluster->endpoint_count)
		return CANDIDATE_NONE;
	c->shown++;
	return next(c);
}
