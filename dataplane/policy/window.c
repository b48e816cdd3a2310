/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/policy/window.h"

#include <assert.h>
#include <string.h>

enum {
	EPOCH_SHIFT = 48,
	HEAD_SHIFT = 36, /* epoch and part of a bucket */
	PART_MASK = 0xfff,
	CALLS_SHIFT = 24,
	FAILED_SHIFT = 12,
	COUNT_MASK = 0xfff,
	/* Both the place of a part, % WINDOW_BUCKETS, and its tag, % 4096, repeat after so many. */
	PARTS_PERIOD = 5 * 4096,
	MAX_AGE_DS = 600,
	SNAPSHOT_TRIES = 8,
};
_Static_assert(PARTS_PERIOD % WINDOW_BUCKETS == 0 && PARTS_PERIOD % (PART_MASK + 1) == 0, "period");

#define NUMBER_MASK ((1ull << EPOCH_SHIFT) - 1)

static uint32_t part_calls(const struct image_breaker *rules)
{
	assert(rules->window >= WINDOW_BUCKETS);
	return rules->window / WINDOW_BUCKETS;
}

static uint32_t now_ds(uint64_t now_ns)
{
	return (uint32_t)(now_ns / 100000000);
}

static int too_old(const uint32_t *started_ds, uint32_t now)
{
	return (int32_t)(now - __atomic_load_n(started_ds, __ATOMIC_RELAXED)) > MAX_AGE_DS;
}

static uint64_t head_of(uint16_t epoch, uint64_t part)
{
	return (uint64_t)epoch << (EPOCH_SHIFT - HEAD_SHIFT) | (part & PART_MASK);
}

/*
 * Draw the call's number in its epoch. The first call of an epoch begins it; the position word is
 * read before the breaker's, so an epoch that has been followed by another is seen as over.
 * Return 0 when it is over.
 */
static int draw(const struct window *w, const struct image_breaker *rules,
		const struct window_call *call, uint64_t *number)
{
	/* Pairs with the swap below. */
	uint64_t old = __atomic_load_n(w->recorded, __ATOMIC_ACQUIRE);
	uint64_t next;

	do {
		*number = old & NUMBER_MASK;
		if (old >> EPOCH_SHIFT != call->epoch) {
			uint64_t word = __atomic_load_n(call->word, __ATOMIC_ACQUIRE);

			if (breaker_unpack(word).epoch != call->epoch)
				return 0;
			*number = 0;
		}
		next = *number + 1;
		/* Go on one period of the parts earlier: nobody sees a difference. */
		if (next > NUMBER_MASK)
			next -= (uint64_t)part_calls(rules) * PARTS_PERIOD;
		next |= (uint64_t)call->epoch << EPOCH_SHIFT;
	} while (!__atomic_compare_exchange_n(w->recorded, &old, next, 0, __ATOMIC_ACQ_REL,
					      __ATOMIC_ACQUIRE));
	return 1;
}

/* Is @part of @epoch still one of the window's, so that its bucket may be taken for it? */
static int in_window(const struct window *w, const struct image_breaker *rules, uint16_t epoch,
		     uint64_t part)
{
	/* Pairs with draw(): who wrote a newer part into the bucket drew its number before. */
	uint64_t r = __atomic_load_n(w->recorded, __ATOMIC_ACQUIRE);
	uint64_t last = ((r & NUMBER_MASK) - 1) / part_calls(rules);

	return r >> EPOCH_SHIFT == epoch &&
	       (last + PARTS_PERIOD - part) % PARTS_PERIOD < WINDOW_BUCKETS;
}

static void add(const struct window *w, const struct image_breaker *rules,
		const struct window_call *call, uint64_t part, uint32_t now)
{
	uint64_t *bucket = &w->count->bucket[part % WINDOW_BUCKETS];
	uint32_t *started_ds = &w->count->started_ds[part % WINDOW_BUCKETS];
	uint64_t head = head_of(call->epoch, part);
	uint64_t one = 1ull << CALLS_SHIFT | (uint64_t)(call->failed != 0) << FAILED_SHIFT |
		       (call->slow != 0);
	/* Pairs with the swap below. */
	uint64_t old = __atomic_load_n(bucket, __ATOMIC_ACQUIRE), next;
	int first;

	do {
		uint32_t calls = (uint32_t)(old >> CALLS_SHIFT & COUNT_MASK);

		first = old >> HEAD_SHIFT != head || calls == 0 || too_old(started_ds, now);
		if (first && !in_window(w, rules, call->epoch, part))
			return;
		/* Only after the window was resized under a part. */
		if (!first && calls == COUNT_MASK)
			return;
		next = first ? head << HEAD_SHIFT | one : old + one;
	} while (!__atomic_compare_exchange_n(bucket, &old, next, 0, __ATOMIC_ACQ_REL,
					      __ATOMIC_ACQUIRE));
	/* Accepted race: until this store the part has the age of the one before it. */
	if (first)
		__atomic_store_n(started_ds, now, __ATOMIC_RELAXED);
}

static void sum_calls(const struct window *w, const struct image_breaker *rules, uint16_t epoch,
		      uint32_t now, struct window_sum *sum)
{
	/* Pairs with draw(). */
	uint64_t r = __atomic_load_n(w->recorded, __ATOMIC_ACQUIRE);
	uint64_t last;

	sum->epoch_calls = r & NUMBER_MASK;
	if (r >> EPOCH_SHIFT != epoch || sum->epoch_calls == 0) {
		sum->epoch_calls = 0;
		return;
	}
	last = (sum->epoch_calls - 1) / part_calls(rules);
	for (uint64_t i = 0; i < WINDOW_BUCKETS && i <= last; i++) {
		uint32_t at = (uint32_t)((last - i) % WINDOW_BUCKETS);
		/* Pairs with add(). */
		uint64_t b = __atomic_load_n(&w->count->bucket[at], __ATOMIC_ACQUIRE);

		if (b >> HEAD_SHIFT != head_of(epoch, last - i) ||
		    too_old(&w->count->started_ds[at], now))
			continue;
		sum->calls += b >> CALLS_SHIFT & COUNT_MASK;
		sum->failed += b >> FAILED_SHIFT & COUNT_MASK;
		sum->slow += b & COUNT_MASK;
	}
}

static uint64_t tick_of(const struct image_breaker *rules, uint64_t now_ns)
{
	assert(rules->window >= WINDOW_BUCKETS);
	return now_ns / (rules->window * (1000000ull / WINDOW_BUCKETS));
}

static void put16(uint16_t *at, uint32_t value)
{
	__atomic_store_n(at, (uint16_t)value, __ATOMIC_RELEASE);
}

/* Stores in an order in which at no instant failed or slow exceed their share of the calls. */
static void add_outcome(struct outcome_bucket *b, const struct window_call *call, uint32_t tick)
{
	if (b->tick != tick || b->epoch != call->epoch) {
		put16(&b->failed, 0);
		put16(&b->slow, 0);
		put16(&b->calls, 0);
		put16(&b->epoch, call->epoch);
		__atomic_store_n(&b->tick, tick, __ATOMIC_RELEASE);
	}
	if (b->calls == UINT16_MAX) {
		put16(&b->failed, b->failed / 2);
		put16(&b->slow, b->slow / 2);
		put16(&b->calls, b->calls / 2);
	}
	put16(&b->calls, b->calls + 1u);
	if (call->failed)
		put16(&b->failed, b->failed + 1u);
	if (call->slow)
		put16(&b->slow, b->slow + 1u);
}

static struct outcome_bucket read_once(const struct outcome_bucket *b)
{
	/* Pair with add_outcome(). */
	return (struct outcome_bucket){
		.tick = __atomic_load_n(&b->tick, __ATOMIC_ACQUIRE),
		.epoch = __atomic_load_n(&b->epoch, __ATOMIC_ACQUIRE),
		.failed = __atomic_load_n(&b->failed, __ATOMIC_ACQUIRE),
		.slow = __atomic_load_n(&b->slow, __ATOMIC_ACQUIRE),
		.calls = __atomic_load_n(&b->calls, __ATOMIC_ACQUIRE),
	};
}

/* A bucket as it was at one instant: read twice alike. Empty when its worker is too quick. */
static struct outcome_bucket snapshot(const struct outcome_bucket *b)
{
	struct outcome_bucket before = read_once(b);

	for (int i = 0; i < SNAPSHOT_TRIES; i++) {
		struct outcome_bucket after = read_once(b);

		if (memcmp(&before, &after, sizeof(before)) == 0)
			return before;
		before = after;
	}
	return (struct outcome_bucket){0};
}

static void sum_outcomes(const struct outcomes *o, uint16_t epoch, uint32_t tick,
			 struct window_sum *sum)
{
	for (uint32_t i = 0; i < WINDOW_BUCKETS; i++) {
		struct outcome_bucket b = snapshot(&o->window[i]);
		int32_t age = (int32_t)(tick - b.tick);

		/* The clocks of two workers may straddle a tick. */
		if (b.epoch != epoch || age < -1 || age >= WINDOW_BUCKETS)
			continue;
		sum->calls += b.calls;
		sum->failed += b.failed;
		sum->slow += b.slow;
	}
}

void window_record(const struct window *w, const struct image_breaker *rules,
		   const struct window_call *call, uint64_t now_ns)
{
	uint64_t number, tick;

	if (rules->window_kind == WINDOW_DURATION) {
		assert(call->worker < w->workers);
		tick = tick_of(rules, now_ns);
		add_outcome(&w->outcomes[(size_t)call->worker * w->stride]
				     .window[tick % WINDOW_BUCKETS],
			    call, (uint32_t)tick);
	} else if (draw(w, rules, call, &number)) {
		add(w, rules, call, number / part_calls(rules), now_ds(now_ns));
	}
}

void window_sum(const struct window *w, const struct image_breaker *rules, uint16_t epoch,
		uint64_t now_ns, struct window_sum *sum)
{
	*sum = (struct window_sum){0};
	if (rules->window_kind == WINDOW_CALLS) {
		sum_calls(w, rules, epoch, now_ds(now_ns), sum);
		return;
	}
	for (uint32_t i = 0; i < w->workers; i++)
		sum_outcomes(&w->outcomes[(size_t)i * w->stride], epoch,
			     (uint32_t)tick_of(rules, now_ns), sum);
	sum->epoch_calls = sum->calls;
}
