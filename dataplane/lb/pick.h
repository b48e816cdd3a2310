/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Choosing an endpoint of a cluster. The tables come with the policy image (built by
 * config/); here is only the look-up, O(1).
 */
#ifndef FENDER_DATAPLANE_LB_PICK_H
#define FENDER_DATAPLANE_LB_PICK_H

#include "dataplane/packet.h"
#include "shm/image.h"

/* xxh64 of what hash_on names (source address, source port) of a client's key. */
uint64_t lb_hash(const struct flow_key *client, uint8_t hash_on);

/**
 * lb_pick() - number of the endpoint within the cluster
 * @cursor: the worker's own round-robin position of this cluster; advanced
 * @hash: lb_hash() of the client; used by maglev
 * @attempt: a > 0 gives the a-th other candidate (maglev: xxh64(hash, a), POLICY)
 * Return: 0..endpoint_count-1, or UINT32_MAX for a cluster without endpoints.
 */
uint32_t lb_pick(const struct image_cluster *cluster, const uint16_t *table, uint32_t *cursor,
		 uint64_t hash, uint32_t attempt);

#endif
