/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The circuit breaker: closed -> open -> half-open, one 64-bit word changed by compare-and-swap
 * only (shm/breaker_word.h). A cluster's breaker and an endpoint's outlier ejection are the same
 * machine with other rules.
 *
 * An admission carries the epoch it was made in; a completion from another epoch changes
 * nothing. Trips happen on >= and only when a failure or slow call is recorded. Open turns
 * half-open at an admission after until; until, jitter included, is set by the same swap that
 * opens. Half-open admits at most `probes` at once over all workers; a slot returns on every exit;
 * `successes` close it (the window starts empty: another epoch), any failure reopens it, and
 * `half_open_ms` without a verdict reopens it: each success moves the deadline, and with some
 * success but no probe under way the next admission does. So a trickle of good calls closes it.
 * open_ms doubles at each failed recovery up to max_open_ms; jitter adds [0, 50 %) of it.
 *
 * No threads, clock or randomness of its own: any thread calls with its time and a random number.
 * A time further ahead than can have been stamped (1.5 * max_open_ms + 1 s, half_open_ms + 1 s)
 * counts as passed: neither a clock that stepped back nor weeks without a call keep it open.
 * The compare-and-swap loops are lock-free: one more turn means that another thread
 * got on.
 */
#ifndef FENDER_DATAPLANE_POLICY_BREAKER_H
#define FENDER_DATAPLANE_POLICY_BREAKER_H

#include "dataplane/policy/window.h"

enum breaker_admission {
	BREAKER_ADMIT,       /* *epoch is what the completion carries */
	BREAKER_ADMIT_PROBE, /* likewise; holds a half-open slot */
	BREAKER_REFUSE_OPEN,
	BREAKER_REFUSE_PROBES, /* half-open and every slot is taken */
	BREAKER_ADMIT_UNFED, /* forced closed, or breaker_admit_unfed(): holds nothing, not recorded
			      */
};

/*
 * What an operation did to the phase, for events and counters. EDGE_REFUSED: the guard did not let
 * it open. EDGE_CLOSED of an endpoint's: the caller lowers its cluster's word, outlier_give_back().
 */
enum breaker_edge { EDGE_NONE = 0, EDGE_OPENED, EDGE_HALF_OPEN, EDGE_CLOSED, EDGE_REFUSED };

/*
 * May this breaker open? Asked before the swap that opens it from closed (not from half-open);
 * 0 refuses, then `consecutive` is zeroed and the edge is EDGE_REFUSED. A granted ejection that
 * loses its swap is given back by undo. Both NULL: always.
 */
struct breaker_guard {
	void *ctx;
	int (*may_open)(void *ctx);
	void (*undo)(void *ctx);
};

struct breaker {
	uint64_t *word;
	const struct image_breaker *rules;
	struct window window;
	enum breaker_override override; /* operators': admits or refuses, feeds nothing */
	struct breaker_guard guard;
};

/*
 * Would breaker_admit() admit now? A pure read of @word. Open with its time elapsed counts as yes;
 * so does half-open past its deadline, since only an admission reopens it.
 */
int breaker_looks_admitting(uint64_t word, const struct image_breaker *rules,
			    enum breaker_override override, uint64_t now_ns);

/* ns until an open breaker may be tried; 0 when it is not open. For Retry-After. */
uint64_t breaker_open_left_ns(uint64_t word, uint64_t now_ns);

/**
 * breaker_admit() - may a call go?
 * @epoch: what its completion carries; when refused or unfed one that is over, so that recording it
 * changes nothing
 *
 * Open and elapsed: turns half-open and admits the first probe. Half-open past its deadline:
 * reopens and refuses; the jitter of that comes from the word and the time.
 */
enum breaker_admission breaker_admit(const struct breaker *b, uint64_t now_ns, uint16_t *epoch,
				     enum breaker_edge *edge);

/*
 * May a call go of which nothing will be heard? Where breaker_admit() would admit it goes unfed;
 * it can be no probe, and changes nothing.
 */
enum breaker_admission breaker_admit_unfed(const struct breaker *b, uint64_t now_ns);

/* How an admitted call ended. */
struct breaker_outcome {
	uint16_t epoch;
	uint8_t probe;  /* it holds a slot, which returns here whatever the rest says */
	uint8_t failed; /* else succeeded */
	uint8_t slow;
	uint32_t worker;
	uint64_t random; /* for the jitter */
};

/**
 * breaker_record() - the verdict of an admitted call; its probe slot returns
 * @stale: 1 when it changed nothing, its epoch being over (or an override in force), else 0
 *
 * Trips when the failures (slow calls) of the window reach the rate, with minimum_calls recorded
 * in the epoch and min(minimum_calls, window - window/10 + 1) of them still in a count window; or
 * at consecutive_failures. Half-open, a slow call is a failure.
 */
enum breaker_edge breaker_record(const struct breaker *b, const struct breaker_outcome *o,
				 uint64_t now_ns, int *stale);

/* A call ended without a verdict: its probe slot returns, if its epoch still has it. */
void breaker_cancel(const struct breaker *b, uint16_t epoch, uint8_t probe);

/* Open it now (statistics). Closed breakers only. Through the guard. */
enum breaker_edge breaker_eject(const struct breaker *b, uint64_t now_ns, uint64_t random);

/*
 * Clean closed state of another epoch: an operator's reset, or observe turned enforce. Return 1
 * when it was not closed before (an endpoint's: outlier_give_back()).
 */
int breaker_reset(uint64_t *word);

/* How long it stays open after @trips failed recoveries, jitter from @random included, in ms. */
uint32_t breaker_open_ms(const struct image_breaker *rules, uint8_t trips, uint64_t random);

#endif
