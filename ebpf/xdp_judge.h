/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The limits of one packet that belongs to a listener of Fender's. Order: start of a connection
 * (per source, then the listener's), then the connection's own limit. A later refusal gives an
 * earlier taking back, but for a start: a SYN that its connection's limit refuses is a start.
 *
 * Which bucket begins full. A SYN's and a new UDP flow's, both limited per source and listener,
 * as long as the listener's coarse word allows; that word lies in an array and is never evicted.
 * Beyond it a bucket begins empty, and the SYN itself passes. Any other TCP miss (evicted, or older
 * than the limits) begins empty, and is refused without an entry beyond the coarse word. So
 * churning the LRU maps earns at most what docs/limiter.md "Eviction" says. A UDP flow that was
 * quiet for the listener's idle time begins anew, charged as a start.
 */
#ifndef FENDER_EBPF_XDP_JUDGE_H
#define FENDER_EBPF_XDP_JUDGE_H

#include "ebpf/limit.h"
#include "ebpf/parse.h"
#include "ebpf/xdp_maps.h"

/* Whose packet it is. */
struct owner {
	__u32 listener;
	__u32 epoch; /* of the SNAT port; 0: towards the endpoint */
	__u32 place; /* of the port in snat_flows */
};

/* A packet, its owner's rules and the time. */
struct judged {
	const struct frame *f;
	const struct owner *o;
	const struct limit_rules *rules;
	__u64 now_ns;
};

enum { WOULD = LIMIT_VERDICT_WOULD_CONNECTION - LIMIT_VERDICT_CONNECTION };
_Static_assert(LIMIT_VERDICT_WOULD_SOURCE - LIMIT_VERDICT_SOURCE == WOULD &&
		       LIMIT_VERDICT_WOULD_LISTENER - LIMIT_VERDICT_LISTENER == WOULD &&
		       LIMIT_VERDICT_WOULD_CONTENDED - LIMIT_VERDICT_CONTENDED == WOULD &&
		       LIMIT_VERDICT_WOULD_COLD - LIMIT_VERDICT_COLD == WOULD,
	       "each refusal has its twin");

/* Refusals that stop the packet lie between CONNECTION and COLD. */
static __always_inline int refuses(__u32 verdict)
{
	return verdict >= LIMIT_VERDICT_CONNECTION && verdict <= LIMIT_VERDICT_COLD;
}

/*
 * Global functions: the verifier looks at each once, whatever its callers' paths (inlined, the
 * retries of the swaps exceed its million instructions). Hence the checks for NULL.
 */
__attribute__((noinline)) __u32 take(__u64 *word, const struct limit_rule *rule, __u64 now_ns)
{
	if (!word || !rule)
		return LIMIT_CONTENDED;
	return limit_take(word, rule, now_ns, 1);
}

__attribute__((noinline)) __u32 take_flow(struct limit_flow *flow, const struct limit_rules *rules,
					  __u64 now_ns, __u32 bytes)
{
	if (!flow || !rules)
		return LIMIT_CONTENDED;
	return limit_take_pair(flow->words, rules->connection, now_ns, bytes);
}

/* What the limit refused, up to the hard one. */
__attribute__((noinline)) __u32
take_flow_hard(struct limit_flow *flow, const struct limit_rules *rules, __u64 now_ns, __u32 bytes)
{
	if (!flow || !rules)
		return LIMIT_CONTENDED;
	return limit_take_pair(flow->words, rules->hard, now_ns, bytes);
}

static __always_inline void count_event(__u32 listener, enum limit_event event)
{
	__u32 row = LIMIT_INTERFACES + listener;
	struct limit_counters *c = bpf_map_lookup_elem(&counters, &row);

	if (c)
		c->events[event]++;
}

/*
 * Two CPUs may meet the change at once: one of them swaps the shape and begins the words anew, the
 * other's packet may still be judged by the old words. One packet a CPU and change.
 */
static __always_inline int takes_shape(__u32 *shape, __u32 wanted)
{
	__u32 seen = *(volatile __u32 *)shape;

	return seen != wanted && __sync_val_compare_and_swap(shape, seen, wanted) == seen;
}

static __always_inline struct limit_listener *listener_state(const struct judged *j)
{
	struct limit_listener *l = bpf_map_lookup_elem(&listener_words, &j->o->listener);

	if (l && takes_shape(&l->shape, j->rules->listener_shape)) {
		l->starts = limit_full(&j->rules->listener, j->now_ns);
		l->coarse = limit_full(&j->rules->coarse, j->now_ns);
	}
	return l;
}

static __always_inline struct limit_source *source_state(const struct judged *j)
{
	struct limit_source_key key = {.ip = j->f->src, .listener = j->o->listener};
	struct limit_source *s = bpf_map_lookup_elem(&sources, &key);
	struct limit_source fresh;

	if (!s) {
		fresh = (struct limit_source){.word = limit_full(&j->rules->source, j->now_ns),
					      .shape = j->rules->source_shape};
		bpf_map_update_elem(&sources, &key, &fresh, BPF_NOEXIST);
		s = bpf_map_lookup_elem(&sources, &key); /* ours, or another CPU's */
	} else if (takes_shape(&s->shape, j->rules->source_shape)) {
		s->word = limit_full(&j->rules->source, j->now_ns);
	}
	return s;
}

/* Verdict of a refusal @why (of limit_take()) by the limit whose verdict is @verdict. */
static __always_inline __u32 refusal(__u32 why, __u32 verdict, __u8 action)
{
	if ((why & ~(__u32)LIMIT_BY_BYTES) == LIMIT_CONTENDED)
		verdict = LIMIT_VERDICT_CONTENDED;
	return action == LIMIT_OBSERVE ? verdict + WOULD : verdict;
}

/* A connection's start: per source, then per listener. */
__attribute__((noinline)) __u32 judge_start(const struct frame *f, const struct owner *o,
					    const struct limit_rules *rules, __u64 now_ns)
{
	const struct judged packet = {f, o, rules, now_ns}, *j = &packet;
	__u32 verdict = LIMIT_VERDICT_PASSED;
	struct limit_source *source = 0;
	struct limit_listener *listener;
	__u32 why;

	if (!f || !o || !rules)
		return LIMIT_VERDICT_CONTENDED;
	if (rules->present & LIMIT_HAS_SOURCE) {
		source = source_state(j);
		if (!source) /* the map found no entry to evict: refused, as if contended */
			return refusal(LIMIT_CONTENDED, LIMIT_VERDICT_SOURCE, rules->source_action);
		why = take(&source->word, &rules->source, j->now_ns);
		if (why != LIMIT_PASS) {
			__sync_fetch_and_add(&source->refused, 1);
			verdict = refusal(why, LIMIT_VERDICT_SOURCE, rules->source_action);
			if (refuses(verdict))
				return verdict;
			source = 0;
		}
	}
	if (!(rules->present & LIMIT_HAS_LISTENER))
		return verdict;
	listener = listener_state(j);
	if (!listener)
		return verdict;
	why = take(&listener->starts, &rules->listener, j->now_ns);
	if (why == LIMIT_PASS)
		return verdict;
	why = refusal(why, LIMIT_VERDICT_LISTENER, rules->listener_action);
	if (source && refuses(why))
		limit_give_back(&source->word, &rules->source, j->now_ns, 1);
	return verdict == LIMIT_VERDICT_PASSED || refuses(why) ? why : verdict;
}

static __always_inline struct limit_key4 key4(const struct judged *j)
{
	return (struct limit_key4){
		.src = j->f->src.word[3],
		.dst = j->f->dst.word[3],
		.sport = j->f->sport,
		.dport = j->f->dport,
		.listener = (__u16)j->o->listener,
		.proto = j->f->proto,
	};
}

static __always_inline struct limit_key6 key6(const struct judged *j)
{
	return (struct limit_key6){
		.src = j->f->src,
		.dst = j->f->dst,
		.sport = j->f->sport,
		.dport = j->f->dport,
		.listener = (__u16)j->o->listener,
		.proto = j->f->proto,
	};
}

static __always_inline struct limit_flow *flow_find(const struct judged *j)
{
	if (j->f->ipv6) {
		struct limit_key6 key = key6(j);

		return bpf_map_lookup_elem(&connections6, &key);
	} else {
		struct limit_key4 key = key4(j);

		return bpf_map_lookup_elem(&connections4, &key);
	}
}

/* When another CPU was quicker its entry stays. */
static __always_inline void flow_add(const struct judged *j, const struct limit_flow *flow)
{
	if (j->f->ipv6) {
		struct limit_key6 key = key6(j);

		bpf_map_update_elem(&connections6, &key, flow, BPF_NOEXIST);
	} else {
		struct limit_key4 key = key4(j);

		bpf_map_update_elem(&connections4, &key, flow, BPF_NOEXIST);
	}
}

static __always_inline void flow_words(struct limit_flow *flow, const struct judged *j, int full)
{
	for (int i = 0; i < 2; i++) {
		const struct limit_rule *rule = &j->rules->connection[i];

		flow->words[i] = full ? limit_full(rule, j->now_ns) : limit_empty(rule, j->now_ns);
	}
}

/* Whether the listener's coarse word allows one more. */
static __always_inline int coarse_allows(const struct judged *j)
{
	struct limit_listener *l = listener_state(j);

	return l && take(&l->coarse, &j->rules->coarse, j->now_ns) == LIMIT_PASS;
}

/* The entry of a miss; @full, or empty. NULL: the map found none to evict. */
static __always_inline struct limit_flow *flow_begin(const struct judged *j, int full)
{
	struct limit_flow fresh = {.shape = j->rules->connection_shape,
				   .seen = limit_tick(j->now_ns)};

	flow_words(&fresh, j, full);
	flow_add(j, &fresh);
	count_event(j->o->listener, full ? LIMIT_EVENT_FULL_START : LIMIT_EVENT_COLD_START);
	return flow_find(j);
}

static __always_inline void flow_renew(struct limit_flow *flow, const struct judged *j)
{
	if (takes_shape(&flow->shape, j->rules->connection_shape))
		flow_words(flow, j, 1);
}

static __always_inline __u32 flow_passed(struct limit_flow *flow, const struct frame *f,
					 __u32 verdict)
{
	__sync_fetch_and_add(&flow->passed, (1ull << LIMIT_PASSED_SHIFT) + f->bytes);
	return verdict;
}

/* The connection's own limit. */
static __always_inline __u32 judge_flow(struct limit_flow *flow, const struct judged *j)
{
	const struct limit_rules *rules = j->rules;
	const struct frame *f = j->f;
	__u32 why = take_flow(flow, rules, j->now_ns, f->bytes);

	if (why == LIMIT_PASS)
		return flow_passed(flow, f, LIMIT_VERDICT_PASSED);
	__sync_fetch_and_add(&flow->refused, 1);
	if (rules->action == LIMIT_OBSERVE)
		return flow_passed(flow, f, refusal(why, LIMIT_VERDICT_CONNECTION, LIMIT_OBSERVE));
	if (rules->action == LIMIT_MARK && f->kind == FRAME_TCP && f->ecn) {
		why = take_flow_hard(flow, rules, j->now_ns, f->bytes);
		if (why == LIMIT_PASS)
			return flow_passed(flow, f, LIMIT_VERDICT_MARKED);
	}
	return refusal(why, LIMIT_VERDICT_CONNECTION, LIMIT_DROP);
}

/*
 * A UDP flow that was quiet for so long is over, and this packet begins another. By the client's
 * packets alone: the endpoint's do not come by here. Of CPUs that meet the pause at once each may
 * charge a start.
 */
static __always_inline int is_over(const struct limit_flow *flow, const struct judged *j)
{
	__u32 seen = *(const volatile __u32 *)&flow->seen;

	return j->rules->udp_idle &&
	       (__s32)(limit_tick(j->now_ns) - seen) > (__s32)j->rules->udp_idle;
}

/* Only what passes keeps a flow, as in the worker. */
static __always_inline void flow_seen(struct limit_flow *flow, const struct judged *j)
{
	__u32 tick = limit_tick(j->now_ns);

	if (*(volatile __u32 *)&flow->seen != tick)
		*(volatile __u32 *)&flow->seen = tick;
}

/* What it has used is forgotten. */
static __always_inline void flow_refill(struct limit_flow *flow, const struct judged *j)
{
	flow_words(flow, j, 1);
	count_event(j->o->listener, LIMIT_EVENT_FULL_START);
}

/* @would: verdict of an observed limit met earlier, told unless a later one changes something. */
static __always_inline __u32 worse(__u32 verdict, __u32 would)
{
	if (would == LIMIT_VERDICT_PASSED || refuses(verdict) || verdict == LIMIT_VERDICT_MARKED)
		return verdict;
	return would;
}

static __always_inline int is_syn(const struct frame *f)
{
	return f->kind == FRAME_TCP &&
	       (f->tcp_flags & (FRAME_FIN | FRAME_SYN | FRAME_RST | FRAME_ACK)) == FRAME_SYN;
}

static __always_inline __u32 judge_to_endpoint(const struct judged *j)
{
	const __u32 present = j->rules->present;
	int limited = (present & LIMIT_TO_ENDPOINT) && (present & LIMIT_PER_CONNECTION);
	int udp = j->f->kind == FRAME_UDP;
	int start = is_syn(j->f);
	__u32 verdict, would = LIMIT_VERDICT_PASSED;
	struct limit_flow *flow = 0;
	int again, full = 0;

	if (limited || (udp && (present & LIMIT_PER_START)))
		flow = flow_find(j);
	else if (!start)
		return would;
	again = udp && flow && is_over(flow, j);
	start |= udp && (!flow || again);
	if (start && (present & LIMIT_PER_START)) {
		would = judge_start(j->f, j->o, j->rules, j->now_ns);
		if (refuses(would))
			return would;
	}
	if (!limited && (flow || !udp)) {
		if (flow)
			flow_seen(flow, j);
		return would;
	}
	if (!flow || again)
		full = coarse_allows(j);
	if (!flow) {
		if (!start && !full)
			return worse(refusal(LIMIT_REFUSED, LIMIT_VERDICT_COLD, j->rules->action),
				     would);
		flow = flow_begin(j, start && full);
		if (!flow)
			return refusal(LIMIT_CONTENDED, LIMIT_VERDICT_CONNECTION, j->rules->action);
		if (!limited || (start && !full && !udp))
			return would;
	}
	flow_renew(flow, j);
	if (again && full)
		flow_refill(flow, j);
	verdict = judge_flow(flow, j);
	if (udp && !refuses(verdict))
		flow_seen(flow, j);
	return worse(verdict, would);
}

/* By SNAT port: nothing is ever evicted, and a port in use has been limited as it was taken. */
static __always_inline __u32 judge_to_client(const struct judged *j)
{
	struct limit_flow *flow;

	if (!(j->rules->present & LIMIT_TO_CLIENT) || !(j->rules->present & LIMIT_PER_CONNECTION))
		return LIMIT_VERDICT_PASSED;
	flow = bpf_map_lookup_elem(&snat_flows, &j->o->place);
	if (!flow)
		return LIMIT_VERDICT_PASSED;
	if (takes_shape(&flow->epoch, j->o->epoch)) {
		flow->shape = j->rules->connection_shape;
		flow->passed = 0;
		flow->refused = 0;
		flow_words(flow, j, 1);
	}
	flow_renew(flow, j);
	return judge_flow(flow, j);
}

/* Global, so that it is no part of the ways through judge(). */
__attribute__((noinline)) __u32 count_time(__u64 begun_ns)
{
	__u64 took_ns = bpf_ktime_get_ns() - begun_ns;
	__u32 row = 0;
	struct limit_times *t = bpf_map_lookup_elem(&verdict_times, &row);
	__u32 bucket;

	if (!t)
		return 0;
	t->sum_ns += took_ns;
	if (!took_ns) {
		t->under++;
	} else if (took_ns > (HISTOGRAM_ONE << LIMIT_TIME_OCTAVES) >> LIMIT_TIME_SHIFT) {
		t->over++;
	} else {
		bucket = histogram_bucket_of(took_ns << LIMIT_TIME_SHIFT);
		if (bucket < LIMIT_TIME_BUCKETS)
			t->bucket[bucket]++;
	}
	return 0;
}

/*
 * Return: enum limit_verdict_name. Packets that are neither TCP nor UDP pass. Inlined it costs
 * every frame 20 ns, and the verifier twice the work.
 */
__attribute__((noinline)) __u32 judge(const struct frame *f, const struct owner *o)
{
	struct judged j = {.f = f, .o = o};
	struct limit_config *c;
	__u32 verdict, row = 0;

	if (!f || !o || (f->kind != FRAME_TCP && f->kind != FRAME_UDP))
		return LIMIT_VERDICT_PASSED;
	c = bpf_map_lookup_elem(&config, &row);
	if (!c)
		return LIMIT_VERDICT_PASSED;
	row = 2 * o->listener + (__u32)(*(volatile __u64 *)&c->active & 1);
	j.rules = bpf_map_lookup_elem(&listener_rules, &row);
	if (!j.rules || !j.rules->present)
		return LIMIT_VERDICT_PASSED;
	j.now_ns = bpf_ktime_get_ns();
	verdict = o->epoch ? judge_to_client(&j) : judge_to_endpoint(&j);
	if (!(j.now_ns & LIMIT_TIMED_MASK))
		count_time(j.now_ns);
	return verdict;
}

#endif
