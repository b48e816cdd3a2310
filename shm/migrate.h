/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an instance has in its region, carried over to a region of another shape: other workers,
 * table sizes, interfaces. Names keep their state and counters, connections their way.
 *
 * Counters never go down: those of workers that are no more are added to the first one's, those of
 * interfaces that left to the last row (of 16: mostly no interface's). What names that found no
 * room had is gone. A connection that cannot go on is left out; its counters are carried all the
 * same, so the dataplane that starts books it as failed by dataplane_restart
 * (dataplane/conn/residue.h).
 *
 * Not carried: waiting calls (as at any restart), what the dataplane writes anew at its start, the
 * kernel's neighbours, captured packets.
 */
#ifndef FENDER_SHM_MIGRATE_H
#define FENDER_SHM_MIGRATE_H

#include <stddef.h>
#include <stdint.h>

#include "shm/image.h"
#include "shm/region.h"

/* Why a connection was left out. */
enum migrate_end {
	MIGRATE_NO_INTERFACE, /* it came or went by one that is not in the new policy */
	MIGRATE_NO_ADDRESS,   /* its SNAT address or port is not */
	MIGRATE_NO_NAME,      /* its listener, cluster or endpoint found no room */
	MIGRATE_NO_ROOM,      /* its worker's table is full */
	MIGRATE_UNREADABLE,   /* the entry contradicts itself */
	MIGRATE_ENDS,
};

struct migrated {
	uint32_t carried; /* connections and flows */
	uint32_t resting; /* those that are over, and given up attempts: their ports rest */
	uint32_t waiting; /* calls without an attempt: ended */
	uint32_t ended[MIGRATE_ENDS];
	uint64_t generation; /* of @after in the new region */
};

struct migration {
	const struct region *from;         /* no dataplane runs on it; nothing in it is believed */
	struct region *to;                 /* just created, of the shape of @after */
	const struct image_header *before; /* checked private copy of what is active in @from */
	const struct image_header *after;  /* checked: becomes active in @to */
};

/**
 * region_migrate() - fill @to from @from and publish @after in it
 * @why: at least 160 bytes; one sentence on failure
 *
 * @from is read only, so it can go on whenever this fails. Afterwards @to has the region id of
 * @from, the next generation, and this process as its writer.
 * Return: 0; -ENOMEM; what publish() returns (-ENOSPC: the names of @after do not fit).
 */
int region_migrate(const struct migration *m, struct migrated *out, char *why, size_t why_size);

/* "interface_gone", or "unknown". */
const char *migrate_end_name(unsigned int end);

#endif
