/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event ring: what changed, in order, with gapless sequence numbers. Any thread of either
 * process writes; one slow reader loses the oldest and knows how many.
 *
 * A writer draws a number (head + 1), clears the entry's seq, fills it and stores the number with
 * release; an entry that has a later number already it leaves alone. A reader takes the entry of
 * the next number when its seq says so and copies it; check tells an event that was overwritten
 * meanwhile, or that two writers a lap apart have mixed. Those, and events whose writer died,
 * count as lost.
 */
#ifndef FENDER_SHM_EVENTS_H
#define FENDER_SHM_EVENTS_H

#include <stdint.h>

enum event_kind {
	EVENT_NONE = 0,
	EVENT_BREAKER_OPENED, /* of a cluster; detail: until_ms in ms from now */
	EVENT_BREAKER_HALF_OPEN,
	EVENT_BREAKER_CLOSED,
	EVENT_EJECTED,          /* an endpoint's breaker opened; detail: ms */
	EVENT_PROBING,          /* it is half-open */
	EVENT_READMITTED,       /* it closed */
	EVENT_EJECTION_REFUSED, /* max_ejected */
	EVENT_PANIC_BEGAN,      /* of a cluster; detail: priority */
	EVENT_PANIC_ENDED,
	EVENT_HEALTH_CHANGED,     /* of an endpoint; detail: admin word */
	EVENT_STALE_TABLE,        /* of a cluster */
	EVENT_ENDPOINTS_CHANGED,  /* of a cluster: DNS or file; detail: count */
	EVENT_POLICY_APPLIED,     /* by every worker; detail: generation, as in the next two */
	EVENT_POLICY_REFUSED,     /* by the dataplane; the one before is back */
	EVENT_POLICY_ROLLED_BACK, /* an earlier text is in force again: an operator's or the guard's
				   */
	EVENT_DATAPLANE_READY,    /* all its workers run; detail: pid, as in the next */
	EVENT_DATAPLANE_DIED,     /* pid 0: before it was ready */
	EVENT_DATAPLANE_LOST,     /* it died too often: on_dataplane_loss */
	EVENT_DRAINING,           /* the instance is being stopped; detail: ms at most */
	EVENT_KINDS,
};

enum event_subject { SUBJECT_NONE = 0, SUBJECT_LISTENER, SUBJECT_CLUSTER, SUBJECT_ENDPOINT };

struct event {
	uint64_t seq; /* 1 and up; 0: being written */
	uint64_t at_ns;
	uint16_t kind;    /* enum event_kind */
	uint16_t subject; /* enum event_subject */
	uint32_t slot;    /* of the state registry */
	uint64_t key;     /* of the name, which may have left its slot since */
	uint64_t detail;
	uint64_t observed; /* 1: an observed policy's; nothing happened */
	uint64_t check;    /* over the rest; set by event_write() */
	uint64_t pad;
};
_Static_assert(sizeof(struct event) == 64, "ABI");

enum { EVENT_RING = 1024 };

struct event_ring {
	uint64_t head; /* the last number drawn */
	uint64_t pad[7];
	struct event entries[EVENT_RING];
};
_Static_assert(sizeof(struct event_ring) == 64 + EVENT_RING * 64, "ABI");

/* Append @event (its seq and check are set here). Any thread, wait-free. */
void event_write(struct event_ring *ring, const struct event *event);

/**
 * event_read() - the next event after *@seq
 * @seq: last number seen; moves on
 * @lost: increased by the number of events that were overwritten before they were read
 * One reader a seq; nothing is shared between readers. An event that is not complete while 64 later
 * numbers were drawn counts as lost.
 * Return: 1 with *out; 0 when there is none yet.
 */
int event_read(const struct event_ring *ring, uint64_t *seq, struct event *out, uint64_t *lost);

/* "breaker_opened", or "unknown". */
const char *event_name(unsigned int kind);

#endif
