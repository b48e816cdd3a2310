// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The limit of a connection for interfaces that bypass the kernel: what xdp_judge.h takes by
 * compare-and-swap, taken by the one worker that owns the words. The worker carries the
 * instructions in its own file (dataplane/limiter_program.c): no relocations, so no maps, no
 * globals.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "ebpf/worker_limit.h"

SEC("dpdk")
__u64 worker_limit(struct worker_limit *packet)
{
	return limit_take_pair_owned(packet->words, packet->rules, packet->now_ns, packet->bytes);
}
