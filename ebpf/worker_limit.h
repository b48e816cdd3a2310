/* SPDX-License-Identifier: Apache-2.0 */
/* A packet of a limited connection, as a worker gives it to librte_bpf's build of limit.h. */
#ifndef FENDER_EBPF_WORKER_LIMIT_H
#define FENDER_EBPF_WORKER_LIMIT_H

#include "ebpf/limit.h"

/*
 * The program's whole argument: it can follow no pointer out of it. Returns what
 * limit_take_pair_owned() does.
 */
struct worker_limit {
	__u64 words[2];             /* in and out: packets, bytes */
	struct limit_rule rules[2]; /* LIMIT_NONE for the one that is not set */
	__u64 now_ns;
	__u32 bytes;
	__u32 reserved;
};
_Static_assert(sizeof(struct worker_limit) == 128, "shared with librte_bpf");

#endif
