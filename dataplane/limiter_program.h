/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The limit of a connection as librte_bpf's program (ebpf/worker_limit_dpdk.bpf.c), whose
 * instructions are part of this binary: translated where librte_bpf can, else interpreted.
 */
#ifndef FENDER_DATAPLANE_LIMITER_PROGRAM_H
#define FENDER_DATAPLANE_LIMITER_PROGRAM_H

#include <stdint.h>

#include "ebpf/worker_limit.h"

struct rte_bpf;

struct limiter_program {
	uint64_t (*translated)(void *packet); /* NULL: interpreted */
	struct rte_bpf *bpf;
};

/* Before traffic. Return: 0, or -errno: -ENOMEM; -EINVAL librte_bpf refuses the program. */
int limiter_program_load(struct limiter_program *p);
/* Of a zeroed one, too. */
void limiter_program_unload(struct limiter_program *p);

uint64_t limiter_program_interpret(const struct limiter_program *p, struct worker_limit *packet);

/* Return: enum limit_verdict as of limit_take_pair_owned(). About 5 ns; interpreted 50 times that.
 */
static inline uint32_t limiter_program_run(const struct limiter_program *p,
					   struct worker_limit *packet)
{
	return (uint32_t)(p->translated ? p->translated(packet)
					: limiter_program_interpret(p, packet));
}

#endif
