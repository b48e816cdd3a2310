/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which worker owns a packet's connection. A reverse packet comes to one of our SNAT ports and
 * belongs to the worker that dealt the port; everything else to the worker of the client's
 * address, port and protocol. Both go through OWNER_BUCKETS fixed buckets.
 */
#ifndef FENDER_DATAPLANE_CONN_SHARD_H
#define FENDER_DATAPLANE_CONN_SHARD_H

#include <stdint.h>

#include "dataplane/packet.h"

struct image_header;
struct lent_ports;

/* Bucket of a client's packet. */
uint32_t shard_client_bucket(const struct flow_key *key);

/* Is @port (network order) in the SNAT range of the interface? */
int shard_is_snat_port(const struct image_header *image, uint8_t interface, uint16_t port);

/* Bucket 0..OWNER_BUCKETS-1 of a packet that came in by @interface with this key. */
uint32_t shard_bucket(const struct image_header *image, uint8_t interface,
		      const struct flow_key *key);

/**
 * shard_owner() - the worker that a packet's connection belongs to
 * @owners: from shard_owners()
 * @lent: ports that are not their bucket's (conn/lent.h), or NULL
 */
uint32_t shard_owner(const uint8_t *owners, const struct lent_ports *lent,
		     const struct image_header *image, uint8_t interface,
		     const struct flow_key *key);

/* The one table from bucket to worker. */
void shard_owners(uint8_t owners[], uint32_t workers);

#endif
