/* SPDX-License-Identifier: Apache-2.0 */
/* What the builds of limit.h are run on when tests compare them, step by step. */
#ifndef FENDER_EBPF_LIMIT_TEST_H
#define FENDER_EBPF_LIMIT_TEST_H

#include "ebpf/limit.h"

enum {
	LIMIT_TEST_STEPS = 1 << 16, /* a batch */
	LIMIT_TEST_WORDS = 16,      /* pairs of words */
	LIMIT_TEST_RULES = 64,      /* pairs of rules, powers of two both */
};

enum limit_test_op {
	LIMIT_TEST_TAKE, /* the first word of the pair, under the first rule */
	LIMIT_TEST_PAIR,
	LIMIT_TEST_GIVE_BACK, /* likewise the first */
	LIMIT_TEST_OPS,
};

struct limit_test_words {
	__u64 word[2];
};

struct limit_test_rules {
	struct limit_rule rule[2];
};

struct limit_test_step {
	__u64 now_ns;
	__u32 cost;
	__u16 op;
	__u8 words; /* which */
	__u8 rules;
	__u64 after[2]; /* out */
	__u32 verdict;  /* out */
	__u32 reserved;
};

/* The argument of the librte_bpf build. */
struct limit_test_case {
	struct limit_test_words words;
	struct limit_test_rules rules;
	struct limit_test_step step;
};

_Static_assert(sizeof(struct limit_test_step) == 40, "shared by kernel and user space");
_Static_assert(sizeof(struct limit_test_case) == 152, "shared with librte_bpf");

#endif
