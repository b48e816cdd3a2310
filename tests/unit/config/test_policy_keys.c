/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of the policies: what they refuse, by themselves and together. */
#include "tests/unit/config/policy_text.h"

/* A block in place of good_policy's timeouts, and what is then said. */
struct block {
	const char *text;
	const char *messages;
};

static const struct block cluster_blocks[] = {
	{"circuit_breaker: {failure_rate: 100.01%}",
	 "p:29:37: error: clusters[0].circuit_breaker.failure_rate: found 100.01%, expected 0% to "
	 "100%\n"},
	{"circuit_breaker: {failure_rate: 50}",
	 "p:29:37: error: clusters[0].circuit_breaker.failure_rate: found 50, expected a "
	 "percentage such as 50% or 12.5%, from 0% to 100%\n"},
	{"circuit_breaker: {failure_rate: 1.001%}",
	 "p:29:37: error: clusters[0].circuit_breaker.failure_rate: found 1.001%, expected a "
	 "percentage such as 50% or 12.5%, from 0% to 100%\n"},
	{"circuit_breaker: {minimum_calls: 0}",
	 "p:29:38: error: clusters[0].circuit_breaker.minimum_calls: found 0, expected 1 to "
	 "40000\n"},
	{"circuit_breaker: {minimum_calls: 40001}",
	 "p:29:38: error: clusters[0].circuit_breaker.minimum_calls: found 40001, expected 1 to "
	 "40000\n"},
	{"circuit_breaker: {minimum_calls: 101, window: 100}",
	 "p:29:38: error: clusters[0].circuit_breaker.minimum_calls: minimum_calls is 101, more "
	 "than the window holds; expected at most 100, or a larger window\n"},
	{"circuit_breaker: {window: 9}",
	 "p:29:31: error: clusters[0].circuit_breaker.window: found 9, expected 10 to 40000 calls "
	 "in tens, or 100ms to 1h\n"},
	{"circuit_breaker: {window: 25}",
	 "p:29:31: error: clusters[0].circuit_breaker.window: found 25, expected 10 to 40000 calls "
	 "in tens, or 100ms to 1h\n"},
	{"circuit_breaker: {window: 40010}",
	 "p:29:31: error: clusters[0].circuit_breaker.window: found 40010, expected 10 to 40000 "
	 "calls in tens, or 100ms to 1h\n"},
	{"circuit_breaker: {window: 99ms}",
	 "p:29:31: error: clusters[0].circuit_breaker.window: found 99ms, expected 10 to 40000 "
	 "calls in tens, or 100ms to 1h\n"},
	{"circuit_breaker: {window: 61m}",
	 "p:29:31: error: clusters[0].circuit_breaker.window: found 61m, expected 10 to 40000 "
	 "calls in tens, or 100ms to 1h\n"},
	{"circuit_breaker: {window: 100 call}",
	 "p:29:31: error: clusters[0].circuit_breaker.window: found '100 call', expected a number "
	 "of calls such as 100, or a duration such as 10s, from 10 to 40000 calls in tens, or "
	 "100ms to 1h\n"},
	{"circuit_breaker: {window: 0}",
	 "p:29:31: error: clusters[0].circuit_breaker.window: found 0, expected 10 to 40000 calls "
	 "in tens, or 100ms to 1h\n"},
	{"circuit_breaker: {consecutive_failures: 1024}",
	 "p:29:45: error: clusters[0].circuit_breaker.consecutive_failures: found 1024, expected 0 "
	 "to 1023\n"},
	{"circuit_breaker: {slow_call: {threshold: 11m}}",
	 "p:29:46: error: clusters[0].circuit_breaker.slow_call.threshold: found 11m, expected 0 "
	 "to 10m\n"},
	{"circuit_breaker: {slow_call: {rate: 101%}}",
	 "p:29:41: error: clusters[0].circuit_breaker.slow_call.rate: found 101%, expected 0% to "
	 "100%\n"},
	{"circuit_breaker: {open_for: 9ms}",
	 "p:29:33: error: clusters[0].circuit_breaker.open_for: found 9ms, expected 10ms to 1h\n"},
	{"circuit_breaker: {open_for: 2h}",
	 "p:29:33: error: clusters[0].circuit_breaker.open_for: found 2h, expected 10ms to 1h\n"},
	{"circuit_breaker: {max_open_for: 25h}",
	 "p:29:37: error: clusters[0].circuit_breaker.max_open_for: found 25h, expected 10ms to "
	 "1d\n"},
	{"circuit_breaker: {open_for: 10s, max_open_for: 9s}",
	 "p:29:52: error: clusters[0].circuit_breaker.max_open_for: max_open_for is 9s, shorter "
	 "than open_for; expected at least 10s\n"},
	{"circuit_breaker: {half_open: {probes: 0}}",
	 "p:29:43: error: clusters[0].circuit_breaker.half_open.probes: found 0, expected 1 to "
	 "31\n"},
	{"circuit_breaker: {half_open: {probes: 32}}",
	 "p:29:43: error: clusters[0].circuit_breaker.half_open.probes: found 32, expected 1 to "
	 "31\n"},
	{"circuit_breaker: {half_open: {successes: 0, timeout: 1ms}}",
	 "p:29:46: error: clusters[0].circuit_breaker.half_open.successes: found 0, expected 1 to "
	 "31\np:29:58: error: clusters[0].circuit_breaker.half_open.timeout: found 1ms, expected "
	 "10ms to 1h\n"},
	{"circuit_breaker: {half_open: {successes: 32, timeout: 2h}}",
	 "p:29:46: error: clusters[0].circuit_breaker.half_open.successes: found 32, expected 1 to "
	 "31\np:29:59: error: clusters[0].circuit_breaker.half_open.timeout: found 2h, expected "
	 "10ms to 1h\n"},
	{"circuit_breaker: {half_open: {timeout: 900ms}}\n    timeouts: {connect: 1s}",
	 "p:29:44: error: clusters[0].circuit_breaker.half_open.timeout: timeout is 900ms, shorter "
	 "than timeouts.connect, so that a probe may not be over by then; expected at least 1s\n"},
	{"circuit_breaker: {half_open: {probes: 3}}\n    bulkhead: {max_concurrent: 2}",
	 "p:29:43: error: clusters[0].circuit_breaker.half_open.probes: probes is 3, more than "
	 "bulkhead.max_concurrent, which is 2; expected at most 2\n"},
	{"outlier_detection: {half_open: {probes: 3}}\n    endpoint_bulkhead: {max_concurrent: 2}",
	 "p:29:45: error: clusters[0].outlier_detection.half_open.probes: probes is 3, more than "
	 "endpoint_bulkhead.max_concurrent, which is 2; expected at most 2\n"},
	{"circuit_breaker: {mode: shadow}", "p:29:29: error: clusters[0].circuit_breaker.mode: "
					    "found shadow, expected one of: enforce, observe\n"},
	{"circuit_breaker: {max_ejected: 50%}",
	 "p:29:23: error: clusters[0].circuit_breaker.max_ejected: unknown key; expected one of: "
	 "mode, failure_rate, minimum_calls, window, consecutive_failures, slow_call, open_for, "
	 "max_open_for, half_open\n"},
	{"outlier_detection: {max_ejected: 101%}",
	 "p:29:38: error: clusters[0].outlier_detection.max_ejected: found 101%, expected 0% to "
	 "100%\n"},
	{"outlier_detection: {minimum_calls: 30, window: 20}",
	 "p:29:40: error: clusters[0].outlier_detection.minimum_calls: minimum_calls is 30, more "
	 "than the window holds; expected at most 20, or a larger window\n"},
	{"outlier_detection: {statistics: {modes: [errors], interval: 1s, minimum_hosts: 1, "
	 "minimum_calls: 0}}",
	 "p:29:46: error: clusters[0].outlier_detection.statistics.modes[0]: found errors, "
	 "expected one of: success_rate, latency\np:29:65: error: "
	 "clusters[0].outlier_detection.statistics.interval: found 1s, expected 4s to 1h\np:29:84: "
	 "error: clusters[0].outlier_detection.statistics.minimum_hosts: found 1, expected 2 to "
	 "16384\np:29:102: error: clusters[0].outlier_detection.statistics.minimum_calls: found 0, "
	 "expected 1 to 1000000\n"},
	{"outlier_detection: {statistics: {interval: 61m, minimum_hosts: 16385, minimum_calls: "
	 "1000001}}",
	 "p:29:48: error: clusters[0].outlier_detection.statistics.interval: found 61m, expected "
	 "4s to 1h\np:29:68: error: clusters[0].outlier_detection.statistics.minimum_hosts: found "
	 "16385, expected 2 to 16384\np:29:90: error: "
	 "clusters[0].outlier_detection.statistics.minimum_calls: found 1000001, expected 1 to "
	 "1000000\n"},
	{"bulkhead: {}",
	 "p:29:15: error: clusters[0].bulkhead.max_concurrent: found nothing, expected how many at "
	 "once; the classic choice is max_concurrent: 10, max_queue: 20, queue_timeout: 1s\n"},
	{"bulkhead: {max_queue: 1, share: 50%}",
	 "p:29:15: error: clusters[0].bulkhead.max_concurrent: found nothing, expected how many at "
	 "once; the classic choice is max_concurrent: 10, max_queue: 20, queue_timeout: 1s\n"},
	{"bulkhead: {max_concurrent: 0}",
	 "p:29:32: error: clusters[0].bulkhead.max_concurrent: found 0, expected 1 to 16777215\n"},
	{"bulkhead: {max_concurrent: 16777216}",
	 "p:29:32: error: clusters[0].bulkhead.max_concurrent: found 16777216, expected 1 to "
	 "16777215\n"},
	{"bulkhead: {max_concurrent: 1, max_queue: 2049}",
	 "p:29:46: error: clusters[0].bulkhead.max_queue: found 2049, expected 0 to 2048\n"},
	{"bulkhead: {max_concurrent: 1, queue_timeout: 1s}",
	 "p:29:50: error: clusters[0].bulkhead.queue_timeout: without a queue nothing waits; "
	 "expected max_queue of at least 1, or not to find this key\n"},
	{"bulkhead: {max_concurrent: 1, scope: source, max_queue: 1}",
	 "p:29:61: error: clusters[0].bulkhead.max_queue: a bulkhead of each source has no queue; "
	 "expected scope: cluster, or max_queue: 0\n"},
	{"bulkhead: {max_concurrent: 1, max_queue: 1, queue_timeout: 0}",
	 "p:29:64: error: clusters[0].bulkhead.queue_timeout: found 0, expected 1ms to 1h\n"},
	{"bulkhead: {max_concurrent: 1, max_queue: 1, queue_timeout: 61m}",
	 "p:29:64: error: clusters[0].bulkhead.queue_timeout: found 61m, expected 1ms to 1h\n"},
	{"bulkhead: {share: 0%}",
	 "p:29:23: error: clusters[0].bulkhead.share: found 0%, expected 0.01% to 100%\n"},
	{"bulkhead: {share: 101%}",
	 "p:29:23: error: clusters[0].bulkhead.share: found 101%, expected 0.01% to 100%\n"},
	{"bulkhead: {max_concurrent: 1, scope: client}",
	 "p:29:42: error: clusters[0].bulkhead.scope: found client, expected one of: cluster, "
	 "source\n"},
	{"endpoint_bulkhead: {}",
	 "p:29:24: error: clusters[0].endpoint_bulkhead.max_concurrent: found nothing, expected "
	 "how many at once, for example max_concurrent: 10\n"},
	{"endpoint_bulkhead: {max_concurrent: 1, max_queue: 1}",
	 "p:29:44: error: clusters[0].endpoint_bulkhead.max_queue: unknown key; expected one of: "
	 "mode, max_concurrent\n"},
	{"retry: {max_attempts: 0}",
	 "p:29:27: error: clusters[0].retry.max_attempts: found 0, expected 1 to 10\n"},
	{"retry: {max_attempts: 11}",
	 "p:29:27: error: clusters[0].retry.max_attempts: found 11, expected 1 to 10\n"},
	{"retry: {retry_on: [reset]}",
	 "p:29:24: error: clusters[0].retry.retry_on[0]: found reset, expected one of: "
	 "connect_failure, connect_timeout\n"},
	{"retry: {retry_on: []}", "p:29:23: error: clusters[0].retry.retry_on: found an empty "
				  "list, expected at least one element\n"},
	{"retry: {backoff: {base: 61s, max: 61s, factor: 0.9, jitter: some}}",
	 "p:29:29: error: clusters[0].retry.backoff.base: found 61s, expected 0 to 1m\np:29:39: "
	 "error: clusters[0].retry.backoff.max: found 61s, expected 0 to 1m\np:29:52: error: "
	 "clusters[0].retry.backoff.factor: found 0.9, expected 1 to 10\np:29:65: error: "
	 "clusters[0].retry.backoff.jitter: found some, expected one of: full, none\n"},
	{"retry: {backoff: {factor: 10.01}}",
	 "p:29:31: error: clusters[0].retry.backoff.factor: found 10.01, expected 1 to 10\n"},
	{"retry: {backoff: {factor: 1.555}}",
	 "p:29:31: error: clusters[0].retry.backoff.factor: found 1.555, expected a number such as "
	 "2 or 1.5, from 1 to 10\n"},
	{"retry: {backoff: {base: 300ms, max: 200ms}}",
	 "p:29:29: error: clusters[0].retry.backoff.base: base is 300ms, longer than max; expected "
	 "at most 200ms\n"},
	{"retry: {budget: {ratio: 101%, minimum_per_second: 1000001, window: 999ms, "
	 "max_concurrent: 0}}",
	 "p:29:29: error: clusters[0].retry.budget.ratio: found 101%, expected 0% to "
	 "100%\np:29:55: error: clusters[0].retry.budget.minimum_per_second: found 1000001, "
	 "expected 0 to 1000000\np:29:72: error: clusters[0].retry.budget.window: found 999ms, "
	 "expected 1s to 1m\np:29:95: error: clusters[0].retry.budget.max_concurrent: found 0, "
	 "expected 1 to 16777215\n"},
	{"retry: {budget: {window: 61s, max_concurrent: 16777216}}",
	 "p:29:30: error: clusters[0].retry.budget.window: found 61s, expected 1s to 1m\np:29:51: "
	 "error: clusters[0].retry.budget.max_concurrent: found 16777216, expected 1 to "
	 "16777215\n"},
	{"retry: {}\n    timeouts: {connect: 1s, request: 1999ms}",
	 "p:29:12: error: clusters[0].retry: after a connect timeout of 1s no retry fits request, "
	 "which is 1999ms; expected timeouts.connect of at most 999ms, or max_attempts: 1\n"},
	{"health_check: {}", "p:29:19: error: clusters[0].health_check.type: found nothing, "
			     "expected a word, for example type: http\n"},
	{"health_check: {type: icmp}", "p:29:26: error: clusters[0].health_check.type: found icmp, "
				       "expected one of: tcp, http, none\n"},
	{"health_check: {type: tcp}",
	 "p:29:19: error: clusters[0].health_check.source: found nothing, expected an address that "
	 "the kernel itself holds on a way to the endpoints, such as one of kernel_addresses: "
	 "interfaces that are not shared belong to Fender, so that probes cannot use them\n"},
	{"health_check: {type: tcp, source: 10.2.0.1}",
	 "p:29:39: error: clusters[0].health_check.source: found Fender's own address (line 11), "
	 "from which the kernel cannot send; expected one that the kernel itself holds\n"},
	{"health_check: {type: tcp, source: '2001:db8:2::9'}",
	 "p:29:39: error: clusters[0].health_check.source: found an IPv6 address, expected IPv4 "
	 "like the endpoints\n"},
	{"health_check: {type: tcp, path: /x, host: h, source: 10.2.0.9}",
	 "p:29:37: error: clusters[0].health_check.path: only http uses this; expected type: http, "
	 "or not to find this key\np:29:47: error: clusters[0].health_check.host: only http uses "
	 "this; expected type: http, or not to find this key\n"},
	{"health_check: {type: http, path: x, host: 'a b', source: 10.2.0.9}",
	 "p:29:38: error: clusters[0].health_check.path: found x, expected a path that begins with "
	 "a slash such as /health\np:29:47: error: clusters[0].health_check.host: found 'a b', "
	 "expected a host name or address, with a port or without, such as backend.example.com\n"},
	{"health_check: {type: tcp, source: 10.2.0.9, timeout: 2s, interval: 1s}",
	 "p:29:58: error: clusters[0].health_check.timeout: timeout is 2s, longer than the time "
	 "between two probes; expected at most 1s\n"},
	{"health_check: {type: tcp, source: 10.2.0.9, timeout: 2s, unhealthy_interval: 1s}",
	 "p:29:58: error: clusters[0].health_check.timeout: timeout is 2s, longer than the time "
	 "between two probes; expected at most 1s\n"},
	{"health_check: {type: tcp, source: 10.2.0.9, interval: 99ms, timeout: 9ms, "
	 "unhealthy_interval: 2h}",
	 "p:29:59: error: clusters[0].health_check.interval: found 99ms, expected 100ms to "
	 "1h\np:29:74: error: clusters[0].health_check.timeout: found 9ms, expected 10ms to "
	 "5m\np:29:99: error: clusters[0].health_check.unhealthy_interval: found 2h, expected "
	 "100ms to 1h\n"},
	{"health_check: {type: tcp, source: 10.2.0.9, healthy_threshold: 0, unhealthy_threshold: "
	 "101, port: 0, initial: healthy}",
	 "p:29:68: error: clusters[0].health_check.healthy_threshold: found 0, expected 1 to "
	 "100\np:29:92: error: clusters[0].health_check.unhealthy_threshold: found 101, expected 1 "
	 "to 100\np:29:103: error: clusters[0].health_check.port: found 0, expected 1 to "
	 "65535\np:29:115: error: clusters[0].health_check.initial: found healthy, expected one "
	 "of: unknown, unhealthy; did you mean \"unhealthy\"?\n"},
	{"timeouts: {expect_reply: 2h}",
	 "p:29:30: error: clusters[0].timeouts.expect_reply: found 2h, expected 0 to 1h\n"},
	{"timeouts: {expect_reply: 1s}",
	 "p:29:30: error: clusters[0].timeouts.expect_reply: only udp uses this, but the cluster's "
	 "listeners are tcp; expected not to find this key\n"},
};

/* In place of its load balancing. */
static const struct block balance_blocks[] = {
	{"{algorithm: least_request}",
	 "p:28:33: error: clusters[0].load_balancing.algorithm: found least_request, expected one "
	 "of: round_robin, random, least_requests, peak_ewma, maglev, ring_hash, rendezvous; did "
	 "you mean \"least_requests\"?\n"},
	{"{algorithm: ring_hash, points: 0}",
	 "p:28:52: error: clusters[0].load_balancing.points: found 0, expected 1 to 65535\n"},
	{"{algorithm: ring_hash, points: 65536}",
	 "p:28:52: error: clusters[0].load_balancing.points: found 65536, expected 1 to 65535\n"},
	{"{algorithm: maglev, points: 10}",
	 "p:28:49: error: clusters[0].load_balancing.points: only ring_hash uses this; expected "
	 "algorithm: ring_hash, or not to find this key\n"},
	{"{algorithm: random, hash_on: source_ip, table_size: 7, points: 1}",
	 "p:28:50: error: clusters[0].load_balancing.hash_on: only maglev, ring_hash and "
	 "rendezvous use this; expected one of them as the algorithm, or not to find this "
	 "key\np:28:73: error: clusters[0].load_balancing.table_size: only maglev uses this; "
	 "expected algorithm: maglev, or not to find this key\np:28:84: error: "
	 "clusters[0].load_balancing.points: only ring_hash uses this; expected algorithm: "
	 "ring_hash, or not to find this key\n"},
	{"{bounded_load: 99%}", "p:28:36: error: clusters[0].load_balancing.bounded_load: found "
				"99%, expected 100% to 1000%\n"},
	{"{bounded_load: 1001%}", "p:28:36: error: clusters[0].load_balancing.bounded_load: found "
				  "1001%, expected 100% to 1000%\n"},
	{"{bounded_load: 112.5%}", "p:28:36: error: clusters[0].load_balancing.bounded_load: found "
				   "a fraction of a percent, expected a whole one such as 125%\n"},
	{"{slow_start: 61m}",
	 "p:28:34: error: clusters[0].load_balancing.slow_start: found 61m, expected 0 to 1h\n"},
	{"{panic_threshold: 101%}", "p:28:39: error: clusters[0].load_balancing.panic_threshold: "
				    "found 101%, expected 0% to 100%\n"},
};

static const struct refused rows[] = {
	{"cluster: web\n    bulkhead: {}",
	 {{"    cluster: web\n", "    cluster: web\n    bulkhead: {}\n"}},
	 "p:22:15: error: listeners[0].bulkhead.max_concurrent: found nothing, expected how many "
	 "at once; the classic choice is max_concurrent: 10, max_queue: 20, queue_timeout: 1s\n"},
	{"cluster: web\n    bulkhead: {max_concurrent: 5, share: 50%}",
	 {{"    cluster: web\n",
	   "    cluster: web\n    bulkhead: {max_concurrent: 5, share: 50%}\n"}},
	 "p:22:35: error: listeners[0].bulkhead.share: unknown key; expected one of: mode, "
	 "max_concurrent, max_queue, queue_timeout\n"},
	{"cluster: web\n    bulkhead: {max_concurrent: 5, queue_timeout: 1s}",
	 {{"    cluster: web\n",
	   "    cluster: web\n    bulkhead: {max_concurrent: 5, queue_timeout: 1s}\n"}},
	 "p:22:50: error: listeners[0].bulkhead.queue_timeout: without a queue nothing waits; "
	 "expected max_queue of at least 1, or not to find this key\n"},
	{"priority: 8",
	 {{"weight: 2", "priority: 8"}},
	 "p:26:19: error: clusters[0].endpoints[0].priority: found 8, expected 0 to 7\n"},
	{"zone: a b",
	 {{"weight: 2", "zone: a b"}},
	 "p:26:15: error: clusters[0].endpoints[0].zone: found 'a b', expected 1 to 63 letters, "
	 "digits or _ . - that begin with a letter, a digit or _\n"},
	{"zone: -a",
	 {{"workers: 1", "zone: -a"}},
	 "p:4:9: error: sidecar.zone: found -a, expected 1 to 63 letters, digits or _ . - that "
	 "begin with a letter, a digit or _\n"},
	{"priority: -1",
	 {{"weight: 2", "priority: -1"}},
	 "p:26:19: error: clusters[0].endpoints[0].priority: found -1, expected a whole number, "
	 "from 0 to 7\n"},
	{"protocol: udp, retry: {}",
	 {{"protocol: tcp", "protocol: udp"},
	  {"    timeouts: {connect: 1s, request: 15s}\n", "    retry: {}\n"}},
	 "p:29:12: error: clusters[0].retry: udp is never retried, and the listener on line 17 is "
	 "udp; expected a cluster without retry for it\n"},
	{"protocol: udp, retry: {mode: observe, max_attempts: 1}",
	 {{"protocol: tcp", "protocol: udp"},
	  {"    timeouts: {connect: 1s, request: 15s}\n",
	   "    retry: {mode: observe, max_attempts: 1}\n"}},
	 "p:29:12: error: clusters[0].retry: udp is never retried, and the listener on line 17 is "
	 "udp; expected a cluster without retry for it\n"},
};

static const char timeouts_line[] = "timeouts: {connect: 1s, request: 15s}";
static const char balance_line[] =
	"load_balancing: {algorithm: maglev, hash_on: source_ip, table_size: 1009}";

static void assert_blocks_refused(const char *line, const char *key, const struct block *blocks,
				  size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct refused row = {.name = blocks[i].text, .messages = blocks[i].messages};
		char block[512];

		snprintf(block, sizeof(block), "%s%s", key, blocks[i].text);
		row.change[0].find = line;
		row.change[0].replace = block;
		assert_row_refused(&row);
	}
}

static void blocks_refuse_what_is_out_of_range_or_contradicts(void)
{
	assert_blocks_refused(timeouts_line, "", cluster_blocks,
			      sizeof(cluster_blocks) / sizeof(cluster_blocks[0]));
	assert_blocks_refused(balance_line, "load_balancing: ", balance_blocks,
			      sizeof(balance_blocks) / sizeof(balance_blocks[0]));
}

static void listeners_and_endpoints_refuse_what_does_not_fit(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_row_refused(&rows[i]);
}

/* Every bound itself is taken. */
static void bounds_are_within(void)
{
	static const char *const sound[] = {
		"circuit_breaker: {failure_rate: 100%, minimum_calls: 10, window: 10, "
		"consecutive_failures: 1023, slow_call: {threshold: 10m, rate: 0%}, open_for: "
		"10ms, "
		"max_open_for: 10ms, half_open: {probes: 31, successes: 31, timeout: 1h}}",
		"circuit_breaker: {failure_rate: 0.01%, minimum_calls: 40000, window: 40000 calls, "
		"open_for: 1h, max_open_for: 1d, half_open: {probes: 1, successes: 1}}",
		"circuit_breaker: {window: 100ms, minimum_calls: 40000}",
		"circuit_breaker: {window: 1h, minimum_calls: 1}",
		"outlier_detection: {max_ejected: 100%, statistics: {modes: [success_rate, "
		"latency], "
		"interval: 4s, minimum_hosts: 2, minimum_calls: 1}}",
		"outlier_detection: {max_ejected: 0, statistics: {modes: [], interval: 1h, "
		"minimum_hosts: 16384, minimum_calls: 1000000}}",
		"bulkhead: {max_concurrent: 1, max_queue: 2048, queue_timeout: 1ms, share: 0.01%}",
		"bulkhead: {max_concurrent: 16777215, max_queue: 1, queue_timeout: 1h, share: "
		"100%}",
		"bulkhead: {max_concurrent: 1, scope: source}",
		"bulkhead: {max_concurrent: 1, scope: source, max_queue: 0}",
		"bulkhead: {share: 50%}",
		"bulkhead: {max_concurrent: 3}\n    circuit_breaker: {half_open: {probes: 3}}",
		"bulkhead: {max_concurrent: 1, scope: source}\n"
		"    circuit_breaker: {half_open: {probes: 3}}",
		"endpoint_bulkhead: {max_concurrent: 16777215}",
		"retry: {max_attempts: 10, retry_on: connect_timeout, backoff: {base: 0, max: 0, "
		"factor: 1, jitter: none}, budget: {ratio: 0, minimum_per_second: 0, window: 1s, "
		"max_concurrent: 1}}",
		"retry: {backoff: {base: 1m, max: 1m, factor: 10}, budget: {ratio: 100%, "
		"minimum_per_second: 1M, window: 1m, max_concurrent: 16777215}}",
		"retry: {}\n    timeouts: {connect: 1s, request: 2s}",
		"retry: {max_attempts: 1}\n    timeouts: {connect: 1s, request: 1s}",
		"health_check: {type: none}",
		"health_check: {type: none, source: '2001:db8::1'}",
		"health_check: {type: tcp, source: 10.2.0.9, interval: 100ms, timeout: 100ms, "
		"unhealthy_interval: 100ms, healthy_threshold: 100, unhealthy_threshold: 1, port: "
		"1}",
		"health_check: {type: http, source: 10.2.0.9, path: /, host: a, port: 65535, "
		"interval: 1h, timeout: 5m, unhealthy_interval: 1h, initial: unhealthy}",
		"timeouts: {expect_reply: 0}",
		"timeouts: {connect: 1s, request: 1s}",
	};

	for (size_t i = 0; i < sizeof(sound) / sizeof(sound[0]); i++) {
		char *text = changed_policy(good_policy, timeouts_line, sound[i]);

		free(compile_good(text));
		free(text);
	}
}

/* One cluster of @endpoints endpoints of @weight; the text. */
static char *wide_policy(unsigned int endpoints, unsigned int weight, const char *balance)
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	require(out != NULL);
	fprintf(out,
		"version: 1\nsidecar: {name: n, policy_slot: 256MiB}\n"
		"interfaces: [{name: a, device: af_xdp:a, addresses: 10.0.0.1/8}]\n"
		"listeners: [{name: l, bind: 10.0.0.1:80, interface: a, protocol: tcp, "
		"cluster: c}]\n"
		"clusters:\n  - name: c\n    load_balancing: %s\n    endpoints:\n",
		balance);
	for (unsigned int i = 0; i < endpoints; i++)
		fprintf(out, "      - {address: 10.1.%u.%u:80, weight: %u}\n", i / 250, 1 + i % 250,
			weight);
	fclose(out);
	return text;
}

static void algorithms_refuse_more_than_they_can_look_at(void)
{
	static const struct {
		unsigned int endpoints, weight;
		const char *balance;
		const char *messages; /* "": it compiles */
	} wide[] = {
		{1024, 1, "{algorithm: rendezvous, bounded_load: 150%}", ""},
		{1025, 1, "{algorithm: rendezvous}",
		 "p:7:33: error: clusters[0].load_balancing.algorithm: found rendezvous for 1025 "
		 "endpoints, expected at most 1024, or maglev or ring_hash\n"},
		{1025, 1, "{bounded_load: 150%}",
		 "p:7:36: error: clusters[0].load_balancing.bounded_load: found it for 1025 "
		 "endpoints, expected at most 1024, or not to find this key\n"},
		{128, 256, "{algorithm: ring_hash, points: 257}",
		 "p:7:52: error: clusters[0].load_balancing.points: found 8421376 points on the "
		 "rings up to this one, expected at most 8388608 in all: fewer points or smaller "
		 "weights\n"},
	};

	for (size_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++) {
		char *text = wide_policy(wide[i].endpoints, wide[i].weight, wide[i].balance);

		if (wide[i].messages[0] == '\0')
			free(compile_good(text));
		else
			assert_refused(text, strlen(text), wide[i].messages);
		free(text);
	}
}

static void rules_that_never_act_are_warned_of(void)
{
	static const struct block doubtful[] = {
		{"circuit_breaker: {failure_rate: 0}",
		 "p:29:22: warning: clusters[0].circuit_breaker: every rule is off: it never "
		 "opens\n"},
		{"outlier_detection: {failure_rate: 0, consecutive_failures: 0}",
		 "p:29:24: warning: clusters[0].outlier_detection: every rule is off: it never "
		 "ejects\n"},
		{"outlier_detection: {failure_rate: 0, consecutive_failures: 0, "
		 "slow_call: {threshold: 1s}}",
		 ""},
		{"outlier_detection: {failure_rate: 0, consecutive_failures: 0, "
		 "statistics: {modes: latency}}",
		 ""},
	};

	for (size_t i = 0; i < sizeof(doubtful) / sizeof(doubtful[0]); i++) {
		char *text = changed_policy(good_policy, timeouts_line, doubtful[i].text);
		int compiled;
		char *messages = messages_of(text, strlen(text), &compiled);

		CU_ASSERT(compiled);
		CU_ASSERT_STRING_EQUAL(messages, doubtful[i].messages);
		free(messages);
		free(text);
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"blocks", blocks_refuse_what_is_out_of_range_or_contradicts},
		{"listeners and endpoints", listeners_and_endpoints_refuse_what_does_not_fit},
		{"bounds", bounds_are_within},
		{"too many", algorithms_refuse_more_than_they_can_look_at},
		{"never act", rules_that_never_act_are_warned_of},
		CU_TEST_INFO_NULL,
	};

	return run_suite("policy keys", tests);
}
