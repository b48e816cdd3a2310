/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The breaker word (dataplane/policy/breaker.h): WORKERS make CALLS each, an operator resets once.
 * Time is a choice: whether an open time or a half-open deadline has passed. So is what the window
 * says. Epochs do not wrap here.
 *
 * Holds: half-open, active is the number of this epoch's probes that are out, never above PROBES;
 * a swap that ends a call is of the call's epoch; when all calls are over active is 0; and from
 * whatever is left then, calls that succeed close the breaker.
 *
 * BROKEN: 1 an admission stores instead of swapping; 2 a cancelled probe does not look at the
 * epoch; 3 a call that ends without a verdict keeps its slot; 4 likewise one that fails;
 * 5 the deadline reopens although some succeeded and no probe is out.
 */
#ifndef BROKEN
#define BROKEN 0
#endif
#ifndef PROBES
#define PROBES 2
#endif
#ifndef SUCCESSES
#define SUCCESSES 2
#endif
#ifndef WORKERS
#define WORKERS 3
#endif
#ifndef CALLS
#define CALLS 1
#endif

#define CLOSED 0
#define OPEN 1
#define HALF_OPEN 2

#define PHASE(w) ((w) & 3)
#define ACTIVE(w) (((w) >> 2) & 3)
#define OK(w) (((w) >> 4) & 3)
#define CONSECUTIVE(w) (((w) >> 6) & 1)
#define EPOCH(w) ((w) >> 7)
#define PACK(phase, active, ok, consecutive, epoch) \
	((phase) | (active) << 2 | (ok) << 4 | (consecutive) << 6 | (epoch) << 7)
#define TIMED_OUT_ALLOWED(w) (BROKEN == 5 || !(OK(w) > 0 && ACTIVE(w) == 0))

int word = PACK(CLOSED, 0, 0, 0, 0);
byte out; /* probes of the word's epoch that are under way */
byte running = WORKERS + 1;

/* What must hold whenever the word or who is out has changed. */
#define SLOTS_RIGHT \
	(PHASE(word) != HALF_OPEN || (ACTIVE(word) == out && ACTIVE(word) <= PROBES))

inline swap(next, won)
{
	if
	:: word == seen -> word = next; won = 1
	:: else -> seen = word; won = 0
	fi
}

proctype worker()
{
	int seen, next;
	byte calls, mine;
	bit won, admitted, probe, bad;

	do
	:: calls == CALLS -> break
	:: calls < CALLS ->
		calls++;
		admitted = 0;
		seen = word;
		/* breaker_admit() */
		do
		:: PHASE(seen) == CLOSED ->
			admitted = 1; probe = 0; mine = EPOCH(seen); break
		:: PHASE(seen) == OPEN -> break /* its time has not passed */
		:: PHASE(seen) == OPEN ->
			next = PACK(HALF_OPEN, 1, 0, 0, EPOCH(seen) + 1);
			atomic {
				swap(next, won);
				if
				:: won ->
					admitted = 1; probe = 1; mine = EPOCH(next);
					out = 1; assert(SLOTS_RIGHT);
					break
				:: else
				fi
			}
		:: PHASE(seen) == HALF_OPEN && TIMED_OUT_ALLOWED(seen) ->
			next = PACK(OPEN, 0, 0, 0, EPOCH(seen) + 1);
			atomic {
				swap(next, won);
				if
				:: won -> break
				:: else
				fi
			}
		:: PHASE(seen) == HALF_OPEN && ACTIVE(seen) >= PROBES -> break
		:: PHASE(seen) == HALF_OPEN && ACTIVE(seen) < PROBES ->
			next = seen + PACK(0, 1, 0, 0, 0);
			atomic {
#if BROKEN == 1
				word = next; won = 1;
#else
				swap(next, won);
#endif
				if
				:: won ->
					admitted = 1; probe = 1; mine = EPOCH(next);
					out++; assert(SLOTS_RIGHT);
					break
				:: else
				fi
			}
		od;
		if
		:: !admitted -> goto over
		:: admitted && probe -> goto cancel /* the client left */
		:: admitted && !probe -> goto over
		:: admitted -> bad = 0
		:: admitted -> bad = 1
		fi;
		/* breaker_record() */
		seen = word;
		if
		:: EPOCH(seen) != mine -> goto cancel
		:: else
		fi;
		do
		:: EPOCH(seen) != mine -> goto cancel
		:: EPOCH(seen) == mine && !probe ->
			if
			:: !bad -> next = PACK(CLOSED, 0, 0, 0, mine)
			:: bad && !CONSECUTIVE(seen) -> next = PACK(CLOSED, 0, 0, 1, mine)
			:: bad -> next = PACK(OPEN, 0, 0, 0, mine + 1)
			fi;
			atomic {
				swap(next, won);
				if
				:: won -> goto over
				:: else
				fi
			}
		:: EPOCH(seen) == mine && probe ->
			if
			:: bad -> next = PACK(OPEN, 0, 0, 0, mine + 1)
			:: !bad && OK(seen) + 1 >= SUCCESSES -> next = PACK(CLOSED, 0, 0, 0, mine + 1)
			:: !bad && OK(seen) + 1 < SUCCESSES ->
				next = seen + PACK(0, 0, 1, 0, 0) - PACK(0, 1, 0, 0, 0)
			fi;
#if BROKEN == 4
			if
			:: bad -> next = seen
			:: else
			fi;
#endif
			atomic {
				swap(next, won);
				if
				:: won ->
					if
					:: EPOCH(word) == mine -> out--
					:: else -> out = 0
					fi;
					assert(SLOTS_RIGHT);
					goto over
				:: else
				fi
			}
		od;
cancel:
		/* breaker_cancel() */
		seen = word;
		do
		:: !probe -> break
#if BROKEN == 3
		:: probe ->
			atomic {
				if
				:: EPOCH(word) == mine -> out--
				:: else
				fi;
				assert(SLOTS_RIGHT);
				break
			}
#endif
		:: probe && (PHASE(seen) != HALF_OPEN || ACTIVE(seen) == 0 ||
			     (BROKEN != 2 && EPOCH(seen) != mine)) ->
			atomic {
				/* Its epoch is over: the slot went with it. */
				assert(EPOCH(word) != mine);
				break
			}
		:: probe && PHASE(seen) == HALF_OPEN && ACTIVE(seen) > 0 &&
			   (BROKEN == 2 || EPOCH(seen) == mine) ->
			next = seen - PACK(0, 1, 0, 0, 0);
			atomic {
				swap(next, won);
				if
				:: won ->
					assert(EPOCH(seen) == mine);
					out--; assert(SLOTS_RIGHT);
					break
				:: else
				fi
			}
		od;
over:
		skip;
		d_step { seen = 0; next = 0; mine = 0; won = 0; probe = 0; bad = 0 }
	od;
	running--
}

/* breaker_reset(), at any time or never. */
proctype operator()
{
	int seen;
	bit won;

	if
	:: skip
	:: seen = word;
		do
		:: atomic {
			swap(PACK(CLOSED, 0, 0, 0, EPOCH(seen) + 1), won);
			if
			:: won -> break
			:: else
			fi
		}
		od
	fi;
	running--
}

init
{
	byte i;

	atomic {
		for (i : 1 .. WORKERS) {
			run worker()
		}
		run operator()
	}
	running == 0;
	d_step {
		assert(PHASE(word) != HALF_OPEN || ACTIVE(word) == 0);
		/* Long after: every call comes past the deadline and succeeds. */
		i = 0;
		do
		:: PHASE(word) == CLOSED -> break
		:: PHASE(word) != CLOSED ->
			i++;
			assert(i <= SUCCESSES + 2);
			if
			:: PHASE(word) == OPEN -> word = PACK(HALF_OPEN, 1, 0, 0, EPOCH(word) + 1)
			:: PHASE(word) == HALF_OPEN && TIMED_OUT_ALLOWED(word) ->
				word = PACK(OPEN, 0, 0, 0, EPOCH(word) + 1)
			:: else -> word = word + PACK(0, 1, 0, 0, 0)
			fi;
			if
			:: PHASE(word) == OPEN
			:: PHASE(word) == HALF_OPEN && OK(word) + 1 >= SUCCESSES ->
				word = PACK(CLOSED, 0, 0, 0, EPOCH(word) + 1)
			:: else -> word = word + PACK(0, 0, 1, 0, 0) - PACK(0, 1, 0, 0, 0)
			fi
		od
	}
}
