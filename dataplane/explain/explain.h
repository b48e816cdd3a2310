/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker would do now with a client's first packet, decided by the dataplane's own code on
 * a copy of the region's state: nothing is taken, counted or changed.
 *
 * Not known here, since it is the workers' own memory: their place in the cycles of round robin
 * and random draws, and how many entries of a share a cluster has. So for the algorithms that draw
 * the endpoint is one of several (struct explanation, sure).
 */
#ifndef FENDER_DATAPLANE_EXPLAIN_EXPLAIN_H
#define FENDER_DATAPLANE_EXPLAIN_EXPLAIN_H

#include <stdint.h>

#include "shm/image.h"
#include "shm/region.h"

enum { EXPLAIN_CANDIDATES = 64 };
#define EXPLAIN_NONE UINT32_MAX

/* Addresses are v4-mapped for IPv4; ports in network order. */
struct explain_question {
	const struct image_header *image; /* checked */
	const struct region *region;
	uint64_t now_ns;
	struct image_ip client;
	struct image_ip destination;
	uint16_t client_port;
	uint16_t destination_port;
	uint8_t proto;     /* enum image_proto */
	uint8_t family;    /* enum image_family */
	uint8_t interface; /* it comes in by: position in the image */
	uint32_t cluster;  /* EXPLAIN_NONE: the listener's. Else how this cluster deals with the
			      client; destination and interface are not used */
};

/* What speaks against a candidate. */
enum explain_objection {
	EXPLAIN_DRAINED = 1 << 0,     /* by an operator: not even in panic */
	EXPLAIN_FORCED_OPEN = 1 << 1, /* likewise */
	EXPLAIN_UNHEALTHY = 1 << 2,
	EXPLAIN_EJECTED = 1 << 3,
	EXPLAIN_FULL = 1 << 4,           /* its own bulkhead */
	EXPLAIN_OTHER_PRIORITY = 1 << 5, /* these three: tried after all others */
	EXPLAIN_OTHER_ZONE = 1 << 6,
	EXPLAIN_STARTS_SLOWLY = 1 << 7,
};

struct explain_candidate {
	uint32_t endpoint; /* position in the image */
	uint32_t limit;    /* of its bulkhead; 0: none */
	uint64_t in_flight;
	uint8_t objections; /* enum explain_objection */
	uint8_t panic;      /* its priority panics: health and ejection do not count */
	uint8_t pad[6];
};

enum explain_next {
	EXPLAIN_NOTHING, /* no cluster, or one without a listener: nothing was decided */
	EXPLAIN_SEND,
	EXPLAIN_WAIT, /* queued */
	EXPLAIN_REJECT,
};

struct explanation {
	/* of the addresses */
	uint32_t listener; /* position in the image, or EXPLAIN_NONE */
	uint32_t bucket;   /* of OWNER_BUCKETS */
	uint32_t worker;
	uint8_t ours;      /* the destination is an address of ours */
	uint8_t snat_port; /* and the port one of SNAT: an endpoint's packet */

	/* of the cluster */
	uint8_t hashed; /* .hash decides */
	uint8_t sure;   /* another worker, or another time, would take the same */
	uint32_t cluster;
	uint64_t hash;
	uint32_t priority;       /* the call begins at */
	uint32_t priority_share; /* of calls that do, hundredths of a percent */
	uint32_t usable;         /* endpoints of the cluster */
	uint32_t candidate_count;
	struct explain_candidate candidate[EXPLAIN_CANDIDATES]; /* in their order */

	/* of the call */
	enum explain_next next;
	uint32_t reason;   /* enum reason, of EXPLAIN_REJECT */
	uint32_t endpoint; /* of EXPLAIN_SEND: position in the image */
	uint64_t wait_ns;  /* of EXPLAIN_WAIT: at most */
	struct image_ip next_hop;
	uint8_t has_next_hop;
};

/**
 * explain() - answer @q
 *
 * Any thread of any process; reads the region's words while workers change them. Costs a copy of
 * the state of all names: a few ms with 16,000 endpoints.
 * Return: 0; -ENOMEM; -ENOENT: a name of the image has no slot in the region (the policy is being
 * replaced: ask again).
 */
int explain(const struct explain_question *q, struct explanation *out);

#endif
