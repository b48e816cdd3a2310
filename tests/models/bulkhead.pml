/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Permits and their queue (dataplane/policy/bulkhead.h, queue.h): WORKERS with CALLS
 * each, LIMIT permits, at most LEAVERS waiters who leave. Each swap of the bulkhead's word is one step (a
 * swap that fails is tried again from the start), every other shared access is one.
 *
 * Holds: in_flight <= LIMIT, and it is the number of permits held or on their way; when nothing
 * moves any more every call has had its permit, was refused or has left, and nothing is in
 * flight, queued, granted or pending. So no permit and no wake-up is lost.
 *
 * BROKEN: 1 a release frees its permit though somebody is queued; 2 a waiter is counted before its
 * ticket shows; 3 a permit nobody waits for is not given back; 4 a grant whose waiter has left is
 * dropped; 5 the taker clears its bits after it took the grants; 6 a newcomer is admitted past the
 * limit; 7 a look at the heads that showed nobody is believed though a waiter left meanwhile.
 */
#ifndef BROKEN
#define BROKEN 0
#endif
#ifndef LIMIT
#define LIMIT 1
#endif
#ifndef CALLS
#define CALLS 1
#endif
#ifndef LEAVERS
#define LEAVERS 1
#endif
#ifndef WORKERS
#define WORKERS 3
#endif
#define MAX_QUEUE 3
#define NOBODY 255

/* The bulkhead's word; left: how many waiters took a place out of queued and left. */
byte in_flight, queued, left;
byte ticket;
/* By worker. */
byte head[WORKERS], granted[WORKERS];
bit slot_bit[WORKERS], summary_bit[WORKERS];
/* For the checks. */
byte held, owed, over, leavers;

#define PERMITS_RIGHT (in_flight <= LIMIT && in_flight == held + owed)

/* bulkhead_leave(): here owed is what was held or owed already. */
inline leave(is_owed)
{
	d_step {
		is_owed = 0;
		if
		:: queued > 0 && BROKEN != 1 -> queued--; is_owed = 1
		:: else -> in_flight--; owed--
		fi;
		if
		:: in_flight == 0 && queued == 0 -> left = 0
		:: else
		fi;
		seen_left = left;
		assert(PERMITS_RIGHT)
	}
}

/*
 * After a look at the heads that showed nobody. A waiter that left may have taken another's place
 * out of queued, whose ticket came too late for that look: then look again.
 */
inline give_back(is_owed)
{
	d_step {
		is_owed = 0;
		if
		:: left != seen_left && BROKEN != 7 -> is_owed = 1
		:: (left == seen_left || BROKEN == 7) && queued > 0 -> queued--; is_owed = 1
		:: else -> in_flight--; owed--
		fi;
		if
		:: in_flight == 0 && queued == 0 -> left = 0
		:: else
		fi;
		seen_left = left;
		assert(PERMITS_RIGHT)
	}
}

/* gate_pass_on(): one owed permit to the oldest ticket, or back. */
inline pass_on()
{
	do
	:: is_owed ->
		/* Not at once: heads are read one after the other. */
		other = NOBODY;
		lowest = 0;
		i = 0;
		do
		:: i == WORKERS -> break
		:: i < WORKERS ->
			d_step {
				if
				:: head[i] != 0 && (lowest == 0 || head[i] < lowest) ->
					lowest = head[i]; other = i
				:: else
				fi;
				i++
			}
		od;
		if
		:: other != NOBODY ->
			granted[other]++;
			slot_bit[other] = 1;
			summary_bit[other] = 1;
			break
		:: else ->
#if BROKEN == 3
			break
#else
			give_back(is_owed)
#endif
		fi
	:: else -> break
	od;
	skip;
	d_step { other = 0; lowest = 0; i = 0; seen_left = 0; is_owed = 0 }
}

/* The list of a worker's waiters: at most CALLS. */
inline push()
{
	atomic {
		ticket++;
		if
		:: waiter[0] == 0 -> waiter[0] = ticket; at = 0
		:: else -> waiter[1] = ticket; at = 1
		fi
	}
	if
	:: at == 0 -> head[me] = waiter[0]
	:: else
	fi
}

inline remove(place)
{
	atomic {
		if
		:: place == 0 ->
			waiter[0] = waiter[1]; waiter[1] = 0;
			head[me] = waiter[0]
		:: else -> waiter[1] = 0
		fi
	}
}

/* queue_due(): reads the heads as pass_on() does. */
inline look_due()
{
	due = (waiter[0] != 0);
	i = 0;
	do
	:: i == WORKERS -> break
	:: i < WORKERS ->
		d_step {
			if
			:: head[i] != 0 && head[i] < waiter[0] -> due = 0
			:: else
			fi;
			i++
		}
	od
}

proctype worker(byte me)
{
	byte started, holding, grants, other, lowest, i, at, seen_left;
	byte waiter[2];
	bit is_owed, due, admitted, refused;

end:
	do
	:: started < CALLS ->
		/* gate_enter() */
		started++;
		d_step {
			admitted = 0;
			refused = 0;
			if
			:: queued == 0 && (in_flight < LIMIT || BROKEN == 6) ->
				in_flight++; held++; holding++; admitted = 1;
				assert(PERMITS_RIGHT)
			:: else
			fi
		}
		if
		:: !admitted ->
#if BROKEN != 2
			push();
#endif
			d_step {
				if
				:: queued == 0 && in_flight < LIMIT ->
					in_flight++; held++; holding++; admitted = 1;
					assert(PERMITS_RIGHT)
				:: else ->
					if
					:: queued < MAX_QUEUE -> queued++
					:: else -> refused = 1; over++
					fi
				fi
			}
#if BROKEN == 2
			push();
#endif
			if
			:: admitted || refused -> remove(at)
			:: else
			fi
		:: else
		fi
	:: holding > 0 ->
		/* A call ends: gate_leave() */
		d_step { holding--; held--; owed++; over++ }
		leave(is_owed);
		pass_on()
	:: summary_bit[me] ->
		/* call_next_granted() */
#if BROKEN != 5
		summary_bit[me] = 0;
		slot_bit[me] = 0;
#endif
		d_step { grants = granted[me]; granted[me] = 0 }
#if BROKEN == 5
		summary_bit[me] = 0;
		slot_bit[me] = 0;
#endif
		do
		:: grants == 0 -> break
		:: grants > 0 ->
			grants--;
			look_due();
			if
			:: due ->
				remove(0);
				d_step { owed--; held++; holding++; assert(PERMITS_RIGHT) }
			:: else ->
#if BROKEN != 4
				d_step { is_owed = 1; seen_left = left }
				pass_on()
#else
				skip
#endif
			fi
		od
	:: atomic { waiter[0] != 0 && leavers < LEAVERS -> leavers++; at = 0 } ->
leaves:
		skip;
		/* queue_leave(), with or without a permit on its way */
		d_step {
			if
			:: queued > 0 -> queued--; left++
			:: else
			fi
		}
		remove(at);
		over++
	:: atomic { waiter[1] != 0 && leavers < LEAVERS -> leavers++; at = 1 } -> goto leaves
	od
}

init
{
	byte w;

	atomic {
		for (w : 0 .. WORKERS - 1) {
			run worker(w)
		}
	}
	timeout;
	assert(over == WORKERS * CALLS);
	assert(in_flight == 0 && queued == 0);
	for (w : 0 .. WORKERS - 1) {
		assert(granted[w] == 0 && head[w] == 0 && !summary_bit[w] && !slot_bit[w])
	}
}
