/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/lb/levels.h"

#include "tests/unit/dataplane/lb_world.h"

enum { DRAWS = 100000 };
#define MS 1000000ull

static void shares_spill_over_by_availability(void)
{
	static const struct {
		uint32_t usable[4]; /* percent */
		uint32_t count;
		uint32_t share[4]; /* hundredths of a percent */
		uint32_t sum;
	} rows[] = {
		{{100}, 1, {10000}, 10000},
		{{72}, 1, {10000}, 10000},
		{{50}, 1, {10000}, 7000},
		{{0}, 1, {10000}, 0},
		{{100, 100}, 2, {10000, 0}, 20000},
		{{72, 100}, 2, {10000, 0}, 20000},
		{{71, 100}, 2, {9940, 60}, 19940},
		{{50, 100}, 2, {7000, 3000}, 17000},
		{{25, 100}, 2, {3500, 6500}, 13500},
		{{0, 100}, 2, {0, 10000}, 10000},
		{{50, 50}, 2, {7000, 3000}, 14000},
		{{25, 25}, 2, {5000, 5000}, 7000}, /* 35 + 35, scaled up */
		{{25, 0}, 2, {10000, 0}, 3500},
		{{0, 5}, 2, {0, 10000}, 700},
		{{5, 0, 5}, 3, {5000, 0, 5000}, 1400},
		{{10, 20, 30}, 3, {1666, 3333, 5001}, 8400},
		{{25, 25, 25, 100}, 4, {3500, 3500, 3000, 0}, 20500},
		{{0, 0}, 2, {10000, 0}, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct levels l = {.count = rows[i].count};

		for (uint32_t k = 0; k < l.count; k++) {
			l.level[k].weight = 100;
			l.level[k].usable = rows[i].usable[k];
		}
		CU_ASSERT_EQUAL(levels_shares(&l), rows[i].sum);
		for (uint32_t k = 0; k < l.count; k++) {
			if (l.level[k].share != rows[i].share[k])
				printf("\nrow %zu, level %u: %u: ", i, k, l.level[k].share);
			CU_ASSERT_EQUAL(l.level[k].share, rows[i].share[k]);
		}
	}
}

static void shares_always_sum_to_all(void)
{
	for (uint64_t seed = 0; seed < 20000; seed++) {
		struct levels l = {.count = 1 + (uint32_t)(lb_mix(seed) % MAX_PRIORITIES)};
		uint32_t sum = 0;

		for (uint32_t k = 0; k < l.count; k++) {
			l.level[k].weight = (uint32_t)(lb_mix(seed * 16 + k) % 5000);
			l.level[k].usable =
				(uint32_t)(lb_mix(seed * 16 + k + 8) % (l.level[k].weight + 1)) /
				(1 + seed % 4);
		}
		levels_shares(&l);
		for (uint32_t k = 0; k < l.count; k++) {
			sum += l.level[k].share;
			CU_ASSERT(l.level[k].share == 0 || l.level[k].usable != 0 || k == 0 ||
				  l.level[k].share == 10000);
		}
		CU_ASSERT_EQUAL(sum, 10000);
	}
}

static void level_without_endpoints_gets_nothing(void)
{
	struct levels l = {.count = 3, .level[2] = {.weight = 5}};

	CU_ASSERT_EQUAL(levels_shares(&l), 0);
	CU_ASSERT_EQUAL(l.level[2].share, 10000);
}

/* @count endpoints, the first @of_first of them in level 0, the others in level 1. */
static struct lb_world *two_levels(uint32_t count, uint32_t of_first)
{
	struct lb_world *w = lb_world_of(LB_ROUND_ROBIN, count, NULL, NULL);

	for (uint32_t i = of_first; i < count; i++)
		w->endpoints[i].priority = 1;
	w->cluster.balance = (struct image_balance){.panic_threshold = 5000, .priorities = 2};
	return w;
}

static void make_unhealthy(struct lb_world *w, uint32_t from, uint32_t to)
{
	for (uint32_t i = from; i < to; i++)
		lb_set_health(w, i, HEALTH_UNHEALTHY, 5);
}

static uint32_t refresh(struct levels *l, struct lb_world *w)
{
	l->count = 0; /* now */
	return levels_refresh(l, &w->view, &w->state, 0, LB_NOW_NS);
}

static void summary_counts_usable_weight_and_the_own_zone(void)
{
	struct lb_world *w = two_levels(10, 6);
	struct levels l = {0};

	for (uint32_t i = 0; i < 10; i++) {
		w->endpoints[i].weight = (uint16_t)(i + 1);
		w->endpoints[i].local = i % 2 == 0;
	}
	make_unhealthy(w, 0, 1);
	lb_set_drained(w, 1);
	CU_ASSERT_EQUAL(refresh(&l, w), 0);
	CU_ASSERT_EQUAL(l.count, 2);
	CU_ASSERT_EQUAL(l.usable_endpoints, 8);
	CU_ASSERT_EQUAL(l.level[0].weight, 21);
	CU_ASSERT_EQUAL(l.level[0].usable, 18);
	CU_ASSERT_EQUAL(l.level[0].local_usable, 3 + 5);
	CU_ASSERT_EQUAL(l.level[1].weight, 34);
	CU_ASSERT_EQUAL(l.level[1].usable, 34);
	CU_ASSERT_EQUAL(l.level[1].local_usable, 7 + 9);
	CU_ASSERT_EQUAL(l.generation, 1);
	free(w);
}

static void panic_begins_when_no_level_can_help_out(void)
{
	static const struct {
		uint32_t down_first; /* of ten */
		uint32_t down_second;
		uint16_t threshold;
		uint8_t panic[2];
	} rows[] = {
		{0, 0, 5000, {0, 0}},   {6, 0, 5000, {0, 0}}, /* the second has capacity */
		{10, 2, 5000, {0, 0}},  {6, 5, 5000, {0, 0}}, /* 56 + 70 */
		{7, 6, 5000, {1, 1}},                         /* 42 + 56 < 100 */
		{8, 5, 5000, {1, 0}},                         /* 28 + 70; half is not under half */
		{10, 10, 5000, {1, 1}}, {10, 10, 0, {0, 0}},  {10, 10, 1, {1, 1}},
		{9, 9, 1000, {0, 0}},   {9, 9, 1001, {1, 1}}, {10, 3, 10000, {1, 1}},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lb_world *w = two_levels(20, 10);
		struct levels l = {0};
		uint32_t changed;

		w->cluster.balance.panic_threshold = rows[i].threshold;
		make_unhealthy(w, 0, rows[i].down_first);
		make_unhealthy(w, 10, 10 + rows[i].down_second);
		changed = refresh(&l, w);
		CU_ASSERT_EQUAL(l.level[0].panic, rows[i].panic[0]);
		CU_ASSERT_EQUAL(l.level[1].panic, rows[i].panic[1]);
		CU_ASSERT_EQUAL(changed, (uint32_t)(rows[i].panic[0] | rows[i].panic[1] << 1));
		free(w);
	}
}

static void panic_tells_its_beginning_and_its_end_once(void)
{
	struct lb_world *w = two_levels(10, 10);
	struct levels l = {0};

	CU_ASSERT_EQUAL(refresh(&l, w), 0);
	make_unhealthy(w, 0, 6);
	CU_ASSERT_EQUAL(refresh(&l, w), 1);
	CU_ASSERT_EQUAL(refresh(&l, w), 0);
	lb_set_health(w, 0, HEALTH_HEALTHY, 6);
	CU_ASSERT_EQUAL(refresh(&l, w), 1);
	CU_ASSERT_EQUAL(refresh(&l, w), 0);
	make_unhealthy(w, 0, 6);
	refresh(&l, w);
	w->cluster.endpoint_count = 0;
	CU_ASSERT_EQUAL(refresh(&l, w), 1);
	free(w);
}

static void it_looks_anew_when_due(void)
{
	struct lb_world *w = two_levels(10, 10);
	struct levels l = {0};

	levels_refresh(&l, &w->view, &w->state, 0, LB_NOW_NS);
	make_unhealthy(w, 0, 1);
	levels_refresh(&l, &w->view, &w->state, 0, LB_NOW_NS + MS - 1);
	CU_ASSERT_EQUAL(l.level[0].usable, 10);
	levels_refresh(&l, &w->view, &w->state, 0, LB_NOW_NS + MS);
	CU_ASSERT_EQUAL(l.level[0].usable, 9);
	make_unhealthy(w, 1, 2);
	levels_refresh(&l, &w->view, &w->state, 0, LB_NOW_NS); /* clock back */
	CU_ASSERT_EQUAL(l.level[0].usable, 8);
	make_unhealthy(w, 2, 3);
	w->image.generation = 2;
	levels_refresh(&l, &w->view, &w->state, 0, LB_NOW_NS);
	CU_ASSERT_EQUAL(l.level[0].usable, 7);
	free(w);
}

static void cluster_without_endpoints_is_one_empty_level(void)
{
	struct lb_world *w = lb_world_of(LB_ROUND_ROBIN, 0, NULL, NULL);
	struct levels l = {0};

	w->cluster.balance.panic_threshold = 5000;
	CU_ASSERT_EQUAL(refresh(&l, w), 0);
	CU_ASSERT_EQUAL(l.count, 1);
	CU_ASSERT_EQUAL(l.usable_endpoints, 0);
	CU_ASSERT_EQUAL(l.level[0].panic, 0);
	CU_ASSERT_EQUAL(levels_choose(&l, 5), 0);
	free(w);
}

static void calls_begin_at_levels_by_their_shares(void)
{
	struct levels l = {
		.count = 4,
		.level = {{.share = 3500}, {.share = 0}, {.share = 6400}, {.share = 100}}};
	uint32_t drawn[4] = {0};

	for (uint64_t i = 0; i < DRAWS; i++)
		drawn[levels_choose(&l, i << 48)]++;
	CU_ASSERT(drawn[0] > DRAWS * 0.345 && drawn[0] < DRAWS * 0.355);
	CU_ASSERT_EQUAL(drawn[1], 0);
	CU_ASSERT(drawn[3] > DRAWS * 0.009 && drawn[3] < DRAWS * 0.011);
	l = (struct levels){.count = 2, .level = {{.share = 0}, {.share = 10000}}};
	for (uint64_t i = 0; i < 1000; i++)
		CU_ASSERT_EQUAL(levels_choose(&l, lb_mix(i)), 1);
}

static void level_of_a_key_says_nothing_of_its_place(void)
{
	struct levels l = {.count = 2, .level = {{.share = 5000}, {.share = 5000}}};
	uint32_t low = 0;

	for (uint64_t i = 0; i < DRAWS; i++) /* hashes of the lower half of every table */
		low += levels_choose(&l, lb_mix(i) >> 1);
	CU_ASSERT(low > DRAWS * 0.49 && low < DRAWS * 0.51);
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(shares_spill_over_by_availability),
		SUITE_TEST(shares_always_sum_to_all),
		SUITE_TEST(level_without_endpoints_gets_nothing),
		SUITE_TEST(summary_counts_usable_weight_and_the_own_zone),
		SUITE_TEST(panic_begins_when_no_level_can_help_out),
		SUITE_TEST(panic_tells_its_beginning_and_its_end_once),
		SUITE_TEST(it_looks_anew_when_due),
		SUITE_TEST(cluster_without_endpoints_is_one_empty_level),
		SUITE_TEST(calls_begin_at_levels_by_their_shares),
		SUITE_TEST(level_of_a_key_says_nothing_of_its_place),
		CU_TEST_INFO_NULL,
	};

	return suite_run("levels", tests);
}
