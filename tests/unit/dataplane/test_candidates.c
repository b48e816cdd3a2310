/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/lb/candidates.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <math.h>

#include "shm/lookup.h"
#include "tests/unit/dataplane/lb_world.h"

static struct flow_key client(uint8_t family, uint32_t address, uint16_t port)
{
	struct flow_key key = {.k = {.sport = port, .proto = PROTO_TCP, .family = family}};

	if (family == FAMILY_V4) {
		key.k.src = address;
	} else {
		memcpy(key.src6, "\xfd\x00\x00\x01", 4);
		memcpy(key.src6 + 12, &address, 4);
	}
	return key;
}

static void hash_reads_what_hash_on_names(void)
{
	const uint8_t both = HASH_ON_SOURCE_IP | HASH_ON_SOURCE_PORT;

	for (int v6 = 0; v6 < 2; v6++) {
		uint8_t family = v6 ? FAMILY_V6 : FAMILY_V4;
		struct flow_key a = client(family, 1, 1000), b = client(family, 1, 1001),
				d = client(family, 2, 1000);

		CU_ASSERT_EQUAL(lb_hash(&a, HASH_ON_SOURCE_IP), lb_hash(&b, HASH_ON_SOURCE_IP));
		CU_ASSERT_NOT_EQUAL(lb_hash(&a, HASH_ON_SOURCE_IP), lb_hash(&d, HASH_ON_SOURCE_IP));
		CU_ASSERT_EQUAL(lb_hash(&a, HASH_ON_SOURCE_PORT), lb_hash(&d, HASH_ON_SOURCE_PORT));
		CU_ASSERT_NOT_EQUAL(lb_hash(&a, HASH_ON_SOURCE_PORT),
				    lb_hash(&b, HASH_ON_SOURCE_PORT));
		CU_ASSERT_NOT_EQUAL(lb_hash(&a, both), lb_hash(&b, both));
		CU_ASSERT_NOT_EQUAL(lb_hash(&a, both), lb_hash(&d, both));
	}
}

static void hash_is_that_of_the_documented_bytes(void)
{
	struct flow_key v4 = client(FAMILY_V4, 0x0100007f, 0x5000);
	static const uint8_t bytes[18] = {0, 0,    0,    0,   0, 0, 0, 0,    0,
					  0, 0xff, 0xff, 127, 0, 0, 1, 0x00, 0x50};

	CU_ASSERT_EQUAL(lb_hash(&v4, HASH_ON_SOURCE_IP), XXH64(bytes, 16, 0));
	CU_ASSERT_EQUAL(lb_hash(&v4, HASH_ON_SOURCE_IP | HASH_ON_SOURCE_PORT), XXH64(bytes, 18, 0));
	CU_ASSERT_EQUAL(lb_hash(&v4, HASH_ON_SOURCE_PORT), XXH64(bytes + 16, 2, 0));
}

static void cluster_without_endpoints_gives_none(void)
{
	for (int algorithm = 0; algorithm < LB_ALGORITHMS; algorithm++) {
		struct lb_world *w = lb_world_of((enum image_algorithm)algorithm, 0, NULL, NULL);
		struct candidates c = lb_candidates(w, 5);

		CU_ASSERT_EQUAL(candidates_next(&c), CANDIDATE_NONE);
		CU_ASSERT_EQUAL(candidates_next(&c), CANDIDATE_NONE);
		free(w);
	}
}

static void one_endpoint_is_shown_once(void)
{
	for (int algorithm = 0; algorithm < LB_ALGORITHMS; algorithm++) {
		struct lb_world *w = lb_world_of((enum image_algorithm)algorithm, 1, NULL, NULL);

		for (uint64_t k = 0; k < 100; k++) {
			struct candidates c = lb_candidates(w, lb_mix(k));

			CU_ASSERT_EQUAL(candidates_next(&c), 0);
			CU_ASSERT_EQUAL(candidates_next(&c), CANDIDATE_NONE);
		}
		free(w);
	}
}

static void round_robin_walks_its_cycle(void)
{
	static const uint32_t weights[] = {5, 1, 1}, expected[] = {0, 0, 1, 0, 2, 0, 0};
	struct lb_world *w = lb_world_of(LB_ROUND_ROBIN, 3, NULL, weights);

	for (uint32_t i = 0; i < 21; i++)
		CU_ASSERT_EQUAL(lb_first(w, 0), expected[i % 7]);
	w->cursor = 4000; /* of a longer cycle */
	CU_ASSERT_EQUAL(lb_first(w, 0), expected[0]);
	w->cursor = UINT32_MAX;
	CU_ASSERT_EQUAL(lb_first(w, 0), expected[0]);
	free(w);
}

/* The cycle goes on where a walk ended, so nobody inherits the turns of one that is passed over. */
static void turns_of_an_unusable_endpoint_are_shared_by_all_others(void)
{
	struct lb_world *w = lb_world_of(LB_ROUND_ROBIN, 4, NULL, NULL);
	uint32_t got[4] = {0};

	for (uint32_t i = 0; i < 300; i++) {
		struct candidates c = lb_candidates(w, 0);
		uint32_t number = candidates_next(&c);

		if (number == 1)
			number = candidates_next(&c);
		got[number]++;
	}
	CU_ASSERT(got[0] == 100 && got[2] == 100 && got[3] == 100);
	free(w);
}

/* POLICY: candidate a > 0 is the look-up of xxh64(h, a), duplicates skipped. */
static void maglev_candidates_are_the_documented_ones(void)
{
	struct lb_world *w = lb_world_of(LB_MAGLEV, 10, NULL, NULL);

	for (uint64_t k = 0; k < 2000; k++) {
		uint64_t hash = lb_mix(k);
		struct candidates c = lb_candidates(w, hash);
		uint32_t seen = 0, shown = 0;

		for (uint32_t a = 0; shown < 4; a++) {
			uint64_t h = a != 0 ? XXH64(&hash, 8, a) : hash;
			uint32_t host = w->table[(uint32_t)((unsigned __int128)h * LB_TABLE >> 64)];

			if (seen & 1u << host)
				continue;
			seen |= 1u << host;
			shown++;
			CU_ASSERT_EQUAL(candidates_next(&c), host);
		}
	}
	free(w);
}

static void first_and_last_place_are_in_reach(void)
{
	struct lb_world *w = lb_world_of(LB_MAGLEV, 10, NULL, NULL);

	memset(w->table, 0, sizeof(w->table));
	w->table[0] = 3;
	w->table[LB_TABLE - 1] = 4;
	CU_ASSERT_EQUAL(lb_first(w, 0), 3);
	CU_ASSERT_EQUAL(lb_first(w, UINT64_MAX), 4);
	free(w);
}

static void ring_is_walked_clockwise_from_the_hash(void)
{
	static const uint64_t points[] = {10, 20, 30, 30, 40, 50};
	static const uint16_t table[] = {2, 2, 0, 1, 2, 3};
	static const struct {
		uint64_t hash;
		uint32_t expected[4];
	} rows[] = {
		{0, {2, 0, 1, 3}},  {10, {2, 0, 1, 3}}, {11, {2, 0, 1, 3}},
		{21, {0, 1, 2, 3}}, {30, {0, 1, 2, 3}}, {31, {2, 3, 0, 1}},
		{50, {3, 2, 0, 1}}, {51, {2, 0, 1, 3}}, {UINT64_MAX, {2, 0, 1, 3}},
	};
	struct lb_world *w = lb_world_of(LB_RING_HASH, 4, NULL, NULL);

	memcpy(w->points, points, sizeof(points));
	memcpy(w->table, table, sizeof(table));
	w->cluster.table_count = 6;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct candidates c = lb_candidates(w, rows[i].hash);

		for (uint32_t k = 0; k < 4; k++)
			CU_ASSERT_EQUAL(candidates_next(&c), rows[i].expected[k]);
	}
	free(w);
}

static double score_of(const struct lb_world *w, uint32_t number, uint64_t hash)
{
	uint64_t u = lookup_mixed(w->endpoints[number].key, hash);

	return -(double)w->endpoints[number].weight / logl(((long double)u + 1) / 0x1p64L);
}

static void rendezvous_comes_in_the_order_of_scores(void)
{
	static const uint32_t weights[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 256};
	struct lb_world *w = lb_world_of(LB_RENDEZVOUS, 10, NULL, weights);

	for (uint64_t k = 0; k < 3000; k++) {
		uint64_t hash = lb_mix(k);
		struct candidates c = lb_candidates(w, hash);
		double last = score_of(w, candidates_next(&c), hash);

		for (uint32_t i = 1; i < 10; i++) {
			double score = score_of(w, candidates_next(&c), hash);

			/* the logarithm is approximate */
			CU_ASSERT(score < last * 1.002);
			last = score;
		}
	}
	free(w);
}

/* Of two that are within the logarithm's error either may come first. */
static void rendezvous_winner_has_the_highest_score_of_many(void)
{
	uint32_t weights[LB_HOSTS];
	struct lb_world *w;

	for (uint32_t i = 0; i < LB_HOSTS; i++)
		weights[i] = 1 + (uint32_t)(lb_mix(i) % 256);
	for (int weighted = 0; weighted < 2; weighted++) {
		w = lb_world_of(LB_RENDEZVOUS, LB_HOSTS, NULL, weighted ? weights : NULL);
		for (uint64_t k = 0; k < 300; k++) {
			uint64_t hash = lb_mix(k);
			double won = score_of(w, lb_first(w, hash), hash);

			for (uint32_t i = 0; i < LB_HOSTS; i++)
				CU_ASSERT(score_of(w, i, hash) < won * 1.002);
		}
		free(w);
	}
}

/* Hashes in equal steps, as a report of a table takes them, are dealt as evenly as mixed ones. */
static void rendezvous_deals_evenly(void)
{
	enum { HOSTS = 10, KEYS = 1 << 16 };
	struct lb_world *w = lb_world_of(LB_RENDEZVOUS, HOSTS, NULL, NULL);

	for (int stepped = 0; stepped < 2; stepped++) {
		double off = 0, mean = (double)KEYS / HOSTS;
		uint32_t got[HOSTS] = {0};

		for (uint64_t k = 0; k < KEYS; k++)
			got[lb_first(w, stepped ? k << 48 | 1ull << 47 : lb_mix(k))]++;
		for (uint32_t i = 0; i < HOSTS; i++)
			off += (got[i] - mean) * (got[i] - mean) / mean;
		CU_ASSERT(off < 27.9); /* chi-square, 9 degrees of freedom, one in a thousand */
	}
	free(w);
}

static void exponent_is_near_the_logarithm(void)
{
	static const uint64_t edges[] = {
		0, 1, 2, 3, UINT32_MAX, 1ull << 32, 1ull << 63, (1ull << 63) - 1, (1ull << 63) - 2};
	uint64_t low = 0, high = UINT64_MAX;
	double worst = 0;

	for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++)
		CU_ASSERT(fabs((double)lookup_exponent(edges[i]) / 0x1p32 -
			       (double)-log2l(((long double)edges[i] + 1) / 0x1p64L)) < 1e-5);
	CU_ASSERT_EQUAL(lookup_exponent(low), 64ull << 32);
	CU_ASSERT_EQUAL(lookup_exponent(high), 1);
	for (uint64_t k = 0; k < 200000; k++) {
		/* dense near both ends too */
		uint64_t hash = k % 2 ? lb_mix(k) >> (k % 64) : ~(lb_mix(k) >> (k % 40));
		double expected = (double)(-log2l(((long double)hash + 1) / 0x1p64L) * 0x1p32L);
		double off = fabs((double)lookup_exponent(hash) - expected);

		CU_ASSERT(off <= expected * 0.001 + 2);
		worst = off / (expected + 2000) > worst ? off / (expected + 2000) : worst;
	}
	CU_ASSERT(worst < 0.0011);
}

static void exponent_never_rises(void)
{
	for (uint64_t k = 0; k < 100000; k++) {
		uint64_t hash = lb_mix(k);

		CU_ASSERT(lookup_exponent(hash) >= lookup_exponent(hash | hash >> 30));
		CU_ASSERT(lookup_exponent(k) >= lookup_exponent(k + 1));
		CU_ASSERT(lookup_exponent(~k) <= lookup_exponent(~k - 1));
	}
}

/* What lets a look-up do without the logarithm of a host that clearly loses. */
static void exponent_is_no_less_than_what_is_missing_to_one(void)
{
	for (uint64_t k = 0; k < 200000; k++) {
		uint64_t hash = k % 2 ? lb_mix(k) : ~(lb_mix(k) >> (k % 64));

		CU_ASSERT(lookup_exponent(hash) >= ~hash >> 32);
	}
	for (uint64_t missing = 0; missing < 20000; missing++) {
		CU_ASSERT(lookup_exponent(~(missing << 32 | UINT32_MAX)) >= missing);
		CU_ASSERT(lookup_exponent(~(missing << 32)) >= missing);
	}
}

static void equal_scores_are_dealt_in_order(void)
{
	struct lb_world *w = lb_world_of(LB_RENDEZVOUS, 20, NULL, NULL);
	struct candidates c;

	for (uint32_t i = 0; i < 20; i++)
		w->endpoints[i].key = 77;
	c = lb_candidates(w, 5);
	for (uint32_t i = 0; i < CANDIDATES_SCORED; i++)
		CU_ASSERT_EQUAL(candidates_next(&c), i);
	free(w);
}

static void two_are_compared_by_requests_and_weight(void)
{
	static const struct {
		uint32_t in_flight[2];
		uint32_t weight[2];
		int better; /* -1: the first drawn, by weight */
	} rows[] = {
		{{0, 0}, {1, 1}, -1}, {{0, 0}, {1, 256}, -1},
		{{1, 0}, {1, 1}, 1},  {{0, 1}, {1, 1}, 0},
		{{5, 5}, {1, 1}, -1}, {{5, 5}, {1, 2}, 1},
		{{2, 5}, {1, 2}, 0},  {{2, 4}, {1, 2}, 1},
		{{1, 4}, {1, 3}, -1}, {{1000000, 999999}, {256, 256}, 1},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lb_world *w = lb_world_of(LB_LEAST_REQUESTS, 2, NULL, rows[i].weight);
		uint32_t got[2] = {0};

		w->states[0].in_flight = rows[i].in_flight[0];
		w->states[1].in_flight = rows[i].in_flight[1];
		for (int k = 0; k < 2000; k++)
			got[lb_first(w, 0)]++;
		if (rows[i].better >= 0)
			CU_ASSERT_EQUAL(got[rows[i].better], 2000);
		CU_ASSERT(rows[i].better >= 0 || (got[0] != 0 && got[1] != 0));
		free(w);
	}
}

static void two_are_compared_by_estimate_requests_and_weight(void)
{
	static const struct {
		uint32_t estimate_us[2]; /* 0: unmeasured */
		uint32_t age_ms[2];
		uint32_t in_flight[2];
		uint32_t weight[2];
		int better;
	} rows[] = {
		{{0, 0}, {0, 0}, {0, 0}, {1, 1}, -1},
		{{0, 0}, {0, 0}, {1, 1}, {1, 2}, 1},
		{{0, 0}, {0, 0}, {1, 2}, {2, 3}, -1},
		{{0, 100}, {0, 0}, {0, 0}, {1, 1}, 0}, /* nobody knows it yet: it is tried */
		{{0, 59999}, {0, 0}, {1, 0}, {1, 1}, 1},
		{{60001, 0}, {0, 0}, {0, 1}, {1, 1}, 1},
		{{5000, 4999}, {0, 0}, {3, 3}, {1, 1}, 1},
		{{5000, 9000}, {0, 0}, {0, 0}, {1, 2}, 1},
		{{5000, 9999}, {0, 0}, {1, 0}, {1, 1}, 1},
		{{5000, 10001}, {0, 0}, {1, 0}, {1, 1}, 0},
		{{5000000, 5000}, {60000, 0}, {0, 0}, {1, 1}, 1},
		{{5000000, 5000}, {70000, 0}, {0, 0}, {1, 1}, 0}, /* the penalised one is back */
		{{4294967295u, 4294967295u}, {0, 0}, {16777215, 16777214}, {256, 256}, 1},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lb_world *w = lb_world_of(LB_PEAK_EWMA, 2, NULL, rows[i].weight);
		uint32_t got[2] = {0};

		for (int k = 0; k < 2; k++) {
			uint32_t now_ms = state_ms(LB_NOW_NS);

			w->states[k].in_flight = rows[i].in_flight[k];
			if (rows[i].estimate_us[k] != 0)
				w->states[k].ewma = (uint64_t)rows[i].estimate_us[k] << 32 |
						    (now_ms - rows[i].age_ms[k]);
		}
		for (int k = 0; k < 200; k++)
			got[lb_first(w, 0)]++;
		if (rows[i].better >= 0)
			CU_ASSERT_EQUAL(got[rows[i].better], 200);
		CU_ASSERT(rows[i].better >= 0 || (got[0] != 0 && got[1] != 0));
		free(w);
	}
}

static void loser_of_two_is_next(void)
{
	struct lb_world *w = lb_world_of(LB_LEAST_REQUESTS, 10, NULL, NULL);

	w->states[4].in_flight = 1;
	for (uint32_t k = 0; k < 1000; k++) {
		struct candidates c = lb_candidates(w, 0);
		uint32_t first = candidates_next(&c), second = candidates_next(&c);

		CU_ASSERT(first != 4 && second != first);
	}
	free(w);
}

static void busiest_of_many_is_never_first(void)
{
	struct lb_world *w = lb_world_of(LB_LEAST_REQUESTS, 50, NULL, NULL);

	for (uint32_t i = 0; i < 50; i++)
		w->states[i].in_flight = i;
	for (uint32_t k = 0; k < 5000; k++)
		CU_ASSERT_NOT_EQUAL(lb_first(w, 0), 49);
	free(w);
}

/* P(first = i-th least busy of n) = 2 (n - i) / (n (n - 1)), i from 1. */
static void better_of_two_is_distributed_as_two_choices_are(void)
{
	enum { N = 10, DRAWS = 90000 };
	struct lb_world *w = lb_world_of(LB_LEAST_REQUESTS, N, NULL, NULL);
	uint32_t got[N] = {0};

	for (uint32_t i = 0; i < N; i++)
		w->states[i].in_flight = 10 + i;
	for (uint32_t k = 0; k < DRAWS; k++)
		got[lb_first(w, 0)]++;
	for (uint32_t i = 0; i < N; i++) {
		double expected = DRAWS * 2.0 * (N - 1 - i) / (N * (N - 1));

		CU_ASSERT(fabs(got[i] - expected) <= 4 * sqrt(expected) + 0.5);
	}
	free(w);
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(hash_reads_what_hash_on_names),
		SUITE_TEST(hash_is_that_of_the_documented_bytes),
		SUITE_TEST(cluster_without_endpoints_gives_none),
		SUITE_TEST(one_endpoint_is_shown_once),
		SUITE_TEST(round_robin_walks_its_cycle),
		SUITE_TEST(turns_of_an_unusable_endpoint_are_shared_by_all_others),
		SUITE_TEST(maglev_candidates_are_the_documented_ones),
		SUITE_TEST(first_and_last_place_are_in_reach),
		SUITE_TEST(ring_is_walked_clockwise_from_the_hash),
		SUITE_TEST(rendezvous_comes_in_the_order_of_scores),
		SUITE_TEST(rendezvous_winner_has_the_highest_score_of_many),
		SUITE_TEST(rendezvous_deals_evenly),
		SUITE_TEST(exponent_is_near_the_logarithm),
		SUITE_TEST(exponent_never_rises),
		SUITE_TEST(exponent_is_no_less_than_what_is_missing_to_one),
		SUITE_TEST(equal_scores_are_dealt_in_order),
		SUITE_TEST(two_are_compared_by_requests_and_weight),
		SUITE_TEST(two_are_compared_by_estimate_requests_and_weight),
		SUITE_TEST(loser_of_two_is_next),
		SUITE_TEST(busiest_of_many_is_never_first),
		SUITE_TEST(better_of_two_is_distributed_as_two_choices_are),
		CU_TEST_INFO_NULL,
	};

	return suite_run("candidates", tests);
}
