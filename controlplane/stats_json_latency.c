/* SPDX-License-Identifier: Apache-2.0 */
/* The times of a cluster's calls, out of its histograms. */
#include "controlplane/stats_json_parts.h"
#include "shm/registry.h"

static json_t *summary(const struct histogram_sum *sum)
{
	json_t *object = json_object();

	stats_json_set(object, "count", sum->count);
	stats_json_set(object, "sum_us", sum->sum_us);
	stats_json_set(object, "p50_us", histogram_quantile_ns(sum, 5000) / 1000);
	stats_json_set(object, "p90_us", histogram_quantile_ns(sum, 9000) / 1000);
	stats_json_set(object, "p99_us", histogram_quantile_ns(sum, 9900) / 1000);
	return object;
}

json_t *stats_json_latency(const struct stats *stats, uint32_t cluster)
{
	const uint32_t slot = stats->clusters[cluster].slot;
	json_t *object = json_object();
	struct histogram_sum sum;

	for (unsigned int kind = 0; slot != REGISTRY_NONE && kind < HISTOGRAM_KINDS; kind++) {
		histogram_collect(&sum, stats->region, slot, (enum histogram_kind)kind);
		if (sum.count != 0)
			json_object_set_new(object, histogram_name(kind), summary(&sum));
	}
	return object;
}
