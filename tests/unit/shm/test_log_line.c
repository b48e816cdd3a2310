/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/log_line.h"

#include <string.h>

#include "tests/unit/shm/suite.h"

/* 2024-05-01T12:00:00.123Z */
static const uint64_t noon_ns = 1714564800123ull * 1000000;

static const char *facts(const char *format, ...) __attribute__((format(printf, 1, 2)));
static const char *facts(const char *format, ...)
{
	static char out[LOG_FACTS_BYTES];
	va_list values;

	va_start(values, format);
	log_facts(out, format, values);
	va_end(values);
	return out;
}

static const char *rendered(enum log_format format, int journal, const char *text)
{
	static char out[LOG_LINE_BYTES + 1];
	const struct log_style style = {format, journal};
	size_t n = log_render(out, &style, LOG_LEVEL_WARN, "unit", text, noon_ns);

	out[n] = '\0';
	return out;
}

static void every_conversion_of_the_tree_is_that_of_printf(void)
{
	CU_ASSERT_STRING_EQUAL(
		facts("event=x a=%d b=%u c=%lu d=%ld e=%llu", -1, 2u, 3ul, -4l, 5ull),
		"event=x a=-1 b=2 c=3 d=-4 e=5");
	CU_ASSERT_STRING_EQUAL(facts("a=%lx b=%08x c=%zu d=%i e=100%%", 0xfful, 10u, (size_t)7, 9),
			       "a=ff b=0000000a c=7 d=9 e=100%");
	CU_ASSERT_STRING_EQUAL(facts("a=%.1f b=%.3s c=\"%.*s\"", 2.25, "abcdef", 2, "xyz"),
			       "a=2.2 b=abc c=\"xy\"");
	CU_ASSERT_STRING_EQUAL(facts("name=SIG%s", "TERM"), "name=SIGTERM");
	CU_ASSERT_STRING_EQUAL(facts("event=x"), "event=x");
}

static void values_cannot_leave_their_place(void)
{
	static const struct {
		const char *value, *bare, *quoted;
	} rows[] = {
		{"plain", "k=plain", "k=\"plain\""},
		{"", "k=\"\"", "k=\"\""},
		{"two words", "k=\"two words\"", "k=\"two words\""},
		{"a\" event=fake", "k=\"a\\\" event=fake\"", "k=\"a\\\" event=fake\""},
		{"a=b", "k=\"a=b\"", "k=\"a=b\""},
		{"back\\", "k=\"back\\\\\"", "k=\"back\\\\\""},
		{"\n2024 info", "k=\"\\n2024 info\"", "k=\"\\n2024 info\""},
		{"\x1b[2J", "k=\"\\x1b[2J\"", "k=\"\\x1b[2J\""},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CU_ASSERT_STRING_EQUAL(facts("k=%s", rows[i].value), rows[i].bare);
		CU_ASSERT_STRING_EQUAL(facts("k=\"%s\"", rows[i].value), rows[i].quoted);
	}
	CU_ASSERT_STRING_EQUAL(facts("%s", "event=x k=\"made before\"\n"),
			       "event=x k=\"made before\" ");
}

static void what_is_too_long_is_cut(void)
{
	static char longest[2 * LOG_FACTS_BYTES];

	memset(longest, '"', sizeof(longest) - 1);
	CU_ASSERT_TRUE(strlen(facts("k=\"%s\"", longest)) < LOG_FACTS_BYTES);
	memset(longest, '\xff', sizeof(longest) - 1);
	/* The worst that JSON makes of it still ends as it should. */
	CU_ASSERT_STRING_EQUAL(strrchr(rendered(LOG_FORMAT_JSON, 0, facts("k=%s", longest)), '\\'),
			       "\\ufffd\"}\n");
}

static void text_has_time_level_and_subject(void)
{
	CU_ASSERT_STRING_EQUAL(rendered(LOG_FORMAT_TEXT, 0, "event=x n=1"),
			       "2024-05-01T12:00:00.123Z warn unit event=x n=1\n");
	CU_ASSERT_STRING_EQUAL(rendered(LOG_FORMAT_TEXT, 0, "a\nb"),
			       "2024-05-01T12:00:00.123Z warn unit a b\n");
	CU_ASSERT_STRING_EQUAL(rendered(LOG_FORMAT_TEXT, 1, "event=x"), "<4>warn unit event=x\n");
}

#define JSON_HEAD "{\"time\":\"2024-05-01T12:00:00.123Z\",\"level\":\"warn\",\"subject\":\"unit\""

static void json_has_a_member_for_each_fact(void)
{
	static const struct {
		const char *facts, *json;
	} rows[] = {
		{"event=x", ",\"event\":\"x\""},
		{"n=12 m=-3 z=0", ",\"n\":12,\"m\":-3,\"z\":0"},
		{"n=007 m=1.5 q=\"12\" o=1234567890123456",
		 ",\"n\":\"007\",\"m\":\"1.5\",\"q\":\"12\",\"o\":\"1234567890123456\""},
		{"k=\"a \\\"b\\\" \\\\ \\n \\x1b\"", ",\"k\":\"a \\\"b\\\" \\\\ \\u000a \\u001b\""},
		{"k=\"open", ",\"k\":\"open\""},
		{"k=\"end\\", ",\"k\":\"end\\\\\""},
		{"k= n=1", ",\"k\":\"\",\"n\":1"},
		{"policy.yaml:3:5: no such key", ",\"message\":\"policy.yaml:3:5: no such key\""},
		{"event=x then words", ",\"event\":\"x\",\"message\":\"then words\""},
		{"k=\xc3\xa4\xe2\x82\xac\xf0\x9f\x99\x82",
		 ",\"k\":\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x99\x82\""},
		{"k=\xc3 m=\xe2\x82", ",\"k\":\"\\ufffd\",\"m\":\"\\ufffd\\ufffd\""},
		{"k=\xed\xa0\x80\xc0\xaf", ",\"k\":\"\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\""},
		{"", ""},
	};
	char wanted[512];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(wanted, sizeof(wanted), JSON_HEAD "%s}\n", rows[i].json);
		CU_ASSERT_STRING_EQUAL(rendered(LOG_FORMAT_JSON, 0, rows[i].facts), wanted);
	}
	snprintf(wanted, sizeof(wanted), "<4>" JSON_HEAD ",\"event\":\"x\"}\n");
	CU_ASSERT_STRING_EQUAL(rendered(LOG_FORMAT_JSON, 1, "event=x"), wanted);
}

static void names_are_numbers_and_back(void)
{
	CU_ASSERT_EQUAL(log_level_of("debug"), LOG_LEVEL_DEBUG);
	CU_ASSERT_EQUAL(log_level_of("loud"), -1);
	CU_ASSERT_EQUAL(log_format_of("json"), LOG_FORMAT_JSON);
	CU_ASSERT_EQUAL(log_format_of(""), -1);
	CU_ASSERT_STRING_EQUAL(log_level_name(LOG_LEVEL_ERROR), "error");
	CU_ASSERT_STRING_EQUAL(log_format_name(LOG_FORMAT_TEXT), "text");
}

enum { SECOND = 1000000000 };

static void a_burst_passes_and_the_rest_is_counted(void)
{
	static struct log_rates rates;
	uint32_t suppressed;

	memset(&rates, 0, sizeof(rates));
	for (int i = 0; i < LOG_BURST; i++)
		CU_ASSERT_TRUE(
			log_may(&rates, "s", "event=x n=1", SECOND + (uint64_t)i, &suppressed));
	for (int i = 0; i < 3; i++)
		CU_ASSERT_FALSE(log_may(&rates, "s", "event=x n=2", SECOND + 100, &suppressed));
	/* Another event, another subject. */
	CU_ASSERT_TRUE(log_may(&rates, "s", "event=y", SECOND + 100, &suppressed));
	CU_ASSERT_TRUE(log_may(&rates, "t", "event=x", SECOND + 100, &suppressed));
	CU_ASSERT_EQUAL(suppressed, 0);
	/* The next second tells, once. */
	CU_ASSERT_TRUE(log_may(&rates, "s", "event=x", 2ull * SECOND, &suppressed));
	CU_ASSERT_EQUAL(suppressed, 3);
	CU_ASSERT_TRUE(log_may(&rates, "s", "event=x", 2ull * SECOND, &suppressed));
	CU_ASSERT_EQUAL(suppressed, 0);
}

static void what_has_no_successor_is_told_when_its_second_is_over(void)
{
	static struct log_rates rates;
	const struct log_rate *rate;
	uint32_t suppressed;

	memset(&rates, 0, sizeof(rates));
	for (int i = 0; i < LOG_BURST + 5; i++)
		log_may(&rates, "subject", "event=x n=1", SECOND, &suppressed);
	CU_ASSERT_PTR_NULL(log_overdue(&rates, SECOND, &suppressed));
	rate = log_overdue(&rates, 2ull * SECOND, &suppressed);
	CU_ASSERT_PTR_NOT_NULL_FATAL(rate);
	CU_ASSERT_EQUAL(suppressed, 5);
	CU_ASSERT_STRING_EQUAL(rate->name, "event=x");
	CU_ASSERT_STRING_EQUAL(rate->subject, "subject");
	CU_ASSERT_PTR_NULL(log_overdue(&rates, 3ull * SECOND, &suppressed));
}

static const struct test tests[] = {
	TEST(every_conversion_of_the_tree_is_that_of_printf),
	TEST(values_cannot_leave_their_place),
	TEST(what_is_too_long_is_cut),
	TEST(text_has_time_level_and_subject),
	TEST(json_has_a_member_for_each_fact),
	TEST(names_are_numbers_and_back),
	TEST(a_burst_passes_and_the_rest_is_counted),
	TEST(what_has_no_successor_is_told_when_its_second_is_over),
};

int main(void)
{
	return suite_run("log line", tests, sizeof(tests) / sizeof(tests[0]));
}
