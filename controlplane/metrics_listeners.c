/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "controlplane/limits.h"
#include "controlplane/metrics_rows.h"
#include "controlplane/stats_limits.h"

static const struct metrics_field fields[] = {
	METRICS_CALLS("listener", offsetof(struct stats_listener, sum.calls)),
};

static const struct stats_listener *listener_of(const struct metrics_writer *w, uint32_t i)
{
	return &w->stats->listeners[i];
}

static int calls_in_flight(const struct metrics_writer *w, uint32_t i, uint64_t *value)
{
	*value = stats_calls_in_flight(&listener_of(w, i)->sum.calls);
	return 1;
}

static int connections(const struct metrics_writer *w, uint32_t i, uint64_t *value)
{
	*value = stats_calls_open(&listener_of(w, i)->sum.calls);
	return 1;
}

/* A value of the bulkhead's; none where there is no bulkhead. */
static int of_bulkhead(const struct metrics_writer *w, uint32_t i, uint64_t *value, uint64_t is)
{
	*value = is;
	return listener_of(w, i)->policy->bulkhead.mode != MODE_OFF;
}

static int permits(const struct metrics_writer *w, uint32_t i, uint64_t *value)
{
	return of_bulkhead(w, i, value, listener_of(w, i)->state.bulkhead.word >> 32);
}

static int permit_limit(const struct metrics_writer *w, uint32_t i, uint64_t *value)
{
	return of_bulkhead(w, i, value, listener_of(w, i)->policy->bulkhead.max_concurrent);
}

static int queued(const struct metrics_writer *w, uint32_t i, uint64_t *value)
{
	return of_bulkhead(w, i, value, (uint16_t)listener_of(w, i)->state.bulkhead.word);
}

static int queue_limit(const struct metrics_writer *w, uint32_t i, uint64_t *value)
{
	return of_bulkhead(w, i, value, listener_of(w, i)->policy->bulkhead.max_queue);
}

static int overshoot(const struct metrics_writer *w, uint32_t i, uint64_t *value)
{
	return of_bulkhead(w, i, value, listener_of(w, i)->state.bulkhead.overshoot_max);
}

static const struct metrics_computed gauges[] = {
	{"fender_listener_calls_in_flight", "Calls begun that have no end yet.", METRICS_WHOLE,
	 calls_in_flight},
	{"fender_listener_connections", "Connections and flows now open.", METRICS_WHOLE,
	 connections},
	{"fender_listener_bulkhead_permits", "Permits held.", METRICS_WHOLE, permits},
	{"fender_listener_bulkhead_limit", "max_concurrent; 0: no bound.", METRICS_WHOLE,
	 permit_limit},
	{"fender_listener_bulkhead_queued", "Calls that wait for a permit.", METRICS_WHOLE, queued},
	{"fender_listener_bulkhead_queue_limit", "max_queue.", METRICS_WHOLE, queue_limit},
	{"fender_listener_bulkhead_overshoot_max", "Permits ever held beyond the limit: 0.",
	 METRICS_WHOLE, overshoot},
};

static void write_reasons(const struct metrics_writer *w, const char *name, const char *help,
			  size_t by_reason)
{
	metrics_family(w->m, name, help, METRICS_COUNTER);
	for (uint32_t i = 0; i < w->stats->policy->listeners.count; i++)
		metrics_reasons(w, &w->listeners[i],
				(const uint64_t *)(const void *)((const char *)listener_of(w, i) +
								 by_reason));
}

static int was_limited(const struct limit_counters *c)
{
	uint64_t any = 0;

	for (uint32_t i = 0; i < LIMIT_VERDICT_COUNT; i++)
		any |= c->packets[i];
	return any != 0;
}

/* All verdicts of a listener whose packets some limiter has seen. */
static void write_verdicts(const struct metrics_writer *w, const char *name, const char *help,
			   size_t by_verdict)
{
	struct metrics_labels reason[LIMIT_VERDICT_COUNT];

	for (uint32_t i = 0; i < LIMIT_VERDICT_COUNT; i++)
		reason[i] = metrics_label(w->m, "reason", limits_verdict_name(i));
	metrics_family(w->m, name, help, METRICS_COUNTER);
	for (uint32_t i = 0; i < w->stats->policy->listeners.count; i++) {
		const struct limit_counters *c = &w->stats->limits->listeners[i];
		const __u64 *values = (const void *)((const char *)c + by_verdict);

		for (uint32_t k = 0; was_limited(c) && k < LIMIT_VERDICT_COUNT; k++)
			metrics_add(w->m, &w->listeners[i], &reason[k], values[k]);
	}
}

static const struct metrics_field limit_fields[] = {
	{"fender_limiter_full_starts_total", "Buckets of connections that began full.",
	 METRICS_COUNTER,
	 offsetof(struct limit_counters, events) + LIMIT_EVENT_FULL_START * sizeof(__u64)},
	{"fender_limiter_cold_starts_total", "Buckets that began empty.", METRICS_COUNTER,
	 offsetof(struct limit_counters, events) + LIMIT_EVENT_COLD_START * sizeof(__u64)},
};

static void write_limits(const struct metrics_writer *w)
{
	const struct metrics_rows rows = {w->stats->limits->listeners,
					  sizeof(struct limit_counters),
					  w->stats->policy->listeners.count, w->listeners};

	write_verdicts(w, "fender_limiter_packets_total", "Packets, by what the rate limiter said.",
		       offsetof(struct limit_counters, packets));
	write_verdicts(w, "fender_limiter_bytes_total", "Their IP bytes.",
		       offsetof(struct limit_counters, bytes));
	metrics_fields(w->m, &rows, limit_fields, METRICS_COUNT(limit_fields));
}

/* Where none was timed there is none. */
static void write_verdict_times(const struct metrics_writer *w)
{
	const struct histogram_sum *times = w->stats->limits->times;
	struct metrics_labels hook[LIMIT_HOOKS];

	for (uint32_t i = 0; i < LIMIT_HOOKS; i++)
		hook[i] = metrics_label(w->m, "hook", stats_limits_hook_name(i));
	metrics_family(w->m, "fender_limiter_verdict_seconds",
		       "Time of the rate limiter's verdicts, of one in about 250.",
		       METRICS_HISTOGRAM);
	for (uint32_t i = 0; i < LIMIT_HOOKS; i++)
		if (times[i].count > 0)
			metrics_add_histogram(w->m, &hook[i], &times[i]);
}

void metrics_write_listeners(const struct metrics_writer *w)
{
	const uint32_t count = w->stats->policy->listeners.count;
	const struct metrics_rows rows = {w->stats->listeners, sizeof(struct stats_listener), count,
					  w->listeners};

	metrics_fields(w->m, &rows, fields, METRICS_COUNT(fields));
	metrics_gauges(w, gauges, METRICS_COUNT(gauges), w->listeners, count);
	write_reasons(w, "fender_listener_calls_rejected_by_reason_total",
		      "Calls rejected, by reason.", offsetof(struct stats_listener, sum.rejected));
	write_reasons(w, "fender_listener_calls_failed_by_reason_total", "Calls failed, by reason.",
		      offsetof(struct stats_listener, sum.failed));
	if (w->stats->limits) {
		write_limits(w);
		write_verdict_times(w);
	}
}
