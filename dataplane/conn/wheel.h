/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lazy timer wheel: one level of slots of WHEEL_TICK_NS. An entry keeps its deadline
 * itself; when its slot comes round and the deadline has moved, it is put back. The
 * horizon is slots x tick; later deadlines wait in the farthest slot. Lists are linked
 * through the entries (next, prev, list), so that leaving is O(1).
 */
#ifndef FENDER_DATAPLANE_CONN_WHEEL_H
#define FENDER_DATAPLANE_CONN_WHEEL_H

#include <stdint.h>

#include "shm/conn.h"

enum { WHEEL_TICK_SHIFT = 22, WHEEL_SLOTS = 8192 }; /* 4.19 ms, horizon 34 s */

struct wheel {
	uint64_t tick;			     /* all slots before this one have fired */
	uint32_t heads[WHEEL_SLOTS];	     /* CONN_NONE: empty */
	uint64_t occupied[WHEEL_SLOTS / 64]; /* bit: slot has entries */
};

#endif
