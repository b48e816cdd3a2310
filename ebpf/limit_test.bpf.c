/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The kernel's build of limit.h under test: each run takes the next step of the batch. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "ebpf/limit_test.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, LIMIT_TEST_STEPS);
	__type(key, __u32);
	__type(value, struct limit_test_step);
} steps SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LIMIT_TEST_WORDS);
	__type(key, __u32);
	__type(value, struct limit_test_words);
} words SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LIMIT_TEST_RULES);
	__type(key, __u32);
	__type(value, struct limit_test_rules);
} rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} next_step SEC(".maps");

SEC("xdp")
int limit_test(struct xdp_md *ctx)
{
	__u32 zero = 0, words_at, rules_at;
	struct limit_test_rules *r;
	struct limit_test_words *w;
	struct limit_test_step *s;
	__u32 *at;

	at = bpf_map_lookup_elem(&next_step, &zero);
	if (!at)
		return XDP_ABORTED;
	s = bpf_map_lookup_elem(&steps, at);
	if (!s)
		return XDP_ABORTED;
	words_at = s->words % LIMIT_TEST_WORDS;
	rules_at = s->rules % LIMIT_TEST_RULES;
	w = bpf_map_lookup_elem(&words, &words_at);
	r = bpf_map_lookup_elem(&rules, &rules_at);
	if (!w || !r)
		return XDP_ABORTED;

	if (s->op == LIMIT_TEST_PAIR)
		s->verdict = limit_take_pair(w->word, r->rule, s->now_ns, s->cost);
	else if (s->op == LIMIT_TEST_GIVE_BACK)
		s->verdict = limit_give_back(&w->word[0], &r->rule[0], s->now_ns, s->cost);
	else
		s->verdict = limit_take(&w->word[0], &r->rule[0], s->now_ns, s->cost);
	s->after[0] = w->word[0];
	s->after[1] = w->word[1];
	*at = (*at + 1) % LIMIT_TEST_STEPS;
	return XDP_PASS;
}

/* The cost of limits, without and with taking from one and from two: repeated on one word. */
static __always_inline int timed(__u32 limits)
{
	__u32 zero = 0;
	struct limit_test_rules *r = bpf_map_lookup_elem(&rules, &zero);
	struct limit_test_words *w = bpf_map_lookup_elem(&words, &zero);
	__u64 now_ns = bpf_ktime_get_ns();

	if (!w || !r)
		return XDP_ABORTED;
	if (!limits)
		return XDP_PASS;
	if (limits == 1)
		return limit_take(&w->word[0], &r->rule[0], now_ns, 1) ? XDP_DROP : XDP_PASS;
	return limit_take_pair(w->word, r->rule, now_ns, 1500) ? XDP_DROP : XDP_PASS;
}

SEC("xdp")
int limit_time_none(struct xdp_md *ctx)
{
	return timed(0);
}

SEC("xdp")
int limit_time_take(struct xdp_md *ctx)
{
	return timed(1);
}

SEC("xdp")
int limit_time_pair(struct xdp_md *ctx)
{
	return timed(2);
}

char limit_test_license[] SEC("license") = "Dual BSD/GPL";
