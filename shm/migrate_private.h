/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a migration; private to shm/migrate*.c. */
#ifndef FENDER_SHM_MIGRATE_PRIVATE_H
#define FENDER_SHM_MIGRATE_PRIVATE_H

#include "shm/migrate.h"
#include "shm/registry.h"
#include "shm/retire.h"

enum { MOVE_NOWHERE = 0xff };

struct move {
	const struct region *from;
	struct region *to;
	const struct image_header *before;
	const struct image_header *after;
	struct migrated *out;
	/* By slot in @from: its slot in @to, or REGISTRY_NONE. */
	uint32_t *slot[STATE_KINDS];
	uint32_t slots[STATE_KINDS];
	uint8_t interface[MAX_INTERFACES]; /* number before: number after, or MOVE_NOWHERE */
};

static inline uint32_t move_slot(const struct move *m, enum state_kind kind, uint32_t slot)
{
	return slot < m->slots[kind] ? m->slot[kind][slot] : REGISTRY_NONE;
}

/* Who goes on with what worker @worker of @from had. */
static inline uint32_t move_worker(const struct move *m, uint32_t worker)
{
	return worker < m->to->shape.workers ? worker : 0;
}

/* migrate_names.c. Before the names of the new policy are claimed: slots stay when they can. */
void migrate_registries(const struct move *m);
/* And afterwards: places for the other names, those with connections first. 0 or -ENOMEM. */
int migrate_names(struct move *m);

/* migrate_state.c */
void migrate_state(const struct move *m);
/* migrate_counters.c */
void migrate_counters(const struct move *m);
/* migrate_events.c */
void migrate_events(const struct move *m);
/* migrate_connections.c, after the counters */
void migrate_connections(const struct move *m);

#endif
