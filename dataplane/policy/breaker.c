/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/policy/breaker_step.h"

enum { ALL_PERCENT = 10000 };

static int swap(uint64_t *word, uint64_t *seen, struct breaker_word next)
{
	/* Release for the loads of this word everywhere below; acquire on both ways out. */
	return __atomic_compare_exchange_n(word, seen, breaker_pack(next), 0, __ATOMIC_ACQ_REL,
					   __ATOMIC_ACQUIRE);
}

static uint64_t look(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

enum breaker_admission breaker_admit(const struct breaker *b, uint64_t now_ns, uint16_t *epoch,
				     enum breaker_edge *edge)
{
	uint64_t word = look(b->word);

	*edge = EDGE_NONE;
	for (;;) {
		struct breaker_word w = breaker_unpack(word), next;
		enum breaker_admission a;

		*epoch = w.epoch;
		if (b->override == OVERRIDE_NONE && w.phase == BREAKER_CLOSED)
			return BREAKER_ADMIT;
		*epoch = (uint16_t)(w.epoch - 1); /* over for good */
		if (b->override != OVERRIDE_NONE)
			return b->override == OVERRIDE_OPEN ? BREAKER_REFUSE_OPEN
							    : BREAKER_ADMIT_UNFED;
		a = step_admitted(b->rules, word, now_ns, &next);
		if (a != BREAKER_ADMIT_PROBE && next.epoch == w.epoch)
			return a;
		if (!swap(b->word, &word, next))
			continue;
		if (a == BREAKER_ADMIT_PROBE)
			*epoch = next.epoch;
		if (next.epoch != w.epoch)
			*edge = next.phase == BREAKER_OPEN ? EDGE_OPENED : EDGE_HALF_OPEN;
		return a;
	}
}

enum breaker_admission breaker_admit_unfed(const struct breaker *b, uint64_t now_ns)
{
	const uint64_t word = look(b->word);

	if (breaker_looks_admitting(word, b->rules, b->override, now_ns))
		return BREAKER_ADMIT_UNFED;
	return b->override == OVERRIDE_NONE && breaker_unpack(word).phase == BREAKER_HALF_OPEN
		       ? BREAKER_REFUSE_PROBES
		       : BREAKER_REFUSE_OPEN;
}

static int window_trips(const struct image_breaker *rules, const struct window_sum *sum)
{
	uint64_t minimum = rules->minimum_calls;

	if (sum->epoch_calls < minimum || sum->calls == 0)
		return 0;
	if (rules->window_kind == WINDOW_CALLS) {
		uint32_t full = rules->window - rules->window / WINDOW_BUCKETS + 1;

		minimum = minimum < full ? minimum : full;
	}
	if (sum->calls < minimum)
		return 0;
	if (rules->failure_rate && sum->failed * ALL_PERCENT >= rules->failure_rate * sum->calls)
		return 1;
	return rules->slow_us && rules->slow_rate &&
	       sum->slow * ALL_PERCENT >= rules->slow_rate * sum->calls;
}

/* Closed -> open if the guard lets it. 0: the word has changed meanwhile, *@seen is what it is. */
static int try_open(const struct breaker *b, uint64_t *seen, uint32_t now_ms, uint64_t random,
		    enum breaker_edge *edge)
{
	struct breaker_word w = breaker_unpack(*seen);

	*edge = EDGE_OPENED;
	if (!b->guard.may_open || b->guard.may_open(b->guard.ctx)) {
		if (swap(b->word, seen, step_opened(b->rules, w.epoch, 0, now_ms, random)))
			return 1;
		if (b->guard.undo)
			b->guard.undo(b->guard.ctx);
		return 0;
	}
	*edge = EDGE_REFUSED;
	if (w.consecutive == 0)
		return 1;
	w.consecutive = 0;
	return swap(b->word, seen, w);
}

/* The outcome goes into the window first and is judged with it. */
static int judge(const struct breaker *b, const struct breaker_outcome *o, int slow,
		 uint64_t now_ns)
{
	struct window_call call = {.word = b->word,
				   .epoch = o->epoch,
				   .failed = o->failed,
				   .slow = (uint8_t)slow,
				   .worker = o->worker};
	struct window_sum sum;

	window_record(&b->window, b->rules, &call, now_ns);
	if (!o->failed && !slow)
		return 0;
	window_sum(&b->window, b->rules, o->epoch, now_ns, &sum);
	return window_trips(b->rules, &sum);
}

static enum breaker_edge record_closed(const struct breaker *b, const struct breaker_outcome *o,
				       uint64_t seen, uint64_t now_ns, int *stale)
{
	int slow = o->slow && b->rules->slow_us;
	int trips = judge(b, o, slow, now_ns);
	uint32_t limit = b->rules->consecutive_failures;

	for (;;) {
		struct breaker_word w = breaker_unpack(seen);
		uint16_t before = w.consecutive;
		enum breaker_edge edge;

		if (w.epoch != o->epoch) {
			*stale = 1;
			return EDGE_NONE;
		}
		if (!o->failed)
			w.consecutive = 0;
		else if (w.consecutive < BREAKER_MAX_CONSECUTIVE)
			w.consecutive++;
		if (trips || (o->failed && limit && w.consecutive >= limit)) {
			if (try_open(b, &seen, state_ms(now_ns), o->random, &edge))
				return edge;
		} else if (w.consecutive == before || swap(b->word, &seen, w)) {
			return EDGE_NONE;
		}
	}
}

static enum breaker_edge record_probe(const struct breaker *b, const struct breaker_outcome *o,
				      uint64_t seen, uint64_t now_ns, int *stale)
{
	int bad = o->failed || (o->slow && b->rules->slow_us);
	uint32_t now_ms = state_ms(now_ns);

	for (;;) {
		struct breaker_word w = breaker_unpack(seen);
		enum breaker_edge edge = EDGE_NONE;

		if (w.epoch != o->epoch) {
			*stale = 1;
			return EDGE_NONE;
		}
		if (bad) {
			w = step_opened(b->rules, w.epoch, w.trips + 1u, now_ms, o->random);
			edge = EDGE_OPENED;
		} else if (w.ok + 1u >= b->rules->successes || w.ok >= BREAKER_MAX_PROBES) {
			w = step_closed(w.epoch);
			edge = EDGE_CLOSED;
		} else {
			w.ok++;
			w.active -= w.active > 0;
			w.until_ms = now_ms + b->rules->half_open_ms;
		}
		if (swap(b->word, &seen, w))
			return edge;
	}
}

enum breaker_edge breaker_record(const struct breaker *b, const struct breaker_outcome *o,
				 uint64_t now_ns, int *stale)
{
	uint64_t word = look(b->word);
	struct breaker_word w = breaker_unpack(word);

	*stale = b->override != OVERRIDE_NONE || w.epoch != o->epoch ||
		 w.phase != (o->probe ? BREAKER_HALF_OPEN : BREAKER_CLOSED);
	if (*stale) {
		breaker_cancel(b, o->epoch, o->probe);
		return EDGE_NONE;
	}
	return o->probe ? record_probe(b, o, word, now_ns, stale)
			: record_closed(b, o, word, now_ns, stale);
}

void breaker_cancel(const struct breaker *b, uint16_t epoch, uint8_t probe)
{
	uint64_t word = look(b->word);

	while (probe) {
		struct breaker_word w = breaker_unpack(word);

		if (w.epoch != epoch || w.phase != BREAKER_HALF_OPEN || w.active == 0)
			return;
		w.active--;
		if (swap(b->word, &word, w))
			return;
	}
}

enum breaker_edge breaker_eject(const struct breaker *b, uint64_t now_ns, uint64_t random)
{
	uint64_t word = look(b->word);
	enum breaker_edge edge;

	if (b->override != OVERRIDE_NONE)
		return EDGE_NONE;
	while (breaker_unpack(word).phase == BREAKER_CLOSED)
		if (try_open(b, &word, state_ms(now_ns), random, &edge))
			return edge;
	return EDGE_NONE;
}

int breaker_reset(uint64_t *word)
{
	return breaker_word_reset(word);
}
