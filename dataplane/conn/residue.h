/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was lost with the last dataplane: packets in bursts and rings, calls without a verdict and
 * connections that are not carried on. Booked as reason dataplane_restart before the workers start,
 * so that the laws of shm/counters.h hold across restarts.
 */
#ifndef FENDER_DATAPLANE_CONN_RESIDUE_H
#define FENDER_DATAPLANE_CONN_RESIDUE_H

#include <stdint.h>

#include "shm/conn.h"

struct region;
struct region_shape;

/* By slot: calls (of endpoints: attempts) without a verdict, and connections. */
struct residue_level {
	uint32_t *calls;
	uint32_t *open;
};

/* What one worker carries on. */
struct residue {
	struct residue_level listeners;
	struct residue_level clusters;
	struct residue_level endpoints;
};

/* Empty. Return 0 or -ENOMEM. */
int residue_create(struct residue *r, const struct region_shape *shape);
void residue_destroy(struct residue *r);

/* A connection of conn_table_adopt() is carried on: its slots are in range. */
void residue_count(struct residue *r, const struct conn *c);

/*
 * What the counters of @worker show under way beyond @r has failed by the restart, and is closed. A
 * death between an entry and its counter may leave one short: it is made up for.
 */
void residue_book_calls(const struct region *region, uint32_t worker, const struct residue *r);

/* The packets of all workers. Main thread, while no worker runs. */
void residue_book_packets(const struct region *region);

#endif
