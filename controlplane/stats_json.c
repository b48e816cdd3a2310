/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/stats_json.h"

#include <stdio.h>

#include "controlplane/stats_json_parts.h"
#include "controlplane/stats_limits.h"
#include "shm/version.h"

static void set_packets(json_t *object, const struct packet_counters *p)
{
	stats_json_set(object, "received", p->received);
	stats_json_set(object, "originated", p->originated);
	stats_json_set(object, "transmitted", p->transmitted);
	stats_json_set(object, "consumed", p->consumed);
	stats_json_set(object, "handed_out", p->handed_out);
	stats_json_set(object, "handed_in", p->handed_in);
	stats_json_set(object, "held", p->held);
	json_object_set_new(object, "dropped", stats_json_reasons(p->dropped));
}

static const char *worker_state_name(uint32_t state)
{
	switch (state) {
	case WORKER_RUNNING:
		return "running";
	case WORKER_PARKED:
		return "parked";
	default:
		return "stopped";
	}
}

static json_t *workers_json(const struct stats *stats)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < stats->workers; i++) {
		const struct stats_worker *w = &stats->worker[i];
		json_t *row = json_object();

		stats_json_set(row, "worker", i);
		stats_json_set_string(row, "state", worker_state_name(w->state));
		stats_json_set(row, "cpu", w->cpu);
		stats_json_set(row, "heartbeat_age_ms", w->heartbeat_age_ms);
		stats_json_set(row, "applied_generation", w->applied_generation);
		stats_json_set(row, "loops", w->loops);
		stats_json_set(row, "busy_loops", w->busy_loops);
		stats_json_set(row, "sleeps", w->sleeps);
		stats_json_set(row, "neighbours_pending", w->neighbours_pending);
		stats_json_set(row, "connections_used", w->connections_open);
		stats_json_set(row, "connections_resting", w->connections_resting);
		stats_json_set(row, "resting_recycled", w->resting_recycled);
		stats_json_set(row, "challenges_answered", w->challenges_answered);
		stats_json_set(row, "syn_repeated", w->syn_repeated);
		set_packets(row, &w->packets);
		stats_json_set(row, "in_flight", (uint64_t)w->in_flight);
		stats_json_set_bool(row, "settled", w->settled);
		json_array_append_new(array, row);
	}
	return array;
}

static const char *device_prefix(uint8_t kind)
{
	switch (kind) {
	case DEVICE_AF_XDP:
		return "af_xdp";
	case DEVICE_PCI:
		return "pci";
	default:
		return "vdev";
	}
}

static void set_device(json_t *row, const struct stats *stats, const struct image_interface *policy)
{
	char device[MAX_DEVICE_BYTES + 8];

	snprintf(device, sizeof(device), "%s:%s", device_prefix(policy->kind),
		 image_string(stats->policy, policy->device));
	stats_json_set_string(row, "device", device);
}

static void set_mac(json_t *row, const uint8_t *mac)
{
	char text[18];

	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		 mac[3], mac[4], mac[5]);
	stats_json_set_string(row, "mac", text);
}

static json_t *interfaces_json(const struct stats *stats)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < stats->policy->interfaces.count; i++) {
		const struct stats_interface *f = &stats->interface[i];
		json_t *row = json_object();

		stats_json_set_string(row, "name", image_string(stats->policy, f->policy->name));
		set_device(row, stats, f->policy);
		stats_json_set_bool(row, "link", f->port.link_up != 0);
		set_mac(row, f->port.mac);
		stats_json_set(row, "mtu", f->port.mtu);
		stats_json_set(row, "queues", f->port.queues);
		stats_json_set(row, "rx_packets", f->sum.rx_packets);
		stats_json_set(row, "rx_bytes", f->sum.rx_bytes);
		stats_json_set(row, "tx_packets", f->sum.tx_packets);
		stats_json_set(row, "tx_bytes", f->sum.tx_bytes);
		stats_json_set(row, "tx_full", f->sum.tx_full);
		stats_json_set(row, "rx_missed", f->port.rx_missed);
		stats_json_set(row, "rx_nombuf", f->port.rx_nombuf);
		stats_json_set_limiter(row, stats, i);
		json_array_append_new(array, row);
	}
	return array;
}

static json_t *draining_json(const struct stats *stats)
{
	static const char *const kinds[] = {
		[STATS_LISTENER] = "listener",
		[STATS_CLUSTER] = "cluster",
		[STATS_ENDPOINT] = "endpoint",
	};
	json_t *array = json_array();

	for (uint32_t i = 0; i < stats->draining_count; i++) {
		json_t *row = json_object();

		stats_json_set_string(row, "kind", kinds[stats->draining[i].kind]);
		stats_json_set_string(row, "name", stats->draining[i].name);
		stats_json_set_calls(row, &stats->draining[i].sum);
		json_array_append_new(array, row);
	}
	return array;
}

static json_t *dataplane_json(const struct stats *stats, const struct stats_process *process)
{
	json_t *object = json_object();

	stats_json_set_string(object, "state", process->state);
	stats_json_set(object, "pid", (uint64_t)process->pid);
	stats_json_set(object, "uptime_ms", process->uptime_ms);
	stats_json_set(object, "starts", stats->dataplane_starts);
	stats_json_set(object, "restarts", process->restarts);
	stats_json_set(object, "adopted_generation", stats->adopted_generation);
	stats_json_set(object, "applied_generation", stats->applied_generation);
	stats_json_set(object, "refused_generation", stats->nacked_generation);
	return object;
}

static json_t *packets_json(const struct stats *stats)
{
	json_t *object = json_object();

	set_packets(object, &stats->packets);
	stats_json_set(object, "dropped_total", stats->dropped);
	return object;
}

static json_t *conservation_json(const struct stats *stats)
{
	json_t *object = json_object();

	stats_json_set_bool(object, "holds", stats->holds);
	stats_json_set(object, "in_flight", (uint64_t)stats->in_flight);
	stats_json_set(object, "in_rings", (uint64_t)stats->in_rings);
	return object;
}

static json_t *connections_json(const struct stats *stats)
{
	json_t *object = json_object();

	stats_json_set(object, "used", stats->connections_open);
	stats_json_set(object, "resting", stats->connections_resting);
	stats_json_set(object, "capacity", stats->connection_capacity);
	return object;
}

json_t *stats_json_head(const struct stats *stats, const struct stats_process *process)
{
	json_t *root = json_object();
	char hash[17];

	snprintf(hash, sizeof(hash), "%016llx", (unsigned long long)stats->policy->content_hash);
	stats_json_set_string(root, "instance", stats->instance);
	stats_json_set_string(root, "version", FENDER_VERSION);
	stats_json_set(root, "time_ns", stats->now_ns);
	stats_json_set_bool(root, "ready", process->ready);
	stats_json_set(root, "generation", stats->active_generation);
	stats_json_set_string(root, "policy_hash", hash);
	if (stats->build_us)
		stats_json_set(root, "policy_build_us", stats->build_us);
	stats_json_set(root, "region_bytes", stats->region_bytes);
	json_object_set_new(root, "dataplane", dataplane_json(stats, process));
	json_object_set_new(root, "connections", connections_json(stats));
	json_object_set_new(root, "packets", packets_json(stats));
	json_object_set_new(root, "conservation", conservation_json(stats));
	json_object_set_new(root, "workers", workers_json(stats));
	json_object_set_new(root, "interfaces", interfaces_json(stats));
	json_object_set_new(root, "draining", draining_json(stats));
	if (stats->limits)
		json_object_set_new(root, "limiter_verdicts",
				    stats_json_verdict_times(stats->limits->times));
	return root;
}

static json_t *listeners_json(const struct stats *stats)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < stats->policy->listeners.count; i++)
		json_array_append_new(array, stats_json_listener(stats, i));
	return array;
}

static json_t *clusters_json(const struct stats *stats)
{
	json_t *array = json_array();

	for (uint32_t i = 0; i < stats->policy->clusters.count; i++)
		json_array_append_new(array, stats_json_cluster(stats, i));
	return array;
}

static json_t *endpoints_json(const struct stats *stats)
{
	const struct image_cluster *clusters =
		IMAGE_ARRAY(stats->policy, struct image_cluster, clusters);
	json_t *array = json_array();

	for (uint32_t i = 0; i < stats->policy->clusters.count; i++) {
		uint32_t first = clusters[i].first_endpoint;

		for (uint32_t e = first; e < first + clusters[i].endpoint_count; e++)
			json_array_append_new(array, stats_json_endpoint(stats, i, e));
	}
	return array;
}

json_t *stats_json(const struct stats *stats, const struct stats_process *process)
{
	json_t *root = stats_json_head(stats, process);

	json_object_set_new(root, "listeners", listeners_json(stats));
	json_object_set_new(root, "clusters", clusters_json(stats));
	json_object_set_new(root, "endpoints", endpoints_json(stats));
	return root;
}
