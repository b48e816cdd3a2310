/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was under way when the last dataplane died: packets in bursts and rings, calls without a
 * verdict, connections still open. Booked as reason dataplane_restart before the workers start, so
 * that the laws of shm/counters.h hold across restarts.
 */
#ifndef FENDER_DATAPLANE_CONN_RESIDUE_H
#define FENDER_DATAPLANE_CONN_RESIDUE_H

struct region;

/* Main thread, while no worker runs. */
void residue_book(const struct region *region);

#endif
