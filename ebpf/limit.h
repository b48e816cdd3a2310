/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The arithmetic of rate limits: one 64-bit word a limit, changed by compare-and-swap. One text
 * for the kernel's BPF (-mcpu=v3), DPDK's librte_bpf (-mcpu=v2: limit_decide() and the _owned
 * functions, which neither loop, call nor swap) and native C. Bounds: docs/limiter.md.
 *
 * Admitted units in any interval of W ns, R per second, T the window, L = R * T:
 *   token bucket, leaky bucket   burst + R * W + 2^-8
 *   sliding window               L * (1 + W / T)
 *   fixed window                 L * (floor(W / T) + 2)
 *
 * A bucket's word is the clock at which it will be full again, the clock counting 1/256 of a unit
 * at the limit's rate (GCRA; Rec. ITU-T I.371 annex A, in units where that has time): costs are
 * exact, only the reading of the clock is rounded, and nothing adds up. A window's word is
 * {index : 16, previous : 14, count : 34}, the windows' edges being the same for all words of a
 * rule. A refusal does not write, but after the clock has stepped back.
 */
#ifndef FENDER_EBPF_LIMIT_H
#define FENDER_EBPF_LIMIT_H

#include <linux/types.h>

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

enum limit_algorithm {
	LIMIT_NONE, /* everything passes, the word is left alone */
	LIMIT_TOKEN_BUCKET,
	LIMIT_LEAKY_BUCKET, /* as a meter: the same decisions as the token bucket's */
	LIMIT_FIXED_WINDOW,
	LIMIT_SLIDING_WINDOW, /* this window's count and the last one's, weighted by what of it is
				 less than T ago */
};

enum limit_verdict {
	LIMIT_PASS,
	LIMIT_REFUSED,
	LIMIT_TOO_BIG,      /* cost above burst or L: will never pass */
	LIMIT_CONTENDED,    /* LIMIT_TRIES swaps lost to others: refused */
	LIMIT_BY_BYTES = 8, /* limit_take_pair(): ORed to what the limit on bytes said */
};

enum {
	LIMIT_TRIES = 8,
	LIMIT_UNIT_SHIFT = 8,   /* a bucket counts in 1/256 of a unit */
	LIMIT_PART_SHIFT = 12,  /* a position in a window in 1/4096 of it */
	LIMIT_CLOCK_SHIFT = 50, /* of rule.speed */
	LIMIT_SHARE_SHIFT = 50, /* of rule.share, on top of LIMIT_PART_SHIFT */
	LIMIT_COUNT_BITS = 34,
	LIMIT_PREVIOUS_BITS = 14,
};

/*
 * One limit, made by limit_rule_make() (ebpf/limit_rule.h); all zero is no limit. A word may be
 * taken from under another rule at any time: docs/limiter.md "Changes".
 */
struct limit_rule {
	__u32 algorithm;
	__u32 reserved;
	__u64 speed;    /* of the clock, a ns: buckets 1/256 unit, windows 1/4096 T; 50 more bits */
	__u64 capacity; /* buckets: burst in 1/256 unit; windows: L */
	__u64 ceiling;  /* what may be in use after a packet: capacity, or twice that */
	__u64 resync;   /* buckets: further in the future is not in use but a clock stepped back */
	__u64 share;    /* windows: ceil(2^62 / L) */
};

_Static_assert(sizeof(struct limit_rule) == 48, "shared by kernel and user space");

/* The @speed clock at @now_ns: (now_ns * speed) >> 50, modulo 2^64. */
static __always_inline __u64 limit_clock(__u64 speed, __u64 now_ns)
{
	__u64 now_low = (__u32)now_ns, now_high = now_ns >> 32;
	__u64 speed_low = (__u32)speed, speed_high = speed >> 32;
	__u64 low = now_low * speed_low;
	__u64 a = now_high * speed_low;
	__u64 b = now_low * speed_high;
	__u64 middle = (low >> 32) + (__u32)a + (__u32)b;
	__u64 high = now_high * speed_high + (a >> 32) + (b >> 32) + (middle >> 32);

	return high << (64 - LIMIT_CLOCK_SHIFT) | (middle << 32 | (__u32)low) >> LIMIT_CLOCK_SHIFT;
}

static __always_inline __u32 limit_decide_bucket(const struct limit_rule *rule, __u64 word,
						 __u64 now_ns, __u32 cost, __u64 *next)
{
	__u64 now = limit_clock(rule->speed, now_ns);
	__u64 charge = (__u64)cost << LIMIT_UNIT_SHIFT;
	__s64 used = (__s64)(word - now);

	if (charge > rule->ceiling)
		return LIMIT_TOO_BIG;
	if (used < 0)
		used = 0;
	if ((__u64)used > rule->resync) {
		used = (__s64)rule->capacity;
		*next = now + rule->capacity;
	}
	if ((__u64)used + charge > rule->ceiling)
		return LIMIT_REFUSED;
	*next = now + (__u64)used + charge;
	return LIMIT_PASS;
}

struct limit_window {
	__u64 index;
	__u64 part; /* of it that is over, in 1/4096 */
	__u64 previous;
	__u64 count;
	__s16 age; /* windows since the word was written */
};

static __always_inline __u64 limit_window_word(const struct limit_window *w)
{
	return w->index << (LIMIT_COUNT_BITS + LIMIT_PREVIOUS_BITS) |
	       w->previous << LIMIT_COUNT_BITS | w->count;
}

/* A window's count as a share of L, in 1/4096, rounded up; at most 2. */
static __always_inline __u64 limit_window_share(const struct limit_rule *rule, __u64 count)
{
	if (rule->algorithm != LIMIT_SLIDING_WINDOW)
		return 0;
	if (count > 2 * rule->capacity)
		count = 2 * rule->capacity;
	return (count * rule->share + (1ull << LIMIT_SHARE_SHIFT) - 1) >> LIMIT_SHARE_SHIFT;
}

/* What @word says of the window of @now_ns. */
static __always_inline void limit_window_read(const struct limit_rule *rule, __u64 word,
					      __u64 now_ns, struct limit_window *w)
{
	__u64 position = limit_clock(rule->speed, now_ns);
	__u64 written = word >> (LIMIT_COUNT_BITS + LIMIT_PREVIOUS_BITS);

	w->index = (position >> LIMIT_PART_SHIFT) & 0xffff;
	w->part = position & ((1ull << LIMIT_PART_SHIFT) - 1);
	w->previous = (word >> LIMIT_COUNT_BITS) & ((1ull << LIMIT_PREVIOUS_BITS) - 1);
	w->count = word & ((1ull << LIMIT_COUNT_BITS) - 1);
	w->age = (__s16)(w->index - written);
	if (w->age > 1) {
		w->previous = 0;
		w->count = 0;
	} else if (w->age == 1) {
		w->previous = limit_window_share(rule, w->count);
		w->count = 0;
	} else if (w->age == -1) { /* another CPU was over the edge already */
		w->index = written;
		w->part = 0;
	}
}

static __always_inline __u32 limit_decide_window(const struct limit_rule *rule, __u64 word,
						 __u64 now_ns, __u32 cost, __u64 *next)
{
	struct limit_window w;
	__u64 used;

	if (cost > rule->ceiling)
		return LIMIT_TOO_BIG;
	limit_window_read(rule, word, now_ns, &w);
	used = w.count;
	if (rule->algorithm == LIMIT_SLIDING_WINDOW) {
		__u64 left = (1ull << LIMIT_PART_SHIFT) - w.part;

		/* 33 + 14 + 13 bits */
		used += (rule->capacity * w.previous * left + (1ull << 2 * LIMIT_PART_SHIFT) - 1) >>
			2 * LIMIT_PART_SHIFT;
	}
	if (used + cost > rule->ceiling) {
		if (w.age < -1)
			*next = limit_window_word(&w);
		return LIMIT_REFUSED;
	}
	w.count += cost;
	*next = limit_window_word(&w);
	return LIMIT_PASS;
}

/**
 * limit_decide() - one decision, pure
 * @word: the limit's state
 * @now_ns: CLOCK_MONOTONIC; may step back
 * @cost: in units: 1 for a packet, IP total length for bytes
 * @next: the state after the decision, equal to @word where nothing changes
 *
 * Any @word is safe: one that another rule left costs at most one capacity too much, or a refusal
 * for the time in which one capacity comes back.
 * Return: LIMIT_PASS, LIMIT_REFUSED or LIMIT_TOO_BIG.
 */
static __always_inline __u32 limit_decide(const struct limit_rule *rule, __u64 word, __u64 now_ns,
					  __u32 cost, __u64 *next)
{
	*next = word;
	if (rule->algorithm == LIMIT_NONE)
		return LIMIT_PASS;
	if (rule->algorithm >= LIMIT_FIXED_WINDOW)
		return limit_decide_window(rule, word, now_ns, cost, next);
	return limit_decide_bucket(rule, word, now_ns, cost, next);
}

/* The word of a new entry that has its whole burst, or its whole window, before it. */
static __always_inline __u64 limit_full(const struct limit_rule *rule, __u64 now_ns)
{
	__u64 now = limit_clock(rule->speed, now_ns);

	if (rule->algorithm < LIMIT_FIXED_WINDOW)
		return now;
	return now >> LIMIT_PART_SHIFT << (LIMIT_COUNT_BITS + LIMIT_PREVIOUS_BITS);
}

/* The word of a new entry that has used it all: a bucket fills from now on, a window is closed. */
static __always_inline __u64 limit_empty(const struct limit_rule *rule, __u64 now_ns)
{
	return limit_full(rule, now_ns) + rule->capacity;
}

/* @word without @cost, which it admitted at @now_ns; of a window that is over nothing returns. */
static __always_inline __u64 limit_undo(const struct limit_rule *rule, __u64 word, __u64 now_ns,
					__u32 cost)
{
	struct limit_window w;

	if (rule->algorithm == LIMIT_NONE)
		return word;
	if (rule->algorithm < LIMIT_FIXED_WINDOW)
		return word - ((__u64)cost << LIMIT_UNIT_SHIFT);
	limit_window_read(rule, word, now_ns, &w);
	if (w.count < cost)
		return word;
	return word - cost;
}

/*
 * Words of which the caller is the only writer: a worker's own (rte_bpf), or a test's. The same
 * verdicts and words as the functions below it when these run alone.
 */
static __always_inline __u32 limit_take_owned(__u64 *word, const struct limit_rule *rule,
					      __u64 now_ns, __u32 cost)
{
	__u64 next;
	__u32 verdict = limit_decide(rule, *word, now_ns, cost, &next);

	*word = next;
	return verdict;
}

static __always_inline __u32 limit_take_pair_owned(__u64 words[2], const struct limit_rule rules[2],
						   __u64 now_ns, __u32 bytes)
{
	__u64 packets_next, bytes_next;
	__u32 verdict = limit_decide(&rules[0], words[0], now_ns, 1, &packets_next);

	if (verdict != LIMIT_PASS) {
		words[0] = packets_next;
		return verdict;
	}
	verdict = limit_decide(&rules[1], words[1], now_ns, bytes, &bytes_next);
	words[1] = bytes_next;
	if (verdict != LIMIT_PASS)
		return verdict | LIMIT_BY_BYTES;
	words[0] = packets_next;
	return LIMIT_PASS;
}

/*
 * Words that several CPUs share. A word is all of its state, so no order with other memory is
 * needed: relaxed everywhere.
 */
static __always_inline __u64 limit_load(const __u64 *word)
{
#ifdef __bpf__
	return *(const volatile __u64 *)word;
#else
	return __atomic_load_n(word, __ATOMIC_RELAXED);
#endif
}

/* Return: what was there; @old when it was replaced. */
static __always_inline __u64 limit_swap(__u64 *word, __u64 old, __u64 next)
{
#ifdef __bpf__
	return __sync_val_compare_and_swap(word, old, next);
#else
	__atomic_compare_exchange_n(word, &old, next, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
	return old;
#endif
}

/* A decision that is not yet written. */
struct limit_try {
	__u64 old;
	__u64 next;
	__u32 verdict;
};

static __always_inline struct limit_try limit_look(const __u64 *word, const struct limit_rule *rule,
						   __u64 now_ns, __u32 cost)
{
	struct limit_try t = {.old = limit_load(word)};

	t.verdict = limit_decide(rule, t.old, now_ns, cost, &t.next);
	return t;
}

/* Write what a refusal has to: another's write instead is as good. */
static __always_inline void limit_settle(__u64 *word, const struct limit_try *t)
{
	if (t->next != t->old)
		limit_swap(word, t->old, t->next);
}

/* Write @t, deciding anew on each swap that is lost. */
static __always_inline __u32 limit_commit(__u64 *word, const struct limit_rule *rule, __u64 now_ns,
					  __u32 cost, struct limit_try t)
{
	for (int i = 0; i < LIMIT_TRIES; i++) {
		__u64 seen;

		if (t.next == t.old)
			return t.verdict;
		seen = limit_swap(word, t.old, t.next);
		if (seen == t.old)
			return t.verdict;
		t.old = seen;
		t.verdict = limit_decide(rule, t.old, now_ns, cost, &t.next);
	}
	return t.verdict == LIMIT_PASS ? LIMIT_CONTENDED : t.verdict;
}

/**
 * limit_take() - take @cost from a limit, all or nothing; any CPU, any thread
 *
 * Return: enum limit_verdict; all but LIMIT_PASS mean that nothing was taken. Each lost swap is
 * another's progress, so LIMIT_CONTENDED means that LIMIT_TRIES others changed the word meanwhile.
 */
static __always_inline __u32 limit_take(__u64 *word, const struct limit_rule *rule, __u64 now_ns,
					__u32 cost)
{
	return limit_commit(word, rule, now_ns, cost, limit_look(word, rule, now_ns, cost));
}

/*
 * Give back @cost taken at @now_ns. Lost when LIMIT_TRIES swaps are: one refusal too many, never
 * a packet. Exact while the bucket has not become full, and the window not ended, since the taking;
 * in a bucket that has, @cost units too many pass.
 * Return: 0, or LIMIT_CONTENDED when it was lost.
 */
static __always_inline __u32 limit_give_back(__u64 *word, const struct limit_rule *rule,
					     __u64 now_ns, __u32 cost)
{
	__u64 old = limit_load(word);

	for (int i = 0; i < LIMIT_TRIES; i++) {
		__u64 next = limit_undo(rule, old, now_ns, cost);
		__u64 seen;

		if (next == old)
			return 0;
		seen = limit_swap(word, old, next);
		if (seen == old)
			return 0;
		old = seen;
	}
	return LIMIT_CONTENDED;
}

/**
 * limit_take_pair() - one packet of @bytes through a limit on packets and one on bytes
 * @words: of packets, of bytes
 * @rules: likewise; LIMIT_NONE for the one that is not set
 *
 * As if packets were taken first and given back when bytes refuse; but bytes are looked at before
 * packets are written, so that a refusal writes nothing unless another CPU took the bytes between.
 * Return: enum limit_verdict, ORed with LIMIT_BY_BYTES when the limit on bytes refused.
 */
static __always_inline __u32 limit_take_pair(__u64 words[2], const struct limit_rule rules[2],
					     __u64 now_ns, __u32 bytes)
{
	struct limit_try packets = limit_look(&words[0], &rules[0], now_ns, 1);
	struct limit_try of_bytes;
	__u32 verdict;

	if (packets.verdict != LIMIT_PASS) {
		limit_settle(&words[0], &packets);
		return packets.verdict;
	}
	of_bytes = limit_look(&words[1], &rules[1], now_ns, bytes);
	if (of_bytes.verdict != LIMIT_PASS) {
		limit_settle(&words[1], &of_bytes);
		return of_bytes.verdict | LIMIT_BY_BYTES;
	}
	verdict = limit_commit(&words[0], &rules[0], now_ns, 1, packets);
	if (verdict != LIMIT_PASS)
		return verdict;
	verdict = limit_commit(&words[1], &rules[1], now_ns, bytes, of_bytes);
	if (verdict == LIMIT_PASS)
		return LIMIT_PASS;
	limit_give_back(&words[0], &rules[0], now_ns, 1);
	return verdict | LIMIT_BY_BYTES;
}

#endif
