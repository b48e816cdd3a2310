/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Make room in the registry: free the entries of names that left the policy; private to shm/.
 *
 * A name's counters and policy state are written by workers whose policy names it or that hold a
 * connection of it, a resting or waiting one included. So an entry is removed when every running
 * worker decides by a later generation, no entry of the connection table refers to it and its
 * state shows nothing in flight: from then on none will. (What a killed dataplane left in flight
 * does not count: its successor counts anew, shm/state.h.) It is used again, with counters and
 * state zeroed, when every running worker has begun a loop since (its heartbeat is later than the
 * removal): a worker may count on in the loop that freed the last connection. An entry that
 * something has written over, and the next image does not name, is removed whoever refers to it.
 */
#ifndef FENDER_SHM_RETIRE_H
#define FENDER_SHM_RETIRE_H

#include "shm/region.h"
#include "shm/registry.h"

/* Kinds of names that have state. */
enum state_kind { STATE_LISTENER, STATE_CLUSTER, STATE_ENDPOINT, STATE_KINDS };

struct registry retire_load(const struct region *region, enum state_kind kind);

/**
 * retire_unnamed() - remove and recycle what it can of the entries of @kind
 * @registry: from retire_load(); entries that the next image names are stamped already
 * @generation: of the next image
 * @reader_dead: no dataplane runs
 *
 * Cost: one pass over the first line of each entry of the connection table, the last of waiting
 * ones.
 */
void retire_unnamed(const struct region *region, enum state_kind kind, struct registry *registry,
		    uint64_t generation, int reader_dead);

/* Number of entries removed that are not usable again yet. */
uint32_t retire_pending(const struct registry *registry);

#endif
