/* SPDX-License-Identifier: Apache-2.0 */
/* What the policy names: listeners, clusters, endpoints. */
#include "controlplane/stats_json_parts.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

void stats_json_set(json_t *object, const char *key, uint64_t value)
{
	json_object_set_new(object, key, json_integer((json_int_t)value));
}

void stats_json_set_string(json_t *object, const char *key, const char *value)
{
	json_object_set_new(object, key, json_string(value));
}

void stats_json_set_bool(json_t *object, const char *key, int value)
{
	json_object_set_new(object, key, json_boolean(value));
}

/* Reasons that happened: name -> count. */
json_t *stats_json_reasons(const uint64_t *by_reason)
{
	json_t *object = json_object();

	for (unsigned int i = 0; i < REASON_SLOTS; i++)
		if (by_reason[i] > 0)
			stats_json_set(object, reason_name(i), by_reason[i]);
	return object;
}

void stats_json_set_calls(json_t *object, const struct call_counters *c)
{
	stats_json_set(object, "started", c->started);
	stats_json_set(object, "succeeded", c->succeeded);
	stats_json_set(object, "failed", c->failed);
	stats_json_set(object, "cancelled", c->cancelled);
	stats_json_set(object, "rejected", c->rejected);
	stats_json_set(object, "in_flight", stats_calls_in_flight(c));
	stats_json_set(object, "opened", c->opened);
	stats_json_set(object, "closed", c->closed);
	stats_json_set(object, "open", stats_calls_open(c));
	stats_json_set(object, "to_endpoint_packets", c->to_endpoint_packets);
	stats_json_set(object, "to_endpoint_bytes", c->to_endpoint_bytes);
	stats_json_set(object, "to_client_packets", c->to_client_packets);
	stats_json_set(object, "to_client_bytes", c->to_client_bytes);
}

static void format_bind(const struct image_listener *l, char *out, size_t out_size)
{
	char address[INET6_ADDRSTRLEN];

	if (l->family == FAMILY_V4) {
		inet_ntop(AF_INET, &l->ip.b[12], address, sizeof(address));
		snprintf(out, out_size, "%s:%u", address, ntohs(l->port));
	} else {
		inet_ntop(AF_INET6, l->ip.b, address, sizeof(address));
		snprintf(out, out_size, "[%s]:%u", address, ntohs(l->port));
	}
}

static const char *cluster_name(const struct stats *stats, uint32_t cluster)
{
	const struct image_header *policy = stats->policy;

	return image_string(policy,
			    IMAGE_ARRAY(policy, struct image_cluster, clusters)[cluster].name);
}

json_t *stats_json_listener(const struct stats *stats, uint32_t i)
{
	const struct stats_listener *l = &stats->listeners[i];
	char bind[INET6_ADDRSTRLEN + 8];
	json_t *row = json_object();

	format_bind(l->policy, bind, sizeof(bind));
	stats_json_set_string(row, "name", image_string(stats->policy, l->policy->name));
	stats_json_set_string(row, "bind", bind);
	stats_json_set_string(row, "protocol", l->policy->proto == PROTO_TCP ? "tcp" : "udp");
	stats_json_set_string(
		row, "interface",
		image_string(stats->policy, stats->interface[l->policy->interface].policy->name));
	stats_json_set_string(row, "cluster", cluster_name(stats, l->policy->cluster));
	stats_json_set_calls(row, &l->sum.calls);
	json_object_set_new(row, "rejected_by_reason", stats_json_reasons(l->sum.rejected));
	json_object_set_new(row, "failed_by_reason", stats_json_reasons(l->sum.failed));
	json_object_set_new(row, "bulkhead",
			    stats_json_bulkhead(&l->state.bulkhead, &l->policy->bulkhead));
	stats_json_set_limits(row, stats, i);
	return row;
}

static const char *algorithm_name(uint8_t algorithm)
{
	static const char *const names[LB_ALGORITHMS] = {
		[LB_ROUND_ROBIN] = "round_robin", [LB_MAGLEV] = "maglev",
		[LB_RANDOM] = "random",           [LB_LEAST_REQUESTS] = "least_requests",
		[LB_PEAK_EWMA] = "peak_ewma",     [LB_RING_HASH] = "ring_hash",
		[LB_RENDEZVOUS] = "rendezvous",
	};

	return algorithm < LB_ALGORITHMS ? names[algorithm] : "unknown";
}

static void set_policies(json_t *row, const struct stats_cluster *c,
			 const struct image_cluster *policy, uint64_t now_ns)
{
	json_object_set_new(row, "breaker",
			    stats_json_breaker(c->state.breaker, c->state.admin,
					       (enum image_mode)policy->breaker.mode, now_ns));
	json_object_set_new(row, "bulkhead",
			    stats_json_bulkhead(&c->state.bulkhead, &policy->bulkhead));
	json_object_set_new(row, "retry", stats_json_retry(c, &policy->retry, now_ns));
	json_object_set_new(row, "policy", stats_json_policy_counters(&c->policy));
	json_object_set_new(row, "rejected_by_reason", stats_json_reasons(c->policy.rejected));
	json_object_set_new(row, "failed_by_reason", stats_json_reasons(c->policy.failed));
	stats_json_set(row, "attempts_in_flight", c->state.attempts_in_flight);
	stats_json_set(row, "ejected", c->state.ejected);
}

/* What the last change did to its balance; nothing is known of a policy that was taken over. */
static void set_table(json_t *row, const struct stats *stats, uint32_t cluster)
{
	const struct table_report *report =
		stats->table_report ? stats->table_report(stats->table_ctx, cluster) : NULL;

	if (!report)
		return;
	json_object_set_new(
		row, "table",
		json_pack("{s:I,s:f,s:f}", "entries", (json_int_t)report->entries,
			  "moved_keys_percent", (double)report->moved_keys_percent / 100,
			  "max_share_over_mean", (double)report->max_share_over_mean / 100));
}

json_t *stats_json_cluster(const struct stats *stats, uint32_t i)
{
	const struct image_cluster *policy =
		&IMAGE_ARRAY(stats->policy, struct image_cluster, clusters)[i];
	json_t *row = json_object();

	stats_json_set_string(row, "name", cluster_name(stats, i));
	stats_json_set_string(row, "algorithm", algorithm_name(policy->algorithm));
	stats_json_set(row, "endpoints", policy->endpoint_count);
	stats_json_set_calls(row, &stats->clusters[i].sum);
	set_policies(row, &stats->clusters[i], policy, stats->now_ns);
	set_table(row, stats, i);
	json_object_set_new(row, "latency", stats_json_latency(stats, i));
	return row;
}

static void set_endpoint_state(json_t *row, const struct endpoint_state *s,
			       const struct image_cluster *cluster, uint64_t now_ns)
{
	json_object_set_new(row, "health", stats_json_health(s->admin, &cluster->health, now_ns));
	json_object_set_new(row, "breaker",
			    stats_json_breaker(s->breaker, s->admin,
					       (enum image_mode)cluster->outlier.breaker.mode,
					       now_ns));
	stats_json_set_bool(row, "drained", admin_unpack(s->admin).drained);
	stats_json_set(row, "attempts_in_flight", s->in_flight);
	stats_json_set(row, "ewma_us", s->ewma >> 32);
}

json_t *stats_json_endpoint(const struct stats *stats, uint32_t cluster, uint32_t i)
{
	const struct image_cluster *clusters =
		IMAGE_ARRAY(stats->policy, struct image_cluster, clusters);
	const struct image_endpoint *policy =
		&IMAGE_ARRAY(stats->policy, struct image_endpoint, endpoints)[i];
	json_t *row = json_object();

	stats_json_set_string(row, "cluster", cluster_name(stats, cluster));
	stats_json_set_string(row, "address", image_string(stats->policy, policy->name));
	stats_json_set(row, "weight", policy->weight);
	stats_json_set(row, "priority", policy->priority);
	stats_json_set_calls(row, &stats->endpoints[i].sum);
	set_endpoint_state(row, &stats->endpoints[i].state, &clusters[cluster], stats->now_ns);
	return row;
}
