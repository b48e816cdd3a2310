/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces that stats_json() is put together from. */
#ifndef FENDER_CONTROLPLANE_STATS_JSON_PARTS_H
#define FENDER_CONTROLPLANE_STATS_JSON_PARTS_H

#include <jansson.h>
#include <stdint.h>

#include "controlplane/stats.h"

void stats_json_set(json_t *object, const char *key, uint64_t value);
void stats_json_set_string(json_t *object, const char *key, const char *value);
void stats_json_set_bool(json_t *object, const char *key, int value);
void stats_json_set_calls(json_t *object, const struct call_counters *c);

/* REASON_SLOTS counters -> {"name": count} of those that happened. */
json_t *stats_json_reasons(const uint64_t *by_reason);

/* stats_json_state.c: what the policies remember, as objects. */
json_t *stats_json_breaker(uint64_t word, uint64_t admin, enum image_mode mode, uint64_t now_ns);
json_t *stats_json_bulkhead(const struct bulkhead_state *state,
			    const struct image_bulkhead *policy);
json_t *stats_json_retry(const struct stats_cluster *c, const struct image_retry *policy,
			 uint64_t now_ns);
json_t *stats_json_policy_counters(const struct policy_counters *c);
json_t *stats_json_health(uint64_t admin, const struct image_health_check *policy, uint64_t now_ns);

/* stats_json_latency.c: {"connect": {...}, ...}, without the kinds that have no value. */
json_t *stats_json_latency(const struct stats *stats, uint32_t cluster);

/* stats_json_limits.c; nothing when @stats has no limits. */
struct limit_counters;
json_t *stats_json_limits(const struct limit_counters *c);
/* {"xdp": {...}, "worker": {...}}, without those that have timed none. */
json_t *stats_json_verdict_times(const struct histogram_sum *by_hook);
void stats_json_set_limits(json_t *row, const struct stats *stats, uint32_t listener);
void stats_json_set_limiter(json_t *row, const struct stats *stats, uint32_t interface);

/* Rows. Numbers are positions in the policy's image. */
json_t *stats_json_listener(const struct stats *stats, uint32_t i);
json_t *stats_json_cluster(const struct stats *stats, uint32_t i);
json_t *stats_json_endpoint(const struct stats *stats, uint32_t cluster, uint32_t i);

#endif
