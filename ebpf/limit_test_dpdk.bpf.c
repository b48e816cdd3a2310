/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* librte_bpf's build of limit.h under test: one step, its argument in one block. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "ebpf/limit_test.h"

SEC("dpdk")
__u64 limit_test(struct limit_test_case *c)
{
	struct limit_test_step *s = &c->step;
	__u64 *word = c->words.word;
	const struct limit_rule *rule = c->rules.rule;

	if (s->op == LIMIT_TEST_PAIR) {
		s->verdict = limit_take_pair_owned(word, rule, s->now_ns, s->cost);
	} else if (s->op == LIMIT_TEST_GIVE_BACK) {
		word[0] = limit_undo(&rule[0], word[0], s->now_ns, s->cost);
		s->verdict = 0;
	} else {
		s->verdict = limit_take_owned(&word[0], &rule[0], s->now_ns, s->cost);
	}
	s->after[0] = word[0];
	s->after[1] = word[1];
	return s->verdict;
}
