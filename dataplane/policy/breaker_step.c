/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/policy/breaker_step.h"

enum { SKEW_MS = 1000 };

static uint16_t next_epoch(uint16_t epoch)
{
	return epoch == UINT16_MAX ? 1 : (uint16_t)(epoch + 1);
}

/* Does @until_ms, stamped at most @span_ms ahead, lie ahead of now? */
static int is_ahead(uint32_t until_ms, uint32_t now_ms, uint64_t span_ms)
{
	uint32_t left_ms = until_ms - now_ms;

	return left_ms != 0 && left_ms <= span_ms + SKEW_MS;
}

static int still_open(const struct breaker_word *w, const struct image_breaker *rules,
		      uint32_t now_ms)
{
	return is_ahead(w->until_ms, now_ms, rules->max_open_ms * 3ull / 2);
}

static int past_deadline(const struct breaker_word *w, const struct image_breaker *rules,
			 uint32_t now_ms)
{
	return !is_ahead(w->until_ms, now_ms, rules->half_open_ms);
}

/* Past the deadline and no verdict: with some success and no probe under way none is awaited. */
static int timed_out(const struct breaker_word *w, const struct image_breaker *rules,
		     uint32_t now_ms)
{
	return past_deadline(w, rules, now_ms) && !(w->ok > 0 && w->active == 0);
}

uint32_t breaker_open_ms(const struct image_breaker *rules, uint8_t trips, uint64_t random)
{
	uint64_t ms = (uint64_t)rules->open_ms
		      << (trips < BREAKER_MAX_TRIPS ? trips : BREAKER_MAX_TRIPS);

	if (ms > rules->max_open_ms)
		ms = rules->max_open_ms;
	return (uint32_t)(ms + (ms * (random >> 32) >> 33));
}

struct breaker_word step_opened(const struct image_breaker *rules, uint16_t epoch, uint32_t trips,
				uint32_t now_ms, uint64_t random)
{
	uint8_t counted = (uint8_t)(trips < BREAKER_MAX_TRIPS ? trips : BREAKER_MAX_TRIPS);

	return (struct breaker_word){
		.phase = BREAKER_OPEN,
		.epoch = next_epoch(epoch),
		.trips = counted,
		.until_ms = now_ms + breaker_open_ms(rules, counted, random),
	};
}

static struct breaker_word half_opened(const struct image_breaker *rules,
				       const struct breaker_word *w, uint32_t now_ms)
{
	return (struct breaker_word){
		.phase = BREAKER_HALF_OPEN,
		.epoch = next_epoch(w->epoch),
		.trips = w->trips,
		.until_ms = now_ms + rules->half_open_ms,
		.active = 1,
	};
}

struct breaker_word step_closed(uint16_t epoch)
{
	return (struct breaker_word){.phase = BREAKER_CLOSED, .epoch = next_epoch(epoch)};
}

/* For the one swap that has no random number of its caller's. */
static uint64_t mix(uint64_t word, uint64_t now_ns)
{
	struct random r = {.state = (word ^ now_ns * 0x9e3779b97f4a7c15ull) | 1};

	random_next(&r);
	return random_next(&r);
}

int breaker_looks_admitting(uint64_t word, const struct image_breaker *rules,
			    enum breaker_override override, uint64_t now_ns)
{
	struct breaker_word w = breaker_unpack(word);

	if (override != OVERRIDE_NONE)
		return override == OVERRIDE_CLOSED;
	if (w.phase == BREAKER_CLOSED)
		return 1;
	if (w.phase == BREAKER_HALF_OPEN)
		return w.active < rules->probes || timed_out(&w, rules, state_ms(now_ns));
	return !still_open(&w, rules, state_ms(now_ns));
}

uint64_t breaker_open_left_ns(uint64_t word, uint64_t now_ns)
{
	struct breaker_word w = breaker_unpack(word);
	int32_t left_ms = (int32_t)(w.until_ms - state_ms(now_ns));

	if (w.phase != BREAKER_OPEN || left_ms <= 0)
		return 0;
	return (uint64_t)left_ms * 1000000 - now_ns % 1000000;
}

enum breaker_admission step_admitted(const struct image_breaker *rules, uint64_t word,
				     uint64_t now_ns, struct breaker_word *next)
{
	struct breaker_word w = breaker_unpack(word);
	uint32_t now_ms = state_ms(now_ns);

	*next = w;
	if (w.phase != BREAKER_HALF_OPEN) {
		if (still_open(&w, rules, now_ms))
			return BREAKER_REFUSE_OPEN;
		*next = half_opened(rules, &w, now_ms);
		return BREAKER_ADMIT_PROBE;
	}
	if (timed_out(&w, rules, now_ms)) {
		*next = step_opened(rules, w.epoch, w.trips + 1u, now_ms, mix(word, now_ns));
		return BREAKER_REFUSE_OPEN;
	}
	if (w.active >= rules->probes)
		return BREAKER_REFUSE_PROBES;
	if (past_deadline(&w, rules, now_ms))
		next->until_ms = now_ms + rules->half_open_ms;
	next->active++;
	return BREAKER_ADMIT_PROBE;
}
