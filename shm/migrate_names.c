/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shm/migrate_private.h"
#include "shm/publish.h"
#include "shm/registry_check.h"

/* Where the sizes are the same, what goes by slots outside the region stays right. */
static void copy_registry(const struct move *m, enum state_kind kind)
{
	const struct registry from = retire_load(m->from, kind);
	struct registry to = retire_load(m->to, kind);
	const size_t bytes = to.slots * sizeof(*to.entries);

	if (from.slots != to.slots)
		return;
	memcpy(to.entries, from.entries, bytes);
	to = retire_load(m->to, kind);
	if (!registry_is_sound(&to))
		memset(to.entries, 0, bytes);
}

void migrate_registries(const struct move *m)
{
	for (int kind = 0; kind < STATE_KINDS; kind++)
		copy_registry(m, (enum state_kind)kind);
}

/* By slot of each kind: a connection names it. */
struct held {
	uint8_t *by[STATE_KINDS];
};

static void hold(const struct move *m, const struct held *held, enum state_kind kind, uint32_t slot)
{
	if (slot < m->slots[kind])
		held->by[kind][slot] = 1;
}

static void find_held(const struct move *m, const struct held *held)
{
	const struct region_shape *shape = &m->from->shape;
	const uint64_t count = (uint64_t)shape->workers * shape->connections_per_worker;

	for (uint64_t i = 0; i < count; i++) {
		const struct conn *c = &m->from->connections[i];

		if (c->state == CONN_FREE || c->state == CONN_WAITING)
			continue;
		hold(m, held, STATE_LISTENER, c->listener);
		hold(m, held, STATE_CLUSTER, c->cluster);
		hold(m, held, STATE_ENDPOINT, c->endpoint);
	}
}

static uint32_t place(struct registry *to, const struct registry_entry *e, uint64_t generation,
		      int may_claim)
{
	uint32_t slot = registry_find(to->entries, to->slots, e->key);

	if (slot == REGISTRY_NONE && may_claim)
		slot = registry_claim(to, e->key, e->name,
				      e->generation < generation ? e->generation : generation - 1);
	return slot < to->slots ? slot : REGISTRY_NONE;
}

static void place_names(const struct move *m, enum state_kind kind, const uint8_t *held)
{
	const struct registry from = retire_load(m->from, kind);
	struct registry to = retire_load(m->to, kind);
	const uint64_t generation = m->out->generation;

	for (int pass = 0; pass < 2; pass++) {
		for (uint32_t slot = 0; slot < from.slots; slot++) {
			const struct registry_entry e = from.entries[slot];

			m->slot[kind][slot] = registry_is_name(&e) ? place(&to, &e, generation,
									   pass == 1 || held[slot])
								   : REGISTRY_NONE;
		}
	}
}

int migrate_names(struct move *m)
{
	const struct region_shape *shape = &m->from->shape;
	const uint32_t slots[STATE_KINDS] = {
		[STATE_LISTENER] = shape->listener_slots,
		[STATE_CLUSTER] = shape->cluster_slots,
		[STATE_ENDPOINT] = shape->endpoint_slots,
	};
	struct held held = {{NULL}};
	int rc = 0;

	for (int kind = 0; kind < STATE_KINDS && rc == 0; kind++) {
		m->slots[kind] = slots[kind];
		m->slot[kind] = calloc(slots[kind], sizeof(*m->slot[kind]));
		held.by[kind] = calloc(slots[kind], 1);
		rc = m->slot[kind] && held.by[kind] ? 0 : -ENOMEM;
	}
	if (rc == 0)
		find_held(m, &held);
	for (int kind = 0; kind < STATE_KINDS; kind++) {
		if (rc == 0)
			place_names(m, (enum state_kind)kind, held.by[kind]);
		free(held.by[kind]);
	}
	return rc;
}
