/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/lb/ewma.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "tests/unit/dataplane/suite.h"

#define MS 1000000ull
#define US 1000ull

#define WORD(estimate_us, at_ms) ((uint64_t)(estimate_us) << 32 | (at_ms))

static uint32_t estimate(uint64_t word)
{
	return (uint32_t)(word >> 32);
}

static void decay_is_the_exponential(void)
{
	static const uint32_t rows[] = {0,      1,          2,         10,     99,     100,
					1000,   5000,       9999,      10000,  10001,  20000,
					30000,  69315,      100000,    110000, 120000, 300000,
					864000, 0x7fffffff, 0xffffffff};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		double expected = exp(-(double)rows[i] / EWMA_DECAY_MS) * 65536;

		CU_ASSERT(fabs(ewma_decay(rows[i]) - expected) < 5);
	}
	CU_ASSERT_EQUAL(ewma_decay(0), 65536);
	CU_ASSERT_EQUAL(ewma_decay(1000000), 0);
}

static void decay_never_rises_and_stays_near(void)
{
	uint32_t last = 65536;
	double worst = 0;

	for (uint32_t ms = 0; ms < 130000; ms++) {
		uint32_t d = ewma_decay(ms);
		double off = fabs(d - exp(-(double)ms / EWMA_DECAY_MS) * 65536);

		CU_ASSERT(d <= last);
		worst = off > worst ? off : worst;
		last = d;
	}
	CU_ASSERT(worst < 5);
}

static void unmeasured_is_thirty_milliseconds_at_any_time(void)
{
	CU_ASSERT_EQUAL(ewma_read(0, 0), 30000);
	CU_ASSERT_EQUAL(ewma_read(0, UINT64_MAX), 30000);
}

static void samples_change_the_estimate_by_rule(void)
{
	static const struct {
		const char *name;
		uint64_t word;
		uint64_t latency_ns;
		int failed;
		uint64_t now_ns;
		uint32_t estimate_us;
		uint32_t at_ms;
	} rows[] = {
		{"first", 0, 700 * US, 0, 5 * MS, 700, 5},
		{"first of no time at all", 0, 0, 0, 0, 1, 0},
		{"above replaces", WORD(700, 5), 701 * US, 0, 6 * MS, 701, 6},
		{"equal renews", WORD(700, 5), 700 * US, 0, 600 * MS, 700, 600},
		{"below blends with 1/e after 10 s", WORD(1000, 0), 500 * US, 0, 10000 * MS, 684,
		 10000},
		{"below after long counts alone", WORD(1000, 0), 500 * US, 0, 600000 * MS, 500,
		 600000},
		{"below at once changes nothing", WORD(1000, 5), 500 * US, 0, 5 * MS, 1000, 5},
		{"below, clock a little behind", WORD(1000, 500), 5 * US, 0, 400 * MS, 1000, 500},
		{"above, clock a little behind", WORD(1000, 500), 1001 * US, 0, 400 * MS, 1001,
		 400},
		{"failure is 5 s", WORD(1000, 5), 100 * US, 1, 6 * MS, 5000000, 6},
		{"slow failure is what it took", WORD(1000, 5), 7000 * MS, 1, 6 * MS, 7000000, 6},
		{"time wraps", WORD(1000, 0xffffffff - 4999), 500 * US, 0,
		 0x100000000 * MS + 5000 * MS, 684, 5000},
		{"more than fits", WORD(1000, 5), UINT64_MAX, 0, 6 * MS, UINT32_MAX, 6},
		{"largest blends", WORD(UINT32_MAX, 0), 0, 0, 10000 * MS, 1580030169, 10000},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t word = rows[i].word;
		int64_t off;

		ewma_sample(&word, rows[i].latency_ns, rows[i].failed, rows[i].now_ns);
		off = (int64_t)estimate(word) - rows[i].estimate_us;
		/* one in ten thousand for the decay's error */
		if (llabs(off) > rows[i].estimate_us / 10000 || (uint32_t)word != rows[i].at_ms)
			printf("\n%s: %u at %u: ", rows[i].name, estimate(word), (uint32_t)word);
		CU_ASSERT(llabs(off) <= rows[i].estimate_us / 10000);
		CU_ASSERT_EQUAL((uint32_t)word, rows[i].at_ms);
	}
}

static void reading_decays(void)
{
	CU_ASSERT_EQUAL(ewma_read(WORD(1000, 5), 5 * MS), 1000);
	CU_ASSERT_EQUAL(ewma_read(WORD(1000, 5), 10005 * MS), 367);
	CU_ASSERT_EQUAL(ewma_read(WORD(1000, 5), 1 * MS), 1000);
	CU_ASSERT_EQUAL(ewma_read(WORD(UINT32_MAX, 5), 5 * MS), UINT32_MAX);
	CU_ASSERT_EQUAL(ewma_read(WORD(1000, 5), 1000000 * MS), 0);
}

/* 5 s of penalty against a host of 5 ms: 10 s * ln(1000) = 69.1 s. */
static void penalised_host_comes_back(void)
{
	uint64_t word = WORD(5000, 1);
	uint64_t s = 0;

	ewma_sample(&word, 1 * MS, 1, 1000 * MS);
	while (ewma_read(word, (s + 1) * 1000 * MS) > 5000 && s < 1000)
		s++;
	CU_ASSERT(s >= 69 && s <= 70);
}

/* @per_second samples of 1 ms after one of 5 ms: how far above 1 ms it is after @seconds. */
static double left_after(uint32_t per_second, uint32_t seconds)
{
	uint64_t word = 0;

	ewma_sample(&word, 5 * MS, 0, 0);
	for (uint64_t i = 1; i <= (uint64_t)per_second * seconds; i++)
		ewma_sample(&word, 1 * MS, 0, i * 1000 * MS / per_second);
	return (estimate(word) - 1000.0) / 4000;
}

/* Rounding must neither stop the estimate nor hurry it when samples come fast. */
static void speed_of_blending_depends_little_on_the_rate(void)
{
	static const uint32_t rates[] = {1, 10, 100, 1000, 5000, 50000};

	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		double left = left_after(rates[i], 10);

		CU_ASSERT(left > 0.32 && left < 0.40);
		CU_ASSERT(left_after(rates[i], 60) < 0.02);
	}
}

static void constant_latency_is_read_as_it_is(void)
{
	uint64_t word = 0;

	for (uint64_t ms = 0; ms < 30000; ms++) {
		ewma_sample(&word, (ms % 2 ? 200 : 199) * US, 0, ms * MS);
		CU_ASSERT(ewma_read(word, ms * MS) >= 198 && ewma_read(word, ms * MS) <= 200);
	}
}

static void *sample_many(void *word)
{
	for (uint64_t i = 0; i < 20000; i++)
		ewma_sample(word, (100 + i % 900) * US, 0, i * 100 * US);
	return NULL;
}

static void threads_leave_an_estimate_between_their_samples(void)
{
	uint64_t word = 0;
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		CU_ASSERT_FATAL(pthread_create(&threads[i], NULL, sample_many, &word) == 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	CU_ASSERT(estimate(word) >= 100 && estimate(word) < 1000);
	CU_ASSERT((uint32_t)word < 2000);
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(decay_is_the_exponential),
		SUITE_TEST(decay_never_rises_and_stays_near),
		SUITE_TEST(unmeasured_is_thirty_milliseconds_at_any_time),
		SUITE_TEST(samples_change_the_estimate_by_rule),
		SUITE_TEST(reading_decays),
		SUITE_TEST(penalised_host_comes_back),
		SUITE_TEST(speed_of_blending_depends_little_on_the_rate),
		SUITE_TEST(constant_latency_is_read_as_it_is),
		SUITE_TEST(threads_leave_an_estimate_between_their_samples),
		CU_TEST_INFO_NULL,
	};

	return suite_run("ewma", tests);
}
