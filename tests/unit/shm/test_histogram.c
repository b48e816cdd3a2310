/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/histogram.h"

#include <pthread.h>
#include <string.h>

#include "tests/unit/shm/suite.h"

enum { BLOCKS = 200, SLOTS = 2, MS = 1000000 };

static struct cluster_histograms clusters[SLOTS];
static struct histogram_block pool[BLOCKS];
static struct histograms h;
static struct histogram_sum sum;

static void begin(uint32_t blocks)
{
	memset(clusters, 0, sizeof(clusters));
	memset(pool, 0, sizeof(pool));
	h = (struct histograms){.clusters = clusters, .pool = pool, .blocks = blocks};
}

static void record(uint64_t value_ns)
{
	histogram_record(&h, 0, HISTOGRAM_CONNECT, value_ns);
}

static void collect(void)
{
	memset(&sum, 0, sizeof(sum));
	histogram_add_to(&sum, &h, 0, HISTOGRAM_CONNECT);
}

static uint64_t quantile(uint32_t per_10000)
{
	collect();
	return histogram_quantile_ns(&sum, per_10000);
}

/* 2.2 %, and a nanosecond for the rounding of small values. */
static int is_near(uint64_t got, uint64_t want)
{
	uint64_t off = got > want ? got - want : want - got;

	return off <= want * 22 / 1000 + 1;
}

static uint64_t random_state = 88172645463325252ull;
static uint64_t draw(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static void empty_has_no_quantile(void)
{
	begin(BLOCKS);
	CU_ASSERT_EQUAL(quantile(5000), 0);
	CU_ASSERT_EQUAL(sum.count, 0);
}

static void one_value_is_every_quantile(void)
{
	static const uint64_t values[] = {954,
					  1000,
					  1907,
					  1908,
					  55 * 1000,
					  MS,
					  15 * MS,
					  1000 * (uint64_t)MS,
					  3600000 * (uint64_t)MS,
					  4096000 * (uint64_t)MS};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		begin(BLOCKS);
		record(values[i]);
		CU_ASSERT(is_near(quantile(0), values[i]));
		CU_ASSERT(is_near(quantile(5000), values[i]));
		CU_ASSERT(is_near(quantile(10000), values[i]));
		CU_ASSERT_EQUAL(sum.count, 1);
		CU_ASSERT_EQUAL(sum.sum_us, (values[i] + 500) / 1000);
	}
}

static void a_bucket_includes_its_upper_bound(void)
{
	for (uint32_t i = 0; i < HISTOGRAM_ALL_BUCKETS; i++) {
		uint64_t upper = histogram_upper_ns(i);

		begin(BLOCKS);
		record(upper);
		record(upper + 1);
		collect();
		CU_ASSERT_EQUAL(sum.bucket[i], 1);
		CU_ASSERT_EQUAL(i + 1 < HISTOGRAM_ALL_BUCKETS ? sum.bucket[i + 1] : sum.over, 1);
	}
	/* Whole powers of two of a second are bounds. */
	CU_ASSERT_EQUAL(histogram_upper_ns(20 * HISTOGRAM_OCTAVE_BUCKETS - 1), 1000000000);
	CU_ASSERT_EQUAL(histogram_upper_ns(HISTOGRAM_ALL_BUCKETS - 1), 4096000000000);
}

static void values_beyond_the_range_are_counted_apart(void)
{
	begin(BLOCKS);
	record(0);
	record(953);
	record(4096000000001);
	record(UINT64_MAX - 1000);
	collect();
	CU_ASSERT_EQUAL(sum.count, 4);
	CU_ASSERT_EQUAL(sum.under, 2);
	CU_ASSERT_EQUAL(sum.over, 2);
	CU_ASSERT_EQUAL(quantile(5000), 953);
	CU_ASSERT_EQUAL(quantile(10000), 4096000000000);
	CU_ASSERT_EQUAL(pool[0].count[0], 0);
}

static int compare(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void quantiles_are_within_their_error(void)
{
	enum { VALUES = 20000 };
	static uint64_t values[VALUES];
	static const uint32_t wanted[] = {1, 100, 1000, 5000, 9000, 9900, 9990, 9999, 10000};

	for (uint32_t round = 0; round < 20; round++) {
		begin(BLOCKS);
		for (uint32_t i = 0; i < VALUES; i++) {
			/* Spread over octaves, more of them each round. */
			values[i] = 1000 + draw() % ((uint64_t)1000 << (1 + draw() % (round + 12)));
			record(values[i]);
		}
		qsort(values, VALUES, sizeof(values[0]), compare);
		for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
			uint32_t rank = (VALUES * wanted[i] + 9999) / 10000;

			CU_ASSERT(is_near(quantile(wanted[i]), values[rank - 1]));
		}
		CU_ASSERT_EQUAL(sum.count, VALUES);
		CU_ASSERT_EQUAL(sum.lost, 0);
	}
}

static void kinds_and_slots_are_apart(void)
{
	begin(BLOCKS);
	histogram_record(&h, 0, HISTOGRAM_CONNECT, MS);
	histogram_record(&h, 0, HISTOGRAM_QUEUE_WAIT, MS);
	histogram_record(&h, 1, HISTOGRAM_CONNECT, MS);
	collect();
	CU_ASSERT_EQUAL(sum.count, 1);
	histogram_add_to(&sum, &h, 1, HISTOGRAM_CONNECT);
	CU_ASSERT_EQUAL(sum.count, 2);
	CU_ASSERT_EQUAL(pool[0].count[0], 3);
}

static void an_empty_pool_loses_new_octaves_only(void)
{
	begin(3); /* two can be dealt */
	record(MS);
	record(10 * MS);
	record(100 * MS);
	record(MS);
	collect();
	CU_ASSERT_EQUAL(sum.count, 3);
	CU_ASSERT_EQUAL(sum.lost, 1);
	begin(1);
	record(MS);
	collect();
	CU_ASSERT_EQUAL(sum.count, 0);
	CU_ASSERT_EQUAL(sum.lost, 1);
}

static void a_pool_is_enough_for_whole_clusters(void)
{
	begin(HISTOGRAM_OCTAVES + 1);
	for (uint32_t i = 0; i < HISTOGRAM_ALL_BUCKETS; i++)
		record(histogram_upper_ns(i));
	collect();
	CU_ASSERT_EQUAL(sum.count, HISTOGRAM_ALL_BUCKETS);
	CU_ASSERT_EQUAL(sum.lost, 0);
}

static void hostile_words_stay_inside(void)
{
	begin(BLOCKS);
	memset(clusters, 0xff, sizeof(clusters));
	record(MS);
	collect();
	histogram_clear(&h, 0);
	begin(BLOCKS);
	pool[0].count[0] = UINT64_MAX;
	record(MS);
	pool[0].count[0] = UINT64_MAX - 1;
	record(MS);
	collect();
	CU_ASSERT_EQUAL(sum.lost, 2);
	for (uint32_t i = 0; i < 1000; i++) {
		uint16_t *number = &clusters[0].kind[0].block[draw() % HISTOGRAM_OCTAVES];

		*number = (uint16_t)draw();
		pool[0].count[0] = draw() % 4 ? draw() % BLOCKS : draw();
		record(draw() >> draw() % 64);
		collect();
		quantile((uint32_t)(draw() % 10001));
	}
	histogram_clear(&h, 0);
}

static void a_cleared_slot_is_empty_and_keeps_its_blocks(void)
{
	begin(BLOCKS);
	record(0);
	record(MS);
	record(9000000ull * MS);
	histogram_record(&h, 1, HISTOGRAM_CONNECT, MS);
	histogram_clear(&h, 0);
	collect();
	CU_ASSERT_EQUAL(sum.count + sum.sum_us + sum.lost, 0);
	histogram_add_to(&sum, &h, 1, HISTOGRAM_CONNECT);
	CU_ASSERT_EQUAL(sum.count, 1);
	record(MS);
	CU_ASSERT_EQUAL(pool[0].count[0], 2);
	collect();
	CU_ASSERT_EQUAL(sum.count, 1);
}

static void a_difference_is_what_came_between(void)
{
	struct histogram_sum then;

	begin(BLOCKS);
	for (int i = 0; i < 100; i++)
		record(MS);
	collect();
	then = sum;
	for (int i = 0; i < 50; i++)
		record(70 * MS);
	collect();
	histogram_subtract(&sum, &then);
	CU_ASSERT_EQUAL(sum.count, 50);
	CU_ASSERT_EQUAL(sum.sum_us, 50 * 70000);
	CU_ASSERT(is_near(histogram_quantile_ns(&sum, 1), 70 * MS));
}

static void nothing_is_recorded_where_there_is_no_memory(void)
{
	const struct histograms none = {0};

	histogram_record(&none, 7, HISTOGRAM_CONNECT, MS);
	CU_PASS("returned");
}

static void a_region_has_one_for_each_worker(void)
{
	struct region region;
	struct histograms w0, w1;

	small_region(&region, "histogram");
	w0 = region_histograms(&region, 0);
	w1 = region_histograms(&region, 1);
	CU_ASSERT_EQUAL(w0.blocks, region.shape.cluster_slots * HISTOGRAM_SLOT_BLOCKS);
	histogram_record(&w0, region.shape.cluster_slots - 1, HISTOGRAM_DURATION, MS);
	histogram_record(&w1, region.shape.cluster_slots - 1, HISTOGRAM_DURATION, 3 * MS);
	histogram_collect(&sum, &region, region.shape.cluster_slots - 1, HISTOGRAM_DURATION);
	CU_ASSERT_EQUAL(sum.count, 2);
	CU_ASSERT_EQUAL(sum.sum_us, 4000);
	histogram_collect(&sum, &region, 0, HISTOGRAM_DURATION);
	CU_ASSERT_EQUAL(sum.count, 0);
	region_close(&region);
}

static void *write_values(void *arg)
{
	for (uint64_t i = 0; i < 20000; i++)
		record(1000 + i * i);
	return arg;
}

static void a_reader_disturbs_no_writer(void)
{
	uint64_t before = 0;
	pthread_t writer;

	begin(BLOCKS);
	pthread_create(&writer, NULL, write_values, NULL);
	for (int i = 0; i < 200; i++) {
		collect();
		CU_ASSERT(sum.count >= before);
		before = sum.count;
	}
	pthread_join(writer, NULL);
	collect();
	CU_ASSERT_EQUAL(sum.count, 20000);
}

static void verdicts_are_counted_from_2_to_the_minus_30_on(void)
{
	static const uint64_t values[] = {0, 1, 2, 180, 180, 180, 180, 5000, UINT64_MAX};
	enum { VALUES = sizeof(values) / sizeof(values[0]) };
	struct region region;
	struct histograms w0, w1;
	uint64_t n = 0;

	small_region(&region, "verdicts");
	w0 = region_histograms(&region, 0);
	w1 = region_histograms(&region, 1);
	for (int i = 0; i < VALUES; i++)
		histogram_record_verdict(i % 2 ? &w0 : &w1, values[i]);
	histogram_record(&w0, 0, HISTOGRAM_CONNECT, MS);
	histogram_collect_verdicts(&sum, &region);
	CU_ASSERT_EQUAL(sum.count, VALUES);
	CU_ASSERT_EQUAL(sum.under, 1);
	CU_ASSERT_EQUAL(sum.over, 1);
	CU_ASSERT_EQUAL(sum.lost, 0);
	for (uint32_t i = 0; i < HISTOGRAM_ALL_BUCKETS; i++)
		n += sum.bucket[i];
	CU_ASSERT_EQUAL(n, VALUES - 2);
	/* 176 to 184 ns, and 1 ns where whole ones are too coarse for more. */
	CU_ASSERT_TRUE(is_near(histogram_quantile_ns(&sum, 5000), 180));
	CU_ASSERT_EQUAL(histogram_quantile_ns(&sum, 1000), 0);
	CU_ASSERT_EQUAL(histogram_quantile_ns(&sum, 2000), 1);
	histogram_collect(&sum, &region, 0, HISTOGRAM_CONNECT);
	CU_ASSERT_EQUAL(sum.count, 1);
	CU_ASSERT_EQUAL(sum.finer, 0);
	region_close(&region);
}

static void verdicts_without_a_pool_or_of_a_full_one_do_no_harm(void)
{
	const struct histograms none = {0};

	histogram_record_verdict(&none, 100);
	begin(1);
	histogram_record_verdict(&h, 100);
	CU_ASSERT_EQUAL(((struct histogram_pool_head *)pool)->lost, 1);
	CU_ASSERT_EQUAL(((struct histogram_pool_head *)pool)->sum_ns, 100);
}

static void kinds_have_names(void)
{
	CU_ASSERT_STRING_EQUAL(histogram_name(HISTOGRAM_FIRST_BYTE), "first_byte");
	CU_ASSERT_STRING_EQUAL(histogram_name(HISTOGRAM_KINDS), "unknown");
}

int main(void)
{
	static const struct test tests[] = {
		TEST(empty_has_no_quantile),
		TEST(one_value_is_every_quantile),
		TEST(a_bucket_includes_its_upper_bound),
		TEST(values_beyond_the_range_are_counted_apart),
		TEST(quantiles_are_within_their_error),
		TEST(kinds_and_slots_are_apart),
		TEST(an_empty_pool_loses_new_octaves_only),
		TEST(a_pool_is_enough_for_whole_clusters),
		TEST(hostile_words_stay_inside),
		TEST(a_cleared_slot_is_empty_and_keeps_its_blocks),
		TEST(a_difference_is_what_came_between),
		TEST(nothing_is_recorded_where_there_is_no_memory),
		TEST(a_region_has_one_for_each_worker),
		TEST(verdicts_are_counted_from_2_to_the_minus_30_on),
		TEST(verdicts_without_a_pool_or_of_a_full_one_do_no_harm),
		TEST(a_reader_disturbs_no_writer),
		TEST(kinds_have_names),
	};

	return suite_run("histogram", tests, sizeof(tests) / sizeof(tests[0]));
}
