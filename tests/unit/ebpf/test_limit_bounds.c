/* SPDX-License-Identifier: Apache-2.0 */
/* The bounds of docs/limiter.md as formulas, over random schedules. */
#include "tests/unit/ebpf/limits.h"

enum { EVENTS = 120, SEEDS = 1500 };

struct event {
	uint64_t at_ns;
	uint64_t units;
};

static const uint32_t algorithms[] = {LIMIT_TOKEN_BUCKET, LIMIT_LEAKY_BUCKET, LIMIT_FIXED_WINDOW,
				      LIMIT_SLIDING_WINDOW};

static struct limit_spec random_spec(uint64_t *seed, uint32_t algorithm)
{
	struct limit_spec spec = {.algorithm = algorithm};

	if (is_bucket(algorithm)) {
		spec.rate_per_second = random_magnitude(seed, LIMIT_MAX_RATE);
		spec.burst = random_magnitude(seed, LIMIT_MAX_BURST);
		if (spec.burst > spec.rate_per_second * LIMIT_MAX_FILL)
			spec.burst = spec.rate_per_second * LIMIT_MAX_FILL;
		return spec;
	}
	do {
		spec.rate_per_second = random_magnitude(seed, LIMIT_MAX_RATE);
		spec.window_ns = LIMIT_MIN_WINDOW_NS + random64(seed) % (100 * SECOND_NS);
	} while (!capacity_of(&spec) || capacity_of(&spec) > LIMIT_MAX_COUNT);
	return spec;
}

/* Mostly about what the rate would carry, with bunches and pauses; sometimes to a window's edge. */
static uint64_t random_gap_ns(uint64_t *seed, const struct limit_spec *spec, uint32_t cost)
{
	uint64_t carry_ns = (uint64_t)((wide)cost * SECOND_NS / spec->rate_per_second) + 1;
	uint64_t fill_ns =
		(uint64_t)((wide)capacity_of(spec) * SECOND_NS / spec->rate_per_second) + 1;

	switch (random64(seed) % 8) {
	case 0:
	case 1:
		return 0;
	case 2:
		return random64(seed) % (fill_ns + 1);
	case 3:
		return fill_ns - random64(seed) % (fill_ns / 64 + 1);
	case 4:
		return random64(seed) % 3;
	default:
		return random64(seed) % (2 * carry_ns);
	}
}

static uint32_t random_cost(uint64_t *seed, const struct limit_spec *spec)
{
	uint64_t capacity = capacity_of(spec);
	uint64_t scale = random64(seed) % 2 ? capacity / 4 + 1 : 1500;
	uint64_t cost = 1 + random64(seed) % scale;

	return (uint32_t)(cost > UINT32_MAX ? UINT32_MAX : cost);
}

/* Return: how many of the intervals between two admissions hold too much. */
static int breaches(const struct limit_spec *spec, const struct event *events, int n,
		    uint64_t slack_ns)
{
	int found = 0;

	for (int first = 0; first < n; first++) {
		uint64_t units = 0;

		for (int last = first; last < n; last++) {
			units += events[last].units;
			found += !within_bound(spec, units,
					       events[last].at_ns - events[first].at_ns + slack_ns);
		}
	}
	return found;
}

/* One random schedule; readings of the clock up to @late_ns late. */
static int schedule_breaches(uint64_t *seed, uint32_t algorithm, uint64_t start_ns,
			     uint64_t late_ns)
{
	struct limit_spec spec = random_spec(seed, algorithm);
	struct limit_rule rule = rule_of(&spec);
	__u64 now_ns = start_ns, word = limit_full(&rule, now_ns);
	struct event admitted[EVENTS];
	int n = 0;

	for (int i = 0; i < EVENTS; i++) {
		uint32_t cost = random_cost(seed, &spec);
		uint64_t read_ns;

		now_ns += random_gap_ns(seed, &spec, cost);
		read_ns = late_ns ? now_ns - random64(seed) % late_ns : now_ns;
		if (limit_take(&word, &rule, read_ns, cost) == LIMIT_PASS)
			admitted[n++] = (struct event){now_ns, cost};
	}
	return breaches(&spec, admitted, n, late_ns);
}

static int all_breaches(uint64_t start_ns, uint64_t late_ns)
{
	uint64_t seed = 0x9e3779b97f4a7c15;
	int found = 0;

	for (unsigned int a = 0; a < sizeof(algorithms) / sizeof(algorithms[0]); a++)
		for (int i = 0; i < SEEDS; i++)
			found += schedule_breaches(&seed, algorithms[a], start_ns, late_ns);
	return found;
}

static void no_interval_holds_more_than_the_bound(void)
{
	CU_ASSERT_EQUAL(all_breaches(NOW_NS, 0), 0);
}

static void late_readings_add_their_lateness_to_the_interval(void)
{
	CU_ASSERT_EQUAL(all_breaches(NOW_NS, LIMIT_SKEW_NS), 0);
}

static void bound_holds_years_after_boot(void)
{
	CU_ASSERT_EQUAL(all_breaches(10 * 365 * 86400 * SECOND_NS, 0), 0);
}

/* Start so that the bucket's clock, 64 bits of 1/256 unit, passes 2^64 under way. */
static void bucket_bound_holds_where_its_clock_wraps(void)
{
	uint64_t seed = 0x5851f42d4c957f2d;
	int found = 0, wrapped = 0;

	for (int i = 0; i < SEEDS; i++) {
		struct limit_spec spec = random_spec(&seed, LIMIT_TOKEN_BUCKET);
		uint64_t fill_ns =
			(uint64_t)((wide)spec.burst * SECOND_NS / spec.rate_per_second) + 1;
		struct event admitted[EVENTS];
		struct limit_rule rule = rule_of(&spec);
		wide start;
		__u64 now_ns, word;
		int n = 0;

		if (rule.speed <= 1ull << 51) /* it wraps after 2^63 ns: centuries */
			continue;
		start = ((wide)1 << (64 + LIMIT_CLOCK_SHIFT)) / rule.speed;
		now_ns = (uint64_t)start - fill_ns;
		word = limit_full(&rule, now_ns);
		for (int e = 0; e < EVENTS; e++) {
			uint32_t cost = random_cost(&seed, &spec);

			now_ns += random_gap_ns(&seed, &spec, cost);
			if (limit_take(&word, &rule, now_ns, cost) == LIMIT_PASS)
				admitted[n++] = (struct event){now_ns, cost};
		}
		wrapped += now_ns > start;
		found += breaches(&spec, admitted, n, 0);
	}
	CU_ASSERT_EQUAL(found, 0);
	CU_ASSERT(wrapped > SEEDS / 20);
}

/*
 * The bucket beside one of exact fractions that follows its decisions: the two never differ by more
 * than the clock's grain and the rounding of the rate, in either direction.
 */
static void bucket_decides_as_exact_fractions_do(void)
{
	uint64_t seed = 0xd1342543de82ef95;
	int too_much = 0, too_little = 0;

	for (int i = 0; i < SEEDS; i++) {
		struct limit_spec spec = random_spec(&seed, LIMIT_TOKEN_BUCKET);
		struct limit_rule rule = rule_of(&spec);
		__u64 now_ns = NOW_NS, word = limit_full(&rule, now_ns);
		wide full = (wide)spec.burst * SECOND_NS, tokens = full; /* in 1e-9 unit */
		wide grain = SECOND_NS / 256 + 1;

		for (int e = 0; e < EVENTS; e++) {
			uint32_t cost = random_cost(&seed, &spec);
			uint64_t gap_ns = random_gap_ns(&seed, &spec, cost);
			wide price = (wide)cost * SECOND_NS;
			wide gain = (wide)gap_ns * spec.rate_per_second;

			now_ns += gap_ns;
			grain += gain >> 28; /* of the rate's rounding */
			tokens = tokens + gain > full ? full : tokens + gain;
			if (limit_take(&word, &rule, now_ns, cost) != LIMIT_PASS) {
				too_little += price <= full && tokens >= price + grain;
				continue;
			}
			too_much += tokens + grain < price;
			tokens = tokens > price ? tokens - price : 0;
		}
	}
	CU_ASSERT_EQUAL(too_much, 0);
	CU_ASSERT_EQUAL(too_little, 0);
}

/* A refusal by the sliding window is one that exact fractions would make, but for their grain. */
static void sliding_window_refuses_no_more_than_its_formula(void)
{
	uint64_t seed = 0xda942042e4dd58b5;
	int too_little = 0, refused = 0;

	for (int i = 0; i < SEEDS; i++) {
		struct limit_spec spec = random_spec(&seed, LIMIT_SLIDING_WINDOW);
		struct limit_rule rule = rule_of(&spec);
		__u64 now_ns = NOW_NS, word = limit_full(&rule, now_ns), at = 0;
		double capacity = (double)capacity_of(&spec), count = 0, previous = 0;

		for (int e = 0; e < EVENTS; e++) {
			uint32_t cost = random_cost(&seed, &spec);
			double position, used;

			now_ns += random_gap_ns(&seed, &spec, cost);
			position = (double)limit_clock(rule.speed, now_ns) / 4096;
			previous = (uint64_t)position == at       ? previous
				   : (uint64_t)position == at + 1 ? count
								  : 0;
			count = (uint64_t)position == at ? count : 0;
			at = (uint64_t)position;
			used = count + previous * (1 - (position - (double)at));
			if (limit_take(&word, &rule, now_ns, cost) == LIMIT_PASS) {
				count += cost;
			} else {
				refused++;
				too_little += used + cost + capacity / 2048 + 2 <= capacity;
			}
		}
	}
	CU_ASSERT_EQUAL(too_little, 0);
	CU_ASSERT(refused > SEEDS);
}

/* Twice the limit offered, from nothing in use; what @span_ns admits. */
static uint64_t admitted_of_twice(const struct limit_spec *spec, uint32_t cost, uint64_t span_ns)
{
	uint64_t offered = (uint64_t)((wide)spec->rate_per_second * span_ns * 2 / SECOND_NS / cost);
	struct limit_rule rule = rule_of(spec);
	__u64 word = limit_full(&rule, NOW_NS);
	uint64_t units = 0;

	for (uint64_t i = 0; i < offered; i++)
		if (limit_take(&word, &rule, NOW_NS + (uint64_t)((wide)span_ns * i / offered),
			       cost) == LIMIT_PASS)
			units += cost;
	return units;
}

/* Within 1 % of rate * time, but for one capacity: what was there at the start. */
static void long_run_rate_is_the_rate(void)
{
	static const struct {
		uint64_t rate;
		uint32_t cost;
		uint64_t span_ns;
	} rows[] = {
		{1, 1, 10000 * SECOND_NS},
		{3, 1, 10000 * SECOND_NS},
		{1000, 1, 100 * SECOND_NS},
		{100 * 1000, 1, 10 * SECOND_NS},
		{333333, 7, 20 * SECOND_NS},
		{1000 * 1000, 1400, 100 * SECOND_NS},
		{10 * 1000 * 1000, 1500, 50 * SECOND_NS},
		{10485760, 1500, 50 * SECOND_NS},
		{100 * 1000 * 1000, 1500, 10 * SECOND_NS},
		{100 * 1000 * 1000, 9000, 20 * SECOND_NS},
		{1250 * 1000 * 1000, 9000, 5 * SECOND_NS},
		{8500ull * 1000 * 1000, 64000, 5 * SECOND_NS},
		{8500ull * 1000 * 1000, 20, 5 * SECOND_NS / 1000},
	};

	for (unsigned int a = 0; a < sizeof(algorithms) / sizeof(algorithms[0]); a++) {
		for (unsigned int r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
			struct limit_spec spec = {.algorithm = algorithms[a],
						  .rate_per_second = rows[r].rate};
			double want = (double)rows[r].rate * (double)rows[r].span_ns / 1e9, got;

			if (is_bucket(spec.algorithm))
				spec.burst = 2 * rows[r].cost;
			else if (rows[r].span_ns < 5 * SECOND_NS)
				continue;
			else if (rows[r].rate < 100) /* L of 100 packets at least */
				spec.window_ns = 100 * SECOND_NS;
			got = (double)admitted_of_twice(&spec, rows[r].cost, rows[r].span_ns);
			CU_ASSERT(got >= 0.99 * want);
			CU_ASSERT(got <= 1.0001 * want + (double)capacity_of(&spec));
		}
	}
}

/* With the smallest burst a token bucket loses nothing between packets: no remainder is dropped. */
static void bucket_rate_is_exact_at_any_size(void)
{
	uint64_t seed = 0x2545f4914f6cdd1d;

	for (int i = 0; i < 200; i++) {
		struct limit_spec spec = {.algorithm = LIMIT_TOKEN_BUCKET,
					  .rate_per_second =
						  random_magnitude(&seed, LIMIT_MAX_RATE)};
		uint32_t cost = 1 + (uint32_t)(random64(&seed) % 9000);
		uint64_t span_ns, got;

		spec.burst = 2 * cost;
		if (spec.burst > spec.rate_per_second * LIMIT_MAX_FILL)
			continue;
		span_ns = (uint64_t)((wide)cost * 5000 * SECOND_NS / spec.rate_per_second);
		got = admitted_of_twice(&spec, cost, span_ns);
		CU_ASSERT(got <= 5000ull * cost + spec.burst);
		CU_ASSERT(got >= 5000ull * cost - cost);
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(no_interval_holds_more_than_the_bound),
		SUITE_TEST(late_readings_add_their_lateness_to_the_interval),
		SUITE_TEST(bound_holds_years_after_boot),
		SUITE_TEST(bucket_bound_holds_where_its_clock_wraps),
		SUITE_TEST(bucket_decides_as_exact_fractions_do),
		SUITE_TEST(sliding_window_refuses_no_more_than_its_formula),
		SUITE_TEST(long_run_rate_is_the_rate),
		SUITE_TEST(bucket_rate_is_exact_at_any_size),
		CU_TEST_INFO_NULL,
	};

	return suite_run("limit_bounds", tests);
}
