/* SPDX-License-Identifier: Apache-2.0 */
#include "controlplane/stats_sum.h"

/*
 * Orders the reads of ends before the reads of beginnings. The worker counts the beginning
 * first; on x86 its plain stores are seen in that order.
 */
static void ends_are_read(void)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
}

static void read_packets(struct packet_counters *out, const struct packet_counters *in)
{
	for (uint32_t i = 0; i < REASON_SLOTS; i++)
		out->dropped[i] = counter_read(&in->dropped[i]);
	out->transmitted = counter_read(&in->transmitted);
	out->consumed = counter_read(&in->consumed);
	out->handed_out = counter_read(&in->handed_out);
	ends_are_read();
	out->held = counter_read(&in->held);
	ends_are_read();
	out->received = counter_read(&in->received);
	out->originated = counter_read(&in->originated);
	out->handed_in = counter_read(&in->handed_in);
}

static int64_t packets_in_flight(const struct packet_counters *p)
{
	uint64_t in = p->received + p->handed_in + p->originated;
	uint64_t out = p->transmitted + p->consumed + p->handed_out + p->held;

	for (uint32_t i = 0; i < REASON_SLOTS; i++)
		out += p->dropped[i];
	return (int64_t)(in - out);
}

void stats_sum_worker(struct stats_worker *out, const struct worker_block *block, uint64_t now_ns)
{
	uint64_t heartbeat_ns = counter_read(&block->heartbeat_ns);

	out->loops = counter_read(&block->loops);
	ends_are_read();
	read_packets(&out->packets, &block->packets);
	ends_are_read();
	out->state = __atomic_load_n(&block->state, __ATOMIC_RELAXED);
	out->settled = out->state != WORKER_RUNNING && counter_read(&block->loops) == out->loops;
	out->in_flight = packets_in_flight(&out->packets);
	out->cpu = __atomic_load_n(&block->cpu, __ATOMIC_RELAXED);
	out->heartbeat_age_ms = heartbeat_ns < now_ns ? (now_ns - heartbeat_ns) / 1000000 : 0;
	out->applied_generation = counter_read(&block->applied_generation);
	out->busy_loops = counter_read(&block->busy_loops);
	out->sleeps = counter_read(&block->sleeps);
	out->neighbours_pending = counter_read(&block->neighbours_pending);
	out->connections_open = counter_read(&block->connections_open);
	out->connections_resting = counter_read(&block->connections_resting);
	out->resting_recycled = counter_read(&block->resting_recycled);
	out->challenges_answered = counter_read(&block->challenges_answered);
	out->syn_repeated = counter_read(&block->syn_repeated);
}

void stats_sum_interface(struct interface_counters *out, const struct region *region,
			 uint32_t interface)
{
	*out = (struct interface_counters){0};
	for (uint32_t i = 0; i < region->shape.workers; i++) {
		const struct interface_counters *c =
			region_interface_counters(region, i, interface);

		out->rx_packets += counter_read(&c->rx_packets);
		out->rx_bytes += counter_read(&c->rx_bytes);
		out->tx_packets += counter_read(&c->tx_packets);
		out->tx_bytes += counter_read(&c->tx_bytes);
		out->tx_full += counter_read(&c->tx_full);
	}
}

static void add_calls(struct call_counters *out, const struct call_counters *in)
{
	out->closed += counter_read(&in->closed);
	out->succeeded += counter_read(&in->succeeded);
	out->failed += counter_read(&in->failed);
	out->cancelled += counter_read(&in->cancelled);
	out->rejected += counter_read(&in->rejected);
	ends_are_read();
	out->started += counter_read(&in->started);
	out->opened += counter_read(&in->opened);
	out->to_endpoint_packets += counter_read(&in->to_endpoint_packets);
	out->to_endpoint_bytes += counter_read(&in->to_endpoint_bytes);
	out->to_client_packets += counter_read(&in->to_client_packets);
	out->to_client_bytes += counter_read(&in->to_client_bytes);
}

void stats_sum_listener(struct listener_counters *out, const struct region *region, uint32_t slot)
{
	*out = (struct listener_counters){0};
	for (uint32_t i = 0; i < region->shape.workers; i++) {
		const struct listener_counters *c = region_listener_counters(region, i, slot);

		for (uint32_t reason = 0; reason < REASON_SLOTS; reason++) {
			out->rejected[reason] += counter_read(&c->rejected[reason]);
			out->failed[reason] += counter_read(&c->failed[reason]);
		}
		add_calls(&out->calls, &c->calls);
	}
}

void stats_sum_cluster(struct call_counters *out, const struct region *region, uint32_t slot)
{
	*out = (struct call_counters){0};
	for (uint32_t i = 0; i < region->shape.workers; i++)
		add_calls(out, region_cluster_counters(region, i, slot));
}

void stats_sum_endpoint(struct call_counters *out, const struct region *region, uint32_t slot)
{
	*out = (struct call_counters){0};
	for (uint32_t i = 0; i < region->shape.workers; i++)
		add_calls(out, region_endpoint_counters(region, i, slot));
}

void stats_sum_policy(struct policy_counters *out, const struct region *region, uint32_t slot)
{
	*out = (struct policy_counters){0};
	for (uint32_t i = 0; i < region->shape.workers; i++) {
		const struct policy_counters *c = region_policy_counters(region, i, slot);

		for (uint32_t reason = 0; reason < REASON_SLOTS; reason++) {
			out->rejected[reason] += counter_read(&c->rejected[reason]);
			out->failed[reason] += counter_read(&c->failed[reason]);
		}
		for (uint32_t k = 0; k < POLICY_COUNTER_SLOTS; k++)
			out->all[k] += counter_read(&c->all[k]);
	}
}

void stats_copy_state(void *out, const void *state, size_t bytes)
{
	const uint64_t *from = state;
	uint64_t *to = out;

	for (size_t i = 0; i < bytes / sizeof(*to); i++)
		to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}
