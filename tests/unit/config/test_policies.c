/* SPDX-License-Identifier: Apache-2.0 */
/* Policies in the image: defaults, what the file says, and defaults that give way. */
#include "config/config.h"

#include "tests/unit/config/policy_text.h"

static const char timeouts_line[] = "timeouts: {connect: 1s, request: 15s}";

/* good_policy with @block in place of its timeouts. The caller frees. */
static struct image_header *compile_block(const char *block)
{
	char *text = changed_policy(good_policy, timeouts_line, block);
	struct image_header *img = compile_good(text);

	free(text);
	return img;
}

static const struct image_cluster *first_cluster(const struct image_header *img)
{
	return IMAGE_ARRAY(img, struct image_cluster, clusters);
}

static int is_zero(const void *block, size_t bytes)
{
	const uint8_t *b = block;

	while (bytes > 0 && b[bytes - 1] == 0)
		bytes--;
	return bytes == 0;
}

static void absent_blocks_are_zero(void)
{
	struct image_header *img = compile_good(good_policy);
	const struct image_cluster *c = first_cluster(img);
	const struct image_listener *l = IMAGE_ARRAY(img, struct image_listener, listeners);

	CU_ASSERT(is_zero(&c->breaker, sizeof(c->breaker)));
	CU_ASSERT(is_zero(&c->outlier, sizeof(c->outlier)));
	CU_ASSERT(is_zero(&c->bulkhead, sizeof(c->bulkhead)));
	CU_ASSERT(is_zero(&c->endpoint_bulkhead, sizeof(c->endpoint_bulkhead)));
	CU_ASSERT(is_zero(&c->retry, sizeof(c->retry)));
	CU_ASSERT(is_zero(&c->health, sizeof(c->health)));
	CU_ASSERT(is_zero(&c->source, sizeof(c->source)));
	CU_ASSERT(is_zero(&l->bulkhead, sizeof(l->bulkhead)));
	CU_ASSERT_EQUAL(c->balance.bounded_load, 0);
	CU_ASSERT_EQUAL(c->balance.panic_threshold, 5000);
	CU_ASSERT_EQUAL(c->balance.slow_start_ms, 0);
	CU_ASSERT_EQUAL(c->balance.has_zones, 0);
	CU_ASSERT_EQUAL(c->balance.priorities, 1);
	CU_ASSERT_EQUAL(c->weight_sum, 3);
	CU_ASSERT_EQUAL(c->timeouts.expect_reply_ms, 0);
	free(img);
}

static void empty_blocks_have_the_defaults(void)
{
	static const struct image_breaker breaker = {
		.mode = MODE_ENFORCE,
		.window_kind = WINDOW_CALLS,
		.probes = 3,
		.successes = 3,
		.failure_rate = 5000,
		.slow_rate = 10000,
		.window = 100,
		.minimum_calls = 20,
		.open_ms = 5000,
		.max_open_ms = 60000,
		.half_open_ms = 10000,
	};
	static const struct image_retry retry = {
		.mode = MODE_ENFORCE,
		.max_attempts = 3,
		.on = RETRY_ON_CONNECT_FAILURE | RETRY_ON_CONNECT_TIMEOUT,
		.jitter = JITTER_FULL,
		.base_us = 25000,
		.max_us = 250000,
		.factor_percent = 200,
		.ratio = 2000,
		.minimum_per_second = 10,
		.window_ms = 10000,
	};
	struct image_outlier outlier = {
		.breaker = breaker,
		.max_ejected = 5000,
		.interval_ms = 10000,
		.minimum_hosts = 5,
		.minimum_calls = 100,
	};
	struct image_header *img = compile_block("circuit_breaker: {}\n"
						 "    outlier_detection: {}\n"
						 "    bulkhead: {max_concurrent: 10}\n"
						 "    endpoint_bulkhead: {max_concurrent: 5}\n"
						 "    retry: {}");
	const struct image_cluster *c = first_cluster(img);

	outlier.breaker.consecutive_failures = 5;
	CU_ASSERT_EQUAL(memcmp(&c->breaker, &breaker, sizeof(breaker)), 0);
	CU_ASSERT_EQUAL(memcmp(&c->outlier, &outlier, sizeof(outlier)), 0);
	CU_ASSERT_EQUAL(memcmp(&c->retry, &retry, sizeof(retry)), 0);
	CU_ASSERT_EQUAL(c->bulkhead.mode, MODE_ENFORCE);
	CU_ASSERT_EQUAL(c->bulkhead.scope, SCOPE_CLUSTER);
	CU_ASSERT_EQUAL(c->bulkhead.max_concurrent, 10);
	CU_ASSERT_EQUAL(c->bulkhead.max_queue, 0);
	CU_ASSERT_EQUAL(c->bulkhead.queue_timeout_ms, 0);
	CU_ASSERT_EQUAL(c->bulkhead.share, 0);
	CU_ASSERT_EQUAL(c->endpoint_bulkhead.max_concurrent, 5);
	free(img);
}

static void breakers_take_what_the_file_says(void)
{
	static const char block[] =
		"circuit_breaker: {mode: observe, failure_rate: 12.5%, minimum_calls: 7,\n"
		"      window: 10s, consecutive_failures: 9,\n"
		"      slow_call: {threshold: 1500us, rate: 75%}, open_for: 2s, max_open_for: 8s,\n"
		"      half_open: {probes: 5, successes: 4, timeout: 3s}}\n"
		"    outlier_detection: {mode: observe, window: 50 calls, max_ejected: 33.33%,\n"
		"      statistics: {modes: [success_rate, latency], interval: 20s,\n"
		"                   minimum_hosts: 3, minimum_calls: 50}}";
	static const struct image_breaker expected = {
		.mode = MODE_OBSERVE,
		.window_kind = WINDOW_DURATION,
		.probes = 5,
		.successes = 4,
		.failure_rate = 1250,
		.slow_rate = 7500,
		.window = 10000,
		.minimum_calls = 7,
		.consecutive_failures = 9,
		.slow_us = 1500,
		.open_ms = 2000,
		.max_open_ms = 8000,
		.half_open_ms = 3000,
	};
	struct image_header *img = compile_block(block);
	const struct image_cluster *c = first_cluster(img);

	CU_ASSERT_EQUAL(memcmp(&c->breaker, &expected, sizeof(expected)), 0);
	CU_ASSERT_EQUAL(c->outlier.breaker.mode, MODE_OBSERVE);
	CU_ASSERT_EQUAL(c->outlier.breaker.window, 50);
	CU_ASSERT_EQUAL(c->outlier.max_ejected, 3333);
	CU_ASSERT_EQUAL(c->outlier.statistics, OUTLIER_SUCCESS_RATE | OUTLIER_LATENCY);
	CU_ASSERT_EQUAL(c->outlier.interval_ms, 20000);
	CU_ASSERT_EQUAL(c->outlier.minimum_hosts, 3);
	CU_ASSERT_EQUAL(c->outlier.minimum_calls, 50);
	free(img);
}

static void bulkheads_and_retry_take_what_the_file_says(void)
{
	static const char block[] =
		"bulkhead: {mode: observe, max_concurrent: 3, max_queue: 5, queue_timeout: 2s,\n"
		"               share: 50%}\n"
		"    endpoint_bulkhead: {mode: observe, max_concurrent: 2}\n"
		"    retry: {mode: observe, max_attempts: 4, retry_on: connect_timeout,\n"
		"      backoff: {base: 500us, max: 2s, factor: 1.5, jitter: none},\n"
		"      budget: {ratio: 10%, minimum_per_second: 3, window: 5s, max_concurrent: "
		"9}}\n"
		"    timeouts: {expect_reply: 0, connect: 250ms}";
	static const struct image_retry expected = {
		.mode = MODE_OBSERVE,
		.max_attempts = 4,
		.on = RETRY_ON_CONNECT_TIMEOUT,
		.jitter = JITTER_NONE,
		.base_us = 500,
		.max_us = 2000000,
		.factor_percent = 150,
		.ratio = 1000,
		.minimum_per_second = 3,
		.window_ms = 5000,
		.max_concurrent = 9,
	};
	static const struct image_bulkhead bulkhead = {
		.mode = MODE_OBSERVE,
		.share = 5000,
		.max_concurrent = 3,
		.max_queue = 5,
		.queue_timeout_ms = 2000,
	};
	struct image_header *img = compile_block(block);
	const struct image_cluster *c = first_cluster(img);

	CU_ASSERT_EQUAL(memcmp(&c->retry, &expected, sizeof(expected)), 0);
	CU_ASSERT_EQUAL(memcmp(&c->bulkhead, &bulkhead, sizeof(bulkhead)), 0);
	CU_ASSERT_EQUAL(c->endpoint_bulkhead.mode, MODE_OBSERVE);
	CU_ASSERT_EQUAL(c->endpoint_bulkhead.max_concurrent, 2);
	CU_ASSERT_EQUAL(c->timeouts.connect_ms, 250);
	free(img);
	img = compile_block("bulkhead: {max_concurrent: 3, scope: source}");
	CU_ASSERT_EQUAL(first_cluster(img)->bulkhead.scope, SCOPE_SOURCE);
	free(img);
	img = compile_block("bulkhead: {share: 0.01%}");
	CU_ASSERT_EQUAL(first_cluster(img)->bulkhead.mode, MODE_ENFORCE);
	CU_ASSERT_EQUAL(first_cluster(img)->bulkhead.share, 1);
	CU_ASSERT_EQUAL(first_cluster(img)->bulkhead.max_concurrent, 0);
	free(img);
}

static void listeners_have_their_own_bulkhead(void)
{
	char *text = changed_policy(good_policy, "    cluster: web\n",
				    "    cluster: web\n"
				    "    bulkhead: {max_concurrent: 7, max_queue: 2}\n");
	struct image_header *img = compile_good(text);
	const struct image_listener *l = IMAGE_ARRAY(img, struct image_listener, listeners);

	CU_ASSERT_EQUAL(l->bulkhead.mode, MODE_ENFORCE);
	CU_ASSERT_EQUAL(l->bulkhead.max_concurrent, 7);
	CU_ASSERT_EQUAL(l->bulkhead.max_queue, 2);
	CU_ASSERT_EQUAL(l->bulkhead.queue_timeout_ms, 1000);
	CU_ASSERT_EQUAL(first_cluster(img)->bulkhead.mode, MODE_OFF);
	free(img);
	free(text);
}

static void health_checks_are_kept_for_the_control_plane(void)
{
	static const uint8_t source[16] = {[10] = 0xff, [11] = 0xff, 10, 2, 0, 9};
	struct image_header *img = compile_block("health_check: {type: http, source: 10.2.0.9}");
	const struct image_health_check *h = &first_cluster(img)->health;

	CU_ASSERT_EQUAL(h->mode, MODE_ENFORCE);
	CU_ASSERT_EQUAL(h->type, HEALTH_HTTP);
	CU_ASSERT_STRING_EQUAL(image_string(img, h->path), "/health");
	CU_ASSERT_STRING_EQUAL(image_string(img, h->host), "");
	CU_ASSERT_EQUAL(h->interval_ms, 10000);
	CU_ASSERT_EQUAL(h->unhealthy_interval_ms, 10000);
	CU_ASSERT_EQUAL(h->timeout_ms, 5000);
	CU_ASSERT_EQUAL(h->healthy_threshold, 2);
	CU_ASSERT_EQUAL(h->unhealthy_threshold, 3);
	CU_ASSERT_EQUAL(h->initial_unhealthy, 0);
	CU_ASSERT_EQUAL(h->port, 0);
	CU_ASSERT_EQUAL(memcmp(h->source.b, source, 16), 0);
	free(img);
	img = compile_block(
		"health_check: {type: http, source: 10.2.0.9, mode: observe, path: /x,\n"
		"      host: a.b:80, initial: unhealthy, port: 9000, interval: 1m}");
	h = &first_cluster(img)->health;
	CU_ASSERT_EQUAL(h->mode, MODE_OBSERVE);
	CU_ASSERT_STRING_EQUAL(image_string(img, h->path), "/x");
	CU_ASSERT_STRING_EQUAL(image_string(img, h->host), "a.b:80");
	CU_ASSERT_EQUAL(h->initial_unhealthy, 1);
	CU_ASSERT_EQUAL(h->port, 9000);
	CU_ASSERT_EQUAL(h->unhealthy_interval_ms, 60000);
	free(img);
	img = compile_block("health_check: {type: none}");
	CU_ASSERT(is_zero(&first_cluster(img)->health, sizeof(*h)));
	free(img);
}

static void priorities_and_zones_are_of_the_endpoints(void)
{
	static const struct {
		const char *zone, *first, *second;
		int local[2], has_zones;
	} rows[] = {
		{"zone: a", "zone: a", "zone: b", {1, 0}, 1},
		{"zone: a", "zone: a", "zone: a", {1, 1}, 0},
		{"zone: a", "zone: b", "weight: 1", {0, 0}, 0},
		{"zone: a", "weight: 1", "zone: a", {0, 1}, 1},
		{"workers: 1", "zone: a", "zone: a", {0, 0}, 0},
	};
	char *text, *second;
	struct image_header *img;
	const struct image_endpoint *e;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char address[64];

		snprintf(address, sizeof(address), "10.2.0.12:8080\n        %s", rows[i].second);
		text = changed_policy(good_policy, "workers: 1", rows[i].zone);
		second = changed_policy(text, "10.2.0.12:8080", address);
		free(text);
		text = changed_policy(second, "weight: 2", rows[i].first);
		img = compile_good(text);
		e = IMAGE_ARRAY(img, struct image_endpoint, endpoints);
		CU_ASSERT_EQUAL(e[0].local, rows[i].local[0]);
		CU_ASSERT_EQUAL(e[1].local, rows[i].local[1]);
		CU_ASSERT_EQUAL(first_cluster(img)->balance.has_zones, rows[i].has_zones);
		free(img);
		free(second);
		free(text);
	}
	text = changed_policy(good_policy, "weight: 2", "priority: 7");
	img = compile_good(text);
	e = IMAGE_ARRAY(img, struct image_endpoint, endpoints);
	CU_ASSERT_EQUAL(e[0].priority, 7);
	CU_ASSERT_EQUAL(e[1].priority, 0);
	CU_ASSERT_EQUAL(first_cluster(img)->balance.priorities, 8);
	CU_ASSERT_EQUAL(first_cluster(img)->weight_sum, 2);
	free(img);
	free(text);
}

static void members_hash_is_of_the_endpoints(void)
{
	char *text = changed_policy(good_policy, "weight: 2", "weight: 3");
	struct image_header *img = compile_good(good_policy), *other = compile_good(text);
	const struct image_cluster *c = first_cluster(img);

	CU_ASSERT_EQUAL(c->members_hash,
			image_members_hash(IMAGE_ARRAY(img, struct image_endpoint, endpoints), 2));
	CU_ASSERT_NOT_EQUAL(c->members_hash, first_cluster(other)->members_hash);
	free(img);
	free(other);
	free(text);
}

static void each_algorithm_has_its_table(void)
{
	static const struct {
		const char *balance;
		uint8_t algorithm;
		uint32_t table, points;
	} rows[] = {
		{"{algorithm: round_robin}", LB_ROUND_ROBIN, 3, 0},
		{"{algorithm: random, slow_start: 30s}", LB_RANDOM, 3, 0},
		{"{algorithm: least_requests, panic_threshold: 0}", LB_LEAST_REQUESTS, 3, 0},
		{"{algorithm: peak_ewma, bounded_load: 125%}", LB_PEAK_EWMA, 3, 0},
		{"{algorithm: maglev, table_size: 7}", LB_MAGLEV, 7, 0},
		{"{algorithm: ring_hash}", LB_RING_HASH, 480, 480},
		{"{algorithm: ring_hash, points: 10, hash_on: [source_ip, source_port]}",
		 LB_RING_HASH, 30, 30},
		{"{algorithm: rendezvous, hash_on: source_port}", LB_RENDEZVOUS, 3, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text = changed_policy(
			good_policy, "{algorithm: maglev, hash_on: source_ip, table_size: 1009}",
			rows[i].balance);
		struct image_header *img = compile_good(text);
		const struct image_cluster *c = first_cluster(img);

		CU_ASSERT_EQUAL(c->algorithm, rows[i].algorithm);
		CU_ASSERT_EQUAL(c->table_count, rows[i].table);
		CU_ASSERT_EQUAL(img->points.count, rows[i].points);
		CU_ASSERT_EQUAL(c->balance.bounded_load, c->algorithm == LB_PEAK_EWMA ? 125 : 0);
		CU_ASSERT_EQUAL(c->balance.slow_start_ms, c->algorithm == LB_RANDOM ? 30000 : 0);
		CU_ASSERT_EQUAL(c->balance.panic_threshold,
				c->algorithm == LB_LEAST_REQUESTS ? 0 : 5000);
		free(img);
		free(text);
	}
}

/* One key is given, and the defaults of its neighbours make room for it. */
static void defaults_give_way_to_what_is_given(void)
{
	static const struct {
		const char *block;
		size_t offset; /* of a uint32_t in the cluster, or of a byte */
		int byte;
		uint32_t value;
	} rows[] = {
#define WORD(field)  offsetof(struct image_cluster, field), 0
#define OCTET(field) offsetof(struct image_cluster, field), 1
		{"circuit_breaker: {window: 10}", WORD(breaker.minimum_calls), 10},
		{"circuit_breaker: {window: 1000}", WORD(breaker.minimum_calls), 20},
		{"circuit_breaker: {window: 10s}", WORD(breaker.minimum_calls), 20},
		{"circuit_breaker: {minimum_calls: 201}", WORD(breaker.window), 210},
		{"circuit_breaker: {minimum_calls: 40000}", WORD(breaker.window), 40000},
		{"circuit_breaker: {minimum_calls: 1}", WORD(breaker.window), 100},
		{"circuit_breaker: {max_open_for: 1s}", WORD(breaker.open_ms), 1000},
		{"circuit_breaker: {open_for: 5m}", WORD(breaker.max_open_ms), 300000},
		{"circuit_breaker: {}\n    bulkhead: {max_concurrent: 2}", OCTET(breaker.probes),
		 2},
		{"circuit_breaker: {}\n    bulkhead: {share: 50%}", OCTET(breaker.probes), 3},
		{"circuit_breaker: {}\n    bulkhead: {max_concurrent: 2, scope: source}",
		 OCTET(breaker.probes), 3},
		{"circuit_breaker: {}\n    timeouts: {connect: 12s}", WORD(breaker.half_open_ms),
		 12000},
		{"circuit_breaker: {half_open: {timeout: 10ms}}", WORD(breaker.half_open_ms), 10},
		{"outlier_detection: {window: 10}", WORD(outlier.breaker.minimum_calls), 10},
		{"outlier_detection: {}\n    endpoint_bulkhead: {max_concurrent: 1}",
		 OCTET(outlier.breaker.probes), 1},
		{"timeouts: {request: 500ms}", WORD(timeouts.connect_ms), 500},
		{"timeouts: {connect: 1m}", WORD(timeouts.request_ms), 60000},
		{"retry: {}\n    timeouts: {request: 500ms}", WORD(timeouts.connect_ms), 250},
		{"retry: {}\n    timeouts: {connect: 5m}", WORD(timeouts.request_ms), 600000},
		{"retry: {max_attempts: 1}\n    timeouts: {request: 500ms}",
		 WORD(timeouts.connect_ms), 500},
		{"retry: {backoff: {base: 1s}}", WORD(retry.max_us), 1000000},
		{"retry: {backoff: {max: 10ms}}", WORD(retry.base_us), 10000},
		{"health_check: {type: tcp, source: 10.2.0.9, interval: 1s}",
		 WORD(health.timeout_ms), 1000},
		{"health_check: {type: tcp, source: 10.2.0.9, timeout: 1m}",
		 WORD(health.interval_ms), 60000},
		{"health_check: {type: tcp, source: 10.2.0.9, timeout: 1m}",
		 WORD(health.unhealthy_interval_ms), 60000},
		{"health_check: {type: tcp, source: 10.2.0.9, unhealthy_interval: 1s}",
		 WORD(health.timeout_ms), 1000},
#undef WORD
#undef OCTET
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct image_header *img = compile_block(rows[i].block);
		const uint8_t *at = (const uint8_t *)first_cluster(img) + rows[i].offset;
		uint32_t value = *at;

		if (!rows[i].byte)
			memcpy(&value, at, sizeof(value));
		if (value != rows[i].value)
			fprintf(stderr, "\n%s gives %u\n", rows[i].block, value);
		CU_ASSERT_EQUAL(value, rows[i].value);
		free(img);
	}
}

static void defaults_written_out_change_nothing(void)
{
	static const char *const rows[][2] = {
		{"circuit_breaker: {}",
		 "circuit_breaker: {mode: enforce, failure_rate: 50%, minimum_calls: 20, window: "
		 "100 "
		 "calls, consecutive_failures: 0, slow_call: {threshold: 0, rate: 100%}, open_for: "
		 "5s, max_open_for: 60s, half_open: {probes: 3, successes: 3, timeout: 10s}}"},
		{"outlier_detection: {}",
		 "outlier_detection: {consecutive_failures: 5, max_ejected: 50%, statistics: "
		 "{modes: "
		 "[], interval: 10s, minimum_hosts: 5, minimum_calls: 100}}"},
		{"retry: {}",
		 "retry: {mode: enforce, max_attempts: 3, retry_on: [connect_failure, "
		 "connect_timeout], backoff: {base: 25ms, max: 250ms, factor: 2, jitter: full}, "
		 "budget: {ratio: 20%, minimum_per_second: 10, window: 10s}}"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct image_header *shortest = compile_block(rows[i][0]);
		struct image_header *longest = compile_block(rows[i][1]);

		require(shortest->length == longest->length);
		CU_ASSERT_EQUAL(memcmp(shortest, longest, longest->length), 0);
		free(shortest);
		free(longest);
	}
}

static void udp_clusters_may_await_replies(void)
{
	char *text = changed_policy(good_policy, "protocol: tcp", "protocol: udp");
	char *udp = changed_policy(text, timeouts_line, "timeouts: {expect_reply: 250ms}");
	struct image_header *img = compile_good(udp);

	CU_ASSERT_EQUAL(first_cluster(img)->timeouts.expect_reply_ms, 250);
	free(img);
	free(udp);
	free(text);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"absent", absent_blocks_are_zero},
		{"defaults", empty_blocks_have_the_defaults},
		{"breakers", breakers_take_what_the_file_says},
		{"bulkheads and retry", bulkheads_and_retry_take_what_the_file_says},
		{"listener's bulkhead", listeners_have_their_own_bulkhead},
		{"health checks", health_checks_are_kept_for_the_control_plane},
		{"priorities and zones", priorities_and_zones_are_of_the_endpoints},
		{"members' hash", members_hash_is_of_the_endpoints},
		{"algorithms", each_algorithm_has_its_table},
		{"giving way", defaults_give_way_to_what_is_given},
		{"written out", defaults_written_out_change_nothing},
		{"replies", udp_clusters_may_await_replies},
		CU_TEST_INFO_NULL,
	};

	return run_suite("policies", tests);
}
