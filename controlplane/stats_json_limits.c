/* SPDX-License-Identifier: Apache-2.0 */
/* What the rate limiter did, by listener and by interface. */
#include "controlplane/limits.h"
#include "controlplane/limits_resolve.h"
#include "controlplane/stats_json_parts.h"
#include "controlplane/stats_limits.h"

/* Verdicts that happened. */
static json_t *verdicts(const __u64 *by_verdict)
{
	json_t *object = json_object();

	for (unsigned int i = 0; i < LIMIT_VERDICT_COUNT; i++)
		if (by_verdict[i] > 0)
			stats_json_set(object, limits_verdict_name(i), by_verdict[i]);
	return object;
}

json_t *stats_json_limits(const struct limit_counters *c)
{
	json_t *object = json_object();

	json_object_set_new(object, "packets", verdicts(c->packets));
	json_object_set_new(object, "bytes", verdicts(c->bytes));
	stats_json_set(object, "full_starts", c->events[LIMIT_EVENT_FULL_START]);
	stats_json_set(object, "cold_starts", c->events[LIMIT_EVENT_COLD_START]);
	return object;
}

/* In ns: most verdicts take less than a microsecond. */
static json_t *times(const struct histogram_sum *sum)
{
	json_t *object = json_object();

	stats_json_set(object, "count", sum->count);
	stats_json_set(object, "sum_us", sum->sum_us);
	stats_json_set(object, "p50_ns", histogram_quantile_ns(sum, 5000));
	stats_json_set(object, "p90_ns", histogram_quantile_ns(sum, 9000));
	stats_json_set(object, "p99_ns", histogram_quantile_ns(sum, 9900));
	return object;
}

json_t *stats_json_verdict_times(const struct histogram_sum *by_hook)
{
	json_t *object = json_object();

	for (unsigned int hook = 0; hook < LIMIT_HOOKS; hook++)
		if (by_hook[hook].count > 0)
			json_object_set_new(object, stats_limits_hook_name(hook),
					    times(&by_hook[hook]));
	return object;
}

void stats_json_set_limiter(json_t *row, const struct stats *stats, uint32_t interface)
{
	const struct stats_limit_interface *i;

	if (!stats->limits)
		return;
	i = &stats->limits->interface[interface];
	stats_json_set_string(row, "limiter", limiter_name(i->limiter));
	if (i->fallback)
		stats_json_set_string(row, "limiter_fallback", i->fallback);
	json_object_set_new(row, "xdp", verdicts(i->counters.packets));
}

void stats_json_set_limits(json_t *row, const struct stats *stats, uint32_t listener)
{
	if (stats->limits)
		json_object_set_new(row, "limits",
				    stats_json_limits(&stats->limits->listeners[listener]));
}
