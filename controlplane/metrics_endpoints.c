/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "controlplane/metrics_rows.h"

static const struct metrics_field fields[] = {
	METRICS_CALLS("endpoint", offsetof(struct stats_endpoint, sum)),
	{"fender_endpoint_attempts_in_flight", "Attempts and connections it carries.",
	 METRICS_GAUGE, offsetof(struct stats_endpoint, state.in_flight)},
};

static const struct endpoint_state *state_of(const struct metrics_writer *w, uint32_t i)
{
	return &w->stats->endpoints[i].state;
}

static int phase(const struct metrics_writer *w, uint32_t i, uint64_t *value)
{
	*value = breaker_unpack(state_of(w, i)->breaker).phase;
	return 1;
}

static int override(const struct metrics_writer *w, uint32_t i, uint64_t *value)
{
	*value = admin_unpack(state_of(w, i)->admin).override;
	return 1;
}

static int health(const struct metrics_writer *w, uint32_t i, uint64_t *value)
{
	*value = admin_unpack(state_of(w, i)->admin).health;
	return 1;
}

static int drained(const struct metrics_writer *w, uint32_t i, uint64_t *value)
{
	*value = admin_unpack(state_of(w, i)->admin).drained;
	return 1;
}

/* 0: not measured. */
static int estimate(const struct metrics_writer *w, uint32_t i, uint64_t *value)
{
	*value = state_of(w, i)->ewma >> 32;
	return *value != 0;
}

static const struct metrics_computed gauges[] = {
	{"fender_endpoint_breaker_phase", "0 closed, 1 open, 2 half-open.", METRICS_WHOLE, phase},
	{"fender_endpoint_breaker_override", "Forced by an operator: 0 not, 1 open, 2 closed.",
	 METRICS_WHOLE, override},
	{"fender_endpoint_health", "0 unknown or unchecked, 1 healthy, 2 unhealthy.", METRICS_WHOLE,
	 health},
	{"fender_endpoint_drained", "1 while an operator keeps new connections away.",
	 METRICS_WHOLE, drained},
	{"fender_endpoint_latency_ewma_seconds", "Estimate of its latency.", METRICS_MILLIONTHS,
	 estimate},
};

void metrics_write_endpoints(const struct metrics_writer *w)
{
	const uint32_t count = w->stats->policy->endpoints.count;
	const struct metrics_rows rows = {w->stats->endpoints, sizeof(struct stats_endpoint), count,
					  w->endpoints};

	metrics_fields(w->m, &rows, fields, METRICS_COUNT(fields));
	metrics_gauges(w, gauges, METRICS_COUNT(gauges), w->endpoints, count);
}
