// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * What the bench holds beside the limiter (tests/bench/bench_limits.c): the same map kind, looked
 * up and counted in, then the same with a limit. Frames are Ethernet, IPv4 without options, TCP.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "ebpf/limit.h"
#include "ebpf/maps.h"
#include "ebpf/parse.h"

enum { DEFAULT_FLOWS = 1024 };

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, DEFAULT_FLOWS);
	__type(key, struct limit_key4);
	__type(value, struct limit_flow);
} bench_flows SEC(".maps");

struct bench_rules {
	struct limit_rule rule[2];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bench_rules);
} bench_rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} bench_seen SEC(".maps");

/* Where bench_send sends to: set before loading. */
const volatile __u32 bench_device;

struct headers {
	struct ethernet ethernet;
	struct ipv4 ip;
	struct tcp tcp;
} __attribute__((packed));

enum bench_limits { NO_LIMIT, PACKETS, PACKETS_AND_BYTES };

static __always_inline int meet(struct xdp_md *ctx, enum bench_limits limits)
{
	const struct headers *h = (const void *)(long)ctx->data;
	struct limit_key4 key = {0};
	struct bench_rules *rules;
	struct limit_flow *flow;
	__u32 row = 0, bytes;
	__u64 now_ns;

	if ((const void *)(h + 1) > (const void *)(long)ctx->data_end)
		return XDP_ABORTED;
	bytes = FRAME_HOST16(h->ip.total_bytes);
	key.src = h->ip.src;
	key.dst = h->ip.dst;
	key.sport = h->tcp.ports.sport;
	key.dport = h->tcp.ports.dport;
	key.proto = h->ip.proto;
	flow = bpf_map_lookup_elem(&bench_flows, &key);
	if (!flow)
		return XDP_ABORTED;
	if (limits != NO_LIMIT) {
		rules = bpf_map_lookup_elem(&bench_rules, &row);
		if (!rules)
			return XDP_ABORTED;
		now_ns = bpf_ktime_get_ns();
		if (limits == PACKETS ? limit_take(&flow->words[0], &rules->rule[0], now_ns, 1)
				      : limit_take_pair(flow->words, rules->rule, now_ns, bytes))
			return XDP_DROP;
	}
	__sync_fetch_and_add(&flow->passed, (1ull << LIMIT_PASSED_SHIFT) + bytes);
	return XDP_PASS;
}

SEC("xdp")
int bench_look_up(struct xdp_md *ctx)
{
	return meet(ctx, NO_LIMIT);
}

SEC("xdp")
int bench_take(struct xdp_md *ctx)
{
	return meet(ctx, PACKETS);
}

SEC("xdp")
int bench_take_pair(struct xdp_md *ctx)
{
	return meet(ctx, PACKETS_AND_BYTES);
}

/* The harness alone. */
SEC("xdp")
int bench_nothing(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC("xdp")
int bench_drop(struct xdp_md *ctx)
{
	__u32 row = 0;
	__u64 *seen = bpf_map_lookup_elem(&bench_seen, &row);

	if (seen)
		++*seen;
	return XDP_DROP;
}

/* In the kernel from one end of a veth to the other: the fastest sender there is. */
SEC("xdp")
int bench_send(struct xdp_md *ctx)
{
	return (int)bpf_redirect(bench_device, 0);
}

char limit_bench_license[] SEC("license") = "Dual BSD/GPL";
