/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/limiter.h"

#include <string.h>

#include "dataplane/clock.h"
#include "dataplane/pkt/checksum.h"
#include "dataplane/pkt/headers.h"
#include "ebpf/limit_rule.h"

enum {
	WOULD = WORKER_LIMIT_WOULD_CONNECTION - WORKER_LIMIT_CONNECTION,
	ECN_CE = 3,
	TIMED_EVERY = 251, /* verdicts; a prime, so that no place in a burst is preferred */
};

int limiter_create(struct limiter *l, const struct region *region, uint32_t number)
{
	memset(l, 0, sizeof(*l));
	for (uint32_t i = 0; i < MAX_INTERFACES; i++)
		if (region->interfaces[i].limiter == LIMITER_DPDK)
			l->interfaces |= 1u << i;
	if (l->interfaces == 0)
		return 0;
	l->times = region_histograms(region, number);
	l->until_timed = TIMED_EVERY;
	l->counters = region_limit_counters(region, number, 0);
	l->flows = region_flow_limits(region, number);
	l->listeners = region->listener_state;
	l->sources = (struct limiter_sources){
		.lines = region->limit_sources,
		.count = region->shape.source_lines,
		.seed = region->header->hash_seed,
	};
	return limiter_program_load(&l->program);
}

void limiter_free(struct limiter *l)
{
	limiter_program_unload(&l->program);
}

void limiter_set_policy(struct limiter *l, const struct limiter_policy *policy)
{
	l->policy = policy;
	l->loaded = NULL; /* its memory may be another policy's by now */
	l->judging = policy->limited ? l->interfaces : 0;
}

static int refuses(uint32_t verdict)
{
	return verdict >= WORKER_LIMIT_CONNECTION && verdict <= WORKER_LIMIT_COLD;
}

static uint32_t refusal(uint32_t why, uint32_t verdict, uint8_t action)
{
	if ((why & ~(uint32_t)LIMIT_BY_BYTES) == LIMIT_CONTENDED)
		verdict = WORKER_LIMIT_CONTENDED;
	return action == LIMIT_OBSERVE ? verdict + WOULD : verdict;
}

/* @would: verdict of an observed limit met earlier, told unless a later one changes something. */
static uint32_t worse(uint32_t verdict, uint32_t would)
{
	if (would == WORKER_LIMIT_PASSED || refuses(verdict) || verdict == WORKER_LIMIT_MARKED)
		return verdict;
	return would;
}

static enum reason reason_of(uint32_t verdict)
{
	switch (verdict) {
	case WORKER_LIMIT_CONNECTION:
		return REASON_RATE_LIMITED_CONNECTION;
	case WORKER_LIMIT_SOURCE:
		return REASON_RATE_LIMITED_SOURCE;
	case WORKER_LIMIT_LISTENER:
		return REASON_RATE_LIMITED_LISTENER;
	case WORKER_LIMIT_CONTENDED:
		return REASON_RATE_LIMITED_CONTENDED;
	default:
		return REASON_NONE;
	}
}

static enum reason count(struct limiter *l, uint16_t slot, const struct packet *p, uint32_t verdict)
{
	struct worker_limit_counters *c = &l->counters[slot];

	counter_add(&c->packets[verdict], 1);
	counter_add(&c->bytes[verdict], p->ip_bytes);
	return reason_of(verdict);
}

/*
 * The listener's word of starts. Of workers that meet a new shape at once one begins it anew,
 * unless another has taken from it meanwhile.
 */
static uint64_t *listener_word(struct limiter *l, const struct limiter_rules *rules, uint16_t slot)
{
	struct listener_state *s = &l->listeners[slot];
	uint32_t shape = __atomic_load_n(&s->limit_shape, __ATOMIC_RELAXED);
	uint64_t old = __atomic_load_n(&s->limit_starts, __ATOMIC_RELAXED);

	if (shape != rules->listener_shape &&
	    __atomic_compare_exchange_n(&s->limit_shape, &shape, rules->listener_shape, 0,
					__ATOMIC_RELAXED, __ATOMIC_RELAXED))
		__atomic_compare_exchange_n(&s->limit_starts, &old,
					    limit_full(&rules->listener, l->packet.now_ns), 0,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED);
	return &s->limit_starts;
}

/* Per source. *@taken: the word a start was taken from, for giving it back. */
static uint32_t judge_source(struct limiter *l, const struct packet *p, uint16_t slot,
			     uint64_t **taken)
{
	const struct limiter_rules *rules = &l->policy->rules[slot];
	const struct limiter_source source = {
		.ip = flow_source(&p->key), .slot = slot, .now_ns = l->packet.now_ns};
	uint64_t *word = NULL;
	uint32_t why;

	switch (limiter_source_word(&l->sources, l->policy, &source, &word)) {
	case SOURCE_NONE:
		return refusal(LIMIT_CONTENDED, WORKER_LIMIT_SOURCE, rules->source_action);
	case SOURCE_COLD:
		counter_add(&l->counters[slot].events[WORKER_LIMIT_COLD_START], 1);
		return WORKER_LIMIT_PASSED;
	case SOURCE_KNOWN:
	case SOURCE_NEW:
		break;
	}
	why = limit_take((__u64 *)word, &rules->source, l->packet.now_ns, 1);
	if (why != LIMIT_PASS)
		return refusal(why, WORKER_LIMIT_SOURCE, rules->source_action);
	*taken = word;
	return WORKER_LIMIT_PASSED;
}

/* A connection's start: per source, then per listener. */
static uint32_t judge_start(struct limiter *l, const struct packet *p, uint16_t slot)
{
	const struct limiter_rules *rules = &l->policy->rules[slot];
	uint32_t verdict = WORKER_LIMIT_PASSED;
	uint64_t *source = NULL;
	uint32_t why;

	if (rules->present & LIMIT_HAS_SOURCE) {
		verdict = judge_source(l, p, slot, &source);
		if (refuses(verdict))
			return verdict;
	}
	if (!(rules->present & LIMIT_HAS_LISTENER))
		return verdict;
	why = limit_take((__u64 *)listener_word(l, rules, slot), &rules->listener, l->packet.now_ns,
			 1);
	if (why == LIMIT_PASS)
		return verdict;
	why = refusal(why, WORKER_LIMIT_LISTENER, rules->listener_action);
	if (source && refuses(why))
		limit_give_back((__u64 *)source, &rules->source, l->packet.now_ns, 1);
	return verdict == WORKER_LIMIT_PASSED || refuses(why) ? why : verdict;
}

/* @hard: up to twice the capacity. */
static uint32_t take_flow(struct limiter *l, const struct limiter_rules *rules,
			  struct flow_bucket *bucket, int hard)
{
	struct worker_limit *packet = &l->packet;
	uint32_t why;

	if (l->loaded != rules) {
		memcpy(packet->rules, rules->connection, sizeof(packet->rules));
		l->loaded = rules;
	}
	packet->words[0] = bucket->words[0];
	packet->words[1] = bucket->words[1];
	if (hard) {
		for (int i = 0; i < 2; i++)
			packet->rules[i] = limit_rule_double(&rules->connection[i]);
		l->loaded = NULL;
	}
	why = limiter_program_run(&l->program, packet);
	/* read by the control plane */
	__atomic_store_n(&bucket->words[0], packet->words[0], __ATOMIC_RELAXED);
	__atomic_store_n(&bucket->words[1], packet->words[1], __ATOMIC_RELAXED);
	return why;
}

static void begin_full(const struct limiter *l, const struct limiter_rules *rules,
		       struct flow_bucket *bucket)
{
	for (int i = 0; i < 2; i++)
		__atomic_store_n(&bucket->words[i],
				 limit_full(&rules->connection[i], l->packet.now_ns),
				 __ATOMIC_RELAXED);
	__atomic_store_n(&bucket->shape, rules->connection_shape, __ATOMIC_RELAXED);
}

/* Where the ECN field is: byte and shift. */
static uint8_t *ecn_at(const struct packet *p, int *shift)
{
	int ipv6 = p->key.k.family == FAMILY_V6;

	*shift = ipv6 ? 4 : 0;
	return p->data + p->l3 + 1;
}

static int can_be_marked(const struct packet *p)
{
	int shift;
	const uint8_t *at = ecn_at(p, &shift);

	return p->kind == PACKET_TCP && (*at >> shift & ECN_CE) != 0;
}

/* Congestion experienced (RFC 3168). */
static void mark(struct packet *p)
{
	struct ipv4_header *ip = (struct ipv4_header *)(p->data + p->l3);
	int shift;
	uint8_t *at = ecn_at(p, &shift);
	uint8_t marked = (uint8_t)(*at | ECN_CE << shift);
	uint32_t delta;

	if (shift == 0) {
		delta = (uint16_t)~htons(*at) + (uint32_t)htons(marked);
		ip->check = checksum_update(ip->check, delta);
	}
	*at = marked;
}

static uint32_t passed(struct flow_bucket *bucket, const struct packet *p, uint32_t verdict)
{
	counter_add(&bucket->passed, (1ull << LIMIT_PASSED_SHIFT) + p->ip_bytes);
	return verdict;
}

/* The connection's own limit. */
static uint32_t judge_flow(struct limiter *l, struct packet *p, const struct limiter_rules *rules,
			   struct flow_bucket *bucket)
{
	uint32_t why;

	l->packet.bytes = p->ip_bytes;
	if (bucket->shape != rules->connection_shape)
		begin_full(l, rules, bucket);
	why = take_flow(l, rules, bucket, 0);
	if (why == LIMIT_PASS)
		return passed(bucket, p, WORKER_LIMIT_PASSED);
	__atomic_store_n(&bucket->refused, bucket->refused + 1, __ATOMIC_RELAXED);
	if (rules->action == LIMIT_OBSERVE)
		return passed(bucket, p, refusal(why, WORKER_LIMIT_CONNECTION, LIMIT_OBSERVE));
	if (rules->action == LIMIT_MARK && can_be_marked(p) &&
	    take_flow(l, rules, bucket, 1) == LIMIT_PASS) {
		mark(p);
		return passed(bucket, p, WORKER_LIMIT_MARKED);
	}
	return WORKER_LIMIT_CONNECTION;
}

static int is_syn(const struct packet *p)
{
	return p->kind == PACKET_TCP &&
	       (p->tcp_flags & (TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK)) == TCP_SYN;
}

/* When a verdict begins that is to be timed; 0: it is not. */
static uint64_t begin_timing(struct limiter *l)
{
	if (--l->until_timed != 0)
		return 0;
	l->until_timed = TIMED_EVERY;
	return clock_ns();
}

static void end_timing(const struct limiter *l, uint64_t begun_ns)
{
	if (begun_ns != 0)
		histogram_record_verdict(&l->times, clock_ns() - begun_ns);
}

/* A packet of a connection whose buckets are @flow. */
static enum reason judge_packet(struct limiter *l, struct packet *p, uint16_t slot,
				struct flow_limit *flow, enum direction dir)
{
	const struct limiter_rules *rules = &l->policy->rules[slot];
	uint32_t wanted = dir == FORWARD ? LIMIT_TO_ENDPOINT : LIMIT_TO_CLIENT;
	uint32_t verdict = WORKER_LIMIT_PASSED;

	if (dir == FORWARD && (rules->present & LIMIT_PER_START) && is_syn(p)) {
		verdict = judge_start(l, p, slot);
		if (refuses(verdict))
			return count(l, slot, p, verdict);
	}
	if (rules->present & wanted)
		verdict = worse(judge_flow(l, p, rules, &flow->to[dir]), verdict);
	return count(l, slot, p, verdict);
}

enum reason limiter_packet(struct limiter *l, struct packet *p, const struct conn *c,
			   uint32_t number, enum direction dir)
{
	/* The entry may be written over. */
	const uint16_t slot = c->listener < l->policy->slots ? c->listener : 0;
	uint64_t begun_ns;
	enum reason reason;

	if (l->policy->rules[slot].present == 0)
		return REASON_NONE;
	/* an attempt that was given up has no bucket; a SYN that begins anew is judged as a start
	 */
	if (c->state == CONN_TOMBSTONE || (c->state == CONN_RESTING && is_syn(p)))
		return REASON_NONE;
	begun_ns = begin_timing(l);
	reason = judge_packet(l, p, slot, &l->flows[number], dir);
	end_timing(l, begun_ns);
	return reason;
}

static enum reason judge_first(struct limiter *l, struct packet *p, uint16_t slot)
{
	const struct limiter_rules *rules = &l->policy->rules[slot];
	uint32_t verdict = WORKER_LIMIT_PASSED;

	if (rules->present & LIMIT_PER_START) {
		verdict = judge_start(l, p, slot);
		if (refuses(verdict))
			return count(l, slot, p, verdict);
	}
	if (rules->present & LIMIT_TO_ENDPOINT) {
		counter_add(&l->counters[slot].events[WORKER_LIMIT_FULL_START], 1);
		verdict = worse(judge_flow(l, p, rules, &l->fresh), verdict);
	}
	return count(l, slot, p, verdict);
}

enum reason limiter_start(struct limiter *l, struct packet *p, uint16_t slot)
{
	uint64_t begun_ns;
	enum reason reason;

	memset(&l->fresh, 0, sizeof(l->fresh));
	if (l->policy->rules[slot].present == 0)
		return REASON_NONE;
	begun_ns = begin_timing(l);
	reason = judge_first(l, p, slot);
	end_timing(l, begun_ns);
	return reason;
}

static void store(struct flow_bucket *to, const struct flow_bucket *from)
{
	__atomic_store_n(&to->words[0], from->words[0], __ATOMIC_RELAXED);
	__atomic_store_n(&to->words[1], from->words[1], __ATOMIC_RELAXED);
	__atomic_store_n(&to->passed, from->passed, __ATOMIC_RELAXED);
	__atomic_store_n(&to->refused, from->refused, __ATOMIC_RELAXED);
	__atomic_store_n(&to->shape, from->shape, __ATOMIC_RELAXED);
}

void limiter_open(struct limiter *l, uint32_t number, uint8_t interface)
{
	static const struct flow_bucket none;
	struct flow_limit *flow;

	if (l->interfaces == 0)
		return;
	flow = &l->flows[number];
	store(&flow->to[FORWARD], limiter_judges(l, interface) ? &l->fresh : &none);
	store(&flow->to[REVERSE], &none);
}
