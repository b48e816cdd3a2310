/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/limiter_program.h"

#include <errno.h>
#include <string.h>

#include <rte_bpf.h>
#include <rte_errno.h>

static const uint64_t instructions[] = {
#include <worker_limit_dpdk.insns.h>
};
_Static_assert(sizeof(struct ebpf_insn) == sizeof(instructions[0]), "an instruction is 8 bytes");

int limiter_program_load(struct limiter_program *p)
{
	const struct rte_bpf_prm prm = {
		.ins = (const struct ebpf_insn *)instructions,
		.nb_ins = sizeof(instructions) / sizeof(instructions[0]),
		.prog_arg = {.type = RTE_BPF_ARG_PTR, .size = sizeof(struct worker_limit)},
	};
	struct rte_bpf_jit jit = {0};

	memset(p, 0, sizeof(*p));
	p->bpf = rte_bpf_load(&prm);
	if (!p->bpf)
		return rte_errno ? -rte_errno : -EINVAL;
	if (rte_bpf_get_jit(p->bpf, &jit) == 0)
		p->translated = jit.func;
	return 0;
}

void limiter_program_unload(struct limiter_program *p)
{
	if (p->bpf)
		rte_bpf_destroy(p->bpf);
	memset(p, 0, sizeof(*p));
}

uint64_t limiter_program_interpret(const struct limiter_program *p, struct worker_limit *packet)
{
	return rte_bpf_exec(p->bpf, packet);
}
