/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/lb/bounded.h"

#include "tests/unit/dataplane/lb_world.h"

enum { WINDOW_MS = 30000, WHOLE = 65536, TENTH = WHOLE / 10, KEYS = 20000 };
#define MS 1000000ull

static const struct image_balance balance = {.slow_start_ms = WINDOW_MS};

static uint32_t factor_of(uint64_t ramp_ns, struct admin_word admin, uint64_t now_ns)
{
	struct endpoint_state s = {.ramp_ns = ramp_ns, .admin = admin_pack(admin)};

	return slow_start_factor(&s, &balance, now_ns);
}

static void factor_follows_the_time_since_it_joined_or_recovered(void)
{
	static const struct {
		const char *name;
		uint64_t ramp_ms;
		struct admin_word admin;
		uint64_t now_ms;
		uint32_t factor;
	} rows[] = {
		{"never began", 0, {0}, 5, WHOLE},
		{"just joined", 1000, {0}, 1000, TENTH},
		{"a tenth", 1000, {0}, 4000, TENTH},
		{"a quarter", 1000, {0}, 8500, WHOLE / 4},
		{"half", 1000, {0}, 16000, WHOLE / 2},
		{"nearly all", 1000, {0}, 30999, 65533},
		{"all", 1000, {0}, 31000, WHOLE},
		{"long ago", 1000, {0}, 1ull << 50, WHOLE},
		{"clock behind", 1000, {0}, 999, TENTH},
		{"healthy again",
		 0,
		 {.health = HEALTH_HEALTHY, .since_ms = 1000},
		 16000,
		 WHOLE / 2},
		{"healthy later than joined",
		 1000,
		 {.health = HEALTH_HEALTHY, .since_ms = 8500},
		 16000,
		 WHOLE / 4},
		{"joined later than healthy",
		 8500,
		 {.health = HEALTH_HEALTHY, .since_ms = 1000},
		 16000,
		 WHOLE / 4},
		{"healthy for ever", 0, {.health = HEALTH_HEALTHY}, 16000, WHOLE},
		{"unhealthy has no ramp",
		 0,
		 {.health = HEALTH_UNHEALTHY, .since_ms = 1000},
		 1000,
		 WHOLE},
		{"unknown has no ramp", 0, {.since_ms = 1000}, 1000, WHOLE},
		{"healthy, clock behind",
		 0,
		 {.health = HEALTH_HEALTHY, .since_ms = 1000},
		 900,
		 TENTH},
		{"healthy, its ms wrapped",
		 0,
		 {.health = HEALTH_HEALTHY, .since_ms = UINT32_MAX - 6999},
		 (1ull << 32) + 500,
		 WHOLE / 4},
		{"healthy 40 days ago",
		 0,
		 {.health = HEALTH_HEALTHY, .since_ms = 1000},
		 40ull * 86400000,
		 WHOLE},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t factor =
			factor_of(rows[i].ramp_ms * MS, rows[i].admin, rows[i].now_ms * MS);

		if (factor != rows[i].factor)
			printf("\n%s: %u: ", rows[i].name, factor);
		CU_ASSERT_EQUAL(factor, rows[i].factor);
	}
}

static void no_window_is_no_slow_start(void)
{
	const struct image_balance none = {0};
	struct endpoint_state s = {.ramp_ns = 5};

	CU_ASSERT_EQUAL(slow_start_factor(&s, &none, 5), WHOLE);
}

static void longest_window_is_exact(void)
{
	const struct image_balance longest = {.slow_start_ms = UINT32_MAX};
	struct endpoint_state s = {.ramp_ns = 1};

	CU_ASSERT_EQUAL(slow_start_factor(&s, &longest, 1 + UINT32_MAX * MS / 2), WHOLE / 2);
	CU_ASSERT_EQUAL(slow_start_factor(&s, &longest, UINT32_MAX * MS), WHOLE - 1);
}

static void factor_never_falls(void)
{
	uint32_t last = 0;

	for (uint64_t ms = 0; ms <= WINDOW_MS + 100; ms += 7) {
		uint32_t factor = factor_of(MS, (struct admin_word){0}, (1 + ms) * MS);

		CU_ASSERT(factor >= last && factor >= TENTH && factor <= WHOLE);
		last = factor;
	}
	CU_ASSERT_EQUAL(last, WHOLE);
}

/* What the engine does: a candidate in slow start is passed over unless it takes the call. */
static uint32_t pick(struct lb_world *w, uint64_t hash, uint32_t slow, uint32_t factor)
{
	struct candidates c = lb_candidates(w, hash);
	uint32_t number = candidates_next(&c);

	if (number == slow && !slow_start_takes(factor, w->endpoints[slow].key, hash))
		number = candidates_next(&c);
	return number;
}

static void keys_that_came_stay_and_share_grows_with_the_factor(void)
{
	static const enum image_algorithm all[] = {LB_MAGLEV, LB_RING_HASH, LB_RENDEZVOUS};
	static const uint32_t factors[] = {TENTH, WHOLE / 4, WHOLE / 2, WHOLE * 3 / 4, WHOLE};
	static uint8_t came[KEYS];

	for (size_t a = 0; a < 3; a++) {
		struct lb_world *w = lb_world_of(all[a], 5, NULL, NULL);
		uint32_t whole = 0;

		memset(came, 0, sizeof(came));
		for (uint64_t k = 0; k < KEYS; k++)
			whole += lb_first(w, lb_mix(k)) == 3;
		for (size_t f = 0; f < sizeof(factors) / sizeof(factors[0]); f++) {
			uint32_t now = 0;
			double share;

			for (uint64_t k = 0; k < KEYS; k++) {
				int comes = pick(w, lb_mix(k), 3, factors[f]) == 3;

				CU_ASSERT(comes >= came[k]);
				came[k] = (uint8_t)comes;
				now += (uint32_t)comes;
			}
			share = (double)now / whole - (double)factors[f] / WHOLE;
			CU_ASSERT(share > -0.03 && share < 0.03);
		}
		CU_ASSERT(memchr(came, 1, KEYS) != NULL);
		free(w);
	}
}

static void draws_take_the_factors_part(void)
{
	struct lb_world *w = lb_world_of(LB_ROUND_ROBIN, 5, NULL, NULL);
	uint32_t took = 0;

	for (uint64_t k = 0; k < KEYS; k++) {
		struct candidates c = lb_candidates(w, 0);
		uint32_t number = candidates_next(&c);

		took += number == 3 &&
			slow_start_takes(WHOLE / 4, w->endpoints[3].key, random_next(&w->random));
	}
	CU_ASSERT(took > KEYS / 20.0 * 0.93 && took < KEYS / 20.0 * 1.07);
	free(w);
}

static void whole_factor_takes_everything(void)
{
	for (uint64_t k = 0; k < KEYS; k++)
		CU_ASSERT(slow_start_takes(WHOLE, lb_mix(k), k));
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(factor_follows_the_time_since_it_joined_or_recovered),
		SUITE_TEST(no_window_is_no_slow_start),
		SUITE_TEST(longest_window_is_exact),
		SUITE_TEST(factor_never_falls),
		SUITE_TEST(keys_that_came_stay_and_share_grows_with_the_factor),
		SUITE_TEST(draws_take_the_factors_part),
		SUITE_TEST(whole_factor_takes_everything),
		CU_TEST_INFO_NULL,
	};

	return suite_run("slow start", tests);
}
