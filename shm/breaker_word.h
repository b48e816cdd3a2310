/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A circuit breaker as one word, changed by compare-and-swap only:
 *
 *   phase:2  epoch:16  trips:4  until_ms:32  and, closed: consecutive:10
 *                                            half-open: active:5, ok:5
 *
 * Times are the low 32 bits of CLOCK_MONOTONIC milliseconds, compared modulo 2^32: right for
 * spans below 24 days, and no policy allows longer ones. Zero, as in fresh memory, is closed.
 */
#ifndef FENDER_SHM_BREAKER_WORD_H
#define FENDER_SHM_BREAKER_WORD_H

#include <stdint.h>

enum breaker_phase { BREAKER_CLOSED = 0, BREAKER_OPEN = 1, BREAKER_HALF_OPEN = 2 };

enum {
	BREAKER_MAX_CONSECUTIVE = 1023,
	BREAKER_MAX_PROBES = 31,
	BREAKER_MAX_TRIPS = 15, /* counted no further */
};

struct breaker_word {
	uint8_t phase;        /* enum breaker_phase */
	uint8_t trips;        /* failed recoveries in a row; 0 once closed */
	uint16_t epoch;       /* raised at every change of phase; never 0 once it has changed */
	uint32_t until_ms;    /* open: may be tried from; half-open: reopens without a verdict at */
	uint16_t consecutive; /* closed: failures in a row */
	uint8_t active;       /* half-open: probes under way */
	uint8_t ok;           /* half-open: probes that succeeded */
};

static inline struct breaker_word breaker_unpack(uint64_t w)
{
	struct breaker_word b = {
		.phase = (uint8_t)(w >> 62),
		.epoch = (uint16_t)(w >> 46),
		.trips = (uint8_t)(w >> 42 & 15),
		.until_ms = (uint32_t)(w >> 10),
	};

	if (b.phase == BREAKER_HALF_OPEN) {
		b.active = (uint8_t)(w >> 5 & 31);
		b.ok = (uint8_t)(w & 31);
	} else {
		b.consecutive = (uint16_t)(w & 1023);
	}
	return b;
}

static inline uint64_t breaker_pack(struct breaker_word b)
{
	uint64_t low = b.phase == BREAKER_HALF_OPEN ? (uint64_t)b.active << 5 | b.ok
						    : (uint64_t)b.consecutive;

	return (uint64_t)b.phase << 62 | (uint64_t)b.epoch << 46 | (uint64_t)b.trips << 42 |
	       (uint64_t)b.until_ms << 10 | low;
}

/*
 * Clean closed state of another epoch, by whoever may: an operator, or an observed policy that is
 * enforced now. Return 1 when it was not closed.
 */
static inline int breaker_word_reset(uint64_t *word)
{
	uint64_t seen = __atomic_load_n(word, __ATOMIC_RELAXED);
	uint64_t closed;

	do {
		uint16_t epoch = (uint16_t)(breaker_unpack(seen).epoch + 1);

		closed = breaker_pack((struct breaker_word){.epoch = epoch ? epoch : 1});
		/* Release pairs with the acquire of whoever decides by the word. */
	} while (!__atomic_compare_exchange_n(word, &seen, closed, 0, __ATOMIC_ACQ_REL,
					      __ATOMIC_RELAXED));
	return breaker_unpack(seen).phase != BREAKER_CLOSED;
}

#endif
