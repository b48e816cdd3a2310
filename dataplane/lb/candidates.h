/* SPDX-License-Identifier: Apache-2.0 */
/*
 * candidates(key, r): the endpoints of a cluster in the order a call should try them, distinct,
 * every one once. The first comes from the algorithm's table or draw; the others in a stable
 * order of the same key (hash algorithms), or the next of the cycle or draw.
 *
 *   round_robin     the next of the worker's cycle
 *   random          a random place of the cycle, so weighted
 *   least_requests  the better of two random ones by (in_flight + 1/2) / weight
 *   peak_ewma       the better of two by estimate * decay * (in_flight + 1) / weight; one that
 *                   is unmeasured and idle goes first
 *   ring_hash       the first point at or after the hash, clockwise
 *   maglev          table[hash * size / 2^64], then at xxh64(hash, 1), xxh64(hash, 2), ...
 *   rendezvous      by -weight / ln(u), u of lookup_mixed(host, hash), highest first
 *
 * Two to compare: the first drawn from the cycle, the second too, or when that is the first one
 * again, any other. Where they compare equal, or both are idle under least_requests, the first
 * drawn goes first: so idle endpoints are dealt by weight.
 *
 * After CANDIDATES_LOOKUPS look-ups in all that showed nothing new, or CANDIDATES_SEEN endpoints
 * (rendezvous, whose look-up is O(endpoints): CANDIDATES_SCORED), the remaining ones come in their
 * order from a place the hash (or the draw) names, so the walk is bounded by endpoints +
 * CANDIDATES_LOOKUPS. No floating point, no division.
 */
#ifndef FENDER_DATAPLANE_LB_CANDIDATES_H
#define FENDER_DATAPLANE_LB_CANDIDATES_H

#include "dataplane/packet.h"
#include "dataplane/policy/view.h"

enum {
	CANDIDATES_LOOKUPS = 64,
	CANDIDATES_SEEN = 64,
	CANDIDATES_SCORED = 16,
};
#define CANDIDATE_NONE UINT32_MAX

/* xxh64 of what hash_on names: source address (IPv4 v4-mapped, so 16 bytes), source port. */
uint64_t lb_hash(const struct flow_key *client, uint8_t hash_on);

struct candidates {
	const struct policy_view *view;
	const struct policy_state *state;
	const struct image_cluster *cluster;
	uint64_t hash;
	uint64_t now_ns;
	struct random *random;
	uint32_t *cursor; /* the worker's own of this cluster */
	/* private */
	const struct image_endpoint *endpoints;
	const uint16_t *table;
	uint32_t shown;
	uint32_t vain;  /* look-ups that showed nothing new */
	uint32_t at;    /* maglev: of the next look-up; ring: point; rendezvous: the last one */
	uint32_t spare; /* the loser of two, next; else CANDIDATE_NONE */
	uint32_t scan;  /* the next in order; CANDIDATE_NONE until that walk begins */
	uint32_t noted;
	uint32_t seen[CANDIDATES_SEEN]; /* shown, or spare, before that walk; noted of them */
};

/* The members up to cursor are the caller's to set before; hash: of hash algorithms only. */
void candidates_begin(struct candidates *c);

/* The next endpoint's number within the cluster, or CANDIDATE_NONE when all were shown. */
uint32_t candidates_next(struct candidates *c);

#endif
