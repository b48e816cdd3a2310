/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Make room in the registry: free the entries of names that left the policy; private to shm/.
 *
 * A name's counters are written by workers whose policy names it or that hold a connection of
 * it, a resting one included. So an entry is removed when every running worker decides by a later
 * generation and no entry of the connection table refers to it: from then on none will. It is
 * used again, with zeroed counters, when every running worker has begun a loop since (its
 * heartbeat is later than the removal): a worker may count on in the loop that freed the last
 * connection.
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
 * Cost: one pass over the first lines of the connection table.
 */
void retire_unnamed(const struct region *region, enum state_kind kind, struct registry *registry,
		    uint64_t generation, int reader_dead);

/* Number of entries removed that are not usable again yet. */
uint32_t retire_pending(const struct registry *registry);

#endif
