/* SPDX-License-Identifier: Apache-2.0 */
#include "config/compile_limits.h"

#include "config/checks.h"

static struct image_limit compile_limit(const struct policy_limit *in,
					const struct policy_rate *rate)
{
	struct image_limit out = {0};

	if (in->map.node == NULL || rate->per_second == 0)
		return out;
	out.rate = rate->per_second;
	out.algorithm = (uint8_t)in->algorithm;
	if (check_is_window(in))
		out.window_ms = (uint32_t)in->window_ms;
	else
		out.burst = rate->burst;
	return out;
}

static uint8_t compile_action(const struct policy_limit *in)
{
	if (in->map.node == NULL)
		return 0;
	return (uint8_t)(in->mode == MODE_OBSERVE ? IMAGE_LIMIT_OBSERVE : in->action);
}

struct image_rate_limit compile_rate_limit(const struct policy_rate_limit *in)
{
	return (struct image_rate_limit){
		.packets = compile_limit(&in->per_connection, &in->per_connection.packets),
		.bytes = compile_limit(&in->per_connection, &in->per_connection.bytes),
		.source = compile_limit(&in->per_source, &in->per_source.connections),
		.listener = compile_limit(&in->listener, &in->listener.connections),
		.action = compile_action(&in->per_connection),
		.directions = in->per_connection.map.node != NULL
				      ? (uint8_t)in->per_connection.directions
				      : 0,
		.source_action = compile_action(&in->per_source),
		.listener_action = compile_action(&in->listener),
	};
}

struct image_guard compile_guard(const struct policy_reload *in)
{
	if (in->map.node == NULL)
		return (struct image_guard){0};
	return (struct image_guard){
		.watch_ms = (uint32_t)in->watch_ms,
		.error_rate_ppm = (uint32_t)in->rollback_if.error_rate * 100,
		.p99_us = (uint32_t)in->rollback_if.p99_us,
		.minimum_calls = (uint32_t)in->minimum_calls,
	};
}
