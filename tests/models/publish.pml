/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Publish and adopt (shm/publish.h): two writers one after the other, by their lock, and a reader
 * that is started anew once. Whoever is killed is killed at any point. An image is two words; a
 * whole one has both of one writer and generation (the checksum).
 *
 * Holds: there always is a slot to write; the reader copies no slot while it is written; what it
 * copies is whole and of the generation it read; active only grows.
 * With ZOMBIE a writer that lost its lock goes on: then a copy may be mixed, but is refused.
 *
 * BROKEN: 1 the reader does not look at active again; 2 the writer does not look at reading; 3 two
 * slots; 4 the writer looks at reading before its last publication; 5 with ZOMBIE: the writer
 * stores active instead of swapping.
 */
#ifndef BROKEN
#define BROKEN 0
#endif
#if BROKEN == 3
#define SLOTS 2
#else
#define SLOTS 3
#endif
#if BROKEN == 5
#define ZOMBIE
#endif
#define PUBLICATIONS 2 /* of a writer */
#define ADOPTIONS 2    /* of a reader */

#define GENERATION(word) ((word) >> 2)
#define SLOT(word) ((word) & 3)
#define IS_FREE(slot, a, taken) (((taken) >> (slot) & 1) == 0 && ((a) == 0 || SLOT(a) != (slot)))

int current;  /* header's active: generation << 2 | slot; 0: nothing published */
byte reading; /* a bit a slot */
byte epoch;
bit lock;
bit reader_alive;
int low[4], high[4]; /* the two words of each slot's image: generation << 2 | writer */
byte writing[3];     /* by writer: 1 + the slot it writes; 0: none */
bit kill_writer, kill_reader, reader_over;

proctype writer(byte id)
{
	int seen;
	byte mine, slot, taken, done;
	bit dead;

	atomic { lock == 0 -> lock = 1; epoch++; mine = epoch }
	{
		taken = reading;
		do
		:: done == PUBLICATIONS -> break
		:: done < PUBLICATIONS ->
			done++;
			seen = current;
			dead = !reader_alive; /* its process lock is free */
			if
			:: epoch != mine -> break
			:: else
			fi;
#if BROKEN == 2
			taken = 0;
#elif BROKEN != 4
			if
			:: dead -> taken = 0
			:: else -> taken = reading
			fi;
#endif
			atomic {
				slot = 0;
				do
				:: slot < SLOTS && !IS_FREE(slot, seen, taken) -> slot++
				:: else -> break
				od;
				assert(slot < SLOTS);
				writing[id] = slot + 1
			}
			low[slot] = (GENERATION(seen) + 1) << 2 | id;
			high[slot] = (GENERATION(seen) + 1) << 2 | id;
#if BROKEN == 4
			taken = reading;
#endif
			if
			:: epoch != mine -> break
			:: else
			fi;
			atomic {
				writing[id] = 0;
				if
				:: BROKEN == 5 || current == seen ->
					assert(GENERATION(current) <= GENERATION(seen));
					current = (GENERATION(seen) + 1) << 2 | slot
				:: else -> break
				fi
			}
		od
#ifdef ZOMBIE
	};
#else
	} unless { id == 1 && kill_writer };
#endif
	atomic {
		writing[id] = 0;
		if
		:: epoch == mine -> lock = 0
		:: else
		fi
	}
}

proctype reader()
{
	int seen, now, copy_low, copy_high;
	byte have, tries, was;

	reader_alive = 1;
	{
		do
		:: tries == ADOPTIONS -> break
		:: tries < ADOPTIONS ->
			tries++;
			seen = current;
			do
			:: seen == 0 || GENERATION(seen) == have -> break
			:: else ->
				reading = 1 << SLOT(seen);
#if BROKEN == 1
				now = seen;
#else
				now = current;
#endif
				if
				:: now == seen ->
					atomic {
						copy_low = low[SLOT(seen)];
#ifndef ZOMBIE
						assert(writing[1] != SLOT(seen) + 1 && writing[2] != SLOT(seen) + 1);
#endif
					}
					atomic {
						copy_high = high[SLOT(seen)];
#ifndef ZOMBIE
						assert(writing[1] != SLOT(seen) + 1 && writing[2] != SLOT(seen) + 1);
#endif
					}
					atomic {
						reading = 0;
#ifndef ZOMBIE
						assert(copy_low == copy_high && GENERATION(copy_low) == GENERATION(seen));
#endif
						if
						:: copy_low == copy_high && GENERATION(copy_low) == GENERATION(seen) ->
							assert(GENERATION(seen) > have);
							have = GENERATION(seen)
						:: else /* refused */
						fi;
						break
					}
				:: else -> reading = 0; seen = now
				fi
			od
		od;
		reading = 0
	} unless { kill_reader };
	atomic { reader_alive = 0; reader_over = 1 }
}

init
{
	atomic { run writer(1); run writer(2); run reader() }
	/* Killed once each, at any time, or never. */
	if
#ifdef ZOMBIE
	:: lock = 0
#else
	:: kill_writer = 1
#endif
	:: skip
	fi;
	if
	:: kill_reader = 1; atomic { reader_over -> kill_reader = 0; run reader() }
	:: skip
	fi
}
