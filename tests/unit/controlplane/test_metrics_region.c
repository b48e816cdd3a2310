/* SPDX-License-Identifier: Apache-2.0 */
/* A whole exposition of a region, in both formats. */
#include "controlplane/metrics.h"

#include <stdio.h>

#include "shm/registry.h"
#include "tests/unit/controlplane/fixture.h"
#include "tests/unit/controlplane/protobuf_reader.h"
#include "tests/unit/dataplane/suite.h"

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
	SUITE_TEST(counters_of_the_region_are_there),
	SUITE_TEST(endpoints_can_be_left_out),
	SUITE_TEST(protobuf_says_what_text_says),
	CU_TEST_INFO_NULL,
};

int main(void)
{
	return suite_run("metrics_region", tests);
}
