/* SPDX-License-Identifier: Apache-2.0 */
/* What the policies remember: breakers, permits, budgets, health. */
#include "controlplane/health_reason.h"
#include "controlplane/stats_json_parts.h"
#include "controlplane/stats_retry.h"

static const char *mode_name(enum image_mode mode)
{
	switch (mode) {
	case MODE_ENFORCE:
		return "enforce";
	case MODE_OBSERVE:
		return "observe";
	default:
		return "off";
	}
}

static const char *phase_name(uint8_t phase)
{
	switch (phase) {
	case BREAKER_OPEN:
		return "open";
	case BREAKER_HALF_OPEN:
		return "half_open";
	default:
		return "closed";
	}
}

static const char *override_name(uint8_t override)
{
	switch (override) {
	case OVERRIDE_OPEN:
		return "open";
	case OVERRIDE_CLOSED:
		return "closed";
	default:
		return "none";
	}
}

/* Milliseconds until @until_ms, modulo 2^32; 0 when it has passed. */
static uint64_t ms_left(uint32_t until_ms, uint64_t now_ns)
{
	int32_t left = (int32_t)(until_ms - state_ms(now_ns));

	return left > 0 ? (uint64_t)left : 0;
}

json_t *stats_json_breaker(uint64_t word, uint64_t admin, enum image_mode mode, uint64_t now_ns)
{
	const struct breaker_word b = breaker_unpack(word);
	json_t *object = json_object();

	stats_json_set_string(object, "mode", mode_name(mode));
	stats_json_set_string(object, "phase", phase_name(b.phase));
	stats_json_set_string(object, "override", override_name(admin_unpack(admin).override));
	stats_json_set(object, "epoch", b.epoch);
	stats_json_set(object, "trips", b.trips);
	if (b.phase != BREAKER_CLOSED)
		stats_json_set(object, "until_ms", ms_left(b.until_ms, now_ns));
	stats_json_set(object, "consecutive_failures", b.consecutive);
	stats_json_set(object, "probes_active", b.active);
	stats_json_set(object, "probes_ok", b.ok);
	return object;
}

json_t *stats_json_bulkhead(const struct bulkhead_state *state, const struct image_bulkhead *policy)
{
	json_t *object = json_object();

	stats_json_set_string(object, "mode", mode_name((enum image_mode)policy->mode));
	stats_json_set_string(object, "scope",
			      policy->scope == SCOPE_SOURCE ? "source" : "cluster");
	stats_json_set(object, "in_flight", state->word >> 32);
	stats_json_set(object, "max_concurrent", policy->max_concurrent);
	stats_json_set(object, "queued", (uint16_t)state->word);
	stats_json_set(object, "max_queue", policy->max_queue);
	stats_json_set(object, "overshoot_max", state->overshoot_max);
	return object;
}

/* In hundredths as a real number. */
static void set_ratio(json_t *object, const char *key, uint64_t hundredths)
{
	json_object_set_new(object, key, json_real((double)hundredths / 100));
}

json_t *stats_json_retry(const struct stats_cluster *c, const struct image_retry *policy,
			 uint64_t now_ns)
{
	json_t *object = json_object();
	struct stats_retry retry;

	stats_retry(&retry, c, policy, now_ns);
	stats_json_set_string(object, "mode", mode_name((enum image_mode)policy->mode));
	stats_json_set(object, "on_wire", c->state.retries_in_flight);
	stats_json_set(object, "window_calls", retry.window.calls);
	stats_json_set(object, "window_retries", retry.window.retries);
	stats_json_set(object, "window_allowed", retry.window.allowed);
	set_ratio(object, "amplification", retry.amplification);
	set_ratio(object, "amplification_bound", retry.amplification_bound);
	return object;
}

json_t *stats_json_policy_counters(const struct policy_counters *c)
{
	json_t *object = json_object();

	for (unsigned int i = 0; i < POLICY_COUNTER_COUNT; i++)
		stats_json_set(object, policy_counter_name(i), c->all[i]);
	return object;
}

static const char *health_name(uint8_t health)
{
	switch (health) {
	case HEALTH_HEALTHY:
		return "healthy";
	case HEALTH_UNHEALTHY:
		return "unhealthy";
	default:
		return "unknown";
	}
}

json_t *stats_json_health(uint64_t admin, const struct image_health_check *policy, uint64_t now_ns)
{
	const struct admin_word a = admin_unpack(admin);
	json_t *object = json_object();

	stats_json_set_string(object, "state",
			      policy->type == HEALTH_NONE ? "unchecked" : health_name(a.health));
	if (a.health == HEALTH_UNHEALTHY)
		stats_json_set_string(object, "why", health_reason_name(a.why));
	/* 0: from the start. */
	if (a.since_ms != 0)
		stats_json_set(object, "since_ms", (uint32_t)(state_ms(now_ns) - a.since_ms));
	return object;
}
