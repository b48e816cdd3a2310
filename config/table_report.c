/* SPDX-License-Identifier: Apache-2.0 */
#include "config/table_report.h"

#include <errno.h>
#include <stdlib.h>

#include "shm/lookup.h"

/* A cluster with its arrays at hand. */
struct side {
	const struct image_cluster *cluster;
	const struct image_endpoint *endpoints;
	const uint16_t *table;
	const uint64_t *points;
};

static struct side side_of(const struct image_header *img, const struct image_cluster *c)
{
	return (struct side){
		.cluster = c,
		.endpoints = IMAGE_ARRAY(img, struct image_endpoint, endpoints) + c->first_endpoint,
		.table = IMAGE_ARRAY(img, uint16_t, tables) + c->table_first,
		.points = IMAGE_ARRAY(img, uint64_t, points) + c->point_first,
	};
}

static const struct image_cluster *find(const struct image_header *img, uint64_t key)
{
	const struct image_cluster *c = IMAGE_ARRAY(img, struct image_cluster, clusters);

	for (uint32_t i = 0; i < img->clusters.count; i++) {
		if (c[i].key == key)
			return &c[i];
	}
	return NULL;
}

static int picks_by_hash(const struct image_cluster *c)
{
	return c->algorithm == LB_MAGLEV || c->algorithm == LB_RING_HASH ||
	       c->algorithm == LB_RENDEZVOUS;
}

/* Number of the endpoint that the first candidate is; the cluster has some. */
static uint32_t pick(const struct side *s, uint64_t hash)
{
	const struct image_cluster *c = s->cluster;

	if (c->algorithm == LB_RENDEZVOUS)
		return lookup_rendezvous(s->endpoints, c->endpoint_count, hash, LOOKUP_NONE);
	if (c->algorithm == LB_RING_HASH)
		return s->table[lookup_point(s->points, c->table_count, hash)];
	return s->table[lookup_place(hash, c->table_count)];
}

/* Of the number of hashes to look up. */
static uint32_t bits_for(const struct side *s)
{
	uint32_t bits = TABLE_REPORT_BITS;

	if (s->cluster->algorithm != LB_RENDEZVOUS)
		return bits;
	while (bits > TABLE_REPORT_MIN_BITS &&
	       (uint64_t)s->cluster->endpoint_count << bits > TABLE_REPORT_SCORES)
		bits--;
	return bits;
}

/* The middle of the @i-th of 2^@bits equal parts of all hashes. */
static uint64_t hash_at(uint32_t i, uint32_t bits)
{
	return (uint64_t)i << (64 - bits) | 1ull << (63 - bits);
}

static uint32_t moved(const struct side *old, const struct side *new)
{
	uint32_t bits = bits_for(old), of_new = bits_for(new);
	uint64_t others = 0;

	if (old->cluster->endpoint_count == 0 || !picks_by_hash(old->cluster) ||
	    !picks_by_hash(new->cluster))
		return 0;
	if (new->cluster->endpoint_count == 0)
		return 10000;
	bits = of_new < bits ? of_new : bits;
	for (uint32_t i = 0; i < 1u << bits; i++) {
		uint64_t hash = hash_at(i, bits);

		others +=
			old->endpoints[pick(old, hash)].key != new->endpoints[pick(new, hash)].key;
	}
	return (uint32_t)((others * 10000 + (1u << bits) / 2) >> bits);
}

/* Largest of share[i] / shares * sum(weight) / weight[i], in hundredths; shares at most 2^32. */
static uint32_t largest(const struct side *s, const uint64_t *share, uint64_t shares)
{
	uint64_t weights = 0, most = 0;

	for (uint32_t i = 0; i < s->cluster->endpoint_count; i++)
		weights += s->endpoints[i].weight;
	for (uint32_t i = 0; i < s->cluster->endpoint_count; i++) {
		uint64_t mean = shares * s->endpoints[i].weight;
		uint64_t part = mean != 0 ? (share[i] * weights * 100 + mean / 2) / mean : 0;

		most = part > most ? part : most;
	}
	return (uint32_t)most;
}

/* The arc that ends at each point, of a circle of 2^32. Return: the circle. */
static uint64_t add_arcs(const struct side *s, uint64_t *share)
{
	uint32_t count = s->cluster->table_count;
	uint64_t from = s->points[count - 1] >> 32;

	for (uint32_t i = 0; i < count; i++) {
		uint64_t to = s->points[i] >> 32;

		share[s->table[i]] += i != 0 ? to - from : (1ull << 32) - from + to;
		from = to;
	}
	return 1ull << 32;
}

static uint64_t add_entries(const struct side *s, uint64_t *share)
{
	for (uint32_t i = 0; i < s->cluster->table_count; i++)
		share[s->table[i]]++;
	return s->cluster->table_count;
}

static int share_over_mean(const struct side *s, uint32_t *result)
{
	const struct image_cluster *c = s->cluster;
	uint64_t *share, shares;

	*result = c->endpoint_count != 0 ? 100 : 0;
	if (c->endpoint_count == 0 || c->algorithm == LB_RENDEZVOUS)
		return 0;
	share = calloc(c->endpoint_count, sizeof(*share));
	if (share == NULL)
		return -ENOMEM;
	shares = c->algorithm == LB_RING_HASH ? add_arcs(s, share) : add_entries(s, share);
	*result = largest(s, share, shares);
	free(share);
	return 0;
}

int table_report(struct table_report *report, const struct image_header *old,
		 const struct image_header *new, uint32_t cluster)
{
	const struct image_cluster *c = IMAGE_ARRAY(new, struct image_cluster, clusters) + cluster;
	const struct image_cluster *before = old != NULL ? find(old, c->key) : NULL;
	struct side after = side_of(new, c);

	*report = (struct table_report){.entries = c->table_count};
	if (before != NULL) {
		struct side was = side_of(old, before);

		report->moved_keys_percent = moved(&was, &after);
	}
	return share_over_mean(&after, &report->max_share_over_mean);
}
