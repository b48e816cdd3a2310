/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "controlplane/metrics_rows.h"
#include "controlplane/stats_retry.h"
#include "shm/registry.h"

#define CLUSTER(field) offsetof(struct stats_cluster, field)

static const struct metrics_field fields[] = {
	METRICS_CALLS("cluster", CLUSTER(sum)),
#define X(name, text) \
	{"fender_cluster_" #name "_total", text, METRICS_COUNTER, CLUSTER(policy.name)},
	POLICY_COUNTERS(X)
#undef X
		{"fender_cluster_attempts_in_flight", "Attempts that have no verdict yet.",
		 METRICS_GAUGE, CLUSTER(state.attempts_in_flight)},
	{"fender_cluster_retries_in_flight", "Retries on the wire.", METRICS_GAUGE,
	 CLUSTER(state.retries_in_flight)},
	{"fender_cluster_ejected_endpoints", "Endpoints whose breaker is not closed.",
	 METRICS_GAUGE, CLUSTER(state.ejected)},
};

static const struct stats_cluster *cluster_of(const struct metrics_writer *w, uint32_t i)
{
	return &w->stats->clusters[i];
}

static const struct image_cluster *policy_of(const struct metrics_writer *w, uint32_t i)
{
	return &IMAGE_ARRAY(w->stats->policy, struct image_cluster, clusters)[i];
}

static int calls_in_flight(const struct metrics_writer *w, uint32_t i, uint64_t *value)
{
	*value = stats_calls_in_flight(&cluster_of(w, i)->sum);
	return 1;
}

static int connections(const struct metrics_writer *w, uint32_t i, uint64_t *value)
{
	*value = stats_calls_open(&cluster_of(w, i)->sum);
	return 1;
}

static int endpoints(const struct metrics_writer *w, uint32_t i, uint64_t *value)
{
	*value = policy_of(w, i)->endpoint_count;
	return 1;
}

static int has_bulkhead(const struct metrics_writer *w, uint32_t i)
{
	return policy_of(w, i)->bulkhead.mode != MODE_OFF;
}

static int permits(const struct metrics_writer *w, uint32_t i, uint64_t *value)
{
	*value = cluster_of(w, i)->state.bulkhead.word >> 32;
	return has_bulkhead(w, i);
}

static int permit_limit(const struct metrics_writer *w, uint32_t i, uint64_t *value)
{
	*value = policy_of(w, i)->bulkhead.max_concurrent;
	return has_bulkhead(w, i);
}

static int queued(const struct metrics_writer *w, uint32_t i, uint64_t *value)
{
	*value = (uint16_t)cluster_of(w, i)->state.bulkhead.word;
	return has_bulkhead(w, i);
}

static int queue_limit(const struct metrics_writer *w, uint32_t i, uint64_t *value)
{
	*value = policy_of(w, i)->bulkhead.max_queue;
	return has_bulkhead(w, i);
}

static int overshoot(const struct metrics_writer *w, uint32_t i, uint64_t *value)
{
	*value = cluster_of(w, i)->state.bulkhead.overshoot_max;
	return has_bulkhead(w, i);
}

/* A breaker can be forced without a policy for it. */
static int phase(const struct metrics_writer *w, uint32_t i, uint64_t *value)
{
	*value = breaker_unpack(cluster_of(w, i)->state.breaker).phase;
	return 1;
}

static int override(const struct metrics_writer *w, uint32_t i, uint64_t *value)
{
	*value = admin_unpack(cluster_of(w, i)->state.admin).override;
	return 1;
}

static int trips(const struct metrics_writer *w, uint32_t i, uint64_t *value)
{
	*value = breaker_unpack(cluster_of(w, i)->state.breaker).trips;
	return policy_of(w, i)->breaker.mode != MODE_OFF;
}

static int probes(const struct metrics_writer *w, uint32_t i, uint64_t *value)
{
	*value = breaker_unpack(cluster_of(w, i)->state.breaker).active;
	return policy_of(w, i)->breaker.mode != MODE_OFF;
}

/* A cluster's retry block; 0: it has none. */
static int retry_of(const struct metrics_writer *w, uint32_t i, struct stats_retry *retry)
{
	const struct image_retry *policy = &policy_of(w, i)->retry;

	stats_retry(retry, cluster_of(w, i), policy, w->stats->now_ns);
	return policy->mode != MODE_OFF;
}

static int window_calls(const struct metrics_writer *w, uint32_t i, uint64_t *value)
{
	struct stats_retry retry;
	int has = retry_of(w, i, &retry);

	*value = retry.window.calls;
	return has;
}

static int window_retries(const struct metrics_writer *w, uint32_t i, uint64_t *value)
{
	struct stats_retry retry;
	int has = retry_of(w, i, &retry);

	*value = retry.window.retries;
	return has;
}

static int window_allowed(const struct metrics_writer *w, uint32_t i, uint64_t *value)
{
	struct stats_retry retry;
	int has = retry_of(w, i, &retry);

	*value = retry.window.allowed;
	return has;
}

enum { HUNDREDTH = 10000 }; /* in millionths */

static int amplification(const struct metrics_writer *w, uint32_t i, uint64_t *value)
{
	struct stats_retry retry;
	int has = retry_of(w, i, &retry);

	*value = retry.amplification * HUNDREDTH;
	return has;
}

static int amplification_bound(const struct metrics_writer *w, uint32_t i, uint64_t *value)
{
	struct stats_retry retry;
	int has = retry_of(w, i, &retry);

	*value = retry.amplification_bound * HUNDREDTH;
	return has;
}

static const struct table_report *report_of(const struct metrics_writer *w, uint32_t i)
{
	return w->stats->table_report ? w->stats->table_report(w->stats->table_ctx, i) : NULL;
}

static int table_entries(const struct metrics_writer *w, uint32_t i, uint64_t *value)
{
	const struct table_report *report = report_of(w, i);

	*value = report ? report->entries : 0;
	return report != NULL;
}

static int moved_keys(const struct metrics_writer *w, uint32_t i, uint64_t *value)
{
	const struct table_report *report = report_of(w, i);

	*value = report ? (uint64_t)report->moved_keys_percent * 100 : 0;
	return report != NULL;
}

static int max_share(const struct metrics_writer *w, uint32_t i, uint64_t *value)
{
	const struct table_report *report = report_of(w, i);

	*value = report ? (uint64_t)report->max_share_over_mean * HUNDREDTH : 0;
	return report != NULL;
}

static const struct metrics_computed gauges[] = {
	{"fender_cluster_calls_in_flight", "Calls begun that have no end yet.", METRICS_WHOLE,
	 calls_in_flight},
	{"fender_cluster_connections", "Connections and flows now open.", METRICS_WHOLE,
	 connections},
	{"fender_cluster_endpoints", "Endpoints of the policy.", METRICS_WHOLE, endpoints},
	{"fender_cluster_bulkhead_permits", "Permits held.", METRICS_WHOLE, permits},
	{"fender_cluster_bulkhead_limit", "max_concurrent; 0: no bound.", METRICS_WHOLE,
	 permit_limit},
	{"fender_cluster_bulkhead_queued", "Calls that wait for a permit.", METRICS_WHOLE, queued},
	{"fender_cluster_bulkhead_queue_limit", "max_queue.", METRICS_WHOLE, queue_limit},
	{"fender_cluster_bulkhead_overshoot_max", "Permits ever held beyond the limit: 0.",
	 METRICS_WHOLE, overshoot},
	{"fender_cluster_breaker_phase", "0 closed, 1 open, 2 half-open.", METRICS_WHOLE, phase},
	{"fender_cluster_breaker_override", "Forced by an operator: 0 not, 1 open, 2 closed.",
	 METRICS_WHOLE, override},
	{"fender_cluster_breaker_trips", "Openings in a row.", METRICS_WHOLE, trips},
	{"fender_cluster_breaker_probes", "Probes under way.", METRICS_WHOLE, probes},
	{"fender_cluster_retry_window_calls", "Calls in the retry budget's window.", METRICS_WHOLE,
	 window_calls},
	{"fender_cluster_retry_window_retries", "Retries in it.", METRICS_WHOLE, window_retries},
	{"fender_cluster_retry_window_allowed", "Retries that it allows.", METRICS_WHOLE,
	 window_allowed},
	{"fender_cluster_amplification_ratio", "Attempts a call, measured.", METRICS_MILLIONTHS,
	 amplification},
	{"fender_cluster_amplification_bound_ratio", "Attempts a call that the policy allows.",
	 METRICS_MILLIONTHS, amplification_bound},
	{"fender_cluster_table_entries", "Entries of its look-up table.", METRICS_WHOLE,
	 table_entries},
	{"fender_cluster_table_moved_keys_ratio", "Keys that its last change moved.",
	 METRICS_MILLIONTHS, moved_keys},
	{"fender_cluster_table_max_share_ratio", "Largest share of an endpoint over its due.",
	 METRICS_MILLIONTHS, max_share},
};

static void write_reasons(const struct metrics_writer *w, const char *name, const char *help,
			  size_t by_reason)
{
	metrics_family(w->m, name, help, METRICS_COUNTER);
	for (uint32_t i = 0; i < w->stats->policy->clusters.count; i++)
		metrics_reasons(w, &w->clusters[i],
				(const uint64_t *)(const void *)((const char *)cluster_of(w, i) +
								 by_reason));
}

static const struct {
	const char *name;
	const char *help;
} histograms[HISTOGRAM_KINDS] = {
	[HISTOGRAM_CONNECT] = {"fender_cluster_connect_seconds",
			       "From an attempt's SYN to the endpoint's SYN-ACK."},
	[HISTOGRAM_FIRST_BYTE] = {"fender_cluster_first_byte_seconds",
				  "Connect time and time from the client's first byte to the "
				  "endpoint's first."},
	[HISTOGRAM_DURATION] = {"fender_cluster_duration_seconds",
				"From a client's first packet to the end of its connection or "
				"flow."},
	[HISTOGRAM_QUEUE_WAIT] = {"fender_cluster_queue_wait_seconds",
				  "In the queues of the bulkheads, of calls that waited."},
};

static void write_histograms(const struct metrics_writer *w, uint64_t *lost)
{
	const struct stats *s = w->stats;
	struct histogram_sum sum;

	for (uint32_t kind = 0; kind < HISTOGRAM_KINDS; kind++) {
		metrics_family(w->m, histograms[kind].name, histograms[kind].help,
			       METRICS_HISTOGRAM);
		for (uint32_t i = 0; i < s->policy->clusters.count; i++) {
			if (s->clusters[i].slot == REGISTRY_NONE)
				continue;
			histogram_collect(&sum, s->region, s->clusters[i].slot,
					  (enum histogram_kind)kind);
			*lost += sum.lost;
			/* Most clusters have no queue. */
			if (sum.count != 0 || kind != HISTOGRAM_QUEUE_WAIT)
				metrics_add_histogram(w->m, &w->clusters[i], &sum);
		}
	}
}

void metrics_write_clusters(const struct metrics_writer *w)
{
	const uint32_t count = w->stats->policy->clusters.count;
	const struct metrics_rows rows = {w->stats->clusters, sizeof(struct stats_cluster), count,
					  w->clusters};
	uint64_t lost = 0;

	metrics_fields(w->m, &rows, fields, METRICS_COUNT(fields));
	metrics_gauges(w, gauges, METRICS_COUNT(gauges), w->clusters, count);
	write_reasons(w, "fender_cluster_calls_rejected_by_reason_total",
		      "Calls rejected, by reason.", CLUSTER(policy.rejected));
	write_reasons(w, "fender_cluster_calls_failed_by_reason_total", "Calls failed, by reason.",
		      CLUSTER(policy.failed));
	write_histograms(w, &lost);
	metrics_family(w->m, "fender_times_lost_total", "Times that found no room in a histogram.",
		       METRICS_COUNTER);
	metrics_add(w->m, NULL, NULL, lost);
}
