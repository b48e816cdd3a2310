/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/migrate_private.h"

/* A head beyond this was not counted there. */
#define HEAD_MAX (UINT64_MAX / 2)

static uint32_t new_slot(const struct move *m, const struct event *e)
{
	static const enum state_kind kinds[] = {
		[SUBJECT_LISTENER] = STATE_LISTENER,
		[SUBJECT_CLUSTER] = STATE_CLUSTER,
		[SUBJECT_ENDPOINT] = STATE_ENDPOINT,
	};

	if (e->subject < SUBJECT_LISTENER || e->subject > SUBJECT_ENDPOINT)
		return e->slot;
	return move_slot(m, kinds[e->subject], e->slot);
}

/* With their numbers: whoever follows the ring goes on where it was. */
void migrate_events(const struct move *m)
{
	struct event_ring *to = m->to->events;
	const uint64_t head = __atomic_load_n(&m->from->events->head, __ATOMIC_RELAXED);
	uint64_t seq = head > EVENT_RING ? head - EVENT_RING : 0;
	uint64_t lost = 0;
	struct event event;

	if (head > HEAD_MAX)
		return;
	while (event_read(m->from->events, &seq, &event, &lost) && seq <= head) {
		event.slot = new_slot(m, &event);
		to->head = seq - 1;
		event_write(to, &event);
	}
	to->head = head;
}
