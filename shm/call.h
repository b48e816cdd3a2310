/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call: one connection or flow on its way through the policies, from the client's first packet
 * until everything it holds is given back (dataplane/policy/call.h is what changes it). It lies
 * in its connection's entry, so that a successor of a killed dataplane can count the permits
 * that live connections hold. One line; written by the owning worker only.
 */
#ifndef FENDER_SHM_CALL_H
#define FENDER_SHM_CALL_H

#include <stdint.h>

/* What a call holds and call_end() gives back. */
enum call_held {
	CALL_LISTENER_PERMIT = 1 << 0,
	CALL_CLUSTER_PERMIT = 1 << 1,
	CALL_SOURCE_PERMIT = 1 << 2,   /* of a bulkhead with scope source */
	CALL_ENDPOINT_PERMIT = 1 << 3, /* counted in the endpoint's in_flight (always while an
					  attempt is under way, limited or not) */
	CALL_CLUSTER_PROBE = 1 << 4,   /* half-open slots */
	CALL_ENDPOINT_PROBE = 1 << 5,
	CALL_RETRY_ON_WIRE = 1 << 6,   /* counted in retries_in_flight */
	CALL_LISTENER_QUEUED = 1 << 7, /* waits in the listener's queue */
	CALL_CLUSTER_QUEUED = 1 << 8,
	CALL_ATTEMPT = 1 << 9, /* counted in the cluster's attempts_in_flight */
};

enum call_mark {
	CALL_NO_CLUSTER_EPOCH =
		1 << 0, /* feeds no cluster breaker: admitted against it (observe) */
	CALL_NO_ENDPOINT_EPOCH = 1 << 1, /* nor the endpoint's: panic, observe, forced */
	CALL_STARTED = 1 << 2,           /* counted as started, not yet as ended */
	CALL_BUDGETED = 1 << 3,          /* its first attempt was counted by the retry budget */
	CALL_WAS_PROBE = 1 << 4,  /* admitted by its cluster's half-open breaker: never retried */
	CALL_OPEN = 1 << 5,       /* begun and not yet over */
	CALL_NO_VERDICT = 1 << 6, /* feeds no breaker, estimate or statistics and is no probe */
	CALL_REQUESTED = 1 << 7,  /* the client has asked of the current attempt: requested_ns */
};

enum { CALL_TRIED = 4, CALL_NO_SLOT = 0xffff };
/* source: its place must be found by the client's address, see shm/migrate.h. */
#define CALL_SOURCE_UNKNOWN UINT32_MAX

struct call {
	uint64_t started_ns; /* the client's first packet */
	union {
		uint64_t attempt_ns;     /* the current attempt was sent; 0: none yet */
		uint64_t queue_until_ns; /* while it waits for its first: queue_timeout, kept when
					    it must queue again; 0: not yet in that queue */
	};
	union {
		uint64_t ticket;     /* while it waits: its place in the queue */
		uint64_t connect_ns; /* of the current attempt; 0: not connected yet */
	};
	union {
		struct {
			uint32_t queue_next; /* numbers of its neighbours in its worker's queue */
			uint32_t queue_prev;
		};
		uint64_t requested_ns; /* with CALL_REQUESTED */
	};
	uint32_t source;   /* place of its source's permits */
	uint32_t number;   /* of this call among its worker's, set by whoever made it */
	uint16_t listener; /* slots of the state registry */
	uint16_t cluster;
	uint16_t endpoint; /* of the current or last attempt; CALL_NO_SLOT before the first */
	uint16_t cluster_epoch;
	uint16_t endpoint_epoch;
	uint16_t held;              /* enum call_held */
	uint8_t marks;              /* enum call_mark */
	uint8_t attempts;           /* sent so far */
	uint16_t tried[CALL_TRIED]; /* endpoint slots of earlier attempts, the latest at
				       (attempts - 1) % CALL_TRIED */
	uint16_t reason;            /* enum reason of the last failed attempt */
};
_Static_assert(sizeof(struct call) == 64, "ABI");

#endif
