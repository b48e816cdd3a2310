/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/image_check.h"

#include <errno.h>

_Static_assert(MAX_ENDPOINTS <= UINT16_MAX + 1, "a table element names any endpoint");

/* Where the next table and the next points start: each is read once. */
struct ends {
	uint32_t table;
	uint32_t points;
};

static uint32_t max_size(const struct image_cluster *c)
{
	switch (c->algorithm) {
	case LB_MAGLEV:
		return MAGLEV_MAX_SIZE;
	case LB_RING_HASH:
		return RING_MAX_POINTS;
	default:
		return ROUND_ROBIN_MAX_CYCLE;
	}
}

static int size_ok(const struct image_cluster *c)
{
	if (c->endpoint_count == 0)
		return c->table_first == 0 && c->table_count == 0 && c->point_first == 0;
	return c->table_count >= 1 && c->table_count <= max_size(c) &&
	       (c->algorithm == LB_RING_HASH || c->point_first == 0);
}

/* Has an earlier cluster this very table, made for as many endpoints? */
static int is_shared(const struct image_cluster *all, uint32_t n)
{
	const struct image_cluster *c = &all[n];

	for (uint32_t k = 0; k < n; k++) {
		if (all[k].table_first == c->table_first && all[k].table_count == c->table_count &&
		    all[k].endpoint_count == c->endpoint_count &&
		    (c->algorithm != LB_RING_HASH ||
		     (all[k].algorithm == LB_RING_HASH && all[k].point_first == c->point_first)))
			return 1;
	}
	return 0;
}

static int check_points(const struct image_header *img, uint32_t n, struct ends *ends,
			const struct why *why)
{
	const struct image_cluster *c = &IMAGE_ARRAY(img, struct image_cluster, clusters)[n];
	const uint64_t *points;

	if (c->point_first != ends->points || c->table_count > img->points.count - ends->points)
		return why_fail(why, -EINVAL, "cluster %u: its points are out of place", n);
	points = IMAGE_ARRAY(img, uint64_t, points) + c->point_first;
	for (uint32_t i = 1; i < c->table_count; i++) {
		if (points[i - 1] > points[i])
			return why_fail(why, -EINVAL, "cluster %u: its points do not ascend", n);
	}
	ends->points += c->table_count;
	return 0;
}

static int check_table(const struct image_header *img, uint32_t n, struct ends *ends,
		       const struct why *why)
{
	const struct image_cluster *all = IMAGE_ARRAY(img, struct image_cluster, clusters);
	const struct image_cluster *c = &all[n];
	const uint16_t *table;

	if (!size_ok(c))
		return why_fail(why, -EINVAL, "cluster %u: a table of %u", n, c->table_count);
	if (c->table_count == 0 || is_shared(all, n))
		return 0;
	if (c->table_first != ends->table || c->table_count > img->tables.count - ends->table)
		return why_fail(why, -EINVAL, "cluster %u: its table is out of place", n);
	table = IMAGE_ARRAY(img, uint16_t, tables) + c->table_first;
	for (uint32_t i = 0; i < c->table_count; i++) {
		if (table[i] >= c->endpoint_count)
			return why_fail(why, -EINVAL, "cluster %u: its table names endpoint %u", n,
					table[i]);
	}
	ends->table += c->table_count;
	return c->algorithm == LB_RING_HASH ? check_points(img, n, ends, why) : 0;
}

int image_check_tables(const struct image_header *img, const struct why *why)
{
	struct ends ends = {0};

	for (uint32_t i = 0; i < img->clusters.count; i++) {
		int error = check_table(img, i, &ends, why);

		if (error)
			return error;
	}
	if (ends.table != img->tables.count || ends.points != img->points.count)
		return why_fail(why, -EINVAL, "tables or points that belong to no cluster");
	return 0;
}
