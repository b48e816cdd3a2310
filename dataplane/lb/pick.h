/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Choosing an endpoint of a cluster. The tables come with the policy image (built by
 * config/); here is only the look-up, O(1).
 */
#ifndef FENDER_DATAPLANE_LB_PICK_H
#define FENDER_DATAPLANE_LB_PICK_H

#include "dataplane/packet.h"
#include "shm/image.h"

/* xxh64 of what hash_on names: source address (IPv4 v4-mapped, so 16 bytes), source port. */
uint64_t lb_hash(const struct flow_key *client, uint8_t hash_on);

/**
 * lb_pick() - number of the endpoint within the cluster
 * @table: the cluster's part of the image's tables
 * @cursor: the worker's own round-robin position of this cluster; advanced
 * @hash: lb_hash() of the client; used by maglev
 * @attempt: maglev: a > 0 gives the a-th other candidate, up to 15 and while there are others, then
 *           they are walked again. Round robin: every call gives the next of the cycle
 *
 * Maglev: place hash x table_count / 2^64 of the table (no division); candidates are the distinct
 * endpoints at xxh64(hash, 1), xxh64(hash, 2), ... (POLICY "Load balancing"), and those that a
 * bounded number of look-ups does not show, in order. O(1) for attempt 0, O(attempt^2) for others.
 * Return: 0..endpoint_count-1, or UINT32_MAX for a cluster without endpoints.
 */
uint32_t lb_pick(const struct image_cluster *cluster, const uint16_t *table, uint32_t *cursor,
		 uint64_t hash, uint32_t attempt);

#endif
