/* SPDX-License-Identifier: Apache-2.0 */
#include "config/compile_blocks.h"

struct image_timeouts compile_timeouts(const struct policy_timeouts *in)
{
	struct image_timeouts out = {
		.connect_ms = (uint32_t)in->connect_ms,
		.request_ms = (uint32_t)in->request_ms,
		.idle_tcp_ms = (uint32_t)in->idle_ms,
		.idle_udp_ms = (uint32_t)in->idle_ms,
		.half_closed_ms = (uint32_t)in->half_closed_ms,
		.max_duration_ms = (uint32_t)in->max_duration_ms,
		.verdict_after_ms = (uint32_t)in->verdict_after_ms,
		.drain_ms = (uint32_t)in->drain_ms,
		.expect_reply_ms = (uint32_t)in->expect_reply_ms,
	};

	if (in->idle_ms == 0) {
		out.idle_tcp_ms = POLICY_IDLE_TCP_MS;
		out.idle_udp_ms = POLICY_IDLE_UDP_MS;
	}
	return out;
}

struct image_bulkhead compile_bulkhead(const struct policy_bulkhead *in)
{
	struct image_bulkhead out = {0};

	if (in->map.node == NULL)
		return out;
	out.mode = (uint8_t)in->mode;
	out.scope = (uint8_t)in->scope;
	out.share = (uint16_t)in->share;
	out.max_concurrent = (uint32_t)in->max_concurrent;
	out.max_queue = (uint32_t)in->max_queue;
	if (in->max_queue != 0)
		out.queue_timeout_ms = (uint32_t)in->queue_timeout_ms;
	return out;
}

struct image_breaker compile_breaker(const struct policy_breaker *in)
{
	struct image_breaker out = {0};

	if (in->map.node == NULL)
		return out;
	out.mode = (uint8_t)in->mode;
	out.window_kind = in->window.calls != 0 ? WINDOW_CALLS : WINDOW_DURATION;
	out.probes = (uint8_t)in->half_open.probes;
	out.successes = (uint8_t)in->half_open.successes;
	out.failure_rate = (uint16_t)in->failure_rate;
	out.slow_rate = (uint16_t)in->slow_call.rate;
	out.window = (uint32_t)(in->window.calls != 0 ? in->window.calls : in->window.ms);
	out.minimum_calls = (uint32_t)in->minimum_calls;
	out.consecutive_failures = (uint32_t)in->consecutive_failures;
	out.slow_us = (uint32_t)in->slow_call.threshold_us;
	out.open_ms = (uint32_t)in->open_ms;
	out.max_open_ms = (uint32_t)in->max_open_ms;
	out.half_open_ms = (uint32_t)in->half_open.timeout_ms;
	return out;
}

struct image_outlier compile_outlier(const struct policy_outlier *in)
{
	struct image_outlier out = {0};

	if (in->breaker.map.node == NULL)
		return out;
	out.breaker = compile_breaker(&in->breaker);
	out.max_ejected = (uint16_t)in->max_ejected;
	out.statistics = (uint8_t)in->statistics.modes;
	out.interval_ms = (uint32_t)in->statistics.interval_ms;
	out.minimum_hosts = (uint32_t)in->statistics.minimum_hosts;
	out.minimum_calls = (uint32_t)in->statistics.minimum_calls;
	return out;
}

struct image_retry compile_retry(const struct policy_retry *in)
{
	struct image_retry out = {0};

	if (in->map.node == NULL)
		return out;
	out.mode = (uint8_t)in->mode;
	out.max_attempts = (uint8_t)in->max_attempts;
	out.on = (uint8_t)in->retry_on;
	out.jitter = (uint8_t)in->backoff.jitter;
	out.base_us = (uint32_t)in->backoff.base_us;
	out.max_us = (uint32_t)in->backoff.max_us;
	out.factor_percent = (uint32_t)in->backoff.factor;
	out.ratio = (uint16_t)in->budget.ratio;
	out.minimum_per_second = (uint32_t)in->budget.minimum_per_second;
	out.window_ms = (uint32_t)in->budget.window_ms;
	out.max_concurrent = (uint32_t)in->budget.max_concurrent;
	return out;
}

struct image_health_check compile_health_check(struct image_writer *w,
					       const struct policy_health_check *in)
{
	struct image_health_check out = {0};

	if (in->map.node == NULL || in->type == HEALTH_NONE)
		return out;
	out.type = (uint8_t)in->type;
	out.initial_unhealthy = (uint8_t)in->initial_unhealthy;
	out.healthy_threshold = (uint8_t)in->healthy_threshold;
	out.unhealthy_threshold = (uint8_t)in->unhealthy_threshold;
	if (in->type == HEALTH_HTTP)
		out.path = image_writer_string(w, in->path != NULL ? in->path : POLICY_HEALTH_PATH);
	if (in->host != NULL)
		out.host = image_writer_string(w, in->host);
	out.interval_ms = (uint32_t)in->interval_ms;
	out.unhealthy_interval_ms = (uint32_t)in->unhealthy_interval_ms;
	out.timeout_ms = (uint32_t)in->timeout_ms;
	out.port = (uint16_t)in->port;
	out.mode = (uint8_t)in->mode;
	out.source = in->source.ip;
	return out;
}

struct image_endpoint_source compile_source(struct image_writer *w,
					    const struct policy_endpoint_source *in)
{
	struct image_endpoint_source out = {0};

	if (in->map.node == NULL)
		return out;
	if (in->file != NULL) {
		out.kind = SOURCE_FILE;
		out.name = image_writer_string(w, in->file);
		return out;
	}
	out.kind = SOURCE_DNS;
	out.stale_ok = (uint8_t)in->stale_ok;
	out.port = in->dns.port;
	out.name = image_writer_string(w, in->dns.name);
	out.refresh_ms = (uint32_t)in->refresh_ms;
	return out;
}

struct image_balance compile_balance(const struct policy_cluster *cluster, size_t local)
{
	const struct policy_load_balancing *in = &cluster->load_balancing;
	struct image_balance out = {
		.bounded_load = (uint16_t)(in->bounded_load / 100),
		.panic_threshold = (uint16_t)in->panic_threshold,
		.slow_start_ms = (uint32_t)in->slow_start_ms,
		.has_zones = local > 0 && local < cluster->endpoints.count,
		.priorities = 1,
	};

	for (size_t i = 0; i < cluster->endpoints.count; i++) {
		uint32_t level = (uint32_t)cluster->endpoints.items[i].priority + 1;

		if (level > out.priorities)
			out.priorities = level;
	}
	return out;
}
