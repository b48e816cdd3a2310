/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/ctl/top_model.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "tests/unit/dataplane/suite.h"

#define S 1000000000ull

static int near(double a, double b)
{
	return fabs(a - b) < 1e-9;
}

/* -- history ----------------------------------------------------------------------------- */

static void an_empty_history_is_unknown(void)
{
	struct top_history h = {0};
	char bars[SPARK_BYTES];

	for (unsigned int age = 0; age < TOP_HISTORY_S + 2; age++)
		CU_ASSERT(isnan(top_history_rate(&h, age)));
	top_history_spark(&h, 5, 1, bars);
	CU_ASSERT_STRING_EQUAL(bars, "     ");
	top_history_spark(&h, 0, 1, bars);
	CU_ASSERT_STRING_EQUAL(bars, "");
}

static void an_interval_is_spread_over_its_seconds(void)
{
	struct top_history h = {0};

	top_history_add(&h, 100 * S + S / 2, 102 * S + S / 2, 20);
	CU_ASSERT(near(top_history_rate(&h, 0), 10)); /* second 101 */
	CU_ASSERT(near(top_history_rate(&h, 1), 10)); /* the half of 100 that is known */
	CU_ASSERT(isnan(top_history_rate(&h, 2)));
	top_history_add(&h, 102 * S + S / 2, 103 * S, 40);
	CU_ASSERT(near(top_history_rate(&h, 0), 45)); /* 102: 5 and 40 */
}

static void a_gap_stays_unknown(void)
{
	struct top_history h = {0};

	top_history_add(&h, 10 * S, 11 * S, 3);
	top_history_add(&h, 14 * S, 15 * S, 5);
	CU_ASSERT(near(top_history_rate(&h, 0), 5));
	for (unsigned int age = 1; age < 4; age++)
		CU_ASSERT(isnan(top_history_rate(&h, age)));
	CU_ASSERT(near(top_history_rate(&h, 4), 3));
}

static void the_history_wraps(void)
{
	struct top_history h = {0};

	for (uint64_t second = 1; second <= 1000; second++)
		top_history_add(&h, second * S, (second + 1) * S, (double)second);
	for (unsigned int age = 0; age < TOP_HISTORY_S; age++)
		CU_ASSERT(near(top_history_rate(&h, age), 1000 - age));
	CU_ASSERT(isnan(top_history_rate(&h, TOP_HISTORY_S)));
	top_history_add(&h, 1001 * S, 100000 * S, 98999.0 * 7);
	for (unsigned int age = 0; age < TOP_HISTORY_S; age++)
		CU_ASSERT(near(top_history_rate(&h, age), 7));
}

static void what_is_no_interval_is_left_out(void)
{
	struct top_history h = {0};

	top_history_add(&h, 5 * S, 5 * S, 1);
	top_history_add(&h, 6 * S, 5 * S, 1);
	CU_ASSERT(isnan(top_history_rate(&h, 0)));
	top_history_add(&h, 5 * S, 6 * S, 1);
	top_history_add(&h, 5 * S, 7 * S, 100);
	CU_ASSERT(near(top_history_rate(&h, 0), 1));
}

static void bars_are_as_high_as_the_highest_allows(void)
{
	struct top_history h = {0};
	char bars[SPARK_BYTES];
	const double counts[] = {0, 7, 1};

	for (size_t i = 0; i < 3; i++)
		top_history_add(&h, (i + 1) * S, (i + 2) * S, counts[i]);
	top_history_spark(&h, 4, 1, bars);
	CU_ASSERT_STRING_EQUAL(bars, " ▁█▂");
	top_history_spark(&h, 4, 0, bars);
	CU_ASSERT_STRING_EQUAL(bars, " _#.");
	top_history_spark(&h, TOP_HISTORY_S, 1, bars);
	CU_ASSERT_EQUAL(strlen(bars), TOP_HISTORY_S - 3 + 3 * 3);
}

/* -- model ------------------------------------------------------------------------------- */

/* Endpoints a, b of cluster c1 and a of c2, with these calls; listener l has their sum. */
static json_t *answer(uint64_t time_ns, int a, int b, int c2)
{
	json_t *json =
		json_pack("{s:I, s:{s:i, s:i}, s:[{s:i, s:i}],"
			  " s:[{s:s, s:i}], s:[{s:s, s:i}, {s:s, s:i}],"
			  " s:[{s:s, s:s, s:i}, {s:s, s:s, s:i}, {s:s, s:s, s:i}]}",
			  "time_ns", (json_int_t)time_ns, "packets", "received", 10 * (a + b + c2),
			  "originated", a, "workers", "loops", 4 * a, "busy_loops", a, "listeners",
			  "name", "l", "started", a + b + c2, "clusters", "name", "c1", "started",
			  a + b, "name", "c2", "started", c2, "endpoints", "cluster", "c1",
			  "address", "a", "started", a, "cluster", "c1", "address", "b", "started",
			  b, "cluster", "c2", "address", "a", "started", c2);

	CU_ASSERT_PTR_NOT_NULL_FATAL(json);
	return json;
}

static int take(struct top_model *model, json_t *json)
{
	int rc = top_model_take(model, json);

	json_decref(json);
	return rc;
}

static double rate(const struct top_model *model, enum top_table table, size_t i)
{
	return top_model_rate(model, model->tables[table].rows[i].pair, "started");
}

static void one_answer_has_no_rates(void)
{
	struct top_model m = {0};

	CU_ASSERT_EQUAL(take(&m, answer(5 * S, 1, 2, 3)), 0);
	CU_ASSERT_EQUAL(m.tables[TOP_LISTENERS].count, 1);
	CU_ASSERT_EQUAL(m.tables[TOP_CLUSTERS].count, 2);
	CU_ASSERT_EQUAL(m.tables[TOP_ENDPOINTS].count, 3);
	CU_ASSERT(isnan(rate(&m, TOP_ENDPOINTS, 0)));
	CU_ASSERT(isnan(m.tables[TOP_ENDPOINTS].rows[0].share));
	CU_ASSERT(isnan(top_model_calls(&m)));
	CU_ASSERT(isnan(top_model_packets(&m)));
	CU_ASSERT(isnan(top_model_busy(&m, 0)));
	top_model_clear(&m);
}

static void rates_are_between_two_answers(void)
{
	struct top_model m = {0};

	take(&m, answer(5 * S, 1, 2, 3));
	take(&m, answer(7 * S, 7, 4, 3));
	CU_ASSERT(near(rate(&m, TOP_ENDPOINTS, 0), 3));
	CU_ASSERT(near(rate(&m, TOP_ENDPOINTS, 1), 1));
	CU_ASSERT(near(rate(&m, TOP_ENDPOINTS, 2), 0));
	CU_ASSERT(near(m.tables[TOP_ENDPOINTS].rows[0].share, 0.75));
	CU_ASSERT(near(m.tables[TOP_ENDPOINTS].rows[1].share, 0.25));
	CU_ASSERT(isnan(m.tables[TOP_ENDPOINTS].rows[2].share));
	CU_ASSERT(near(top_model_calls(&m), 4));
	CU_ASSERT(near(top_model_packets(&m), 43));
	CU_ASSERT(near(top_model_busy(&m, 0), 0.25));
	CU_ASSERT(isnan(top_model_busy(&m, 1)));
	CU_ASSERT(near(top_history_rate(&m.calls, 0), 4));
	CU_ASSERT(near(top_history_rate(&m.packets, 1), 43));
	top_model_clear(&m);
}

static void counters_that_fell_have_rate_zero(void)
{
	struct top_model m = {0};

	take(&m, answer(5 * S, 100, 200, 300));
	take(&m, answer(6 * S, 1, 2, 3));
	for (size_t i = 0; i < 3; i++)
		CU_ASSERT(near(rate(&m, TOP_ENDPOINTS, i), 0));
	CU_ASSERT(near(top_model_calls(&m), 0));
	CU_ASSERT(near(top_model_packets(&m), 0));
	top_model_clear(&m);
}

static void rows_are_found_where_they_moved(void)
{
	struct top_model m = {0};
	json_t *now = answer(6 * S, 4, 2, 13);

	take(&m, answer(5 * S, 1, 2, 3));
	json_array_remove(json_object_get(now, "endpoints"), 0);
	json_array_insert_new(
		json_object_get(now, "endpoints"), 0,
		json_pack("{s:s, s:s, s:i}", "cluster", "c1", "address", "new", "started", 50));
	json_array_remove(json_object_get(now, "endpoints"), 1);
	take(&m, now); /* c1: new; c2: a */
	CU_ASSERT_EQUAL(m.tables[TOP_ENDPOINTS].count, 2);
	CU_ASSERT(isnan(rate(&m, TOP_ENDPOINTS, 0)));
	CU_ASSERT(near(rate(&m, TOP_ENDPOINTS, 1), 10));
	CU_ASSERT(near(m.tables[TOP_ENDPOINTS].rows[1].share, 1));
	top_model_clear(&m);
}

static void a_gap_has_no_rates(void)
{
	struct top_model m = {0};

	top_model_gap(&m); /* nothing yet */
	take(&m, answer(5 * S, 1, 2, 3));
	take(&m, answer(6 * S, 2, 3, 4));
	top_model_gap(&m);
	CU_ASSERT(isnan(rate(&m, TOP_ENDPOINTS, 0)));
	CU_ASSERT(near(top_history_rate(&m.calls, 0), 3));
	take(&m, answer(9 * S, 5, 6, 7));
	CU_ASSERT(isnan(rate(&m, TOP_ENDPOINTS, 0)));
	take(&m, answer(10 * S, 6, 6, 7));
	CU_ASSERT(near(rate(&m, TOP_ENDPOINTS, 0), 1));
	CU_ASSERT(near(top_history_rate(&m.calls, 0), 1));
	CU_ASSERT(isnan(top_history_rate(&m.calls, 2)));
	top_model_clear(&m);
}

static void a_clock_that_went_back_begins_anew(void)
{
	struct top_model m = {0};

	take(&m, answer(5000 * S, 1, 2, 3));
	take(&m, answer(5001 * S, 2, 3, 4));
	take(&m, answer(3 * S, 3, 4, 5));
	CU_ASSERT(isnan(rate(&m, TOP_ENDPOINTS, 0)));
	CU_ASSERT(isnan(top_history_rate(&m.calls, 0)));
	take(&m, answer(4 * S, 5, 4, 5));
	CU_ASSERT(near(rate(&m, TOP_ENDPOINTS, 0), 2));
	CU_ASSERT(near(top_history_rate(&m.calls, 0), 2));
	top_model_clear(&m);
}

static void the_same_answer_again_changes_nothing(void)
{
	struct top_model m = {0};

	take(&m, answer(5 * S, 1, 2, 3));
	take(&m, answer(6 * S, 2, 3, 4));
	CU_ASSERT_EQUAL(take(&m, answer(6 * S, 2, 3, 4)), 0);
	CU_ASSERT(near(rate(&m, TOP_ENDPOINTS, 0), 1));
	top_model_clear(&m);
}

static void what_is_no_answer_is_refused(void)
{
	static const char *const bad[] = {"{}",
					  "[]",
					  "1",
					  "null",
					  "{\"time_ns\": \"1\"}",
					  "{\"time_ns\": -5}",
					  "{\"error\": \"x\"}"};
	struct top_model m = {0};

	take(&m, answer(5 * S, 1, 2, 3));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CU_ASSERT_EQUAL(take(&m, json_loads(bad[i], JSON_DECODE_ANY, NULL)), -EINVAL);
	CU_ASSERT_EQUAL(m.tables[TOP_ENDPOINTS].count, 3);
	/* Rows that are none are empty rows. */
	CU_ASSERT_EQUAL(take(&m, json_loads("{\"time_ns\": 6000000000, \"listeners\": 7,"
					    " \"clusters\": [1, null, {\"name\": 5}],"
					    " \"endpoints\": [[], {\"started\": \"x\"}]}",
					    0, NULL)),
			0);
	CU_ASSERT_EQUAL(m.tables[TOP_LISTENERS].count, 0);
	CU_ASSERT_EQUAL(m.tables[TOP_CLUSTERS].count, 3);
	CU_ASSERT(isnan(rate(&m, TOP_ENDPOINTS, 1)));
	top_model_clear(&m);
}

int main(void)
{
	CU_TestInfo tests[] = {
		SUITE_TEST(an_empty_history_is_unknown),
		SUITE_TEST(an_interval_is_spread_over_its_seconds),
		SUITE_TEST(a_gap_stays_unknown),
		SUITE_TEST(the_history_wraps),
		SUITE_TEST(what_is_no_interval_is_left_out),
		SUITE_TEST(bars_are_as_high_as_the_highest_allows),
		SUITE_TEST(one_answer_has_no_rates),
		SUITE_TEST(rates_are_between_two_answers),
		SUITE_TEST(counters_that_fell_have_rate_zero),
		SUITE_TEST(rows_are_found_where_they_moved),
		SUITE_TEST(a_gap_has_no_rates),
		SUITE_TEST(a_clock_that_went_back_begins_anew),
		SUITE_TEST(the_same_answer_again_changes_nothing),
		SUITE_TEST(what_is_no_answer_is_refused),
		CU_TEST_INFO_NULL,
	};

	return suite_run("top_model", tests);
}
