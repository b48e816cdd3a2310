/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/metrics.h"

#include <stdio.h>

#include "shm/registry.h"
#include "tests/unit/controlplane/fixture.h"
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

/* -- a reader of the protobuf, as strict as its format -- */

struct cursor {
	const unsigned char *at, *end;
};

static uint64_t varint(struct cursor *c)
{
	uint64_t value = 0;

	for (unsigned int shift = 0; shift < 64; shift += 7) {
		if (c->at == c->end)
			break;
		value |= (uint64_t)(*c->at & 0x7f) << shift;
		if (!(*c->at++ & 0x80))
			return value;
	}
	CU_FAIL_FATAL("a varint ends");
	return 0;
}

static int64_t signed_varint(struct cursor *c)
{
	uint64_t value = varint(c);

	return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

static struct cursor bytes(struct cursor *c)
{
	uint64_t n = varint(c);
	struct cursor inner = {c->at, c->at + n};

	CU_ASSERT_FATAL(n <= (uint64_t)(c->end - c->at));
	c->at += n;
	return inner;
}

static double eight(struct cursor *c)
{
	double value;

	CU_ASSERT_FATAL(c->end - c->at >= 8);
	memcpy(&value, c->at, 8);
	c->at += 8;
	return value;
}

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

static void an_empty_histogram_is_native_all_the_same(void)
{
	const struct histogram_sum sum = {0};
	struct histogram_read h;
	struct cursor c, family;

	metrics_begin(&m, METRICS_PROTOBUF);
	metrics_family(&m, "x", "h", METRICS_HISTOGRAM);
	metrics_add_histogram(&m, NULL, &sum);
	metrics_end(&m);
	c = (struct cursor){(unsigned char *)m.out.data, (unsigned char *)m.out.data + m.out.used};
	family = bytes(&c);
	family.at += 3 + 3 + 2; /* name, help, type */
	CU_ASSERT_EQUAL(varint(&family), 4 << 3 | 2);
	c = bytes(&family);
	CU_ASSERT_EQUAL(varint(&c), 7 << 3 | 2);
	read_histogram(bytes(&c), &h);
	CU_ASSERT_EQUAL(h.count, 0);
	CU_ASSERT_EQUAL(h.buckets, 0);
	CU_ASSERT_TRUE(h.zero_threshold > 0);
	metrics_free(&m);
}

static void the_accept_header_chooses(void)
{
#define PROTO          \
	"application/" \
	"vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
	static const struct {
		const char *accept;
		enum metrics_format format;
	} rows[] = {
		{NULL, METRICS_TEXT},
		{"", METRICS_TEXT},
		{"*/*", METRICS_TEXT},
		{"text/plain", METRICS_TEXT},
		{PROTO, METRICS_PROTOBUF},
		{PROTO ",application/openmetrics-text;version=1.0.0;q=0.8,"
		       "application/openmetrics-text;version=0.0.1;q=0.75,"
		       "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
		 METRICS_PROTOBUF},
		{"text/plain;q=0.9," PROTO ";q=0.8", METRICS_TEXT},
		{"text/plain;q=0.8," PROTO ";q=0.9", METRICS_PROTOBUF},
		{PROTO ";q=0", METRICS_TEXT},
		{PROTO ";q=0.000", METRICS_TEXT},
		{PROTO ";q=0.0001", METRICS_TEXT},
		{PROTO ";q=", METRICS_TEXT},
		{PROTO ";q=x", METRICS_TEXT},
		{PROTO ";q=-1", METRICS_TEXT},
		{PROTO ";q=1.999", METRICS_PROTOBUF},
		{PROTO ";q=1;q=0", METRICS_TEXT},
		{" Application/VND.google.Protobuf ; Encoding = DELIMITED ; "
		 "Proto = io.prometheus.client.metricfamily ; Q = 0.5 ",
		 METRICS_PROTOBUF},
		{"application/vnd.google.protobuf", METRICS_TEXT},
		{"application/vnd.google.protobuf;encoding=delimited", METRICS_TEXT},
		{"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;"
		 "encoding=text",
		 METRICS_TEXT},
		{",,,;;;===,;q=1,=;", METRICS_TEXT},
		{";", METRICS_TEXT},
		{"\"" PROTO, METRICS_TEXT},
		{"\xff\xfe;\x01=\x02", METRICS_TEXT},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CU_ASSERT_EQUAL(metrics_accepted(rows[i].accept), rows[i].format);
		if (metrics_accepted(rows[i].accept) != rows[i].format)
			printf("accept: %s\n", rows[i].accept);
	}
}

/* -- a whole exposition of a region -- */

static struct region region;
static struct image_header *image;
static struct stats stats;

static void begin_region(void)
{
	image = fixture_compile(FIXTURE_POLICY);
	fixture_region(&region, image);
}

static char *whole(enum metrics_format format, int with_endpoints, size_t *length)
{
	const struct stats_process process = {
		.state = "up", .pid = 7, .restarts = 3, .uptime_ms = 1500, .ready = 1};
	struct metrics_source source = {.process = &process,
					.stats = &stats,
					.events_lost = 2,
					.endpoints = with_endpoints};
	char *body, *copy;

	CU_ASSERT_EQUAL_FATAL(stats_collect(&stats, &region, image, 1000000000), 0);
	CU_ASSERT_EQUAL_FATAL(metrics_write(&source, format, &body, length), 0);
	stats_free(&stats);
	copy = calloc(*length + 1, 1);
	memcpy(copy, body, *length);
	free(body);
	return copy;
}

static void end_region(char *body)
{
	free(body);
	region_close(&region);
	free(image);
}

static uint32_t cluster_slot(uint32_t i)
{
	return registry_find(region.cluster_registry, region.shape.cluster_slots,
			     IMAGE_ARRAY(image, struct image_cluster, clusters)[i].key);
}

static void counters_of_the_region_are_there(void)
{
	static const char *const lines[] = {
		"\nfender_build_info{sidecar=\"unit\",version=\"",
		"\nfender_ready 1\n",
		"\nfender_dataplane_uptime_seconds 1.5\n",
		"\nfender_dataplane_restarts_total 3\n",
		"\nfender_events_lost_total 2\n",
		"\nfender_packets_received_total{worker=\"1\"} 12\n",
		"\nfender_packets_dropped_total{worker=\"0\",reason=\"ttl\"} 4\n",
		"\nfender_packets_dropped_total{worker=\"1\",reason=\"ttl\"} 0\n",
		"\nfender_interface_receive_bytes_total{interface=\"net\"} 100\n",
		"\nfender_listener_calls_started_total{listener=\"web\"} 0\n",
		"\nfender_cluster_calls_started_total{cluster=\"web\"} 9\n",
		"\nfender_cluster_calls_in_flight{cluster=\"web\"} 9\n",
		"\nfender_cluster_retries_total{cluster=\"dns\"} 5\n",
		"\nfender_cluster_calls_rejected_by_reason_total{cluster=\"web\",reason=\"no_"
		"port\"} 1\n",
		"\nfender_cluster_connect_seconds_count{cluster=\"web\"} 1\n",
		"\nfender_cluster_connect_seconds_sum{cluster=\"web\"} 0.003\n",
		"\nfender_cluster_connect_seconds_bucket{cluster=\"web\",le=\"0.00390625\"} 1\n",
		"\nfender_cluster_first_byte_seconds_count{cluster=\"web\"} 0\n",
		"\nfender_endpoint_health{cluster=\"web\",endpoint=\"10.1.0.12:80\"} 0\n",
	};
	struct histograms h;
	size_t length;
	char *body;

	begin_region();
	region.workers[1].packets.received = 12;
	region.workers[0].packets.dropped[REASON_TTL] = 4;
	region_interface_counters(&region, 0, 1)->rx_bytes = 100;
	region_cluster_counters(&region, 0, cluster_slot(0))->started = 9;
	region_policy_counters(&region, 1, cluster_slot(1))->retries = 5;
	region_policy_counters(&region, 1, cluster_slot(0))->rejected[REASON_NO_PORT] = 1;
	h = region_histograms(&region, 1);
	histogram_record(&h, cluster_slot(0), HISTOGRAM_CONNECT, 3000000);
	body = whole(METRICS_TEXT, 1, &length);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		CU_ASSERT_PTR_NOT_NULL(strstr(body, lines[i]));
		if (!strstr(body, lines[i]))
			printf("missing: %s\n", lines[i] + 1);
	}
	CU_ASSERT_EQUAL(body[length - 1], '\n');
	CU_ASSERT_PTR_NULL(strstr(body, "fender_cluster_queue_wait_seconds"));
	CU_ASSERT_PTR_NULL(strstr(body, "fender_cluster_bulkhead"));
	end_region(body);
}

static void endpoints_can_be_left_out(void)
{
	size_t length;
	char *body;

	begin_region();
	body = whole(METRICS_TEXT, 0, &length);
	CU_ASSERT_PTR_NULL(strstr(body, "endpoint=\""));
	CU_ASSERT_PTR_NOT_NULL(strstr(body, "fender_cluster_endpoints{cluster=\"web\"} 2\n"));
	end_region(body);
}

/* Both formats have the same families and numbers of lines. */
static void protobuf_says_what_text_says(void)
{
	size_t length, families = 0, metrics = 0, types = 0, lines = 0;
	struct cursor c;
	char *body;

	begin_region();
	body = whole(METRICS_TEXT, 1, &length);
	for (char *at = body; *at; at = strchr(at, '\n') + 1) {
		size_t name = strcspn(at, "{ ");

		types += strncmp(at, "# TYPE", 6) == 0;
		lines += *at != '#' && strncmp(at + name - 7, "_bucket", 7) != 0 &&
			 strncmp(at + name - 4, "_sum", 4) != 0;
	}
	free(body);
	body = whole(METRICS_PROTOBUF, 1, &length);
	for (c = (struct cursor){(unsigned char *)body, (unsigned char *)body + length};
	     c.at < c.end; families++) {
		struct cursor family = bytes(&c);

		for (int field = 0; field < 3; field++) {
			CU_ASSERT_TRUE(varint(&family) >> 3 == (uint64_t)field + 1);
			if (field < 2)
				bytes(&family);
			else
				varint(&family);
		}
		for (; family.at < family.end; metrics++) {
			CU_ASSERT_EQUAL(varint(&family), 4 << 3 | 2);
			bytes(&family);
		}
	}
	CU_ASSERT_EQUAL(families, types);
	CU_ASSERT_EQUAL(metrics, lines);
	end_region(body);
}

static CU_TestInfo tests[] = {
	SUITE_TEST(a_family_is_written_with_its_first_line),
	SUITE_TEST(labels_are_joined),
	SUITE_TEST(hostile_label_values_are_escaped),
	SUITE_TEST(a_value_of_any_length_is_cut_at_a_character),
	SUITE_TEST(fractions_have_no_trailing_zeros),
	SUITE_TEST(classic_buckets_are_cumulative),
	SUITE_TEST(native_buckets_are_those_of_the_schema),
	SUITE_TEST(every_bucket_at_once_fits),
	SUITE_TEST(an_empty_histogram_is_native_all_the_same),
	SUITE_TEST(the_accept_header_chooses),
	SUITE_TEST(counters_of_the_region_are_there),
	SUITE_TEST(endpoints_can_be_left_out),
	SUITE_TEST(protobuf_says_what_text_says),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	return suite_run("metrics", tests);
}
