/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/metrics.h"

#include <stdio.h>

#include "tests/unit/controlplane/protobuf_reader.h"
#include "tests/unit/dataplane/suite.h"

static struct metrics_out m;

/* What was written, as a string; frees it at the next call. */
static const char *text(void)
{
	static char *copy;

	metrics_end(&m);
	free(copy);
	copy = calloc(m.out.used + 1, 1);
	if (!copy)
		abort();
	if (m.out.used)
		memcpy(copy, m.out.data, m.out.used);
	metrics_free(&m);
	return copy;
}

static void a_family_is_written_with_its_first_line(void)
{
	struct metrics_labels l;

	metrics_begin(&m, METRICS_TEXT);
	metrics_family(&m, "fender_none", "Has no line.", METRICS_GAUGE);
	metrics_family(&m, "fender_x_total", "All of them.", METRICS_COUNTER);
	l = metrics_label(&m, "cluster", "a");
	metrics_add(&m, NULL, NULL, 0);
	metrics_add(&m, &l, NULL, UINT64_MAX);
	CU_ASSERT_STRING_EQUAL(text(), "# HELP fender_x_total All of them.\n"
				       "# TYPE fender_x_total counter\n"
				       "fender_x_total 0\n"
				       "fender_x_total{cluster=\"a\"} 18446744073709551615\n");
}

static void labels_are_joined(void)
{
	struct metrics_labels two, extra;

	metrics_begin(&m, METRICS_TEXT);
	metrics_family(&m, "x", "h", METRICS_GAUGE);
	two = metrics_label_add(&m, metrics_label(&m, "cluster", "a"), "endpoint", "[::1]:80");
	extra = metrics_label(&m, "reason", "ttl");
	metrics_add(&m, &two, &extra, 1);
	metrics_add(&m, NULL, &extra, 2);
	CU_ASSERT_PTR_NOT_NULL(strstr(text(),
				      "x{cluster=\"a\",endpoint=\"[::1]:80\",reason=\"ttl\"} 1\n"
				      "x{reason=\"ttl\"} 2\n"));
}

/* Also where it has outgrown its room many times. */
static void what_was_expected_does_not_show(void)
{
	static const size_t expected[] = {1, 64 * 1024 + 1, 32 * 1024 * 1024};
	static const char first[] = "# HELP x h\n# TYPE x gauge\nx{cluster=\"a\"} 0\n";
	const uint64_t lines = 500000;
	struct metrics_labels l;
	char last[64];

	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		const char *written, *end;

		metrics_begin(&m, METRICS_TEXT);
		metrics_expect(&m, expected[i]);
		metrics_family(&m, "x", "h", METRICS_GAUGE);
		l = metrics_label(&m, "cluster", "a");
		for (uint64_t n = 0; n < lines; n++)
			metrics_add(&m, &l, NULL, n);
		written = text();
		CU_ASSERT_EQUAL(strncmp(written, first, strlen(first)), 0);
		snprintf(last, sizeof(last), "\nx{cluster=\"a\"} %llu\n",
			 (unsigned long long)lines - 1);
		end = written + strlen(written) - strlen(last);
		CU_ASSERT_STRING_EQUAL(end, last);
	}
}

static void hostile_label_values_are_escaped(void)
{
	static const struct {
		const char *value, *written;
	} rows[] = {
		{"", ""},
		{"\"", "\\\""},
		{"\\", "\\\\"},
		{"a\nb", "a\\nb"},
		{"\"} 1\nfake 2", "\\\"} 1\\nfake 2"},
		{"caf\xc3\xa9", "caf\xc3\xa9"},
		{"\xe2\x82\xac \xf0\x9f\x98\x80", "\xe2\x82\xac \xf0\x9f\x98\x80"},
		{"\xff\xfe", "??"},
		{"\xc3", "?"}, /* ends too early */
		{"\xe2\x82", "??"},
		{"\xc0\xaf", "??"}, /* longer than needed */
		{"\xe0\x80\xaf", "???"},
		{"\xed\xa0\x80", "???"},      /* a surrogate */
		{"\xf4\x90\x80\x80", "????"}, /* beyond Unicode */
		{"\xf5", "?"},
		{"\x80", "?"},
	};
	char want[64];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct metrics_labels l;

		metrics_begin(&m, METRICS_TEXT);
		metrics_family(&m, "x", "h", METRICS_GAUGE);
		l = metrics_label(&m, "cluster", rows[i].value);
		metrics_add(&m, &l, NULL, 1);
		snprintf(want, sizeof(want), "x{cluster=\"%s\"} 1\n", rows[i].written);
		CU_ASSERT_PTR_NOT_NULL(strstr(text(), want));
	}
}

static void a_value_of_any_length_is_cut_at_a_character(void)
{
	char value[1024];
	struct metrics_labels l;
	const char *at;

	/* 3-byte characters do not fit evenly. */
	for (size_t i = 0; i + 3 < sizeof(value); i += 3)
		memcpy(&value[i], "\xe2\x82\xac", 4);
	metrics_begin(&m, METRICS_TEXT);
	metrics_family(&m, "x", "h", METRICS_GAUGE);
	l = metrics_label(&m, "cluster", value);
	metrics_add(&m, &l, NULL, 1);
	at = strstr(text(), "\xac\"} 1\n");
	CU_ASSERT_PTR_NOT_NULL(at);
	memset(value, '"', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	for (int format = METRICS_TEXT; format <= METRICS_PROTOBUF; format++) {
		metrics_begin(&m, (enum metrics_format)format);
		metrics_family(&m, "x", "h", METRICS_GAUGE);
		l = metrics_label(&m, "cluster", value);
		metrics_add(&m, &l, NULL, 1);
		text();
	}
}

static void fractions_have_no_trailing_zeros(void)
{
	static const struct {
		uint64_t millionths;
		const char *written;
	} rows[] = {{0, "x 0\n"},
		    {1, "x 0.000001\n"},
		    {120, "x 0.00012\n"},
		    {1000000, "x 1\n"},
		    {1500000, "x 1.5\n"},
		    {10000001, "x 10.000001\n"},
		    {999999, "x 0.999999\n"}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		metrics_begin(&m, METRICS_TEXT);
		metrics_family(&m, "x", "h", METRICS_GAUGE);
		metrics_add_millionths(&m, NULL, rows[i].millionths);
		CU_ASSERT_PTR_NOT_NULL(strstr(text(), rows[i].written));
	}
}

/* 1 ns, 1 ms, 1 s, 100 s and more than an hour. */
static struct histogram_sum sample(void)
{
	static const uint64_t values[] = {1,          1000000,      1000000,
					  1000000000, 100000000000, 9000000000000};
	struct cluster_histograms clusters[1] = {0};
	struct histogram_block pool[8] = {0};
	const struct histograms h = {clusters, pool, 8};
	struct histogram_sum sum = {0};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		histogram_record(&h, 0, HISTOGRAM_CONNECT, values[i]);
	histogram_add_to(&sum, &h, 0, HISTOGRAM_CONNECT);
	return sum;
}

static void classic_buckets_are_cumulative(void)
{
	const struct histogram_sum sum = sample();
	struct metrics_labels l;
	const char *t;

	metrics_begin(&m, METRICS_TEXT);
	metrics_family(&m, "x", "h", METRICS_HISTOGRAM);
	l = metrics_label(&m, "cluster", "a");
	metrics_add_histogram(&m, &l, &sum);
	t = text();
	CU_ASSERT_PTR_NOT_NULL(strstr(t, "# TYPE x histogram\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(t, "x_bucket{cluster=\"a\",le=\"6.103515625e-05\"} 1\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(t, "x_bucket{cluster=\"a\",le=\"0.0009765625\"} 1\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(t, "x_bucket{cluster=\"a\",le=\"0.001953125\"} 3\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(t, "x_bucket{cluster=\"a\",le=\"0.5\"} 3\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(t, "x_bucket{cluster=\"a\",le=\"1\"} 4\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(t, "x_bucket{cluster=\"a\",le=\"64\"} 4\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(t, "x_bucket{cluster=\"a\",le=\"+Inf\"} 6\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(t, "x_sum{cluster=\"a\"} 9101.002\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(t, "x_count{cluster=\"a\"} 6\n"));
}

/* -- the protobuf -- */

static int is(struct cursor c, const char *want)
{
	return (size_t)(c.end - c.at) == strlen(want) && memcmp(c.at, want, strlen(want)) == 0;
}

struct histogram_read {
	uint64_t count, zero_count, last_cumulative;
	double sum, zero_threshold;
	int64_t schema;
	uint32_t buckets;
	int32_t index[64]; /* of buckets that are there */
	int64_t value[64];
};

static void read_histogram(struct cursor c, struct histogram_read *h)
{
	uint32_t filled = 0;
	int32_t index = 0;

	memset(h, 0, sizeof(*h));
	while (c.at < c.end) {
		uint64_t field = varint(&c);
		struct cursor inner;

		switch (field) {
		case 1 << 3:
			h->count = varint(&c);
			break;
		case 2 << 3 | 1:
			h->sum = eight(&c);
			break;
		case 3 << 3 | 2:
			inner = bytes(&c);
			CU_ASSERT_EQUAL(varint(&inner), 1 << 3);
			h->last_cumulative = varint(&inner);
			break;
		case 5 << 3:
			h->schema = signed_varint(&c);
			break;
		case 6 << 3 | 1:
			h->zero_threshold = eight(&c);
			break;
		case 7 << 3:
			h->zero_count = varint(&c);
			break;
		case 12 << 3 | 2:
			inner = bytes(&c);
			CU_ASSERT_EQUAL(varint(&inner), 1 << 3);
			index += (int32_t)signed_varint(&inner);
			CU_ASSERT_EQUAL(varint(&inner), 2 << 3);
			for (uint64_t n = varint(&inner); n > 0 && h->buckets < 64; n--)
				h->index[h->buckets++] = index++;
			break;
		case 13 << 3 | 2:
			inner = bytes(&c);
			for (int64_t before = 0; inner.at < inner.end && filled < 64; filled++)
				h->value[filled] = before += signed_varint(&inner);
			break;
		default:
			CU_FAIL_FATAL("a field of Histogram");
		}
	}
	CU_ASSERT_EQUAL(filled, h->buckets);
}

static void native_buckets_are_those_of_the_schema(void)
{
	const struct histogram_sum sum = sample();
	struct metrics_labels l;
	struct histogram_read h;
	struct cursor c, family, metric;

	metrics_begin(&m, METRICS_PROTOBUF);
	metrics_family(&m, "x", "help", METRICS_HISTOGRAM);
	l = metrics_label(&m, "cluster", "a");
	metrics_add_histogram(&m, &l, &sum);
	metrics_end(&m);
	c = (struct cursor){(unsigned char *)m.out.data, (unsigned char *)m.out.data + m.out.used};
	family = bytes(&c);
	CU_ASSERT_PTR_EQUAL(c.at, c.end);
	CU_ASSERT_EQUAL(varint(&family), 1 << 3 | 2);
	CU_ASSERT_TRUE(is(bytes(&family), "x"));
	CU_ASSERT_EQUAL(varint(&family), 2 << 3 | 2);
	CU_ASSERT_TRUE(is(bytes(&family), "help"));
	CU_ASSERT_EQUAL(varint(&family), 3 << 3);
	CU_ASSERT_EQUAL(varint(&family), 4);
	CU_ASSERT_EQUAL(varint(&family), 4 << 3 | 2);
	metric = bytes(&family);
	CU_ASSERT_PTR_EQUAL(family.at, family.end);
	CU_ASSERT_EQUAL(varint(&metric), 1 << 3 | 2);
	CU_ASSERT_TRUE(is(bytes(&metric), "\x0a\x07"
					  "cluster"
					  "\x12\x01"
					  "a"));
	CU_ASSERT_EQUAL(varint(&metric), 7 << 3 | 2);
	read_histogram(bytes(&metric), &h);
	CU_ASSERT_PTR_EQUAL(metric.at, metric.end);

	CU_ASSERT_EQUAL(h.count, 6);
	CU_ASSERT_EQUAL(h.sum, 9101.002);
	CU_ASSERT_EQUAL(h.last_cumulative, 4);
	CU_ASSERT_EQUAL(h.schema, 4);
	CU_ASSERT_EQUAL(h.zero_threshold, 1.0 / (1 << 20));
	CU_ASSERT_EQUAL(h.zero_count, 1);
	CU_ASSERT_EQUAL(h.buckets, 4);
	/* 16 log2(0.001) = -159.5, 16 log2(100) = 106.3; beyond 2^12 s. */
	CU_ASSERT_EQUAL(h.index[0], -159);
	CU_ASSERT_EQUAL(h.value[0], 2);
	CU_ASSERT_EQUAL(h.index[1], 0);
	CU_ASSERT_EQUAL(h.value[1], 1);
	CU_ASSERT_EQUAL(h.index[2], 107);
	CU_ASSERT_EQUAL(h.value[2], 1);
	CU_ASSERT_EQUAL(h.index[3], 193);
	CU_ASSERT_EQUAL(h.value[3], 1);
	metrics_free(&m);
}

static void every_bucket_at_once_fits(void)
{
	struct histogram_sum sum = {.count = 1, .under = UINT64_MAX / 2, .over = 7};

	/* As far apart as counts can be, and a gap behind each. */
	for (uint32_t gap = 0; gap < 2; gap++) {
		for (uint32_t i = 0; i < HISTOGRAM_ALL_BUCKETS; i++)
			sum.bucket[i] = gap && i % 2 ? 0 : (i / (1 + gap)) % 2 ? 1 : INT64_MAX;
		metrics_begin(&m, METRICS_PROTOBUF);
		metrics_family(&m, "x", "h", METRICS_HISTOGRAM);
		metrics_add_histogram(&m, NULL, &sum);
		metrics_end(&m);
		CU_ASSERT_TRUE(m.out.used > HISTOGRAM_ALL_BUCKETS / (1 + gap) * 2);
		metrics_free(&m);
	}
}

/* @sum alone, without labels, as it is read again. */
static struct histogram_read written(const struct histogram_sum *sum)
{
	struct histogram_read h;
	struct cursor c, family;

	metrics_begin(&m, METRICS_PROTOBUF);
	metrics_family(&m, "x", "h", METRICS_HISTOGRAM);
	metrics_add_histogram(&m, NULL, sum);
	metrics_end(&m);
	c = (struct cursor){(unsigned char *)m.out.data, (unsigned char *)m.out.data + m.out.used};
	family = bytes(&c);
	family.at += 3 + 3 + 2; /* name, help, type */
	CU_ASSERT_EQUAL(varint(&family), 4 << 3 | 2);
	c = bytes(&family);
	CU_ASSERT_EQUAL(varint(&c), 7 << 3 | 2);
	read_histogram(bytes(&c), &h);
	metrics_free(&m);
	return h;
}

static void an_empty_histogram_is_native_all_the_same(void)
{
	const struct histogram_sum sum = {0};
	const struct histogram_read h = written(&sum);

	CU_ASSERT_EQUAL(h.count, 0);
	CU_ASSERT_EQUAL(h.buckets, 0);
	CU_ASSERT_TRUE(h.zero_threshold > 0);
}

/* 180 ns lie in the bucket that ends at 2^(-358/16) s. */
static void a_finer_histogram_begins_ten_octaves_earlier(void)
{
	struct histogram_sum sum = {
		.finer = HISTOGRAM_FINER, .count = 4, .under = 1, .over = 1, .sum_us = 9};
	struct histogram_read h;

	sum.bucket[(30 * 16 - 358) - 1] = 2;
	h = written(&sum);
	CU_ASSERT_DOUBLE_EQUAL(h.zero_threshold * (1 << 30), 1, 0);
	CU_ASSERT_EQUAL(h.zero_count, 1);
	CU_ASSERT_EQUAL(h.last_cumulative, 3);
	CU_ASSERT_EQUAL(h.buckets, 2);
	CU_ASSERT_EQUAL(h.index[0], -358);
	CU_ASSERT_EQUAL(h.value[0], 2);
	CU_ASSERT_EQUAL(h.index[1], 2 * 16 + 1);
	CU_ASSERT_EQUAL(h.value[1], 1);

	metrics_begin(&m, METRICS_TEXT);
	metrics_family(&m, "x", "h", METRICS_HISTOGRAM);
	metrics_add_histogram(&m, NULL, &sum);
	CU_ASSERT_PTR_NOT_NULL(strstr(text(), "x_bucket{le=\"5.9604644775390625e-08\"} 1\n"
					      "x_bucket{le=\"1.1920928955078125e-07\"} 1\n"
					      "x_bucket{le=\"2.384185791015625e-07\"} 3\n"));
}

static CU_TestInfo tests[] = {
	SUITE_TEST(a_family_is_written_with_its_first_line),
	SUITE_TEST(labels_are_joined),
	SUITE_TEST(what_was_expected_does_not_show),
	SUITE_TEST(hostile_label_values_are_escaped),
	SUITE_TEST(a_value_of_any_length_is_cut_at_a_character),
	SUITE_TEST(fractions_have_no_trailing_zeros),
	SUITE_TEST(classic_buckets_are_cumulative),
	SUITE_TEST(native_buckets_are_those_of_the_schema),
	SUITE_TEST(every_bucket_at_once_fits),
	SUITE_TEST(an_empty_histogram_is_native_all_the_same),
	SUITE_TEST(a_finer_histogram_begins_ten_octaves_earlier),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	return suite_run("metrics", tests);
}
