/* SPDX-License-Identifier: Apache-2.0 */
/* What holds of the candidates of every algorithm, whatever the cluster. */
#include "dataplane/lb/candidates.h"

#include <math.h>

#include "tests/unit/dataplane/lb_world.h"

enum { KEYS = 50000, MAX_COUNT = 300 };

static const enum image_algorithm by_hash[] = {LB_MAGLEV, LB_RING_HASH, LB_RENDEZVOUS};

static int is_by_hash(uint32_t algorithm)
{
	return algorithm == LB_MAGLEV || algorithm == LB_RING_HASH || algorithm == LB_RENDEZVOUS;
}

/* Walks all candidates of one call: each endpoint once, then none. */
static void walk(struct lb_world *w, uint64_t hash, uint32_t *order)
{
	struct candidates c = lb_candidates(w, hash);
	uint32_t count = w->cluster.endpoint_count;
	uint8_t seen[LB_HOSTS] = {0};

	for (uint32_t i = 0; i < count; i++) {
		order[i] = candidates_next(&c);
		CU_ASSERT_FATAL(order[i] < count && !seen[order[i]]);
		seen[order[i]] = 1;
	}
	CU_ASSERT_EQUAL(candidates_next(&c), CANDIDATE_NONE);
	CU_ASSERT_EQUAL(candidates_next(&c), CANDIDATE_NONE);
	CU_ASSERT(c.vain <= CANDIDATES_LOOKUPS && c.noted <= CANDIDATES_SEEN);
}

/* To build: not for every count. */
static int is_costly(uint32_t algorithm)
{
	return algorithm == LB_MAGLEV || algorithm == LB_RING_HASH;
}

static void candidates_are_distinct_complete_and_stable(void)
{
	uint64_t seed = 0;

	for (uint32_t count = 1; count <= MAX_COUNT; count += count < 70 ? 1 : 23) {
		for (uint32_t algorithm = 0; algorithm < LB_ALGORITHMS; algorithm++) {
			uint32_t weights[LB_HOSTS], order[LB_HOSTS], again[LB_HOSTS];
			struct lb_world *w;

			if (is_costly(algorithm) && count > 10 && count % 17 != 0 && count < 290)
				continue;
			for (uint32_t i = 0; i < count; i++)
				weights[i] = 1 + (uint32_t)(lb_mix(seed++) %
							    (count % 2 || count > 30 ? 4 : 20));
			w = lb_world_of((enum image_algorithm)algorithm, count, NULL, weights);
			w->random.state = 1 + seed;
			for (uint32_t i = 0; i < count; i++)
				w->states[i].in_flight = lb_mix(seed++) % 9;
			for (int k = 0; k < 4; k++) {
				uint64_t hash = lb_mix(seed++);

				walk(w, hash, order);
				walk(w, hash, again);
				if (is_by_hash(algorithm))
					CU_ASSERT_EQUAL(
						memcmp(order, again, count * sizeof(order[0])), 0);
			}
			free(w);
		}
	}
}

/* A host of next to no weight is not met by chance. */
static void host_that_chance_does_not_show_is_found(void)
{
	static const uint32_t weights[] = {256, 1, 256, 256};

	for (uint32_t algorithm = 0; algorithm < LB_ALGORITHMS; algorithm++) {
		struct lb_world *w = lb_world_of((enum image_algorithm)algorithm, 4, NULL, weights);
		uint32_t order[4];

		for (uint64_t k = 0; k < 500; k++)
			walk(w, lb_mix(k), order);
		free(w);
	}
}

/* Each part within @tolerance of what the weights give, of @total picks. */
static void assert_shares(const struct lb_world *w, const uint32_t *got, uint32_t total,
			  double tolerance)
{
	for (uint32_t i = 0; i < w->cluster.endpoint_count; i++) {
		double expected = (double)total * w->endpoints[i].weight / w->cluster.weight_sum;
		double noise = 4 * sqrt(expected);

		if (fabs(got[i] - expected) > expected * tolerance + noise)
			printf("\nalgorithm %u, host %u: %u for %.0f: ", w->cluster.algorithm, i,
			       got[i], expected);
		CU_ASSERT(fabs(got[i] - expected) <= expected * tolerance + noise);
	}
}

static void idle_endpoints_are_dealt_by_weight(void)
{
	static const struct {
		enum image_algorithm algorithm;
		double tolerance;
	} rows[] = {
		{LB_ROUND_ROBIN, 0}, {LB_RANDOM, 0},      {LB_LEAST_REQUESTS, 0},
		{LB_MAGLEV, 0.005},  {LB_RING_HASH, 0.2}, {LB_RENDEZVOUS, 0.002},
	};
	static const uint32_t weights[] = {1, 2, 3, 4, 10, 10, 20, 50};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lb_world *w = lb_world_of(rows[i].algorithm, 8, NULL, weights);
		uint32_t got[8] = {0};

		for (uint64_t k = 0; k < KEYS; k++)
			got[lb_first(w, lb_mix(k))]++;
		assert_shares(w, got, KEYS, rows[i].tolerance);
		free(w);
	}
}

/* Exponential in [0, inf), mean 1. */
static double exponential(struct random *random)
{
	return -log(((double)(random_next(random) >> 11) + 1) * 0x1p-53);
}

/*
 * Calls arrive at random, @in_flight of them under way on average; each takes a random time, alike
 * on every endpoint, whose estimates are kept alike too. Which endpoint got how many.
 */
static void run_load(struct lb_world *w, double in_flight, uint32_t *got)
{
	static double end[4096];
	static uint32_t on[4096];
	uint32_t live = 0;
	double now = 0;

	for (uint32_t k = 0; k < KEYS; k++) {
		uint32_t number;

		now += exponential(&w->random) / in_flight;
		for (uint32_t i = 0; i < live;) {
			if (end[i] > now) {
				i++;
				continue;
			}
			w->states[on[i]].in_flight--;
			live--;
			end[i] = end[live];
			on[i] = on[live];
		}
		number = lb_first(w, lb_mix(k));
		got[number]++;
		w->states[number].in_flight++;
		lb_must(live < 4096, "room for calls");
		end[live] = now + exponential(&w->random);
		on[live++] = number;
	}
}

static void loaded_endpoints_are_dealt_by_weight(void)
{
	static const struct {
		enum image_algorithm algorithm;
		double in_flight;
		double tolerance;
	} rows[] = {
		{LB_LEAST_REQUESTS, 0.1, 0.1}, {LB_LEAST_REQUESTS, 1, 0.15},
		{LB_LEAST_REQUESTS, 3, 0.05},  {LB_LEAST_REQUESTS, 10, 0.1},
		{LB_LEAST_REQUESTS, 50, 0.05}, {LB_PEAK_EWMA, 50, 0.15},
	};
	static const uint32_t weights[] = {1, 2, 3, 4};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lb_world *w = lb_world_of(rows[i].algorithm, 4, NULL, weights);
		uint32_t got[4] = {0};

		run_load(w, rows[i].in_flight, got);
		assert_shares(w, got, KEYS, rows[i].tolerance);
		free(w);
	}
}

/* Least requests keeps the busiest endpoint closer to the mean than chance does. */
static uint64_t worst_load(enum image_algorithm algorithm)
{
	struct lb_world *w = lb_world_of(algorithm, 20, NULL, NULL);
	uint64_t worst = 0;

	for (uint32_t k = 0; k < 20 * 100; k++) {
		uint32_t number = lb_first(w, lb_mix(k));

		if (++w->states[number].in_flight > worst)
			worst = w->states[number].in_flight;
	}
	free(w);
	return worst;
}

static void two_choices_even_out_what_one_does_not(void)
{
	CU_ASSERT(worst_load(LB_LEAST_REQUESTS) <= 104);
	CU_ASSERT(worst_load(LB_PEAK_EWMA) <= 104);
	CU_ASSERT(worst_load(LB_RANDOM) >= 110);
	CU_ASSERT_EQUAL(worst_load(LB_ROUND_ROBIN), 100);
}

/* Ten hosts, and the same without the @removed one. */
static void only_its_keys_move(enum image_algorithm algorithm, uint32_t removed)
{
	static const uint32_t weights[] = {1, 2, 1, 3, 1, 1, 4, 1, 2, 1};
	uint32_t left[9], left_weights[9], moved = 0;
	struct lb_world *before = lb_world_of(algorithm, 10, NULL, weights), *after;

	for (uint32_t i = 0; i < 9; i++) {
		left[i] = i < removed ? i : i + 1;
		left_weights[i] = weights[left[i]];
	}
	after = lb_world_of(algorithm, 9, left, left_weights);
	for (uint64_t k = 0; k < KEYS / 10; k++) {
		struct candidates c = lb_candidates(before, lb_mix(k));
		uint32_t was = candidates_next(&c), now = left[lb_first(after, lb_mix(k))];

		if (was != removed) {
			CU_ASSERT_EQUAL(now, was);
			continue;
		}
		/* and they go where a call would go that passes the host over */
		CU_ASSERT_EQUAL(now, candidates_next(&c));
		moved++;
	}
	CU_ASSERT(moved > 0);
	free(before);
	free(after);
}

static void removed_host_moves_only_its_keys(void)
{
	for (uint32_t removed = 0; removed < 10; removed += 3) {
		only_its_keys_move(LB_RING_HASH, removed);
		only_its_keys_move(LB_RENDEZVOUS, removed);
	}
}

static void keys_of_an_unusable_host_spread_over_all_others(void)
{
	for (size_t a = 0; a < 3; a++) {
		struct lb_world *w = lb_world_of(by_hash[a], 10, NULL, NULL);
		uint32_t got[10] = {0}, total = 0;

		for (uint64_t k = 0; k < KEYS; k++) {
			struct candidates c = lb_candidates(w, lb_mix(k));

			if (candidates_next(&c) != 4)
				continue;
			got[candidates_next(&c)]++;
			total++;
		}
		CU_ASSERT_EQUAL(got[4], 0);
		for (uint32_t i = 0; i < 10; i++)
			CU_ASSERT(i == 4 || (got[i] > total / 30 && got[i] < total / 4));
		free(w);
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(candidates_are_distinct_complete_and_stable),
		SUITE_TEST(host_that_chance_does_not_show_is_found),
		SUITE_TEST(idle_endpoints_are_dealt_by_weight),
		SUITE_TEST(loaded_endpoints_are_dealt_by_weight),
		SUITE_TEST(two_choices_even_out_what_one_does_not),
		SUITE_TEST(removed_host_moves_only_its_keys),
		SUITE_TEST(keys_of_an_unusable_host_spread_over_all_others),
		CU_TEST_INFO_NULL,
	};

	return suite_run("candidates, at random", tests);
}
