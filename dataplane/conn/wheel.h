/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lazy timer wheel: one level of slots of WHEEL_TICK_NS. An entry keeps its deadline
 * itself; when its slot comes round and the deadline has moved, it is put back. The
 * horizon is slots x tick; later deadlines wait in the farthest slot. Lists are linked
 * both ways, so that leaving is O(1), and in private memory: of the entries, which lie in shared
 * memory, only the deadline is read, and whatever it says costs no more than an entry's time.
 *
 * A slot fires when its tick has passed: never before a deadline, at most one tick
 * after it. A clock that stands still fires nothing; one that steps back fires nothing
 * until it has caught up; after a jump every slot is visited at most twice.
 */
#ifndef FENDER_DATAPLANE_CONN_WHEEL_H
#define FENDER_DATAPLANE_CONN_WHEEL_H

#include <stdint.h>

#include "shm/conn.h"
#include "shm/limits.h"

enum { WHEEL_TICK_SHIFT = 22, WHEEL_SLOTS = 8192 }; /* 4.19 ms, horizon 34 s */
#define WHEEL_TICK_NS (1ull << WHEEL_TICK_SHIFT)

/* The list that an entry is on. Zero, as in fresh memory, is none. */
enum conn_list {
	CONN_LIST_NONE = 0,
	CONN_LIST_FREE,
	CONN_LIST_RESTING,
	CONN_LIST_WHEEL, /* + slot number */
};

/* What a table itself knows of an entry. */
struct conn_own {
	uint32_t next; /* links of the one list it is on: wheel slot, resting, free */
	uint32_t prev;
	uint32_t bucket[2]; /* place of each key in the index, by enum direction */
	uint16_t signature[2];
	uint16_t list;        /* enum conn_list */
	uint16_t port;        /* SNAT port that it holds, host order; 0: none */
	uint8_t snat_address; /* of which pool */
	uint8_t udp;
	uint8_t indexed; /* keys in the index, a bit each */
	uint8_t opened;  /* its owner's: counted as opened, not yet as closed */
	uint8_t pad[4];
};
_Static_assert(sizeof(struct conn_own) == 32, "two to a cache line");
_Static_assert(CONN_LIST_WHEEL + WHEEL_SLOTS <= UINT16_MAX, "list has 16 bits");

/*
 * The farthest a deadline may lie ahead, but for UINT64_MAX, which is none. An entry that says
 * more was written over: it is handed out when its slot comes round.
 */
#define WHEEL_FARTHEST_NS (2ull * MAX_TIMEOUT_MS * 1000000)

struct wheel {
	struct conn *entries;
	struct conn_own *own;
	uint64_t tick;                       /* all slots before this one have fired */
	uint32_t heads[WHEEL_SLOTS];         /* CONN_NONE: empty */
	uint64_t occupied[WHEEL_SLOTS / 64]; /* bit: slot has entries */
};

/* Empty; ticks before @now_ns have fired. @own: one for each of @entries, on no list. */
void wheel_init(struct wheel *w, struct conn *entries, struct conn_own *own, uint64_t now_ns);

/*
 * Put entry @number, on no list, where its deadline_ns says. Deadlines that have passed go to
 * the next slot to fire. O(1).
 */
void wheel_insert(struct wheel *w, uint32_t number);

/* Take an entry off its slot. O(1). */
void wheel_remove(struct wheel *w, uint32_t number);

/* Whether the entry's slot, if it has one, fires no later than its deadline asks. */
int wheel_is_early_enough(const struct wheel *w, uint32_t number);

/**
 * wheel_expire() - entries whose deadline has passed, taken off the wheel
 * @expired: room for @max pointers
 *
 * Looks at no more than @max entries, expired or put back, and at each word of the bitmap a
 * bounded number of times, however far the clock has moved: what is left waits for the next
 * call, and wheel_next_ns() says so. Return: number of entries in @expired.
 */
uint32_t wheel_expire(struct wheel *w, uint64_t now_ns, struct conn **expired, uint32_t max);

/* When the next occupied slot fires, UINT64_MAX when all are empty. O(words of the bitmap). */
uint64_t wheel_next_ns(const struct wheel *w);

#endif
